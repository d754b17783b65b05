// What an attention is made of, and its shape.
#ifndef ECF8_LIB_CONVERSION_ATTENTION_H
#define ECF8_LIB_CONVERSION_ATTENTION_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace mlir::ecf8 {

/// Ops before or behind a matmul that are looked at.
constexpr unsigned kMaximumAttentionOps = 64;

/// Whether `op` is a contraction on tensors with a dimension that both operands and the result have. `op` may be null.
bool isBatchMatmul(Operation *op);

/// Gives batch matmuls, and the elementwise ops and reductions around them, one shape as far as batches and heads go:
/// no reshape stands between them afterwards, and no reduction keeps its dimension with size 1.
LogicalResult giveOneShape(func::FuncOp function);

} // namespace mlir::ecf8

#endif // ECF8_LIB_CONVERSION_ATTENTION_H
