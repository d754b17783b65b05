// ecf8-expand-device-math: functions in kernels without a library of device code.
#include "ecf8/Conversion/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "llvm/ADT/TypeSwitch.h"
#include <cmath>
#include <limits>

namespace mlir::ecf8 {
#define GEN_PASS_DEF_EXPANDDEVICEMATHPASS
#include "ecf8/Conversion/Passes.h.inc"
} // namespace mlir::ecf8

using namespace mlir;
using namespace mlir::ecf8;

namespace {

/// The intrinsic of LLVM that NVPTX has instructions for; empty for other ops. (MLIR's conversion of kernels would call
/// a library of device code for the `math` op as well as for the op of the LLVM dialect.)
StringRef getIntrinsic(Operation *op) {
  return llvm::TypeSwitch<Operation *, StringRef>(op)
      .Case<math::AbsFOp>([](Operation *) { return "llvm.fabs"; })
      .Case<math::CeilOp>([](Operation *) { return "llvm.ceil"; })
      .Case<math::CopySignOp>([](Operation *) { return "llvm.copysign"; })
      .Case<math::CtPopOp>([](Operation *) { return "llvm.ctpop"; })
      .Case<math::FloorOp>([](Operation *) { return "llvm.floor"; })
      .Case<math::FmaOp>([](Operation *) { return "llvm.fma"; })
      .Case<math::RoundEvenOp>([](Operation *) { return "llvm.roundeven"; })
      .Case<math::RoundOp>([](Operation *) { return "llvm.round"; })
      .Case<math::SqrtOp>([](Operation *) { return "llvm.sqrt"; })
      .Case<math::TruncOp>([](Operation *) { return "llvm.trunc"; })
      .Default(StringRef());
}

/// What has no intrinsic of its own, but is written with others or left to the conversion to LLVM.
bool isLeft(Operation *op) {
  return isa<math::AbsIOp, math::CountLeadingZerosOp, math::CountTrailingZerosOp, math::IsFiniteOp, math::IsInfOp,
             math::IsNaNOp, math::IsNormalOp>(op);
}

/// Sine and cosine of a float, in f64: exact to f32 but for the last rounding where |x| < 2^45, NaN from there on.
class TrigonometryEmitter {
public:
  explicit TrigonometryEmitter(Operation *op) : b(op->getLoc(), op) {}

  Value emit(Value x, bool isCosine) {
    Type type = x.getType();
    Value wide = arith::ExtFOp::create(b, b.getF64Type(), x);
    // x = quarter * pi / 2 + rest, |rest| <= pi / 4; pi / 2 in two parts, each product exact by fused operations.
    Value quarter = math::RoundEvenOp::create(b, mul(wide, real(M_2_PI)));
    constexpr double halfPiRest = 6.123233995736766e-17;
    Value minus = arith::NegFOp::create(b, quarter);
    Value rest = math::FmaOp::create(b, minus, real(M_PI_2), wide);
    rest = math::FmaOp::create(b, minus, real(halfPiRest), rest);
    Value square = mul(rest, rest);
    Value sine = mul(rest, series(square, /*first=*/1)), cosine = series(square, /*first=*/0);
    // sin(x + quarter * pi / 2): sine, cosine, -sine, -cosine for quarter = 0, 1, 2, 3 modulo 4.
    if (isCosine)
      quarter = arith::AddFOp::create(b, quarter, real(1));
    Value half = math::FloorOp::create(b, mul(quarter, real(0.5)));
    Value isOdd = isOddNumber(quarter), isNegative = isOddNumber(half);
    Value result = arith::SelectOp::create(b, isOdd, cosine, sine);
    result = arith::SelectOp::create(b, isNegative, arith::NegFOp::create(b, result), result);
    Value size = math::AbsFOp::create(b, wide);
    Value isKnown = arith::CmpFOp::create(b, arith::CmpFPredicate::OLT, size, real(0x1p45));
    result = arith::SelectOp::create(b, isKnown, result, real(std::numeric_limits<double>::quiet_NaN()));
    return arith::TruncFOp::create(b, type, result);
  }

private:
  Value real(double value) { return arith::ConstantOp::create(b, b.getF64FloatAttr(value)); }
  Value mul(Value x, Value y) { return arith::MulFOp::create(b, x, y); }

  /// The sum of (-square)^i / (2 i + first)! up to terms below 2^-53.
  Value series(Value square, int first) {
    constexpr int terms = 9;
    double factorial = std::tgamma(2.0 * (terms - 1) + first + 1);
    Value sum;
    for (int i = terms - 1; i >= 0; --i) {
      Value coefficient = real((i % 2 ? -1 : 1) / factorial);
      sum = sum ? arith::AddFOp::create(b, mul(sum, square), coefficient).getResult() : coefficient;
      factorial /= std::max((2 * i + first) * (2 * i + first - 1), 1);
    }
    return sum;
  }
  /// Whether `value`, a whole number, is odd.
  Value isOddNumber(Value value) {
    Value half = mul(value, real(0.5));
    return arith::CmpFOp::create(b, arith::CmpFPredicate::ONE, math::FloorOp::create(b, half), half);
  }

  ImplicitLocOpBuilder b;
};

struct ExpandDeviceMathPass : public ::mlir::ecf8::impl::ExpandDeviceMathPassBase<ExpandDeviceMathPass> {
  using ExpandDeviceMathPassBase::ExpandDeviceMathPassBase;

  void runOnOperation() override {
    SmallVector<Operation *> ops;
    getOperation().walk([&](Operation *op) {
      if ((isa<math::MathDialect>(op->getDialect()) && !isLeft(op)) || isa<arith::RemFOp>(op))
        ops.push_back(op);
    });
    bool isKnown = true;
    for (Operation *op : ops) {
      Value result = expand(op);
      if (!result) {
        op->emitOpError() << "expected a function that GPUs have code for, got one on " << op->getResult(0).getType();
        isKnown = false;
        continue;
      }
      op->getResult(0).replaceAllUsesWith(result);
      op->erase();
    }
    if (!isKnown)
      return signalPassFailure();
    // What sines and cosines are made of.
    getOperation().walk([&](Operation *op) {
      if (isa<math::MathDialect>(op->getDialect()) && !isLeft(op)) {
        op->getResult(0).replaceAllUsesWith(expand(op));
        op->erase();
      }
    });
  }

private:
  /// What stands for `op`; null where there is nothing.
  static Value expand(Operation *op) {
    Type type = op->getResult(0).getType();
    ImplicitLocOpBuilder b(op->getLoc(), op);
    auto callIntrinsic = [&](StringRef name) {
      return LLVM::CallIntrinsicOp::create(b, type, b.getStringAttr(name), op->getOperands()).getResult(0);
    };
    if (StringRef name = getIntrinsic(op); !name.empty())
      return callIntrinsic(name);
    if (isa<math::RsqrtOp>(op)) {
      Value one = arith::ConstantOp::create(b, b.getFloatAttr(type, 1));
      return arith::DivFOp::create(b, one, callIntrinsic("llvm.sqrt"));
    }
    if (isa<math::SinOp, math::CosOp>(op) && (type.isF32() || type.isF16() || type.isBF16()))
      return TrigonometryEmitter(op).emit(op->getOperand(0), isa<math::CosOp>(op));
    return {};
  }
};

} // namespace
