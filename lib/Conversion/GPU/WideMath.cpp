// Functions of floats as arithmetic in f64. All of them are made of the Taylor series of few functions near zero: of
// exp, log, sin, cos and atan. The logarithm has a second part, since a power multiplies its error, too.
#include "WideMath.h"
#include "WideArithmetic.h"

#include "llvm/ADT/TypeSwitch.h"
#include <limits>

using namespace mlir;
using namespace mlir::ecf8;

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

constexpr WideConstant kOne = {1, 0};
constexpr WideConstant kTwoThirds = {0x1.5555555555555p-1, 0x1.5555555555555p-55};
constexpr WideConstant kLog2 = {0x1.62e42fefa39efp-1, 0x1.abc9e3b39803fp-56};
constexpr WideConstant kLog2E = {0x1.71547652b82fep+0, 0x1.777d0ffda0d24p-56};
constexpr WideConstant kLog10Of2 = {0x1.34413509f79ffp-2, -0x1.9dc1da994fd21p-59};
constexpr WideConstant kLog10E = {0x1.bcb7b1526e50ep-2, 0x1.95355baaafad3p-57};
constexpr WideConstant kQuarterPi = {0x1.921fb54442d18p-1, 0x1.1a62633145c07p-55};
constexpr double kQuarterPiRest = -0x1.f1976b7ed8fbcp-111;
constexpr double kTwoByPi = 0x1.45f306dc9c883p-1;
constexpr double kTanEighthPi = 0x1.a827999fcef32p-2;

/// Sines of floats from here on are NaN.
constexpr double kLargestAngle = 0x1p45;
/// From here on x * x + 1 is x * x.
constexpr double kLargeSquareRoot = 0x1p28;

double inverseFactorial(int n) {
  double factorial = 1; // exact up to 22!
  for (int i = 2; i <= n; ++i)
    factorial *= i;
  return 1 / factorial;
}

/// Writes functions of f64 scalars.
class FunctionEmitter {
public:
  explicit FunctionEmitter(WideArithmetic &builder) : b(builder) {}

  Value exp(Value x) { return exp({x, b.real(0)}); }
  Value exp2(Value x) {
    x = bound(x, -1076, 1025);
    auto [whole, power] = b.roundToWhole(x);
    Pair rest = b.product({b.sub(x, whole), b.real(0)}, b.pair(kLog2));
    return b.scale(b.add(expm1NearZero(rest), 1), power);
  }
  Value expm1(Value x) {
    Power power = powerOf(b.select(b.less(x, -40), b.real(-40), x));
    return b.copySign(b.scale(power.less, power.exponent), x);
  }

  Value sinh(Value x) {
    Hyperbola point = hyperbola(x);
    return b.copySign(b.scale(point.sinh, point.exponent), x);
  }
  Value cosh(Value x) {
    Hyperbola point = hyperbola(x);
    return b.scale(point.cosh, point.exponent);
  }
  Value tanh(Value x) {
    Hyperbola point = hyperbola(x);
    return b.copySign(b.div(point.sinh, point.cosh), x);
  }

  Value log(Value x) { return log({x, {}}, kLog2, kOne); }
  Value log2(Value x) { return log({x, {}}, kOne, kLog2E); }
  Value log10(Value x) { return log({x, {}}, kLog10Of2, kLog10E); }
  Value log1p(Value x) { return b.copySign(log(b.sum(b.real(1), x)), x); }

  Value asinh(Value x) {
    Value size = b.size(x), square = b.mul(size, size);
    Value root = b.sqrt(b.add(square, 1));
    return b.copySign(areaOf(size, b.add(size, b.div(square, b.add(root, 1)))), x);
  }
  Value acosh(Value x) {
    Value more = b.select(b.less(x, 1), b.real(kNaN), b.add(x, -1));
    return areaOf(x, b.add(more, b.sqrt(b.mul(more, b.add(more, 2)))));
  }
  Value atanh(Value x) {
    Value size = b.size(x);
    Value ratio = b.div(b.add(size, size), b.sub(b.real(1), size));
    return b.copySign(b.mul(log1p(ratio), 0.5), x);
  }

