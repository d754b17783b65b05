// The stages from a program to a bundle.
#include "ecf8/Pipelines/Compile.h"

#include "EntryPoints.h"
#include "GpuWeights.h"
#include "LevelCompiler.h"
#include "ecf8/Conversion/RuntimeImports.h"
#include "ecf8/Dialect/ECF8/Transforms/ContractedWeights.h"
#include "ecf8/Dialect/ECF8/Transforms/Passes.h"
#include "ecf8/Pipelines/Bundle.h"
#include "ecf8/Pipelines/KernelCode.h"
#include "ecf8/Pipelines/Linker.h"
#include "ecf8/Pipelines/ObjectCode.h"
#include "ecf8/Pipelines/Pipelines.h"
#include "mlir/IR/AsmState.h"
#include "mlir/IR/Remarks.h"
#include "mlir/InitAllDialects.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Transforms/Passes.h"
#include "llvm/Support/FileUtilities.h"
#include <chrono>

using ::ecf8::Result;
using ::ecf8::Status;

namespace mlir::ecf8 {

void registerCompilerDialects(DialectRegistry &registry) {
  registerAllDialects(registry);
  registerAllExtensions(registry);
  registry.insert<ECF8Dialect>();
  registerObjectCodeTranslations(registry);
  registerKernelCodeTranslations(registry);
}

namespace {

/// One compilation. Methods are the stages, in order.
class Compiler {
public:
  Compiler(MLIRContext &context, const CompileOptions &options, CompileStats &stats)
      : context(context), options(options), stats(stats) {}

  LogicalResult run(const std::shared_ptr<llvm::SourceMgr> &source, llvm::SmallVectorImpl<char> &output);

private:
  LogicalResult report(const Status &status) {
    return status.isOk() ? success() : emitError(UnknownLoc::get(&context), status.message());
  }
  LogicalResult runPasses(ModuleOp target, llvm::function_ref<void(OpPassManager &)> build);
  LogicalResult timed(const char *phase, llvm::function_ref<LogicalResult()> work);
  LogicalResult print(llvm::SmallVectorImpl<char> &output);
  LogicalResult bindAndEncode();
  LogicalResult lower(ModuleOp target, const CpuLevel &level, Stage last);
  LogicalResult compileLevel(ModuleOp copy, const CpuLevel &level);
  LogicalResult emitFirstLevel(llvm::SmallVectorImpl<char> &output);
  LogicalResult lowerToKernels(ModuleOp target, const Architecture &gpu);
  LogicalResult emitGpuKernels(llvm::SmallVectorImpl<char> &output);
  LogicalResult addKernelsToBundle();
  LogicalResult emitBundle();

