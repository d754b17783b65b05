// Loads modules: parse, retarget, compile.
#include "Block.h"
#include "Checker.h"
#include "ModuleImpl.h"

#include <llvm/AsmParser/Parser.h>
#include <llvm/Bitcode/BitcodeReader.h>
#include <llvm/ExecutionEngine/Orc/AbsoluteSymbols.h>
#include <llvm/ExecutionEngine/Orc/JITTargetMachineBuilder.h>
#include <llvm/IR/DiagnosticInfo.h>
#include <llvm/IR/DiagnosticPrinter.h>
#include <llvm/IR/LLVMContext.h>
#include <llvm/IR/Verifier.h>
#include <llvm/IRReader/IRReader.h>
#include <llvm/Support/MemoryBuffer.h>
#include <llvm/Support/SourceMgr.h>
#include <llvm/Support/TargetSelect.h>
#include <llvm/Support/raw_ostream.h>

#include <mutex>

using namespace ecf8;
using namespace ecf8::simt;

uint32_t ModuleImpl::dynamicSharedOffset(uint32_t dynamicSharedBytes) const {
  if (!info.dynamicAlignment && !dynamicSharedBytes)
    return info.staticSharedBytes;
  uint32_t alignment = std::max(info.dynamicAlignment, 16u);
  return (info.staticSharedBytes + alignment - 1) / alignment * alignment;
}

std::vector<std::pair<uint32_t, uint32_t>> ModuleImpl::sharedObjects(uint32_t dynamicSharedBytes) const {
  std::vector<std::pair<uint32_t, uint32_t>> objects;
  for (const SharedVariable &variable : info.shared)
    objects.push_back({variable.offset, variable.offset + variable.sizeBytes});
  if (dynamicSharedBytes) {
    uint32_t begin = dynamicSharedOffset(dynamicSharedBytes);
    objects.push_back({begin, begin + dynamicSharedBytes});
  }
  return objects;
}

ModuleImpl::~ModuleImpl() {
  for (const auto &[name, place] : globals)
    unregisterHostMemory(place.first);
}

static std::string take(llvm::Error error) { return llvm::toString(std::move(error)); }

/// The first error that LLVM reports, instead of its text on stderr.
struct Diagnostics : llvm::DiagnosticHandler {
  std::string *first;
  explicit Diagnostics(std::string *first) : first(first) {}
  bool handleDiagnostics(const llvm::DiagnosticInfo &info) override {
    if (info.getSeverity() == llvm::DS_Error && first->empty()) {
      llvm::raw_string_ostream stream(*first);
      llvm::DiagnosticPrinterRawOStream printer(stream);
      info.print(printer);
    }
    return true;
  }
};

/// Takes module and context where it succeeds; where not, the caller destroys the module first.
static Status compile(ModuleImpl &impl, std::unique_ptr<llvm::Module> &module,
                      std::unique_ptr<llvm::LLVMContext> &context) {
  llvm::orc::JITTargetMachineBuilder target{llvm::Triple("x86_64-unknown-linux-gnu")};
  target.setCPU("x86-64-v3"); // not the machine's own: results are the same everywhere
  target.setCodeGenOptLevel(llvm::CodeGenOptLevel::Default);
  target.setRelocationModel(llvm::Reloc::PIC_);
  auto layout = target.getDefaultDataLayoutForTarget();
  if (!layout)
    return Status(StatusCode::Unsupported, take(layout.takeError()));
  Result<RetargetedModule> retargeted = retarget(*module, *layout, impl.check);
  if (!retargeted)
    return retargeted.status();
  impl.info = retargeted.take();
  module->setTargetTriple(target.getTargetTriple());

  llvm::orc::SymbolMap symbols;
  std::vector<std::string> functions;
  std::vector<std::pair<std::string, size_t>> variables;
  for (llvm::Function &function : *module)
    if (function.isDeclaration() && !function.isIntrinsic())
      functions.push_back(function.getName().str());
  for (const std::string &name : impl.info.globals)
    variables.push_back({name, layout->getTypeAllocSize(module->getGlobalVariable(name, true)->getValueType())});

  auto jit = llvm::orc::LLJITBuilder().setJITTargetMachineBuilder(std::move(target)).create();
  if (!jit)
    return Status(StatusCode::Unsupported, "no compiler for this machine: " + take(jit.takeError()));
  impl.jit = std::move(*jit);
  auto define = [&](const std::string &name) {
    if (void *address = findLibraryFunction(name))
      symbols[impl.jit->mangleAndIntern(name)] = {llvm::orc::ExecutorAddr::fromPtr(address),
                                                  llvm::JITSymbolFlags::Exported | llvm::JITSymbolFlags::Callable};
  };
  for (const std::string &name : functions)
    define(name);
  for (const char *name : {"__truncsfbf2", "__truncdfbf2", "__truncdfhf2"}) // the code generator calls them by itself
    define(name);
  if (auto error = impl.jit->getMainJITDylib().define(llvm::orc::absoluteSymbols(std::move(symbols))))
    return Status(StatusCode::Unsupported, take(std::move(error)));
  if (auto error = impl.jit->addIRModule(llvm::orc::ThreadSafeModule(std::move(module), std::move(context))))
    return Status(StatusCode::Unsupported, take(std::move(error)));
  for (const RetargetedKernel &info : impl.info.kernels) {
    auto address = impl.jit->lookup(info.entry);
    if (!address)
      return Status(StatusCode::Unsupported, "kernel '" + info.name + "': " + take(address.takeError()));
    auto kernel = std::make_unique<KernelImpl>();
    kernel->name = info.name;
    kernel->module = &impl;
    kernel->entry = address->toPtr<void (*)(void *const *)>();
    kernel->numParameters = info.numParameters;
    kernel->maxThreads = info.maxThreads;
    std::copy(std::begin(info.required), std::end(info.required), kernel->required);
    impl.kernels[info.name] = std::move(kernel);
  }
  for (const auto &[name, sizeBytes] : variables) {
    auto address = impl.jit->lookup(name);
    if (!address)
      return Status(StatusCode::Unsupported, "variable '" + name + "': " + take(address.takeError()));
    void *place = address->toPtr<void *>();
    impl.globals[name] = {place, sizeBytes};
    registerHostMemory(place, sizeBytes);
  }
  return Status::ok();
}