  Value pow(Value x, Value y) {
    Value size = b.size(x);
    Pair logarithm = logParts(size, kLog2, kOne);
    logarithm.high = withLimitsOfLog(size, logarithm.high);
    Pair exponent = b.product({y, b.real(0)}, logarithm);
    // Where the first part overflows, the second is NaN.
    exponent.low = b.select(b.less(b.size(exponent.high), 1000), exponent.low, b.real(0));
    Value result = exp(exponent);

    Value isUnknown = b.both(b.less(x, 0), b.less(size, kInfinity));
    Value ofWhole = b.select(b.isWhole(b.mul(y, 0.5)), result, b.copySign(result, x));
    result = b.select(b.isWhole(y), ofWhole, b.select(isUnknown, b.real(kNaN), result));
    // Even where the other operand is NaN, and of -1 to an infinity.
    Value isOne = b.either(b.equal(x, 1), b.both(b.equal(x, -1), b.equal(b.size(y), kInfinity)));
    return b.select(b.either(isOne, b.equal(y, 0)), b.real(1), result);
  }

  Value sin(Value x) {
    Turn turn = reduceTurn(x);
    return withSign(b.select(turn.isOdd, turn.cos, turn.sin), turn.quarter);
  }
  Value cos(Value x) {
    Turn turn = reduceTurn(x);
    return withSign(b.select(turn.isOdd, turn.sin, turn.cos), b.addInteger(turn.quarter, b.integer(1)));
  }
  Value tan(Value x) {
    Turn turn = reduceTurn(x);
    return b.div(b.select(turn.isOdd, b.negate(turn.cos), turn.sin), b.select(turn.isOdd, turn.sin, turn.cos));
  }

  Value atan2(Value y, Value x) {
    Value height = b.size(y), width = b.size(x), isSteep = b.less(width, height);
    Value low = b.select(isSteep, width, height), high = b.select(isSteep, height, width);
    // Two zeros are an angle of zero, two infinities are half of a right one.
    Value isEqual = b.equal(low, high);
    Value slope = b.select(isEqual, b.select(b.equal(low, 0), low, b.real(1)), b.div(low, high));
    // angle = quarters * pi / 4 + rest, |tan(rest)| <= tan(pi / 8)
    Value isFar = b.less(kTanEighthPi, slope);
    slope = b.select(isFar, b.div(b.add(slope, -1), b.add(slope, 1)), slope);
    Value quarters = b.select(isFar, b.real(1), b.real(0)), square = b.negate(b.mul(slope, slope));
    Value rest = b.polynomial(square, 20, [](int i) { return 1.0 / (2 * i + 3); });
    rest = b.fma(b.mul(slope, square), rest, slope);
    auto mirror = [&](Value condition, double corner) {
      quarters = b.select(condition, b.sub(b.real(corner), quarters), quarters);
      rest = b.select(condition, b.negate(rest), rest);
    };
    mirror(isSteep, 2);
    mirror(b.less(b.copySign(b.real(1), x), 0), 4); // -0 is on the left
    Value angle = b.fma(quarters, b.real(kQuarterPi.high), b.fma(quarters, b.real(kQuarterPi.low), rest));
    return b.copySign(angle, y);
  }
  Value atan(Value x) { return atan2(x, b.real(1)); }
  Value asin(Value x) { return atan2(x, otherSide(x)); }
  Value acos(Value x) { return atan2(otherSide(x), x); }

private:
  using Pair = WideArithmetic::Pair;

  /// x, or a limit where it is beyond; NaN is left.
  Value bound(Value x, double least, double greatest) {
    x = b.select(b.less(x, least), b.real(least), x);
    return b.select(b.less(greatest, x), b.real(greatest), x);
  }

  // ---- Exponentials ----

  Value expm1NearZero(Pair x) {
    Value sum = b.polynomial(x.high, 13, [](int i) { return inverseFactorial(i + 2); });
    return b.add(x.high, b.fma(b.mul(x.high, x.high), sum, x.low));
  }

  /// {rest, power}: exp(x) = (1 + rest) * 2^power, rest from sqrt(1/2) - 1 to sqrt(2) - 1, and the power an integer
  /// from -1076 to 1026: where a result overflows, or rounds to zero, x may as well be a bit beyond.
  std::pair<Value, Value> reduceExp(Pair x) {
    Value high = bound(x.high, -746, 711);
    auto [whole, power] = b.roundToWhole(b.mul(high, kLog2E.high));
    Value minus = b.negate(whole);
    Pair rest = b.sum(b.fma(minus, b.real(kLog2.high), high), b.fma(minus, b.real(kLog2.low), x.low));
    return {expm1NearZero(rest), power};
  }

  Value exp(Pair x) {
    auto [rest, power] = reduceExp(x);
    return b.scale(b.add(rest, 1), power);
  }

