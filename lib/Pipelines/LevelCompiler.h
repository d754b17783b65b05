// Compiles one module for several instruction sets at the same time, each in a context of its own.
#ifndef ECF8_LIB_PIPELINES_LEVELCOMPILER_H
#define ECF8_LIB_PIPELINES_LEVELCOMPILER_H

#include "ecf8/Pipelines/CpuLevels.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/STLFunctionalExtras.h"

namespace mlir::ecf8 {

/// Calls `work` with a copy of `module` for each of `levels`, on up to `threads` threads. Copies live in contexts with
/// the registry of `module`'s. Diagnostics appear in `module`'s context after all are done: those of the first level
/// that failed, else those of the first level.
LogicalResult forEachLevel(ModuleOp module, llvm::ArrayRef<const CpuLevel *> levels, unsigned threads,
                           llvm::function_ref<LogicalResult(ModuleOp, const CpuLevel &)> work);

} // namespace mlir::ecf8

#endif // ECF8_LIB_PIPELINES_LEVELCOMPILER_H
