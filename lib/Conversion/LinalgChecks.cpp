// Assertions that keep a structured op inside its buffers where shapes or indices are known only at run time.
#include "LinalgNest.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;
using namespace mlir::ecf8;

namespace {

/// The conjunction of the conditions added to it, or null.
struct Conjunction {
  ImplicitLocOpBuilder &builder;
  Value value;

  void add(arith::CmpIPredicate predicate, Value a, Value b) {
    Value condition = arith::CmpIOp::create(builder, predicate, a, b);
    value = value ? Value(arith::AndIOp::create(builder, value, condition)) : condition;
  }
};

/// Every index that the loops make lies in its operand; where an index is one loop's variable, the sizes are equal.
void checkShapes(linalg::LinalgOp op) {
  ImplicitLocOpBuilder builder(op.getLoc(), op.getOperation());
  SmallVector<int64_t> staticSizes = op.getStaticLoopRanges();
  SmallVector<Value> sizes;
  SmallVector<OpFoldResult> last;
  auto prepareSizes = [&] {
    if (!sizes.empty() || staticSizes.empty())
      return;
    for (Range range : op.createLoopRanges(builder, op.getLoc())) {
      sizes.push_back(getValueOrCreateConstantIndexOp(builder, op.getLoc(), range.size));
      Value one = arith::ConstantIndexOp::create(builder, 1);
      last.push_back(Value(arith::SubIOp::create(builder, sizes.back(), one)));
    }
  };

  Conjunction fits{builder, {}};
  for (OpOperand &operand : op->getOpOperands()) {
    auto type = dyn_cast<MemRefType>(operand.get().getType());
    if (!type)
      continue;
    AffineMap map = op.getMatchingIndexingMap(&operand);
    for (auto [position, expr] : llvm::enumerate(map.getResults())) {
      bool isStatic = !type.isDynamicDim(position);
      for (auto [dim, size] : llvm::enumerate(staticSizes))
        isStatic &= !expr.isFunctionOfDim(dim) || !ShapedType::isDynamic(size);
      if (isStatic)
        continue; // the verifier of the op has checked it
      prepareSizes();
      Value extent = getValueOrCreateConstantIndexOp(
          builder, op.getLoc(), memref::getMixedSize(builder, op.getLoc(), operand.get(), position));
      if (auto dim = dyn_cast<AffineDimExpr>(expr)) {
        if (extent != sizes[dim.getPosition()])
          fits.add(arith::CmpIPredicate::eq, extent, sizes[dim.getPosition()]);
        continue;
      }
      OpFoldResult folded =
          affine::makeComposedFoldedAffineApply(builder, op.getLoc(), map.getSubMap({(unsigned)position}), last);
      Value highest = getValueOrCreateConstantIndexOp(builder, op.getLoc(), folded);
      fits.add(arith::CmpIPredicate::slt, highest, extent);
    }
  }
  if (fits.value)
    cf::AssertOp::create(builder, fits.value,
                         ("shapes of the operands of " + op->getName().getStringRef() + " do not match").str());
}

/// Look-ups in the body, such as those of an embedding, stay inside their table.
void checkLookups(linalg::LinalgOp op) {
  SmallVector<memref::LoadOp> loads;
  op.getBlock()->walk([&](memref::LoadOp load) { loads.push_back(load); });
  for (memref::LoadOp load : loads) {
    ImplicitLocOpBuilder builder(load.getLoc(), load);
    Conjunction inside{builder, {}};
    for (auto [dim, index] : llvm::enumerate(load.getIndices())) {
      OpFoldResult extent = memref::getMixedSize(builder, load.getLoc(), load.getMemRef(), dim);
      std::optional<int64_t> constantIndex = getConstantIntValue(index), constantExtent = getConstantIntValue(extent);
      if (constantIndex && constantExtent && *constantIndex >= 0 && *constantIndex < *constantExtent)
        continue;
      // Unsigned: a negative index is too large.
      inside.add(arith::CmpIPredicate::ult, index, getValueOrCreateConstantIndexOp(builder, load.getLoc(), extent));
    }
    if (inside.value)
      cf::AssertOp::create(builder, inside.value, "index outside the tensor that is read");
  }
}

} // namespace

void mlir::ecf8::checkNest(linalg::LinalgOp op) {
  checkShapes(op);
  checkLookups(op);
}
