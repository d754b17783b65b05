// The stages from linalg on tensors to a module that translates to LLVM IR. Every tool runs these same functions.
#ifndef ECF8_PIPELINES_PIPELINES_H
#define ECF8_PIPELINES_PIPELINES_H

#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassOptions.h"

namespace mlir::ecf8 {

/// What the code is for. All levels and thread settings give the same bytes.
struct CPUPipelineOptions : PassPipelineOptions<CPUPipelineOptions> {
  Option<std::string> lanes{*this, "lanes",
                            llvm::cl::desc("Lane back end of the decoders: permute, nibble, gather or scalar"),
                            llvm::cl::init("scalar")};
  Option<unsigned> vectorBits{*this, "vector-bits", llvm::cl::desc("Width of the vectors that loops are written in"),
                              llvm::cl::init(128)};
  Option<bool> hasBF16Products{*this, "avx512bf16", llvm::cl::desc("The CPU multiplies pairs of bf16"),
                               llvm::cl::init(false)};
  Option<bool> hasF16Conversions{*this, "f16c", llvm::cl::desc("The CPU converts between f16 and f32"),
                                 llvm::cl::init(false)};
  Option<bool> fuseDecode{*this, "fuse-decode",
                          llvm::cl::desc("Decode weights inside of the contractions that read them"),
                          llvm::cl::init(true)};
  Option<std::string> arithmetic{*this, "arithmetic",
                                 llvm::cl::desc("Where fused contractions apply scales: as-written or epilogue"),
                                 llvm::cl::init("as-written")};
  Option<bool> fuseEpilogue{*this, "fuse-epilogue",
                            llvm::cl::desc("Move elementwise ops on the result of a contraction into it"),
                            llvm::cl::init(true)};
  Option<bool> fp8Activations{*this, "fp8-activations",
                              llvm::cl::desc("Contractions take activations of FP8 as they are: GPUs from sm_89 on"),
                              llvm::cl::init(false)};
  Option<bool> tileAttention{*this, "tile-attention", llvm::cl::desc("Compute attention a block of rows at a time"),
                             llvm::cl::init(true)};
  Option<bool> threads{*this, "threads", llvm::cl::desc("Run outer loops on the threads of the runtime"),
                       llvm::cl::init(true)};
  Option<bool> forGpu{*this, "for-gpu",
                      llvm::cl::desc("All memory is a GPU's: no buffer is on the stack, and what its kernels cannot do "
                                     "stays as it is"),
                      llvm::cl::init(false)};
  Option<std::string> stopAfter{
      *this, "stop-after",
      llvm::cl::desc("Last stage to run: bufferize, lower or llvm; only for the registered pipeline"),
      llvm::cl::init("llvm")};
};

/// From linalg on tensors, with weights as ecf8 globals, to memrefs with their deallocations. Arguments of public
/// functions are only read; their results are fresh buffers of identity layout that belong to the caller.
void buildBufferizePipeline(OpPassManager &manager, const CPUPipelineOptions &options);

/// From memrefs to loops: payloads as bytes, generated decoders, structured ops as loops over vectors that keep the
/// order of every sum, FP8 arithmetic expanded, outer loops on the runtime's threads.
void buildLowerPipeline(OpPassManager &manager, const CPUPipelineOptions &options);

/// From loops to the LLVM dialect, with the symbols of ecf8/Runtime/ModuleABI.h; fails where an op is left over.
void buildLLVMPipeline(OpPassManager &manager, const CPUPipelineOptions &options);

/// All three, for a program whose weights are compressed already or not at all.
void buildCPUPipeline(OpPassManager &manager, const CPUPipelineOptions &options);

/// What GPU kernels are for.
struct GPUPipelineOptions : PassPipelineOptions<GPUPipelineOptions> {
  Option<std::string> architecture{*this, "arch",
                                   llvm::cl::desc("GPU architecture: sm_80, sm_89, sm_90, sm_90a or sm_100"),
                                   llvm::cl::init("sm_90")};
};

/// From memrefs to kernels: payloads as bytes, the kernels that decode and multiply them and those of all other loops
/// as a `gpu.module` in the LLVM dialect, and functions that launch them.
void buildGPUKernelPipeline(OpPassManager &manager, const GPUPipelineOptions &options);

/// From functions that launch kernels to functions that call the runtime, which `buildLLVMPipeline` takes. The kernels
/// must be gone by then.
void buildGPUHostPipeline(OpPassManager &manager);

/// Registers `ecf8-cpu-pipeline`, `ecf8-gpu-kernel-pipeline` and `ecf8-gpu-host-pipeline`.
void registerCPUPipelines();
void registerGPUPipelines();

} // namespace mlir::ecf8

#endif // ECF8_PIPELINES_PIPELINES_H