Result<Module> Module::load(std::string_view data, const LoadOptions &options) {
  static std::once_flag once;
  std::call_once(once, [] {
    llvm::InitializeNativeTarget();
    llvm::InitializeNativeTargetAsmPrinter();
  });
  if (!__builtin_cpu_supports("x86-64-v3"))
    return Status(StatusCode::Unsupported, "the simulator needs a processor of level x86-64-v3 (AVX2, FMA, F16C)");
  auto context = std::make_unique<llvm::LLVMContext>();
  std::string problem;
  context->setDiagnosticHandler(std::make_unique<Diagnostics>(&problem));
  llvm::SMDiagnostic diagnostic;
  std::unique_ptr<llvm::Module> module;
  llvm::StringRef bytes(data.data(), data.size());
  if (bytes.starts_with("BC") || bytes.starts_with("\xde\xc0\x17\x0b")) {
    auto parsed = llvm::parseBitcodeFile(llvm::MemoryBufferRef(bytes, options.name), *context);
    if (!parsed)
      return Status(StatusCode::Corrupt, options.name + ": " + take(parsed.takeError()));
    module = std::move(*parsed);
  } else {
    std::string text(bytes.take_until([](char c) { return c == 0; })); // callers may count the end of the string
    module = llvm::parseAssemblyString(text, diagnostic, *context);
    if (!module)
      return Status(StatusCode::Corrupt,
                    options.name + ":" + std::to_string(diagnostic.getLineNo()) + ": " + diagnostic.getMessage().str());
  }
  llvm::raw_string_ostream stream(problem);
  if (llvm::verifyModule(*module, &stream))
    return Status(StatusCode::Corrupt, options.name + ": " + problem);
  auto impl = std::make_unique<ModuleImpl>();
  impl->name = options.name;
  impl->check = options.check;
  if (Status status = compile(*impl, module, context); !status.isOk())
    return status.in(options.name);
  return Module(std::move(impl));
}

Module::Module(std::unique_ptr<ModuleImpl> impl) : impl(std::move(impl)) {}
Module::Module(Module &&) noexcept = default;
Module &Module::operator=(Module &&) noexcept = default;
Module::~Module() = default;

std::vector<std::string> Module::kernelNames() const {
  std::vector<std::string> names;
  for (const auto &entry : impl->kernels)
    names.push_back(entry.first);
  return names;
}

Result<Kernel> Module::kernel(std::string_view name) const {
  auto found = impl->kernels.find(name);
  if (found == impl->kernels.end())
    return Status(StatusCode::NotFound, impl->name + ": no kernel '" + std::string(name) + "'");
  return Kernel(found->second.get());
}

Result<std::pair<void *, size_t>> Module::global(std::string_view name) const {
  auto found = impl->globals.find(name);
  if (found == impl->globals.end())
    return Status(StatusCode::NotFound, impl->name + ": no global variable '" + std::string(name) + "'");
  return found->second;
}

std::vector<std::string> Module::opNames() const { return {impl->info.ops.begin(), impl->info.ops.end()}; }

const std::string &Kernel::name() const { return impl->name; }
size_t Kernel::numParameters() const { return impl->numParameters; }
uint32_t Kernel::staticSharedBytes() const { return impl->module->info.staticSharedBytes; }
