// What reads a weight: contractions, and the ops on the way to them.
#ifndef ECF8_LIB_DIALECT_ECF8_TRANSFORMS_WEIGHTREADERS_H
#define ECF8_LIB_DIALECT_ECF8_TRANSFORMS_WEIGHTREADERS_H

#include "WeightChain.h"

namespace mlir::ecf8 {

/// A contraction that `ecf8.contract` can express, and the chain of its weight operand.
struct WeightContraction {
  linalg::LinalgOp op;
  WeightChain chain;
  OpOperand *activations;
  SmallVector<int64_t> activationsOrder = {}, resultOrder = {}; ///< of the dimensions, as [..., K] and [..., N]
  bool isPerExpert = false;                                     ///< the first dimension of the result is the expert
  bool sharesActivations = false;         ///< by the experts; else their first dimension is the expert
  SmallVector<int64_t> repeatedDims = {}; ///< of the result: the activations are the same at each index into them
};

/// The readers of a weight, those of what is made of it included.
struct WeightReaders {
  SmallVector<WeightContraction, 0> contractions;
  SmallVector<Operation *> links; ///< the ops between, in the order of their values
  DenseSet<Operation *> ends;     ///< contractions, and readers that are none of these
  std::string reason;             ///< why the first of them is none; empty where all are

  /// Those of `value`, which `chain` describes.
  static WeightReaders of(Value value, const WeightChain &chain);
};

/// Why no contraction can read a weight of this shape; empty where one can.
std::string declineShape(ArrayRef<int64_t> shape);

/// What `value` is an elementwise extension of; null where it is none.
Value getExtended(Value value);

/// The tensor of `type` that `value` is an extension of; null where it is none.
Value getBeforeExtension(Value value, Type type);

} // namespace mlir::ecf8

#endif // ECF8_LIB_DIALECT_ECF8_TRANSFORMS_WEIGHTREADERS_H
