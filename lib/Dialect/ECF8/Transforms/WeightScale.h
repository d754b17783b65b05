// The scale of a weight: found behind the ops that repeat it for each row and column, and taken as a matrix of blocks.
#ifndef ECF8_LIB_DIALECT_ECF8_TRANSFORMS_WEIGHTSCALE_H
#define ECF8_LIB_DIALECT_ECF8_TRANSFORMS_WEIGHTSCALE_H

#include "WeightIndex.h"

namespace mlir::ecf8 {

/// What a weight is multiplied by.
struct WeightScale {
  Value value;                ///< null: none; a tensor, or a scalar
  Type type;                  ///< in which the product is taken
  SmallVector<int64_t> block; ///< rows and columns that share a scale
  bool divides = false;       ///< what the weight is divided by, instead

  /// The scale that multiplies the elements of `weight` as `value`[`index`], or as the scalar `value`. Looks behind
  /// the ops that make `value` for the tensor that it repeats. Fails, with `reason`, where these are not blocks that a
  /// contraction can have.
  static FailureOr<WeightScale> find(CompressedType weight, Type type, Value value, WeightIndex index,
                                     std::string &reason);

  /// As a matrix of ceil(rows / block[0]) x ceil(columns / block[1]), in `type`. `expert`: whose, where there are
  /// several.
  Value materialize(OpBuilder &builder, Location loc, CompressedType weight, OpFoldResult expert) const;

  explicit operator bool() const { return value != nullptr; }

private:
  LogicalResult match(CompressedType weight, ArrayRef<AffineExpr> index, std::string &reason);

  SmallVector<int64_t> offsets, sizes; ///< of the part of the tensor that is read; the sizes are 1 but for the matrix's
  std::optional<unsigned> expertDim;   ///< of the tensor, whose offset is the expert
  std::optional<std::pair<unsigned, unsigned>> exchanged; ///< of the tensor, where its columns come before its rows
};

} // namespace mlir::ecf8

#endif // ECF8_LIB_DIALECT_ECF8_TRANSFORMS_WEIGHTSCALE_H
