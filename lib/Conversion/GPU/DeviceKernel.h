// What the kernels of a weight have in common: a function in a GPU module with a dynamic area of shared memory.
#ifndef ECF8_LIB_CONVERSION_GPU_DEVICEKERNEL_H
#define ECF8_LIB_CONVERSION_GPU_DEVICEKERNEL_H

#include "GroupProducts.h"
#include "TileFeed.h"

namespace mlir::ecf8 {

/// The architecture called `name`; otherwise an error at `diagnosed`.
FailureOr<const Architecture *> getArchitecture(Operation *diagnosed, StringRef name);

/// The GPU module of `module` with all of its kernels; made where there is none.
gpu::GPUModuleOp getOrCreateKernelModule(ModuleOp module, const Architecture &architecture);

/// Of a `cf.assert` in a kernel: its number.
inline constexpr StringLiteral kAssertionAttrName = "ecf8.assertion";

/// Threads of a block, at most: 16 warps, each with up to 128 registers for a thread.
inline constexpr int64_t kMaxBlockThreads = 512;

/// Creates the kernel `name` in `module`, with a body that `emitBody` fills in, given its arguments and the shared
/// area, which is aligned to `alignment` at least.
gpu::GPUFuncOp createKernel(gpu::GPUModuleOp module, StringRef name, ArrayRef<Type> arguments,
                            llvm::function_ref<void(DeviceBuilder &, ValueRange arguments, Value area)> emitBody,
                            int64_t alignment = 16);

/// The kernel that decodes the part of a weight into a row-major matrix. Arguments: WeightArguments, the matrix (of
/// bytes), its row stride in bytes (i64). Shared memory: the table, decodeStagingBytes for each warp, two slots for
/// each warp.
gpu::GPUFuncOp createDecodeKernel(gpu::GPUModuleOp module, StringRef name, const DeviceSpec &spec);
inline constexpr int64_t kDecodeRowBytes = DeviceSpec::columnsPerGroup + 16; ///< a row, without bank conflicts
inline constexpr int64_t kDecodeStagingBytes = DeviceSpec::rowsPerTile * kDecodeRowBytes;

/// The kernel that adds activations [M, columns] times the transposed part of the weight to a matrix [M, rows] of f32,
/// or makes such a matrix of the sums by an epilogue. Arguments: WeightArguments; activations, their row stride in
/// elements (i64), M (i32); output and its row stride; where scaled: scales, their row stride, the rows of a
/// block and ceil(2^31 / groups of its columns) (i32); each extra operand of the epilogue and its row stride; sums of
/// single chunks and counters of finished ones for each tile of rows, which are zero before and after (both unused for
/// a single chunk). Shared memory: the table, the activations of a chunk (LaunchLayout), two slots for each warp. A
/// block row (ctaid.y) has 8 * `columnBlocks` rows of activations.
gpu::GPUFuncOp createContractionKernel(gpu::GPUModuleOp module, StringRef name, const DeviceSpec &spec,
                                       const ContractionSpec &contraction, int64_t columnBlocks);

} // namespace mlir::ecf8

#endif // ECF8_LIB_CONVERSION_GPU_DEVICEKERNEL_H
