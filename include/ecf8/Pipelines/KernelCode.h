// From kernels in the LLVM dialect to LLVM IR, PTX or machine code of a GPU.
#ifndef ECF8_PIPELINES_KERNELCODE_H
#define ECF8_PIPELINES_KERNELCODE_H

#include "ecf8/Conversion/Architectures.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/SmallVector.h"

namespace mlir::ecf8 {

enum class KernelFormat {
  Dialect, ///< the `gpu.module` as text
  LLVMIR,  ///< after LLVM's optimizer: what its NVPTX back end reads, and what the library Simt runs
  PTX,
  Cubin, ///< by `ptxas`, which must be in PATH
};

/// Registers what `emitKernels` needs in a context's registry.
void registerKernelCodeTranslations(DialectRegistry &registry);

/// The GPU module of a module that `buildGPUKernelPipeline` has lowered; null where there are no kernels.
gpu::GPUModuleOp findKernels(ModuleOp module);

/// Adds a kernel `name` that does nothing: by it a runtime sees what the kernels are for.
void addMark(gpu::GPUModuleOp kernels, llvm::StringRef name);

/// Appends the kernels of `module`, which `buildGPUKernelPipeline` made for `architecture`, to `output`. A module
/// without kernels is an error. The same module gives the same bytes.
LogicalResult emitKernels(ModuleOp module, const Architecture &architecture, KernelFormat format,
                          llvm::SmallVectorImpl<char> &output);

} // namespace mlir::ecf8

#endif // ECF8_PIPELINES_KERNELCODE_H
