// ecf8-expand-fp8: arithmetic on floats that the CPU does not have, through f32 and integer ops.
#include "SmallFloat.h"
#include "ecf8/Conversion/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/IR/TypeUtilities.h"

namespace mlir::ecf8 {
#define GEN_PASS_DEF_EXPANDFP8PASS
#include "ecf8/Conversion/Passes.h.inc"
} // namespace mlir::ecf8

using namespace mlir;
using namespace mlir::ecf8;

namespace {

bool isFP8(Type type) { return isa<Float8E4M3FNType, Float8E5M2Type>(type); }
/// The type of scales of the OCP microscaling formats: powers of two.
bool isE8M0(Type type) { return isa<Float8E8M0FNUType>(type); }

/// Scalars and vectors; tensors are lowered by linalg first.
bool isScalarOrVector(Type type) { return isa<FloatType, VectorType>(type); }

class ExpandFP8Pass : public mlir::ecf8::impl::ExpandFP8PassBase<ExpandFP8Pass> {
public:
  using ExpandFP8PassBase::ExpandFP8PassBase;

  void runOnOperation() override {
    SmallVector<Operation *> arithmetic;
    getOperation()->walk([&](Operation *op) {
      if (isArithmetic(op) && touchesSmallFloat(op))
        arithmetic.push_back(op);
    });
    for (Operation *op : arithmetic)
      computeInF32(op);

    SmallVector<Operation *> conversions;
    getOperation()->walk([&](Operation *op) {
      if (isa<arith::ExtFOp, arith::TruncFOp>(op) && touchesExpandedConversion(op))
        conversions.push_back(op);
    });
    for (Operation *op : conversions)
      if (failed(expandConversion(op)))
        signalPassFailure();
  }

private:
  /// Floats whose arithmetic goes through f32. f16 is among them always: x86 rounds it to f32 and back anyway.
  static bool isSmallFloat(Type type) { return isFP8(type) || type.isBF16() || type.isF16(); }

  bool isExpandedConversion(Type type) const {
    return isFP8(type) || isE8M0(type) || (type.isBF16() && expandBF16) || (type.isF16() && expandF16);
  }

  template <typename Predicate> static bool anyType(Operation *op, Predicate predicate) {
    auto matches = [&](Type type) { return isScalarOrVector(type) && predicate(getElementTypeOrSelf(type)); };
    return llvm::any_of(op->getOperandTypes(), matches) || llvm::any_of(op->getResultTypes(), matches);
  }
  static bool touchesSmallFloat(Operation *op) { return anyType(op, isSmallFloat); }
  bool touchesExpandedConversion(Operation *op) const {
    return anyType(op, [this](Type type) { return isExpandedConversion(type); });
  }

  /// Ops that compute; those that only move or convert bits are left.
  static bool isArithmetic(Operation *op) {
    if (!isa_and_nonnull<arith::ArithDialect, math::MathDialect>(op->getDialect()) || op->getNumRegions() != 0)
      return false;
    return !isa<arith::ConstantOp, arith::BitcastOp, arith::SelectOp, arith::ExtFOp, arith::TruncFOp,
                arith::ScalingExtFOp, arith::ScalingTruncFOp>(op);
  }

  static Type withElement(Type type, Type element) {
    auto vector = dyn_cast<VectorType>(type);
    return vector ? Type(vector.clone(element)) : element;
  }

  static void computeInF32(Operation *op) {
    IRRewriter rewriter(op);
    if (isa<arith::NegFOp, math::AbsFOp>(op))
      return changeSign(rewriter, op);
    Type f32 = rewriter.getF32Type();
    auto extended = [&](Type type) {
      return isScalarOrVector(type) && isSmallFloat(getElementTypeOrSelf(type)) ? withElement(type, f32) : type;
    };
    SmallVector<Value> operands;
    for (Value operand : op->getOperands()) {
      Type type = extended(operand.getType());
      operands.push_back(type == operand.getType() ? operand
                                                   : arith::ExtFOp::create(rewriter, op->getLoc(), type, operand));
    }
    SmallVector<Type> resultTypes = llvm::map_to_vector(op->getResultTypes(), extended);
    Operation *wide =
        rewriter.create(op->getLoc(), op->getName().getIdentifier(), operands, resultTypes, op->getAttrs());
    SmallVector<Value> results;
    for (auto [result, wideResult] : llvm::zip(op->getResults(), wide->getResults()))
      results.push_back(result.getType() == wideResult.getType()
                            ? Value(wideResult)
                            : arith::TruncFOp::create(rewriter, op->getLoc(), result.getType(), wideResult));
    rewriter.replaceOp(op, results);
  }

  /// Negation and absolute value are exact on the bits; a NaN keeps its payload.
  static void changeSign(IRRewriter &rewriter, Operation *op) {
    Location location = op->getLoc();
    Type type = op->getResult(0).getType();
    unsigned bits = getElementTypeOrSelf(type).getIntOrFloatBitWidth();
    Type integer = withElement(type, rewriter.getIntegerType(bits));
    bool negate = isa<arith::NegFOp>(op);
    llvm::APInt mask = negate ? llvm::APInt::getSignMask(bits) : llvm::APInt::getSignedMaxValue(bits);
    Value constant = arith::ConstantOp::create(rewriter, location, splat(integer, mask));
    Value code = arith::BitcastOp::create(rewriter, location, integer, op->getOperand(0));
    Value changed = negate ? Value(arith::XOrIOp::create(rewriter, location, code, constant))
                           : Value(arith::AndIOp::create(rewriter, location, code, constant));
    rewriter.replaceOpWithNewOp<arith::BitcastOp>(op, type, changed);
  }

  static TypedAttr splat(Type integer, const llvm::APInt &value) {
    if (auto vector = dyn_cast<VectorType>(integer))
      return DenseElementsAttr::get(vector, value);
    return IntegerAttr::get(integer, value);
  }

  LogicalResult expandConversion(Operation *op) {
    IRRewriter rewriter(op);
    ImplicitLocOpBuilder builder(op->getLoc(), rewriter);
    Value value = op->getOperand(0);
    auto from = cast<FloatType>(getElementTypeOrSelf(value));
    auto to = cast<FloatType>(getElementTypeOrSelf(op->getResult(0)));

    if (isa<arith::ExtFOp>(op)) {
      rewriter.replaceOp(op, extendSmallFloat(builder, value, to));
      return success();
    }
    auto truncate = cast<arith::TruncFOp>(op);
    if (isE8M0(to))
      return op->emitOpError() << "expected a result type that numbers are rounded to, got " << to;
    if (auto mode = truncate.getRoundingmode(); mode && *mode != arith::RoundingMode::to_nearest_even)
      return op->emitOpError() << "expected rounding mode 'to_nearest_even', got '"
                               << arith::stringifyRoundingMode(*mode) << "'";
    if (from.isF16() || from.isBF16()) {
      Type single = withElement(value.getType(), rewriter.getF32Type());
      value = isExpandedConversion(from) ? extendSmallFloat(builder, value, rewriter.getF32Type())
                                         : Value(arith::ExtFOp::create(builder, single, value));
    } else if (!from.isF32() && !from.isF64()) {
      return op->emitOpError() << "expected a source of type f16, bf16, f32 or f64, got " << from;
    }
    rewriter.replaceOp(op, roundToSmallFloat(builder, value, to));
    return success();
  }
};

} // namespace
