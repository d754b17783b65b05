// The private functions through which compiled code reaches the runtime. Passes declare and call them;
// `ecf8-finalize-module` gives them bodies that go through the table of ecf8/Runtime/ModuleABI.h.
#ifndef ECF8_CONVERSION_RUNTIMEIMPORTS_H
#define ECF8_CONVERSION_RUNTIMEIMPORTS_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/BuiltinOps.h"

namespace mlir::ecf8 {

/// `func.func private @ecf8_rt_weight(index) -> memref<?xi8>`: the bytes of a weight of the manifest, aligned to 64.
inline constexpr llvm::StringLiteral kRuntimeWeight = "ecf8_rt_weight";
/// `func.func private @ecf8_rt_parallel_for(index, index, (index, index, !llvm.ptr) -> (), !llvm.ptr)`: count, grain,
/// body(begin, end, context), context.
inline constexpr llvm::StringLiteral kRuntimeParallelFor = "ecf8_rt_parallel_for";
/// `llvm.func @ecf8_rt_fail(i32, !llvm.ptr)`: an EcfStatusCode and a message that ends in a zero byte. Does not return.
inline constexpr llvm::StringLiteral kRuntimeFail = "ecf8_rt_fail";

/// The private declaration of `name` at func level; made at the start of the module where it does not exist.
func::FuncOp getOrCreateRuntimeFunction(ModuleOp module, StringRef name, FunctionType type);

/// The declaration of `ecf8_rt_fail` in the LLVM dialect.
LLVM::LLVMFuncOp getOrCreateRuntimeFail(ModuleOp module);

} // namespace mlir::ecf8

#endif // ECF8_CONVERSION_RUNTIMEIMPORTS_H
