// Translation of GPU kernels to LLVM IR, and their code.
#include "ecf8/Pipelines/KernelCode.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/GPU/GPUToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/NVVM/NVVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/IR/Instructions.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"
#include <mutex>

using namespace mlir;
using namespace mlir::ecf8;

void mlir::ecf8::registerKernelCodeTranslations(DialectRegistry &registry) {
  registerBuiltinDialectTranslation(registry);
  registerGPUDialectTranslation(registry);
  registerLLVMDialectTranslation(registry);
  registerNVVMDialectTranslation(registry);
}

static std::unique_ptr<llvm::TargetMachine> createMachine(const Architecture &architecture) {
  static std::once_flag once;
  std::call_once(once, [] {
    LLVMInitializeNVPTXTargetInfo();
    LLVMInitializeNVPTXTarget();
    LLVMInitializeNVPTXTargetMC();
    LLVMInitializeNVPTXAsmPrinter();
  });
  llvm::Triple triple("nvptx64-nvidia-cuda");
  std::string error;
  const llvm::Target *target = llvm::TargetRegistry::lookupTarget(triple, error);
  if (!target)
    llvm::report_fatal_error("LLVM was built without its NVPTX back end: " + llvm::Twine(error));
  llvm::TargetOptions options;
  options.AllowFPOpFusion = llvm::FPOpFusion::Strict;
  return std::unique_ptr<llvm::TargetMachine>(
      target->createTargetMachine(triple, architecture.name, architecture.ptxFeature, options, llvm::Reloc::PIC_,
                                  std::nullopt, llvm::CodeGenOptLevel::Aggressive));
}

/// Lanes of a warp have to come to inline assembly together, as to instructions that LLVM knows.
static void markAssemblyConvergent(llvm::Module &module) {
  for (llvm::Function &function : module)
    for (llvm::BasicBlock &block : function)
      for (llvm::Instruction &instruction : block)
        if (auto *call = llvm::dyn_cast<llvm::CallInst>(&instruction); call && call->isInlineAsm())
          call->setConvergent();
}

static void optimize(llvm::Module &module, llvm::TargetMachine &machine) {
  llvm::LoopAnalysisManager loopAnalyses;
  llvm::FunctionAnalysisManager functionAnalyses;
  llvm::CGSCCAnalysisManager callGraphAnalyses;
  llvm::ModuleAnalysisManager moduleAnalyses;
  llvm::PassBuilder builder(&machine);
  builder.registerModuleAnalyses(moduleAnalyses);
  builder.registerCGSCCAnalyses(callGraphAnalyses);
  builder.registerFunctionAnalyses(functionAnalyses);
  builder.registerLoopAnalyses(loopAnalyses);
  builder.crossRegisterProxies(loopAnalyses, functionAnalyses, callGraphAnalyses, moduleAnalyses);
  builder.buildPerModuleDefaultPipeline(llvm::OptimizationLevel::O3).run(module, moduleAnalyses);
}