  MLIRContext &context;
  const CompileOptions &options;
  CompileStats &stats;
  OwningOpRef<ModuleOp> module;
  OwningOpRef<ModuleOp> host; ///< of a program for GPUs, without its kernels
  WeightFiles files;
  std::vector<ModuleWeight> weights;
  std::vector<EncodedWeight> encoded;
  std::vector<GpuWeight> gpuWeights; ///< for GPUs
  std::vector<BundleEntryPoint> entryPoints;
  BundleWriter bundle;
  std::string linker;
};

} // namespace

LogicalResult Compiler::timed(const char *phase, llvm::function_ref<LogicalResult()> work) {
  auto start = std::chrono::steady_clock::now();
  LogicalResult result = work();
  stats.phases.push_back({phase, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count()});
  return result;
}

LogicalResult Compiler::runPasses(ModuleOp target, llvm::function_ref<void(OpPassManager &)> build) {
  PassManager passes(target.getContext());
  if (options.configurePassManager && failed(options.configurePassManager(passes)))
    return failure();
  build(passes);
  if (succeeded(passes.run(target)))
    return success();
  if (!options.quiet)
    emitRemark(target.getLoc()) << "a pass failed; --mlir-pass-pipeline-crash-reproducer=<file> writes its input and "
                                   "pipeline, which 'ecf8-opt --run-reproducer <file>' repeats";
  return failure();
}

LogicalResult Compiler::print(llvm::SmallVectorImpl<char> &output) {
  llvm::raw_svector_ostream stream(output);
  module->print(stream);
  return success();
}

/// Gives the inline globals of `weights` keys in place of their contents, which the bundle holds from here on: copies
/// of the module stay small. They become public, so that no pass removes one and changes the numbers of the others.
static void detachContents(std::vector<ModuleWeight> &weights) {
  for (ModuleWeight &weight : weights) {
    weight.global.removeValueAttr();
    weight.global.setKey(weight.name);
    weight.global.setPublic();
  }
}

LogicalResult Compiler::bindAndEncode() {
  if (failed(timed("externalize weights", [&] {
        return runPasses(*module, [&](OpPassManager &passes) {
          ExternalizeWeightsPassOptions externalize;
          externalize.minBytes = std::min<int64_t>(externalize.minBytes, options.codec.minElements);
          passes.addPass(createExternalizeWeightsPass(externalize));
          passes.addPass(createSymbolDCEPass());
          if (!options.fuseDecode)
            return;
          TransposeWeightsPassOptions transpose;
          transpose.minElements = options.codec.minElements;
          passes.addPass(createTransposeWeightsPass(transpose));
        });
      })))
    return failure();
  if (failed(timed("bind weights",
                   [&] {
                     if (failed(report(files.open(options.weightPaths))))
                       return failure();
                     BindOptions bind{options.strictWeights, !options.quiet};
                     if (failed(bindWeights(*module, files, bind, weights)))
                       return failure();
                     if (options.fuseDecode && options.codec.codec == Codec::Auto) {
                       DenseSet<Operation *> contracted = findContractedGlobals(*module);
                       for (ModuleWeight &weight : weights)
                         weight.isContracted = contracted.contains(weight.global);
                     }
                     return success();
                   })) ||
      failed(timed("encode weights", [&] { return encodeWeights(weights, options.codec, options.threads, encoded); })))
    return failure();
  stats.addWeights(weights, encoded);

  bool keepContents = options.stage == Stage::Compressed;
  if (!keepContents)
    detachContents(weights);
  llvm::DenseMap<Operation *, size_t> indices;
  for (auto [index, weight] : llvm::enumerate(weights))
    indices[weight.global] = index;
  auto decide = [&](GlobalOp global) -> FailureOr<WeightDecision> {
    const EncodedWeight &weight = encoded[indices.at(global)];
    WeightDecision decision;
    decision.encoding = weight.encoding;
    decision.reason = weight.reason;
    if (global.getValue() && weight.encoding) {
      auto type = RankedTensorType::get({static_cast<int64_t>(weight.payload.size())}, IntegerType::get(&context, 8));
      AsmResourceBlob blob = UnmanagedAsmResourceBlob::allocateInferAlign(
          ArrayRef<char>(reinterpret_cast<const char *>(weight.payload.data()), weight.payload.size()));
      decision.payload = DenseResourceElementsAttr::get(type, global.getSymName(), std::move(blob));
    }
    return decision;
  };
  return timed("compress weights", [&] {
    return runPasses(*module, [&](OpPassManager &passes) {
      CompressWeightsPassOptions compress;
      compress.codec = getName(options.codec.codec).str();
      compress.minElements = options.codec.minElements;
      compress.maxCodeLength = options.codec.maxCodeLength.value_or(0);
      compress.tileColumns = options.codec.tileColumns.value_or(0);
      passes.addPass(createCompressWeightsPass(compress, decide));
    });
  });
}

static void fillPipelineOptions(CPUPipelineOptions &pipeline, const CpuLevel &level, const CompileOptions &options) {
  pipeline.fuseDecode = options.fuseDecode;
  pipeline.arithmetic = options.arithmetic;
  pipeline.fuseEpilogue = options.fuseEpilogue;
  pipeline.tileAttention = options.tileAttention;
  pipeline.forGpu = !options.gpus.empty();
  pipeline.fp8Activations =
      pipeline.forGpu && llvm::all_of(options.gpus, [](const Architecture *gpu) { return gpu->multipliesFP8; });
  pipeline.lanes = level.lanes.str();
  pipeline.vectorBits = level.vectorBits;
  pipeline.hasF16Conversions = llvm::is_contained(level.features, "f16c");
  pipeline.hasBF16Products = llvm::is_contained(level.features, "avx512bf16");
}

LogicalResult Compiler::lower(ModuleOp target, const CpuLevel &level, Stage last) {
  return runPasses(target, [&](OpPassManager &passes) {
    CPUPipelineOptions pipeline;
    fillPipelineOptions(pipeline, level, options);
    if (options.gpus.empty())
      buildLowerPipeline(passes, pipeline);
    else
      buildGPUHostPipeline(passes);
    if (last != Stage::Lowered)
      buildLLVMPipeline(passes, pipeline);
  });
}

/// Stages from Lowered to Object, for the first level, into `output`.
LogicalResult Compiler::emitFirstLevel(llvm::SmallVectorImpl<char> &output) {
  const CpuLevel &level = *options.levels.front();
  if (failed(timed("lower", [&] { return lower(*module, level, options.stage); })))
    return failure();
  if (options.stage <= Stage::LLVMDialect)
    return print(output);
  return timed("generate code", [&]() -> LogicalResult {
    ObjectCompiler compiler(level, options.optimizationLevel);
    if (failed(compiler.translate(*module)) || failed(compiler.optimize()))
      return failure();
    llvm::raw_svector_ostream stream(output);
    if (options.stage == Stage::LLVMIR) {
      compiler.getModule().print(stream, nullptr);
      return success();
    }
    return compiler.emit(options.stage == Stage::Object ? llvm::CodeGenFileType::ObjectFile
                                                        : llvm::CodeGenFileType::AssemblyFile,
                         stream);
  });
}

LogicalResult Compiler::lowerToKernels(ModuleOp target, const Architecture &gpu) {
  return runPasses(target, [&](OpPassManager &passes) {
    GPUPipelineOptions pipeline;
    pipeline.architecture = gpu.name.str();
    buildGPUKernelPipeline(passes, pipeline);
  });
}

/// Stages from Kernels to Cubin into `output`.
LogicalResult Compiler::emitGpuKernels(llvm::SmallVectorImpl<char> &output) {
  const Architecture &gpu = *options.gpus.front();
  if (failed(timed("lower", [&] { return lowerToKernels(*module, gpu); })))
    return failure();
  if (options.stage == Stage::Lowered)
    return print(output);
  return timed("generate code", [&] {
    KernelFormat format = options.stage == Stage::KernelDialect ? KernelFormat::Dialect
                          : options.stage == Stage::KernelIR    ? KernelFormat::LLVMIR
                          : options.stage == Stage::PTX         ? KernelFormat::PTX
                                                                : KernelFormat::Cubin;
    return emitKernels(*module, gpu, format, output);
  });
}

/// The messages of the assertions in `kernels`, by number.
static std::vector<std::string> getAssertions(gpu::GPUModuleOp kernels) {
  std::vector<std::string> messages;
  if (auto attribute = kernels->getAttrOfType<ArrayAttr>(kAssertionsAttrName))
    for (auto message : attribute.getAsRange<StringAttr>())
      messages.push_back(message.str());
  return messages;
}

/// Puts the kernels of copies of `module`, for each architecture, into the bundle. What launches them stays in `host`.
LogicalResult Compiler::addKernelsToBundle() {
  Result<std::vector<GpuWeight>> described = describeForGpu(weights, encoded);
  if (!described)
    return report(described.status());
  gpuWeights = described.take();
  std::string mark = getKernelsMark(gpuWeights);
  std::vector<std::string> assertions;
  for (const Architecture *gpu : options.gpus) {
    host = module->clone(); // `weights` name ops of the module
    if (failed(timed("lower", [&] { return lowerToKernels(*host, *gpu); })))
      return failure();
    if (gpu::GPUModuleOp kernels = findKernels(*host)) {
      addMark(kernels, mark);
      llvm::SmallVector<char, 0> code;
      KernelFormat format = options.isForSimt ? KernelFormat::LLVMIR : KernelFormat::PTX;
      if (failed(timed("generate kernels", [&] { return emitKernels(*host, *gpu, format, code); })))
        return failure();
      BundleKernels entry;
      entry.gpu = gpu->name.str();
      entry.format = options.isForSimt ? "llvm-ir" : "ptx";
      if (failed(report(bundle.addKernels(std::move(entry), code))))
        return failure();
      assertions = getAssertions(kernels);
      kernels.erase();
    }
  }
  bundle.setGpuTarget(options.isForSimt ? "simt" : "cuda", std::move(assertions));
  return success();
}

/// Compiles and links `copy` for `level`, into the bundle's folder.
LogicalResult Compiler::compileLevel(ModuleOp copy, const CpuLevel &level) {
  ObjectCompiler compiler(level, options.optimizationLevel);
  llvm::SmallVector<char, 0> object;
  llvm::raw_svector_ostream stream(object);
  if (failed(lower(copy, level, Stage::LLVMDialect)) || failed(compiler.translate(copy)) ||
      failed(compiler.optimize()) || failed(compiler.emit(llvm::CodeGenFileType::ObjectFile, stream)))
    return failure();
  std::string objectPath = bundle.getCodePath(level) + ".o";
  llvm::FileRemover removeObject(objectPath);
  Status status = ::ecf8::writeFileAtomically(objectPath, std::string_view(object.data(), object.size()));
  if (status.isOk())
    status = linkSharedObject(linker, objectPath, bundle.getCodePath(level));
  return status.isOk() ? success() : emitError(copy.getLoc(), status.message());
}

LogicalResult Compiler::emitBundle() {
  if (!options.gpus.empty() && failed(addKernelsToBundle()))
    return failure();
  unsigned levelThreads = context.isMultithreadingEnabled() ? options.threads : 1;
  if (failed(timed("generate code", [&] {
        return forEachLevel(host ? *host : *module, options.levels, levelThreads,
                            [&](ModuleOp copy, const CpuLevel &level) { return compileLevel(copy, level); });
      })))
    return failure();
  return timed("write bundle", [&] {
    for (const CpuLevel *level : options.levels)
      if (failed(report(bundle.addCode(*level))))
        return failure();
    std::vector<BundleWeight> bundleWeights;
    for (auto [weight, code] : llvm::zip_equal(weights, encoded)) {
      BundleWeight &entry = bundleWeights.emplace_back();
      entry.name = weight.name;
      entry.dtype = weight.dtype;
      entry.shape = weight.getContentShape();
      entry.isTransposed = weight.isTransposed;
      if (code.encoding)
        llvm::raw_string_ostream(entry.encoding) << code.encoding;
      entry.content = getStoredBytes(weight, code);
    }
    if (!options.gpus.empty())
      addGpuTables(gpuWeights, bundleWeights);
    auto release = [&](size_t index) {
      if (index < weights.size())
        weights[index].releasePages();
    };
    if (failed(report(bundle.writeWeights(bundleWeights, release))) || failed(report(bundle.commit(entryPoints))))
      return failure();
    stats.bundleBytes = bundle.getTotalBytes();
    return success();
  });
}

LogicalResult Compiler::run(const std::shared_ptr<llvm::SourceMgr> &source, llvm::SmallVectorImpl<char> &output) {
  // What cannot work is better known before the long part.
  if (options.stage == Stage::Bundle) {
    Result<std::string> found = findLinker(options.linker);
    if (!found)
      return report(found.status());
    linker = found.take();
    if (failed(report(bundle.create(options.bundlePath))))
      return failure();
  }
  if (failed(timed("read program", [&] {
        module = parseSourceFile<ModuleOp>(source, ParserConfig(&context));
        return success(static_cast<bool>(module));
      })))
    return failure();
  if (options.stage == Stage::Parsed)
    return print(output);
  if (failed(bindAndEncode()))
    return failure();
  if (options.stage == Stage::Compressed)
    return print(output);
  if (failed(collectEntryPoints(*module, entryPoints)) || failed(timed("bufferize", [&] {
        return runPasses(*module, [&](OpPassManager &passes) {
          CPUPipelineOptions pipeline;
          fillPipelineOptions(pipeline, *options.levels.front(), options);
          buildBufferizePipeline(passes, pipeline);
        });
      })))
    return failure();
  if (options.stage == Stage::Bufferized)
    return print(output);
  if (!options.gpus.empty() && options.stage != Stage::Bundle)
    return emitGpuKernels(output);
  return options.stage == Stage::Bundle ? emitBundle() : emitFirstLevel(output);
}

const Architecture *getForwardCompatible(llvm::ArrayRef<const Architecture *> gpus) {
  auto isForwardCompatible = [](const Architecture *gpu) { return gpu->isForwardCompatible; };
  // What sm_90a has of its own is for GPUs of that generation.
  return gpus.empty() || llvm::any_of(gpus, isForwardCompatible) ? nullptr : findArchitecture("sm_90");
}

LogicalResult compile(const std::shared_ptr<llvm::SourceMgr> &source, MLIRContext &context,
                      const CompileOptions &options, CompileStats &stats, llvm::SmallVectorImpl<char> &output) {
  assert(!options.levels.empty() && "nothing to compile for");
  std::optional<ScopedDiagnosticHandler> errorsOnly;
  if (options.quiet)
    errorsOnly.emplace(&context, [](Diagnostic &diagnostic) {
      return success(diagnostic.getSeverity() != DiagnosticSeverity::Error);
    });
  if (failed(collectRemarks(context, options.remarks, stats.remarks)))
    return failure();
  LogicalResult result = Compiler(context, options, stats).run(source, output);
  context.setRemarkEngine(nullptr); // which writes to `stats`
  sortRemarks(stats.remarks);
  return result;
}

} // namespace mlir::ecf8
