// The private functions through which compiled code reaches the runtime. Passes declare and call them;
// `ecf8-finalize-module` gives them bodies that go through the table of ecf8/Runtime/ModuleABI.h.
#ifndef ECF8_CONVERSION_RUNTIMEIMPORTS_H
#define ECF8_CONVERSION_RUNTIMEIMPORTS_H

#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mlir::ecf8 {

/// `func.func private @ecf8_rt_weight(index) -> memref<?xi8>`: the bytes of a weight of the manifest, aligned to 64.
inline constexpr llvm::StringLiteral kRuntimeWeight = "ecf8_rt_weight";
/// `func.func private @ecf8_rt_parallel_for(index, index, (index, index, !llvm.ptr) -> (), !llvm.ptr)`: count, grain,
/// body(begin, end, context), context.
inline constexpr llvm::StringLiteral kRuntimeParallelFor = "ecf8_rt_parallel_for";
/// `llvm.func @ecf8_rt_fail(i32, !llvm.ptr)`: an EcfStatusCode and a message that ends in a zero byte. Does not return.
inline constexpr llvm::StringLiteral kRuntimeFail = "ecf8_rt_fail";

// Those of programs whose memory is a GPU's (EcfGpuImports). Addresses and sizes are i64, addresses of the host
// !llvm.ptr.
/// `(kernel: !llvm.ptr, gridX, gridY, blockX, sharedBytes: i64, parameters: !llvm.ptr, count: i64)`.
inline constexpr llvm::StringLiteral kRuntimeGpuLaunch = "ecf8_rt_gpu_launch";
/// `(destination: i64, source: i64, bytes: i64)`, both on the GPU.
inline constexpr llvm::StringLiteral kRuntimeGpuCopy = "ecf8_rt_gpu_copy";
/// `(host: !llvm.ptr, source: i64, bytes: i64)`: after everything that was launched before.
inline constexpr llvm::StringLiteral kRuntimeGpuRead = "ecf8_rt_gpu_read";
/// `(destination: i64, host: !llvm.ptr, bytes: i64)`.
inline constexpr llvm::StringLiteral kRuntimeGpuWrite = "ecf8_rt_gpu_write";
/// `(host: i64, bytes: i64) -> i64`: a copy on the GPU of a constant of the module, made once.
inline constexpr llvm::StringLiteral kRuntimeGpuConstant = "ecf8_rt_gpu_constant";
/// `() -> i64`: multiprocessors; the most shared memory of a block.
inline constexpr llvm::StringLiteral kRuntimeGpuProcessors = "ecf8_rt_gpu_processors";
inline constexpr llvm::StringLiteral kRuntimeGpuSharedBytes = "ecf8_rt_gpu_shared_bytes";
/// `(which: i64, bytes: i64) -> i64`: memory on the GPU for the next launch: number 0 for anything, 1 for counters,
/// which are zero before and after each launch, 2 for the number of the assertion that has failed.
inline constexpr llvm::StringLiteral kRuntimeGpuWorkspace = "ecf8_rt_gpu_workspace";
/// `(payload: i64) -> i64`: bytes of the longest stream of a tile of the weight at this address.
inline constexpr llvm::StringLiteral kRuntimeGpuSlot = "ecf8_rt_gpu_slot";
/// `(payload: i64) -> !llvm.ptr`: the header of the payload at this address, in the host's memory.
inline constexpr llvm::StringLiteral kRuntimeGpuHeader = "ecf8_rt_gpu_header";

// What a module exports (ecf8/Runtime/ModuleABI.h), besides one kEntryPrefix<n> for each entry point.
inline constexpr llvm::StringLiteral kModuleAbi = "ecf8_module_abi";
inline constexpr llvm::StringLiteral kModuleInit = "ecf8_module_init";
inline constexpr llvm::StringLiteral kModuleInitGpu = "ecf8_module_init_gpu";
inline constexpr llvm::StringLiteral kEntryPrefix = "ecf8_entry_";

inline bool isExported(llvm::StringRef name) {
  return name == kModuleAbi || name == kModuleInit || name == kModuleInitGpu || name.starts_with(kEntryPrefix);
}

/// Of a GPU module: the messages of assertions in its kernels, by number (an array of strings).
inline constexpr llvm::StringLiteral kAssertionsAttrName = "ecf8.assertions";

/// The private declaration of `name` at func level; made at the start of the module where it does not exist.
func::FuncOp getOrCreateRuntimeFunction(ModuleOp module, StringRef name, FunctionType type);

/// Calls the function `name` of the runtime for GPUs, in the module of the insertion point. Null where it has no
/// `result`.
Value callGpuRuntime(ImplicitLocOpBuilder &builder, StringRef name, ValueRange arguments, Type result = {});

/// What a caller is told where `op` fails: `assertion failed: <text> at <file>:<line>:<column>`.
std::string describeAssertion(cf::AssertOp op);

/// The declaration of `ecf8_rt_fail` in the LLVM dialect.
LLVM::LLVMFuncOp getOrCreateRuntimeFail(ModuleOp module);

} // namespace mlir::ecf8

#endif // ECF8_CONVERSION_RUNTIMEIMPORTS_H
