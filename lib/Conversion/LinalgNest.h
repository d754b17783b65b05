// The loop nest of one structured op on memrefs: how it is cut into blocks, and the code of a block.
#ifndef ECF8_LIB_CONVERSION_LINALGNEST_H
#define ECF8_LIB_CONVERSION_LINALGNEST_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mlir::ecf8 {

/// How a structured op is cut. A block is `rows` iterations of `rowDim` times `vectors * lanes` iterations of
/// `laneDim`; its values stay in registers while the sequential loops run. No plan changes the order in which the terms
/// of one output element are added.
struct NestPlan {
  std::optional<unsigned> laneDim; ///< parallel dimension along which outputs are contiguous; none: scalars
  std::optional<unsigned> rowDim;  ///< another parallel dimension, unrolled for reuse; only with reductions
  int64_t lanes = 1;               ///< elements of a vector
  int64_t vectors = 1;             ///< vectors of a block along laneDim
  int64_t rows = 1;                ///< rows of a block along rowDim
  SmallVector<unsigned> outerDims; ///< parallel loop, slowest first; laneDim and rowDim only if cut into blocks there
  SmallVector<unsigned>
      innerDims; ///< sequential loops inside a block: the reductions, or one dimension to stream along
  /// Innermost reduction along which inputs lie contiguous that are strided along laneDim: `lanes` times `lanes` of
  /// their elements are read as rows and transposed in registers.
  std::optional<unsigned> transposedDim;
  int64_t grain = 1;         ///< least number of iterations of the parallel loop worth a thread
  bool isAlwaysLoop = false; ///< a parallel loop of one iteration where there is no dimension for it
};

/// Adds assertions for what only run time shows: that the shapes of the operands of `op` match, and that look-ups in
/// its body stay inside their tables. Fails with a message where it cannot tell what indices the loops make.
LogicalResult checkNest(linalg::LinalgOp op);

/// The plan for `op`, which has buffer semantics, on a machine with vectors of `vectorBits`.
NestPlan planNest(linalg::LinalgOp op, unsigned vectorBits);
/// The plan for a GPU: one thread for each iteration of the parallel dimensions, neighbours along the outputs.
NestPlan planThreads(linalg::LinalgOp op);

/// The values that the sums of `op`, which has reductions, begin with, one for each destination: what a fill right
/// before has written there, which is erased, or null where the destination has to be read.
SmallVector<Value> takeFills(linalg::LinalgOp op);

/// Replaces `op` by the loops of `plan`; `firstSums` are those of `takeFills` where it has reductions.
void emitNest(linalg::LinalgOp op, const NestPlan &plan, ArrayRef<Value> firstSums);

/// How the elements that `laneDim` selects lie in an operand.
enum class LaneAccess { Invariant, Contiguous, Strided };
LaneAccess getLaneAccess(linalg::LinalgOp op, OpOperand &operand, unsigned laneDim);

/// Whether vectors of `operand` along `laneDim` can be had by transposing vectors along `contiguousDim`.
bool isTransposable(linalg::LinalgOp op, OpOperand &operand, unsigned laneDim, unsigned contiguousDim);

/// The columns of the square matrix whose rows are `rows`: a power of two of vectors of as many elements of up to 32
/// bits each.
SmallVector<Value> transposeInRegisters(ImplicitLocOpBuilder &builder, ArrayRef<Value> rows);

} // namespace mlir::ecf8

#endif // ECF8_LIB_CONVERSION_LINALGNEST_H
