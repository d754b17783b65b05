// What a program does to a decoded weight on its way to a contraction: extension, scale, rounding, transposition.
#ifndef ECF8_LIB_DIALECT_ECF8_TRANSFORMS_WEIGHTCHAIN_H
#define ECF8_LIB_DIALECT_ECF8_TRANSFORMS_WEIGHTCHAIN_H

#include "WeightScale.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace mlir::ecf8 {

/// A value that holds all elements of a weight or of one of its experts, once or repeated, and perhaps padding.
struct WeightChain {
  CompressedType weight;
  WeightIndex index;     ///< where the weight's elements lie in the value
  OpFoldResult expert;   ///< whose matrix the value holds, of a weight of three dimensions; null for all
  bool isPadded = false; ///< the value may hold other elements, too
  WeightScale scale;
  Type type;         ///< of the value's elements
  Type extendedFrom; ///< null, or the type of the scaled weight before an extension to `type`

  /// The weight itself, or its transpose: with the last two dimensions exchanged.
  static WeightChain of(CompressedType weight, bool isTransposed = false);

  /// The chain behind `op`, which reads a value of this chain as `operand`. Fails, with `reason`, where `op` is not a
  /// link of such a chain: elementwise extension, scaling, rounding; transposition, repetition; reshapes, padding,
  /// slices.
  FailureOr<WeightChain> follow(OpOperand &operand, std::string &reason) const;

private:
  FailureOr<WeightChain> followStructured(linalg::LinalgOp op, OpOperand &operand, std::string &reason) const;
  FailureOr<WeightChain> followPad(tensor::PadOp op, std::string &reason) const;
  FailureOr<WeightChain> followSlice(tensor::ExtractSliceOp op, std::string &reason) const;
  LogicalResult cast(Operation *op, std::string &reason);
  LogicalResult setScale(Operation *op, Value value, AffineMap map, ArrayRef<AffineExpr> loops, std::string &reason);
};

} // namespace mlir::ecf8

#endif // ECF8_LIB_DIALECT_ECF8_TRANSFORMS_WEIGHTCHAIN_H
