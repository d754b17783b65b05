// ecf8-expand-powers: powers with constant exponents as products, as PyTorch computes them.
#include "ecf8/Conversion/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/Matchers.h"

namespace mlir::ecf8 {
#define GEN_PASS_DEF_EXPANDPOWERSPASS
#include "ecf8/Conversion/Passes.h.inc"
} // namespace mlir::ecf8

using namespace mlir;

namespace {

/// The constant exponent of a power, if it is a whole number from -2 to 3: what PyTorch has products for.
std::optional<int64_t> smallExponent(Value exponent) {
  APInt integer;
  if (matchPattern(exponent, m_ConstantInt(&integer)) && integer.sge(-2) && integer.sle(3))
    return integer.getSExtValue();
  APFloat real(0.0);
  // The square alone has the bits of a correctly rounded power.
  if (matchPattern(exponent, m_ConstantFloat(&real)) && real.isExactlyValue(2.0))
    return 2;
  return std::nullopt;
}

Value one(ImplicitLocOpBuilder &builder, Type type) {
  TypedAttr value = builder.getFloatAttr(getElementTypeOrSelf(type), 1.0);
  if (auto shaped = dyn_cast<ShapedType>(type))
    value = DenseElementsAttr::get(shaped, Attribute(value));
  return arith::ConstantOp::create(builder, value);
}

/// `base` to a power from -2 to 3.
Value power(ImplicitLocOpBuilder &builder, Value base, int64_t exponent) {
  if (exponent == 0)
    return one(builder, base.getType());
  Value result = base;
  for (int64_t factor = 1; factor < std::abs(exponent); ++factor)
    result = arith::MulFOp::create(builder, result, base);
  return exponent > 0 ? result : Value(arith::DivFOp::create(builder, one(builder, base.getType()), result));
}

class ExpandPowersPass : public mlir::ecf8::impl::ExpandPowersPassBase<ExpandPowersPass> {
public:
  using ExpandPowersPassBase::ExpandPowersPassBase;

  void runOnOperation() override {
    SmallVector<Operation *> powers;
    getOperation()->walk([&](Operation *op) {
      if (isa<math::FPowIOp, math::PowFOp>(op))
        powers.push_back(op);
    });
    for (Operation *op : powers) {
      ImplicitLocOpBuilder builder(op->getLoc(), op);
      Value base = op->getOperand(0), exponent = op->getOperand(1), result;
      if (std::optional<int64_t> small = smallExponent(exponent))
        result = power(builder, base, *small);
      else if (isa<math::FPowIOp>(op))
        // LLVM has no such intrinsic for wide exponents or vectors of them; libm has no such function.
        result = math::PowFOp::create(builder, base, arith::SIToFPOp::create(builder, base.getType(), exponent));
      else
        continue;
      op->getResult(0).replaceAllUsesWith(result);
      op->erase();
    }
  }
};

} // namespace
