// What several passes ask of structured ops.
#ifndef ECF8_LIB_CONVERSION_STRUCTUREDOPS_H
#define ECF8_LIB_CONVERSION_STRUCTUREDOPS_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"

namespace mlir::ecf8 {

inline bool hasOnlyParallelLoops(linalg::LinalgOp op) { return op.getNumLoops() == op.getNumParallelLoops(); }

/// Writes the named ops of `function` that `isWanted` picks as `linalg.generic`; fails with a message where one cannot
/// be.
inline LogicalResult generalizeNamedOps(func::FuncOp function, function_ref<bool(linalg::LinalgOp)> isWanted) {
  SmallVector<linalg::LinalgOp> named;
  function.walk([&](linalg::LinalgOp op) {
    if (!isa<linalg::GenericOp>(op) && isWanted(op))
      named.push_back(op);
  });
  IRRewriter rewriter(function.getContext());
  for (linalg::LinalgOp op : named) {
    rewriter.setInsertionPoint(op);
    if (failed(linalg::generalizeNamedOp(rewriter, op)))
      return op->emitOpError() << "expected a structured op that can be written as linalg.generic";
  }
  return success();
}

} // namespace mlir::ecf8

#endif // ECF8_LIB_CONVERSION_STRUCTUREDOPS_H
