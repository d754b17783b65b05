// The compiler as a function: a program and its weights in, a bundle (or the program at an earlier stage) out.
#ifndef ECF8_PIPELINES_COMPILE_H
#define ECF8_PIPELINES_COMPILE_H

#include "ecf8/Conversion/Architectures.h"
#include "ecf8/Pipelines/CompileStats.h"
#include "ecf8/Pipelines/CpuLevels.h"
#include "ecf8/Pipelines/WeightEncoding.h"
#include "mlir/IR/DialectRegistry.h"
#include "mlir/IR/OwningOpRef.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/Support/SourceMgr.h"
#include <functional>

namespace mlir::ecf8 {

/// Where to stop. Each stage is what the next one starts from.
enum class Stage {
  Parsed,      ///< the program as read
  Compressed,  ///< weights as globals, FP8 weights compressed
  Bufferized,  ///< memrefs instead of tensors
  Lowered,     ///< loops, calls of generated decoders, payloads as bytes
  LLVMDialect, ///< the module that is translated
  LLVMIR,      ///< after LLVM's optimizer
  Assembly,
  Object,
  KernelDialect, ///< from here on for GPUs: the kernels in the LLVM dialect
  KernelIR,      ///< their LLVM IR after the optimizer
  PTX,
  Cubin,
  Bundle,
};

struct CompileOptions {
  std::vector<std::string> weightPaths;       ///< safetensors files, or folders of shards
  bool strictWeights = false;                 ///< an unused tensor is an error
  bool quiet = false;                         ///< no notes
  llvm::SmallVector<const CpuLevel *> levels; ///< not empty; stages before Bundle use the first
  /// What the kernels are for; none: the CPU. Stages before Bundle use the first.
  llvm::SmallVector<const Architecture *> gpus;
  bool isForSimt = false; ///< kernels in the bundle are for the library Simt, not for GPUs
  CodecOptions codec;
  bool fuseDecode = true;                          ///< decode weights inside of the contractions that read them
  std::string arithmetic = "as-written";           ///< where these apply scales; or "epilogue"
  bool fuseEpilogue = true;                        ///< move elementwise ops on the result of a contraction into it
  bool tileAttention = true;                       ///< compute attention a block of rows at a time
  RemarkSelection remarks = RemarkSelection::None; ///< printed; CompileStats has all
  unsigned optimizationLevel = 3;
  unsigned threads = 1;
  std::string linker; ///< empty: the default
  Stage stage = Stage::Bundle;
  std::string bundlePath; ///< for Stage::Bundle
  /// Called for each pass manager before it runs: the tool's --mlir-* options.
  std::function<LogicalResult(PassManager &)> configurePassManager;
};

/// What a bundle needs so that more GPUs than those asked for run it: a forward-compatible architecture where `gpus`
/// has none.
const Architecture *getForwardCompatible(llvm::ArrayRef<const Architecture *> gpus);

/// Registers the dialects, extensions and interfaces that programs and the pipeline need.
void registerCompilerDialects(DialectRegistry &registry);

/// Compiles the main file of `source`. Every failure is a diagnostic in `context` (whose registry must be
/// `registerCompilerDialects`'s, with MLIR's diagnostic handler installed by the caller). Stages before Bundle append
/// their result to `output`. On failure no bundle appears, and an older one stays as it was.
LogicalResult compile(const std::shared_ptr<llvm::SourceMgr> &source, MLIRContext &context,
                      const CompileOptions &options, CompileStats &stats, llvm::SmallVectorImpl<char> &output);

} // namespace mlir::ecf8

#endif // ECF8_PIPELINES_COMPILE_H
