// ecf8-expand-math: exp, log, their likes near 0, tanh and erf as multiplications and additions, in vectors where their
// operands are.
//
// Reductions and polynomials of exp, log and tanh are those of Cephes (S. L. Moshier, netlib.org/cephes, expf.c, logf.c
// and tanhf.c). Those of erf are minimax fits in the same manner, of erf(x) / x - 1 in x * x and of log(1 - erf(x)) / x
// + 1. No product is fused with an addition, so that a result has the same bytes on a CPU without such an instruction.
#include "ExpandMath.h"
#include "ecf8/Conversion/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "llvm/ADT/TypeSwitch.h"
#include <limits>

namespace mlir::ecf8 {
#define GEN_PASS_DEF_EXPANDMATHPASS
#include "ecf8/Conversion/Passes.h.inc"
} // namespace mlir::ecf8

using namespace mlir;
using namespace mlir::ecf8;

bool mlir::ecf8::isExpandedMath(Operation *op) {
  if (!isa<math::ExpOp, math::Exp2Op, math::ExpM1Op, math::LogOp, math::Log1pOp, math::TanhOp, math::ErfOp>(op))
    return false;
  Type type = op->getResult(0).getType(), element = getElementTypeOrSelf(type);
  auto vector = dyn_cast<VectorType>(type);
  return (element == type || (vector && !vector.isScalable())) &&
         (element.isF32() || element.isF16() || element.isBF16());
}

namespace {

constexpr double kLog2E = 1.44269504088896341;
constexpr double kLog2 = 0.693147180559945309;
/// log(2) in two parts: the first times a whole number below 2^13 is exact.
constexpr double kLog2High = 0.693359375;
constexpr double kLog2Low = -2.12194440e-4;

/// Writes functions of f32 values, scalars or vectors.
class FunctionEmitter {
public:
  FunctionEmitter(ImplicitLocOpBuilder &builder, Type type)
      : builder(builder), type(type), integerType(sameShape(builder.getI32Type())) {}

  Value exp(Value x) {
    // Where a result overflows, or rounds to zero, the input may as well be a bit beyond.
    x = select(less(real(89.0), x), real(89.0), x);
    x = select(less(x, real(-104.5)), real(-104.5), x);
    auto [whole, power] = roundToWhole(mul(x, real(kLog2E)));
    Value rest = sub(sub(x, mul(whole, real(kLog2High))), mul(whole, real(kLog2Low)));
    return scaledExp(rest, power);
  }

  Value exp2(Value x) {
    x = select(less(real(129.0), x), real(129.0), x);
    x = select(less(x, real(-151.0)), real(-151.0), x);
    auto [whole, power] = roundToWhole(x);
    return scaledExp(mul(sub(x, whole), real(kLog2)), power);
  }

  Value expM1(Value x) {
    // 2^k * (e^r - 1) + (2^k - 1), where k is 0 near 0; beyond 17 the 1 is below half a unit, below -20 it is all.
    Value bounded = select(less(real(20.0), x), real(20.0), x);
    bounded = select(less(bounded, real(-20.0)), real(-20.0), bounded);
    auto [whole, power] = roundToWhole(mul(bounded, real(kLog2E)));
    Value rest = sub(sub(bounded, mul(whole, real(kLog2High))), mul(whole, real(kLog2Low)));
    Value scale = powerOfTwo(power);
    Value result = add(mul(restOfExp(rest), scale), sub(scale, real(1.0)));
    result = select(less(real(17.0), x), exp(x), result);
    return math::CopySignOp::create(builder, result, x); // also of zeros
  }

  Value log1p(Value x) {
    // What 1 + x rounds off, divided by it, is what the logarithm lacks.
    Value sum = add(x, real(1.0));
    Value lost = sub(x, sub(sum, real(1.0)));
    Value result = add(log(sum), arith::DivFOp::create(builder, lost, sum));
    constexpr double infinity = std::numeric_limits<double>::infinity();
    result = select(less(x, real(infinity)), result, x);
    result = select(compare(arith::CmpFPredicate::OEQ, sum, real(0.0)), real(-infinity), result);
    return math::CopySignOp::create(builder, result, x);
  }

