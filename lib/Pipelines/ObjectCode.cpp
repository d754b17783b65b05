// Translation to LLVM IR, optimization and code generation for one instruction set.
#include "ecf8/Pipelines/ObjectCode.h"

#include "ecf8/Conversion/RuntimeImports.h"

#include "SoftFloat.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/Analysis/TargetLibraryInfo.h"
#include "llvm/IR/DiagnosticInfo.h"
#include "llvm/IR/DiagnosticPrinter.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/CodeGen.h"
#include "llvm/Support/TargetSelect.h"
#include <mutex>

namespace mlir::ecf8 {

namespace {
/// Collects LLVM's errors instead of ending the process.
struct ErrorCollector : llvm::DiagnosticHandler {
  explicit ErrorCollector(std::string &errors) : errors(errors) {}
  bool handleDiagnostics(const llvm::DiagnosticInfo &info) override {
    if (info.getSeverity() != llvm::DS_Error)
      return true;
    llvm::raw_string_ostream stream(errors);
    if (!errors.empty())
      stream << "; ";
    llvm::DiagnosticPrinterRawOStream printer(stream);
    info.print(printer);
    return true;
  }
  std::string &errors;
};
} // namespace

void registerObjectCodeTranslations(DialectRegistry &registry) {
  registerBuiltinDialectTranslation(registry);
  registerLLVMDialectTranslation(registry);
}

static void initializeX86() {
  static std::once_flag once;
  std::call_once(once, [] {
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmPrinter();
    LLVMInitializeX86AsmParser();
  });
}

ObjectCompiler::ObjectCompiler(const CpuLevel &level, unsigned optimizationLevel)
    : level(level), optimizationLevel(optimizationLevel) {
  initializeX86();
  llvm::Triple triple("x86_64-unknown-linux-gnu");
  std::string error;
  const llvm::Target *target = llvm::TargetRegistry::lookupTarget(triple, error);
  if (!target)
    llvm::report_fatal_error("LLVM was built without its X86 back end: " + llvm::Twine(error));
  llvm::TargetOptions options;
  options.AllowFPOpFusion = llvm::FPOpFusion::Strict;
  options.FunctionSections = true;
  options.DataSections = true;
  auto codeGenLevel = optimizationLevel == 0   ? llvm::CodeGenOptLevel::None
                      : optimizationLevel <= 2 ? llvm::CodeGenOptLevel::Default
                                               : llvm::CodeGenOptLevel::Aggressive;
  machine.reset(target->createTargetMachine(triple, level.llvmCpu, level.getLLVMFeatures(), options, llvm::Reloc::PIC_,
                                            std::nullopt, codeGenLevel));
  context.setDiagnosticHandler(std::make_unique<ErrorCollector>(errors));
}

ObjectCompiler::~ObjectCompiler() = default;

LogicalResult ObjectCompiler::reportErrors() {
  if (errors.empty())
    return success();
  return emitError(*location) << "LLVM for '" << level.name << "': " << errors;
}

LogicalResult ObjectCompiler::translate(ModuleOp source) {
  location = source.getLoc();
  module = translateModuleToLLVMIR(source, context, "ecf8");
  if (!module)
    return reportErrors().failed() ? failure() : emitError(*location, "expected a module in the LLVM dialect");
  module->setSourceFileName("ecf8");
  module->setTargetTriple(machine->getTargetTriple());
  module->setDataLayout(machine->createDataLayout());
  module->setPICLevel(llvm::PICLevel::BigPIC);
  setAttributes();
  return reportErrors();
}

void ObjectCompiler::setAttributes() {
  for (llvm::GlobalValue &global : module->global_values()) {
    if (global.isDeclaration())
      continue;
    bool isKept = llvm::isa<llvm::Function>(global) && isExported(global.getName());
    if (isKept) {
      global.setLinkage(llvm::GlobalValue::ExternalLinkage);
      global.setVisibility(llvm::GlobalValue::DefaultVisibility);
    } else if (!global.getName().starts_with("llvm.")) {
      global.setVisibility(llvm::GlobalValue::DefaultVisibility);
      global.setLinkage(llvm::GlobalValue::InternalLinkage);
    }
  }
  if (llvm::is_contained(level.features, "f16c"))
    addSoftFloatFunctions(*module);
  for (llvm::Function &function : *module) {
    if (function.isDeclaration())
      continue;
    function.addFnAttr("target-cpu", level.llvmCpu);
    function.addFnAttr("target-features", level.getLLVMFeatures());
    function.addFnAttr("prefer-vector-width", std::to_string(level.vectorBits));
    function.addFnAttr("min-legal-vector-width", std::to_string(level.vectorBits));
    function.addFnAttr(llvm::Attribute::NoUnwind);
  }
}

LogicalResult ObjectCompiler::optimize() {
  llvm::LoopAnalysisManager loopAnalyses;
  llvm::FunctionAnalysisManager functionAnalyses;
  llvm::CGSCCAnalysisManager callGraphAnalyses;
  llvm::ModuleAnalysisManager moduleAnalyses;
  llvm::PipelineTuningOptions tuning;
  tuning.LoopVectorization = true;
  tuning.LoopInterleaving = true;
  tuning.LoopUnrolling = true;
  tuning.SLPVectorization = true;
  llvm::PassBuilder builder(machine.get(), tuning);
  builder.registerModuleAnalyses(moduleAnalyses);
  builder.registerCGSCCAnalyses(callGraphAnalyses);
  builder.registerFunctionAnalyses(functionAnalyses);
  builder.registerLoopAnalyses(loopAnalyses);
  builder.crossRegisterProxies(loopAnalyses, functionAnalyses, callGraphAnalyses, moduleAnalyses);
  llvm::OptimizationLevel passLevel = optimizationLevel == 0   ? llvm::OptimizationLevel::O0
                                      : optimizationLevel == 1 ? llvm::OptimizationLevel::O1
                                      : optimizationLevel == 2 ? llvm::OptimizationLevel::O2
                                                               : llvm::OptimizationLevel::O3;
  llvm::ModulePassManager passes = optimizationLevel == 0 ? builder.buildO0DefaultPipeline(passLevel)
                                                          : builder.buildPerModuleDefaultPipeline(passLevel);
  passes.run(*module, moduleAnalyses);
  return reportErrors();
}

LogicalResult ObjectCompiler::emit(llvm::CodeGenFileType fileType, llvm::raw_pwrite_stream &stream) {
  llvm::legacy::PassManager passes;
  passes.add(new llvm::TargetLibraryInfoWrapperPass(machine->getTargetTriple()));
  if (machine->addPassesToEmitFile(passes, stream, nullptr, fileType))
    return emitError(*location, "LLVM cannot emit this kind of file for x86-64");
  passes.run(*module);
  return reportErrors();
}

} // namespace mlir::ecf8
