// A builder with the shorthands that functions in f64 are written with: scalars, unevaluated sums of two scalars, and
// polynomials.
#ifndef ECF8_LIB_CONVERSION_GPU_WIDEARITHMETIC_H
#define ECF8_LIB_CONVERSION_GPU_WIDEARITHMETIC_H

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mlir::ecf8 {

/// A constant of more than 53 bits: the sum of both, `low` at most half a unit in the last place of `high`.
struct WideConstant {
  double high, low;
};

class WideArithmetic : public ImplicitLocOpBuilder {
public:
  using ImplicitLocOpBuilder::ImplicitLocOpBuilder;

  /// A value of more than 53 bits, as for constants.
  struct Pair {
    Value high, low;
  };

  Value real(double value) { return arith::ConstantOp::create(*this, getF64FloatAttr(value)); }
  Value integer(int64_t value) { return arith::ConstantOp::create(*this, getI64IntegerAttr(value)); }
  Pair pair(WideConstant constant) { return {real(constant.high), real(constant.low)}; }

  Value add(Value x, Value y) { return arith::AddFOp::create(*this, x, y); }
  Value add(Value x, double y) { return add(x, real(y)); }
  Value sub(Value x, Value y) { return arith::SubFOp::create(*this, x, y); }
  Value mul(Value x, Value y) { return arith::MulFOp::create(*this, x, y); }
  Value mul(Value x, double y) { return mul(x, real(y)); }
  Value div(Value x, Value y) { return arith::DivFOp::create(*this, x, y); }
  Value negate(Value x) { return arith::NegFOp::create(*this, x); }
  /// x * y + z with one rounding.
  Value fma(Value x, Value y, Value z) { return math::FmaOp::create(*this, x, y, z); }
  Value size(Value x) { return math::AbsFOp::create(*this, x); }
  Value sqrt(Value x) { return math::SqrtOp::create(*this, x); }
  Value copySign(Value x, Value sign) { return math::CopySignOp::create(*this, x, sign); }

  Value select(Value condition, Value x, Value y) { return arith::SelectOp::create(*this, condition, x, y); }
  Value less(Value x, Value y) { return arith::CmpFOp::create(*this, arith::CmpFPredicate::OLT, x, y); }
  Value less(Value x, double y) { return less(x, real(y)); }
  Value less(double x, Value y) { return less(real(x), y); }
  Value equal(Value x, Value y) { return arith::CmpFOp::create(*this, arith::CmpFPredicate::OEQ, x, y); }
  Value equal(Value x, double y) { return equal(x, real(y)); }
  Value both(Value x, Value y) { return arith::AndIOp::create(*this, x, y); }
  Value either(Value x, Value y) { return arith::OrIOp::create(*this, x, y); }
  Value isWhole(Value x) { return equal(math::FloorOp::create(*this, x), x); }

  Value addInteger(Value x, Value y) { return arith::AddIOp::create(*this, x, y); }
  Value subInteger(Value x, Value y) { return arith::SubIOp::create(*this, x, y); }
  Value minInteger(Value x, int64_t y) { return arith::MinSIOp::create(*this, x, integer(y)); }
  Value shiftLeft(Value x, int64_t count) { return arith::ShLIOp::create(*this, x, integer(count)); }
  Value shiftRight(Value x, int64_t count) { return arith::ShRSIOp::create(*this, x, integer(count)); }
  Value hasBit(Value x, int64_t bit) {
    return arith::CmpIOp::create(*this, arith::CmpIPredicate::ne, arith::AndIOp::create(*this, x, integer(bit)),
                                 integer(0));
  }
  Value toBits(Value x) { return arith::BitcastOp::create(*this, getI64Type(), x); }
  Value fromBits(Value x) { return arith::BitcastOp::create(*this, getF64Type(), x); }

  /// The nearest whole number where |x| < 2^51, as a float and as an integer. Adding 1.5 * 2^52 leaves it in the lowest
  /// bits; others give numbers without meaning, but no undefined ones.
  std::pair<Value, Value> roundToWhole(Value x) {
    Value shifted = add(x, 0x1.8p52);
    return {add(shifted, -0x1.8p52), subInteger(toBits(shifted), integer(0x4338000000000000))};
  }

  /// 2^exponent for exponents from -1022 to 1023.
  Value powerOfTwo(Value exponent) { return fromBits(shiftLeft(addInteger(exponent, integer(1023)), 52)); }

  /// x * 2^exponent, the exponent in two halves: only the second product rounds, where the result is subnormal.
  Value scale(Value x, Value exponent) {
    Value half = shiftRight(exponent, 1);
    return mul(mul(x, powerOfTwo(half)), powerOfTwo(subInteger(exponent, half)));
  }

  /// The sum of coefficient(i) * x^i for i below `count`.
  Value polynomial(Value x, int count, function_ref<double(int)> coefficient) {
    Value sum = real(coefficient(count - 1));
    for (int i = count - 2; i >= 0; --i)
      sum = fma(sum, x, real(coefficient(i)));
    return sum;
  }

  /// x + y exactly.
  Pair sum(Value x, Value y) {
    Value high = add(x, y), part = sub(high, x);
    return {high, add(sub(x, sub(high, part)), sub(y, part))};
  }
  /// x + y exactly, where x = 0 or |x| >= |y|.
  Pair sumOfOrdered(Value x, Value y) {
    Value high = add(x, y);
    return {high, sub(y, sub(high, x))};
  }
  /// x * y exactly, but for what lies below the smallest float.
  Pair product(Value x, Value y) {
    Value high = mul(x, y);
    return {high, fma(x, y, negate(high))};
  }
  /// x * y to about 100 bits.
  Pair product(Pair x, Pair y) {
    auto [high, low] = product(x.high, y.high);
    return {high, fma(x.low, y.high, fma(x.high, y.low, low))};
  }
};

} // namespace mlir::ecf8

#endif // ECF8_LIB_CONVERSION_GPU_WIDEARITHMETIC_H
