// Index arithmetic over the rows and columns of a weight: where its elements lie in tensors made from it. A weight of
// three dimensions is a matrix of rows and columns for each of its experts.
#ifndef ECF8_LIB_DIALECT_ECF8_TRANSFORMS_WEIGHTINDEX_H
#define ECF8_LIB_DIALECT_ECF8_TRANSFORMS_WEIGHTINDEX_H

#include "ecf8/Dialect/ECF8/IR/ECF8.h"
#include "mlir/Dialect/Utils/ReshapeOpsUtils.h"
#include "mlir/IR/AffineMap.h"

namespace mlir::ecf8 {

/// An index for each dimension of a tensor, as functions of the row d0, the column d1 and the expert d3 of a weight. d2
/// alone stands for every index at once.
using WeightIndex = SmallVector<AffineExpr>;

/// Rows and columns of the matrix, or of each matrix, of a weight of two or three dimensions.
inline int64_t getRowCount(CompressedType weight) { return weight.getShape()[weight.getRank() - 2]; }
inline int64_t getColumnCount(CompressedType weight) { return weight.getShape().back(); }

/// The rows, columns and experts of a weight, over which indices run.
class WeightSpace {
public:
  explicit WeightSpace(CompressedType weight);

  AffineExpr row() const { return getAffineDimExpr(0, context); }
  AffineExpr column() const { return getAffineDimExpr(1, context); }
  AffineExpr every() const { return getAffineDimExpr(2, context); }
  AffineExpr expert() const { return getAffineDimExpr(3, context); }

  /// Whether `index`, which is not d2, is in [0, size) for all of the weight.
  bool isInside(AffineExpr index, int64_t size) const;

  /// `index` without the divisions and remainders that do nothing on this weight.
  AffineExpr simplify(AffineExpr index) const;

  /// The index into the tensor whose dimensions are the `groups` of a tensor of this `shape`. Fails for a group of
  /// dynamic size, and for one that holds every index of one dimension and some of another.
  FailureOr<WeightIndex> join(ArrayRef<ReassociationIndices> groups, ArrayRef<int64_t> shape,
                              ArrayRef<AffineExpr> index) const;

  /// The inverse of `join`: the index into the tensor of this `shape`.
  FailureOr<WeightIndex> split(ArrayRef<ReassociationIndices> groups, ArrayRef<int64_t> shape,
                               ArrayRef<AffineExpr> index) const;

  /// The iterations, of as many loops as `map` has, in which `map` yields `index`. Fails where a result is no loop, or
  /// two are the same one.
  FailureOr<WeightIndex> getLoops(AffineMap map, ArrayRef<AffineExpr> index) const;

  /// The index that `map` yields in the iterations `loops`.
  WeightIndex apply(AffineMap map, ArrayRef<AffineExpr> loops) const;

private:
  std::pair<int64_t, int64_t> getRange(AffineExpr index) const;

  MLIRContext *context;
  int64_t last[4]; ///< row, column, unused, expert
};

} // namespace mlir::ecf8

#endif // ECF8_LIB_DIALECT_ECF8_TRANSFORMS_WEIGHTINDEX_H
