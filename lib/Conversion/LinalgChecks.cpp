// Assertions that keep a structured op inside its buffers where shapes or indices are known only at run time.
#include "Conjunction.h"
#include "LinalgNest.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;
using namespace mlir::ecf8;

namespace {

/// The coefficient of loop `dim` in `expr`, which is a sum of multiples of loop variables.
int64_t coefficientOf(AffineExpr expr, unsigned dim, unsigned dimCount) {
  MLIRContext *context = expr.getContext();
  SmallVector<AffineExpr> point(dimCount, getAffineConstantExpr(0, context));
  auto valueAt = [&] { return cast<AffineConstantExpr>(expr.replaceDims(point)).getValue(); };
  int64_t origin = valueAt();
  point[dim] = getAffineConstantExpr(1, context);
  return valueAt() - origin;
}

bool isSumOfMultiples(AffineExpr expr) {
  return !expr.walk([](AffineExpr part) {
                bool isSum = part.getKind() == AffineExprKind::Add || part.getKind() == AffineExprKind::Mul;
                return isSum || !isa<AffineBinaryOpExpr>(part) ? WalkResult::advance() : WalkResult::interrupt();
              })
              .wasInterrupted();
}

/// Every index that the loops make lies in its operand; where an index is one loop's variable, the sizes are equal.
LogicalResult checkShapes(linalg::LinalgOp op) {
  SmallVector<int64_t> staticSizes = op.getStaticLoopRanges();
  if (staticSizes.empty() || llvm::is_contained(staticSizes, 0)) // no loops, or none that runs
    return success();
  ImplicitLocOpBuilder builder(op.getLoc(), op.getOperation());
  SmallVector<OpFoldResult> sizes, last;
  for (Range range : op.createLoopRanges(builder, op.getLoc())) {
    sizes.push_back(range.size);
    if (std::optional<int64_t> size = getConstantIntValue(range.size))
      last.push_back(builder.getIndexAttr(*size - 1));
    else
      last.push_back(
          Value(arith::SubIOp::create(builder, cast<Value>(range.size), arith::ConstantIndexOp::create(builder, 1))));
  }

  Conjunction fits(builder);
  for (OpOperand &operand : op->getOpOperands()) {
    auto type = dyn_cast<MemRefType>(operand.get().getType());
    if (!type)
      continue;
    AffineMap map = op.getMatchingIndexingMap(&operand);
    for (auto [position, expr] : llvm::enumerate(map.getResults())) {
      auto dim = dyn_cast<AffineDimExpr>(expr);
      // The verifier looks at no size where that of one loop is not known, so equal sizes alone are sure to fit.
      if (dim && !type.isDynamicDim(position) && type.getDimSize(position) == staticSizes[dim.getPosition()])
        continue;
      OpFoldResult extent = memref::getMixedSize(builder, op.getLoc(), operand.get(), position);
      if (dim) {
        fits.add(arith::CmpIPredicate::eq, extent, sizes[dim.getPosition()]);
        continue;
      }
      if (!isSumOfMultiples(expr)) {
        if (op.hasDynamicShape())
          return op->emitOpError() << "expected indices that are sums of multiples of loop variables where sizes are "
                                      "not known, got "
                                   << AffineMapAttr::get(map);
        continue; // the verifier of the op has evaluated it
      }
      // The greatest index is where the loops with a positive coefficient end and the others begin; the least index is
      // in the opposite corner.
      SmallVector<OpFoldResult> highestAt, lowestAt;
      bool canBeNegative = false;
      for (unsigned loop = 0; loop < map.getNumDims(); ++loop) {
        bool descends = coefficientOf(expr, loop, map.getNumDims()) < 0;
        canBeNegative |= descends;
        highestAt.push_back(descends ? OpFoldResult(builder.getIndexAttr(0)) : last[loop]);
        lowestAt.push_back(descends ? last[loop] : OpFoldResult(builder.getIndexAttr(0)));
      }
      auto indexAt = [&](ArrayRef<OpFoldResult> corner) {
        return affine::makeComposedFoldedAffineApply(builder, op.getLoc(), map.getSubMap({(unsigned)position}), corner);
      };
      fits.add(arith::CmpIPredicate::slt, indexAt(highestAt), extent);
      SmallVector<AffineExpr> origin(map.getNumDims(), getAffineConstantExpr(0, op.getContext()));
      canBeNegative |= cast<AffineConstantExpr>(expr.replaceDims(origin)).getValue() < 0;
      if (canBeNegative)
        fits.add(arith::CmpIPredicate::sge, indexAt(lowestAt), builder.getIndexAttr(0));
    }
  }
  fits.assertAll(("shapes of the operands of " + op->getName().getStringRef() + " do not match").str());
  return success();
}

/// Look-ups in the body, such as those of an embedding, stay inside their table.
void checkLookups(linalg::LinalgOp op) {
  SmallVector<memref::LoadOp> loads;
  op.getBlock()->walk([&](memref::LoadOp load) { loads.push_back(load); });
  for (memref::LoadOp load : loads) {
    ImplicitLocOpBuilder builder(load.getLoc(), load);
    Conjunction inside(builder);
    for (auto [dim, index] : llvm::enumerate(load.getIndices())) {
      OpFoldResult extent = memref::getMixedSize(builder, load.getLoc(), load.getMemRef(), dim);
      // Unsigned: a negative index is too large.
      inside.add(arith::CmpIPredicate::ult, OpFoldResult(index), extent);
    }
    inside.assertAll("index outside the tensor that is read");
  }
}

} // namespace

LogicalResult mlir::ecf8::checkNest(linalg::LinalgOp op) {
  checkLookups(op);
  return checkShapes(op);
}