  Value log(Value x) {
    Value isSmall = less(x, real(0x1p-126));
    Value bits = toBits(select(isSmall, mul(x, real(0x1p23)), x));
    // x = mantissa * 2^exponent with a mantissa from sqrt(1/2) to sqrt(2)
    Value exponent = arith::ShRSIOp::create(builder, subInteger(bits, integer(0x3F3504F3)), integer(23));
    Value mantissa = toReal(subInteger(bits, shiftLeft(exponent, 23)));
    Value power = arith::SIToFPOp::create(builder, type, exponent);
    power = sub(power, select(isSmall, real(23.0), real(0.0)));

    Value z = sub(mantissa, real(1.0)), square = mul(z, z);
    Value sum = polynomial(z, {7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1,
                               -1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1});
    sum = mul(mul(sum, z), square);
    sum = add(sum, mul(power, real(kLog2Low)));
    sum = sub(sum, mul(square, real(0.5)));
    Value result = add(add(z, sum), mul(power, real(kLog2High)));

    constexpr double infinity = std::numeric_limits<double>::infinity();
    result = select(less(x, real(infinity)), result, x); // infinity and NaN are their own
    result = select(compare(arith::CmpFPredicate::OEQ, x, real(0.0)), real(-infinity), result);
    return select(less(x, real(0.0)), real(std::numeric_limits<double>::quiet_NaN()), result);
  }

  Value tanh(Value x) {
    Value size = math::AbsFOp::create(builder, x), square = mul(x, x);
    Value odd = polynomial(
        square, {-5.70498872745e-3, 2.06390887954e-2, -5.37397155531e-2, 1.33314422036e-1, -3.33332819422e-1});
    Value nearZero = add(mul(mul(odd, square), size), size);
    Value power = add(exp(add(size, size)), real(1.0));
    Value far = sub(real(1.0), arith::DivFOp::create(builder, real(2.0), power));
    return math::CopySignOp::create(builder, select(less(size, real(0.625)), nearZero, far), x);
  }

  Value erf(Value x) {
    Value size = math::AbsFOp::create(builder, x);
    Value odd = polynomial(mul(x, x), {-5.999418208375573e-4, 4.994833376258612e-3, -2.6767723262310028e-2,
                                       1.1281845718622208e-1, -3.761249780654907e-1, 1.2837915122509003e-1});
    Value nearZero = add(mul(odd, size), size);
    Value bounded = select(less(real(4.0), size), real(4.0), size); // from there on the result is 1
    Value logarithm = polynomial(bounded, {-2.1398502576630563e-4, 3.214956261217594e-3, -2.2889966145157814e-2,
                                           1.0526184737682343e-1, 6.357182860374451e-1, 1.28514364361763e-1});
    logarithm = add(mul(logarithm, bounded), bounded);
    Value far = sub(real(1.0), exp(arith::NegFOp::create(builder, logarithm)));
    return math::CopySignOp::create(builder, select(less(size, real(0.92)), nearZero, far), x);
  }

private:
  Type sameShape(Type element) const {
    auto vector = dyn_cast<VectorType>(type);
    return vector ? Type(vector.clone(element)) : element;
  }

  Value constant(Type constantType, TypedAttr value) {
    if (auto shaped = dyn_cast<ShapedType>(constantType))
      value = DenseElementsAttr::get(shaped, Attribute(value));
    return arith::ConstantOp::create(builder, value);
  }
  Value real(double value) { return constant(type, builder.getF32FloatAttr(static_cast<float>(value))); }
  Value integer(int32_t value) { return constant(integerType, builder.getI32IntegerAttr(value)); }

  Value add(Value a, Value b) { return arith::AddFOp::create(builder, a, b); }
  Value sub(Value a, Value b) { return arith::SubFOp::create(builder, a, b); }
  Value mul(Value a, Value b) { return arith::MulFOp::create(builder, a, b); }
  Value subInteger(Value a, Value b) { return arith::SubIOp::create(builder, a, b); }
  Value shiftLeft(Value a, int32_t count) { return arith::ShLIOp::create(builder, a, integer(count)); }
  Value toBits(Value x) { return arith::BitcastOp::create(builder, integerType, x); }
  Value toReal(Value bits) { return arith::BitcastOp::create(builder, type, bits); }
  Value compare(arith::CmpFPredicate predicate, Value a, Value b) {
    return arith::CmpFOp::create(builder, predicate, a, b);
  }
  Value less(Value a, Value b) { return compare(arith::CmpFPredicate::OLT, a, b); }
  Value select(Value condition, Value a, Value b) { return arith::SelectOp::create(builder, condition, a, b); }

  /// Horner's scheme; the coefficient of the highest power is first.
  Value polynomial(Value x, ArrayRef<double> coefficients) {
    Value sum = real(coefficients.front());
    for (double coefficient : coefficients.drop_front())
      sum = add(mul(sum, x), real(coefficient));
    return sum;
  }

  /// The nearest whole number, as a float and as an integer. Adding 1.5 * 2^23 leaves it in the lowest bits, and a NaN
  /// gives an integer without meaning, but no undefined one.
  std::pair<Value, Value> roundToWhole(Value x) {
    Value shifted = add(x, real(0x1.8p23));
    return {sub(shifted, real(0x1.8p23)), subInteger(toBits(shifted), integer(0x4B400000))};
  }