/// The machine code that `ptxas` makes of `ptx`. What goes wrong has no place in the program.
static LogicalResult assemble(MLIRContext *context, StringRef ptx, const Architecture &architecture,
                              llvm::SmallVectorImpl<char> &output) {
  Location location = UnknownLoc::get(context);
  auto program = llvm::sys::findProgramByName("ptxas");
  if (!program)
    return emitError(location) << "expected ptxas of the CUDA toolkit in PATH, got none; PTX needs no ptxas";
  llvm::SmallString<128> input, result, messages;
  int descriptor;
  llvm::scope_exit remove([&] {
    for (StringRef path : {input.str(), result.str(), messages.str()})
      if (!path.empty())
        llvm::sys::fs::remove(path);
  });
  if (std::error_code error = llvm::sys::fs::createTemporaryFile("ecf8", "ptx", descriptor, input))
    return emitError(location) << "temporary file: " << error.message();
  {
    llvm::raw_fd_ostream stream(descriptor, /*shouldClose=*/true);
    stream << ptx;
    stream.flush();
    if (stream.has_error()) {
      std::string message = stream.error().message();
      stream.clear_error();
      return emitError(location) << input << ": cannot write: " << message;
    }
  }
  if (std::error_code error = llvm::sys::fs::createTemporaryFile("ecf8", "cubin", result))
    return emitError(location) << "temporary file: " << error.message();
  if (std::error_code error = llvm::sys::fs::createTemporaryFile("ecf8", "txt", messages))
    return emitError(location) << "temporary file: " << error.message();
  std::string arch = ("-arch=" + architecture.name).str();
  std::optional<StringRef> redirects[] = {std::nullopt, messages.str(), messages.str()};
  int status =
      llvm::sys::ExecuteAndWait(*program, {*program, arch, input.str(), "-o", result.str()}, std::nullopt, redirects);
  if (status != 0) {
    auto text = llvm::MemoryBuffer::getFile(messages);
    return emitError(location) << *program << " failed (" << status
                               << "): " << (text ? (*text)->getBuffer().trim() : "no message");
  }
  auto content = llvm::MemoryBuffer::getFile(result);
  if (!content)
    return emitError(location) << result << ": cannot read: " << content.getError().message();
  llvm::append_range(output, (*content)->getBuffer());
  return success();
}

gpu::GPUModuleOp mlir::ecf8::findKernels(ModuleOp module) {
  auto kernels = module.getOps<gpu::GPUModuleOp>();
  return kernels.empty() ? gpu::GPUModuleOp() : *kernels.begin();
}

void mlir::ecf8::addMark(gpu::GPUModuleOp kernels, StringRef name) {
  OpBuilder builder = OpBuilder::atBlockEnd(kernels.getBody());
  auto type = LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(kernels.getContext()), {});
  auto mark = LLVM::LLVMFuncOp::create(builder, kernels.getLoc(), name, type);
  mark->setAttr(gpu::GPUDialect::getKernelFuncAttrName(), builder.getUnitAttr());
  mark->setAttr(NVVM::NVVMDialect::getKernelFuncAttrName(), builder.getUnitAttr());
  builder.setInsertionPointToStart(mark.addEntryBlock(builder));
  LLVM::ReturnOp::create(builder, kernels.getLoc(), ValueRange{});
}

LogicalResult mlir::ecf8::emitKernels(ModuleOp module, const Architecture &architecture, KernelFormat format,
                                      llvm::SmallVectorImpl<char> &output) {
  gpu::GPUModuleOp source = findKernels(module);
  if (!source)
    return emitError(module.getLoc(), "expected a program with work for a GPU, got one without");
  llvm::raw_svector_ostream stream(output);
  if (format == KernelFormat::Dialect) {
    source->print(stream);
    stream << "\n";
    return success();
  }
  llvm::LLVMContext context;
  std::unique_ptr<llvm::Module> translated = translateModuleToLLVMIR(source, context, "ecf8");
  if (!translated)
    return emitError(source.getLoc(), "expected kernels in the LLVM dialect");
  std::unique_ptr<llvm::TargetMachine> machine = createMachine(architecture);
  translated->setSourceFileName("ecf8");
  translated->setTargetTriple(machine->getTargetTriple());
  translated->setDataLayout(machine->createDataLayout());
  markAssemblyConvergent(*translated);
  optimize(*translated, *machine);
  if (format == KernelFormat::LLVMIR) {
    translated->print(stream, nullptr);
    return success();
  }
  llvm::SmallVector<char, 0> ptx;
  llvm::raw_svector_ostream ptxStream(ptx);
  llvm::legacy::PassManager passes;
  if (machine->addPassesToEmitFile(passes, ptxStream, nullptr, llvm::CodeGenFileType::AssemblyFile))
    return emitError(source.getLoc(), "LLVM cannot emit PTX");
  passes.run(*translated);
  if (format == KernelFormat::Cubin)
    return assemble(source.getContext(), StringRef(ptx.data(), ptx.size()), architecture, output);
  stream << StringRef(ptx.data(), ptx.size());
  return success();
}