  /// exp(x) = value * 2^exponent, one = 2^-exponent or 2^-64 where that is less, less = value - one.
  struct Power {
    Value value, one, less, exponent;
  };
  Power powerOf(Value x) {
    auto [rest, exponent] = reduceExp({x, b.real(0)});
    Value one = b.powerOfTwo(b.subInteger(b.integer(0), b.minInteger(exponent, 64)));
    return {b.add(rest, 1), one, b.add(rest, b.sub(b.real(1), one)), exponent};
  }

  /// sinh(|x|) and cosh(x), both to be multiplied by 2^exponent.
  struct Hyperbola {
    Value sinh, cosh, exponent;
  };
  Hyperbola hyperbola(Value x) {
    Power power = powerOf(b.size(x));
    // value - one * one / value without a difference of what is nearly equal
    Value ratio = b.div(power.one, power.value);
    return {b.mul(power.less, b.add(ratio, 1)), b.fma(power.one, ratio, power.value),
            b.addInteger(power.exponent, b.integer(-1))};
  }

  // ---- Logarithms ----

  /// The logarithm to the base that 2 has the logarithm `two` in, and e has `e`, of x > 0 below infinity.
  Pair logParts(Value x, WideConstant two, WideConstant e) {
    Value isSubnormal = b.less(x, 0x1p-1022);
    Value bits = b.toBits(b.select(isSubnormal, b.mul(x, 0x1p54), x));
    // x = mantissa * 2^exponent with a mantissa from sqrt(1/2) to sqrt(2)
    Value exponent = b.shiftRight(b.subInteger(bits, b.integer(0x3fe6a09e667f3bcd)), 52);
    Value mantissa = b.fromBits(b.subInteger(bits, b.shiftLeft(exponent, 52)));
    Value whole = arith::SIToFPOp::create(b, b.getF64Type(), exponent);
    whole = b.sub(whole, b.select(isSubnormal, b.real(54), b.real(0)));

    // log(mantissa) = 2 * (root + root^3 / 3 + ...), root = (mantissa - 1) / (mantissa + 1)
    Value less = b.add(mantissa, -1);
    Pair more = b.sumOfOrdered(b.real(2), less);
    Value inverse = b.div(b.real(1), more.high), quotient = b.mul(less, inverse), minus = b.negate(quotient);
    Pair root = {quotient, b.mul(b.fma(minus, more.low, b.fma(minus, more.high, less)), inverse)};
    Pair square = b.product(root, root), cube = b.product(square, root);
    Pair third = b.product(cube, b.pair(kTwoThirds));
    Value tail = b.polynomial(square.high, 11, [](int i) { return 2.0 / (2 * i + 5); });
    Pair sum = b.sumOfOrdered(b.add(root.high, root.high), third.high);
    sum.low = b.add(sum.low, b.add(b.add(root.low, root.low), third.low));
    sum = b.sumOfOrdered(sum.high, b.fma(b.mul(cube.high, square.high), tail, sum.low));

    if (e.high != 1)
      sum = b.product(sum, b.pair(e));
    Pair power = b.product({whole, b.real(0)}, b.pair(two));
    Pair result = b.sumOfOrdered(power.high, sum.high);
    return {result.high, b.add(result.low, b.add(power.low, sum.low))};
  }

  /// `result`, or what the logarithm of x is where x is no positive float: of infinities, zeros, negative x and NaN.
  Value withLimitsOfLog(Value x, Value result) {
    result = b.select(b.less(x, kInfinity), result, x);
    result = b.select(b.equal(x, 0), b.real(-kInfinity), result);
    return b.select(b.less(x, 0), b.real(kNaN), result);
  }

  /// The logarithm of a value of two parts; the second one may be missing.
  Value log(Pair x, WideConstant two = kLog2, WideConstant e = kOne) {
    Pair result = logParts(x.high, two, e);
    if (x.low)
      result.low = b.add(result.low, b.div(x.low, x.high));
    return withLimitsOfLog(x.high, b.add(result.high, result.low));
  }

  /// log(1 + more), where 1 + more is nearly 2 * x for large x.
  Value areaOf(Value x, Value more) {
    Value isLarge = b.less(kLargeSquareRoot, x);
    Pair sum = b.sum(b.real(1), more);
    Value logarithm = log({b.select(isLarge, x, sum.high), b.select(isLarge, b.real(0), sum.low)});
    return b.add(logarithm, b.select(isLarge, b.real(kLog2.high), b.real(0)));
  }

