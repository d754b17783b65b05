// What a program does to a decoded weight on its way to a contraction: extension, scale, rounding, transposition.
#ifndef ECF8_LIB_DIALECT_ECF8_TRANSFORMS_WEIGHTCHAIN_H
#define ECF8_LIB_DIALECT_ECF8_TRANSFORMS_WEIGHTCHAIN_H

#include "ecf8/Dialect/ECF8/IR/ECF8.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace mlir::ecf8 {

/// Which part of a weight's dimension a dimension of a value runs over.
struct WeightDim {
  enum Part { Whole, Outer, Inner };
  int64_t dim;       ///< 0: rows, 1: columns of the stored weight
  Part part = Whole; ///< outer or inner of a dimension that was cut into blocks
  int64_t block = 1; ///< size of a block, for Outer and Inner

  bool operator==(const WeightDim &) const = default;
};

/// A value that holds a weight, one element for each of the weight's.
struct WeightChain {
  CompressedType weight;
  SmallVector<WeightDim> dims; ///< of the value
  Value scale;                 ///< null: not scaled; a tensor, or a scalar
  SmallVector<int64_t> block;  ///< rows and columns that share a scale
  Type scaleType;              ///< in which the product with the scale is taken
  Type type;                   ///< of the value's elements

  static WeightChain of(DecodeOp decode);

  /// The chain behind `op`, which reads a value of this chain as `operand`. Fails, with `reason`, where `op` is not a
  /// link of such a chain: elementwise extension, scaling, rounding; transposition; reshapes around a block scale.
  FailureOr<WeightChain> follow(OpOperand &operand, std::string &reason) const;

  /// `scale` as a matrix of ceil(rows / block[0]) x ceil(columns / block[1]), in `scaleType`.
  Value materializeScale(OpBuilder &builder, Location loc) const;

private:
  FailureOr<WeightChain> followGeneric(linalg::GenericOp op, OpOperand &operand, std::string &reason) const;
  FailureOr<WeightChain> followExpand(tensor::ExpandShapeOp op, std::string &reason) const;
  FailureOr<WeightChain> followCollapse(tensor::CollapseShapeOp op, std::string &reason) const;
  LogicalResult cast(Operation *op, std::string &reason);
  LogicalResult setScale(Value value, AffineMap map, ArrayRef<WeightDim> loops, std::string &reason);
};

} // namespace mlir::ecf8

#endif // ECF8_LIB_DIALECT_ECF8_TRANSFORMS_WEIGHTCHAIN_H