  Value powerOfTwo(Value exponent) {
    return toReal(shiftLeft(arith::AddIOp::create(builder, exponent, integer(127)), 23));
  }

  /// exp(x) - 1 for |x| up to log(2) / 2.
  Value restOfExp(Value x) {
    Value sum = polynomial(
        x, {1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1});
    return add(mul(sum, mul(x, x)), x);
  }

  /// exp(x) * 2^power for |x| up to log(2) / 2. The power goes in two halves: only the second product rounds, where the
  /// result is subnormal.
  Value scaledExp(Value x, Value power) {
    Value sum = add(restOfExp(x), real(1.0));
    Value half = arith::ShRSIOp::create(builder, power, integer(1));
    return mul(mul(sum, powerOfTwo(half)), powerOfTwo(subInteger(power, half)));
  }

  ImplicitLocOpBuilder &builder;
  Type type, integerType;
};

/// expm1 of f64, which MLIR would convert to exp(x) - 1: what is lost there is made good for by log(exp(x)), which has
/// lost as much (N. J. Higham, Accuracy and Stability of Numerical Algorithms, 2nd edition, section 1.14.1).
Value expM1OfF64(ImplicitLocOpBuilder &builder, Value x) {
  auto real = [&](double value) -> Value {
    TypedAttr attribute = builder.getF64FloatAttr(value);
    if (auto shaped = dyn_cast<ShapedType>(x.getType()))
      attribute = DenseElementsAttr::get(shaped, Attribute(attribute));
    return arith::ConstantOp::create(builder, attribute);
  };
  auto equals = [&](Value a, Value b) -> Value {
    return arith::CmpFOp::create(builder, arith::CmpFPredicate::OEQ, a, b);
  };
  Value power = math::ExpOp::create(builder, x), less = arith::SubFOp::create(builder, power, real(1));
  Value ratio = arith::DivFOp::create(builder, x, math::LogOp::create(builder, power));
  Value result = arith::MulFOp::create(builder, less, ratio);
  constexpr double infinity = std::numeric_limits<double>::infinity();
  Value isEnd = arith::OrIOp::create(builder, equals(less, real(-1)), equals(power, real(infinity)));
  result = arith::SelectOp::create(builder, isEnd, less, result);
  return arith::SelectOp::create(builder, equals(power, real(1)), x, result);
}

class ExpandMathPass : public mlir::ecf8::impl::ExpandMathPassBase<ExpandMathPass> {
public:
  using ExpandMathPassBase::ExpandMathPassBase;

  void runOnOperation() override {
    SmallVector<Operation *> ops, ofF64;
    getOperation()->walk([&](Operation *op) {
      if (isExpandedMath(op))
        ops.push_back(op);
      else if (isa<math::ExpM1Op>(op) && isF64(op->getResult(0).getType()))
        ofF64.push_back(op);
    });
    for (Operation *op : ofF64) {
      ImplicitLocOpBuilder builder(op->getLoc(), op);
      op->getResult(0).replaceAllUsesWith(expM1OfF64(builder, op->getOperand(0)));
      op->erase();
    }
    for (Operation *op : ops) {
      ImplicitLocOpBuilder builder(op->getLoc(), op);
      Type type = op->getResult(0).getType(), wide = builder.getF32Type();
      if (auto vector = dyn_cast<VectorType>(type))
        wide = vector.clone(wide);
      Value x = op->getOperand(0);
      if (type != wide)
        x = arith::ExtFOp::create(builder, wide, x);
      Value result = expand(FunctionEmitter(builder, wide), op, x);
      if (type != wide)
        result = arith::TruncFOp::create(builder, type, result);
      op->getResult(0).replaceAllUsesWith(result);
      op->erase();
    }
  }

private:
  static bool isF64(Type type) {
    auto vector = dyn_cast<VectorType>(type);
    return getElementTypeOrSelf(type).isF64() && (vector ? !vector.isScalable() : type.isF64());
  }

  static Value expand(FunctionEmitter emitter, Operation *op, Value x) {
    return llvm::TypeSwitch<Operation *, Value>(op)
        .Case([&](math::ExpOp) { return emitter.exp(x); })
        .Case([&](math::Exp2Op) { return emitter.exp2(x); })
        .Case([&](math::ExpM1Op) { return emitter.expM1(x); })
        .Case([&](math::LogOp) { return emitter.log(x); })
        .Case([&](math::Log1pOp) { return emitter.log1p(x); })
        .Case([&](math::TanhOp) { return emitter.tanh(x); })
        .Case([&](math::ErfOp) { return emitter.erf(x); });
  }
};

} // namespace