  // ---- Angles ----

  /// Sine and cosine of what an angle has beyond `quarter` right ones, both NaN where there is no right digit.
  struct Turn {
    Value sin, cos, quarter, isOdd;
  };
  Turn reduceTurn(Value x) {
    auto [whole, quarter] = b.roundToWhole(b.mul(x, kTwoByPi));
    Value minus = b.negate(whole);
    // pi / 2 in three parts: the first product leaves no error, that of the second is kept.
    Pair product = b.product(minus, b.real(2 * kQuarterPi.low));
    Pair rest = b.sum(b.fma(minus, b.real(2 * kQuarterPi.high), x), product.high);
    rest.low = b.add(rest.low, b.fma(minus, b.real(2 * kQuarterPiRest), product.low));
    rest.high = b.select(b.less(b.size(x), kLargestAngle), rest.high, b.real(kNaN));

    Value square = b.negate(b.mul(rest.high, rest.high));
    Value sin = b.polynomial(square, 9, [](int i) { return inverseFactorial(2 * i + 3); });
    sin = b.add(rest.high, b.fma(b.mul(rest.high, square), sin, rest.low));
    Value cos = b.polynomial(square, 9, [](int i) { return inverseFactorial(2 * i + 2); });
    cos = b.add(b.fma(square, cos, b.mul(b.negate(rest.high), rest.low)), 1);
    return {b.copySign(sin, rest.high), cos, quarter, b.hasBit(quarter, 1)};
  }

  /// Sines are negative in the last two quarters of four.
  Value withSign(Value result, Value quarter) { return b.select(b.hasBit(quarter, 2), b.negate(result), result); }

  /// sqrt(1 - x * x)
  Value otherSide(Value x) { return b.sqrt(b.mul(b.sub(b.real(1), x), b.add(x, 1))); }

  WideArithmetic &b;
};

/// Every function that there is; null for others.
Value emit(FunctionEmitter emitter, Operation *op, Value x, Value y) {
  return llvm::TypeSwitch<Operation *, Value>(op)
      .Case([&](math::AcosOp) { return emitter.acos(x); })
      .Case([&](math::AcoshOp) { return emitter.acosh(x); })
      .Case([&](math::AsinOp) { return emitter.asin(x); })
      .Case([&](math::AsinhOp) { return emitter.asinh(x); })
      .Case([&](math::Atan2Op) { return emitter.atan2(x, y); })
      .Case([&](math::AtanOp) { return emitter.atan(x); })
      .Case([&](math::AtanhOp) { return emitter.atanh(x); })
      .Case([&](math::CosOp) { return emitter.cos(x); })
      .Case([&](math::CoshOp) { return emitter.cosh(x); })
      .Case([&](math::Exp2Op) { return emitter.exp2(x); })
      .Case([&](math::ExpM1Op) { return emitter.expm1(x); })
      .Case([&](math::ExpOp) { return emitter.exp(x); })
      .Case([&](math::FPowIOp) { return emitter.pow(x, y); })
      .Case([&](math::Log10Op) { return emitter.log10(x); })
      .Case([&](math::Log1pOp) { return emitter.log1p(x); })
      .Case([&](math::Log2Op) { return emitter.log2(x); })
      .Case([&](math::LogOp) { return emitter.log(x); })
      .Case([&](math::PowFOp) { return emitter.pow(x, y); })
      .Case([&](math::SinOp) { return emitter.sin(x); })
      .Case([&](math::SinhOp) { return emitter.sinh(x); })
      .Case([&](math::TanOp) { return emitter.tan(x); })
      .Case([&](math::TanhOp) { return emitter.tanh(x); })
      .Default(Value());
}

} // namespace

Value mlir::ecf8::emitWideMath(Operation *op) {
  Type type = op->getResult(0).getType();
  if (!type.isF64() && !type.isF32() && !type.isF16() && !type.isBF16())
    return {};
  WideArithmetic b(op->getLoc(), op);
  Type wide = b.getF64Type();
  SmallVector<Value> operands;
  for (Value operand : op->getOperands())
    operands.push_back(operand.getType() == wide           ? operand
                       : isa<FloatType>(operand.getType()) ? arith::ExtFOp::create(b, wide, operand).getResult()
                                                           : arith::SIToFPOp::create(b, wide, operand).getResult());
  Value result = emit(FunctionEmitter(b), op, operands.front(), operands.back());
  return !result || type == wide ? result : arith::TruncFOp::create(b, type, result).getResult();
}
