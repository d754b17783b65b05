// Sums that are NaN are one NaN.
#ifndef ECF8_LIB_CONVERSION_CANONICALNAN_H
#define ECF8_LIB_CONVERSION_CANONICALNAN_H

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mlir::ecf8 {

/// `value`, a float or a vector of them, with the positive quiet NaN without a payload in place of any NaN.
///
/// An op on two NaNs gives one of them, by x86 the first operand's (Intel SDM 1, 4.8.3.5), and the code generator
/// orders operands as it likes. At the end of a contraction this makes a NaN the same bytes in every kernel.
inline Value canonicalizeNaN(ImplicitLocOpBuilder &b, Value value) {
  auto type = cast<FloatType>(getElementTypeOrSelf(value.getType()));
  TypedAttr nan = b.getFloatAttr(type, APFloat::getQNaN(type.getFloatSemantics()));
  if (auto vector = dyn_cast<VectorType>(value.getType()))
    nan = DenseElementsAttr::get(vector, cast<Attribute>(nan));
  Value isNaN = arith::CmpFOp::create(b, arith::CmpFPredicate::UNO, value, value);
  return arith::SelectOp::create(b, isNaN, arith::ConstantOp::create(b, nan), value);
}

} // namespace mlir::ecf8

#endif // ECF8_LIB_CONVERSION_CANONICALNAN_H
