// ecf8-check-bounds: what a program reads or writes by a number that it computes lies inside of the tensor.
#include "Conjunction.h"
#include "ecf8/Conversion/Passes.h"

#include "mlir/Interfaces/ValueBoundsOpInterface.h"

namespace mlir::ecf8 {
#define GEN_PASS_DEF_CHECKBOUNDSPASS
#include "ecf8/Conversion/Passes.h.inc"
} // namespace mlir::ecf8

using namespace mlir;
using namespace mlir::ecf8;

using Predicate = arith::CmpIPredicate;
using Bounds = ValueBoundsConstraintSet;

namespace {

/// The conditions of one access, and the code for those that are not known to hold.
class Conditions {
public:
  explicit Conditions(Operation *op) : builder(op->getLoc(), op) {}

  /// `value` is in [0, limit), or in [0, limit] where that is allowed.
  void addInside(OpFoldResult value, OpFoldResult limit, bool canBeLimit) {
    if (isKnown(value, Bounds::GE, builder.getIndexAttr(0)) &&
        isKnown(value, canBeLimit ? Bounds::LE : Bounds::LT, limit))
      return;
    all.add(canBeLimit ? Predicate::ule : Predicate::ult, value, limit); // unsigned: a negative number is too large
  }

  void addAtLeast(OpFoldResult value, int64_t least) {
    if (!isKnown(value, Bounds::GE, builder.getIndexAttr(least)))
      all.add(Predicate::sge, value, builder.getIndexAttr(least));
  }

  /// `offset + size <= extent`, for numbers that lie in [0, extent] each.
  void addFits(OpFoldResult offset, OpFoldResult size, OpFoldResult extent) {
    Value rest = subtract(extent, offset);
    if (!isKnown(size, Bounds::LE, rest))
      all.add(Predicate::ule, size, rest);
  }

  /// The same for `size` elements that lie `stride` apart.
  void addFits(OpFoldResult offset, OpFoldResult size, OpFoldResult stride, OpFoldResult extent) {
    Value one = arith::ConstantIndexOp::create(builder, 1); // what is no divisor fails another condition
    Value divisor = arith::MaxSIOp::create(builder, toValue(stride), one);
    Value rest = subtract(extent, offset);
    all.add(Predicate::ule, size, arith::CeilDivUIOp::create(builder, rest, divisor).getResult());
  }

  void assertAll(StringRef message) { all.assertAll(message); }

  ImplicitLocOpBuilder builder;

private:
  static bool isKnown(OpFoldResult left, Bounds::ComparisonOperator comparison, OpFoldResult right) {
    return Bounds::compare(Bounds::Variable(left), comparison, Bounds::Variable(right));
  }

  Value toValue(OpFoldResult value) { return getValueOrCreateConstantIndexOp(builder, builder.getLoc(), value); }

  Value subtract(OpFoldResult left, OpFoldResult right) {
    return arith::SubIOp::create(builder, toValue(left), toValue(right));
  }

  Conjunction all{builder};
};

class CheckBoundsPass : public mlir::ecf8::impl::CheckBoundsPassBase<CheckBoundsPass> {
public:
  using CheckBoundsPassBase::CheckBoundsPassBase;

  void runOnOperation() override {
    getOperation().walk<WalkOrder::PreOrder>([&](Operation *op) {
      if (isa<linalg::LinalgOp>(op))
        return WalkResult::skip();
      if (auto slice = dyn_cast<memref::SubViewOp>(op)) {
        if (failed(check(slice)))
          signalPassFailure();
      } else if (auto load = dyn_cast<memref::LoadOp>(op)) {
        check(load, load.getMemRef(), load.getIndices());
      } else if (auto store = dyn_cast<memref::StoreOp>(op)) {
        check(store, store.getMemRef(), store.getIndices());
      }
      return WalkResult::advance();
    });
  }

private:
  static void check(Operation *op, Value memory, ValueRange indices) {
    Conditions conditions(op);
    for (auto [dim, index] : llvm::enumerate(indices))
      conditions.addInside(index, memref::getMixedSize(conditions.builder, op->getLoc(), memory, dim),
                           /*canBeLimit=*/false);
    conditions.assertAll("index outside the tensor");
  }

  static LogicalResult check(memref::SubViewOp slice) {
    Conditions conditions(slice);
    MemRefType source = slice.getSourceType();
    for (auto [dim, offset, size, stride] :
         llvm::enumerate(slice.getMixedOffsets(), slice.getMixedSizes(), slice.getMixedStrides())) {
      std::optional<int64_t> knownStride = getConstantIntValue(stride);
      // MLIR's verifier has looked at what is static.
      if (!source.isDynamicDim(dim) && getConstantIntValue(offset) && getConstantIntValue(size) && knownStride)
        continue;
      if (knownStride && *knownStride < 1)
        return slice.emitOpError() << "expected a positive stride where sizes are not known, got " << *knownStride;
      OpFoldResult extent = memref::getMixedSize(conditions.builder, slice.getLoc(), slice.getSource(), dim);
      conditions.addInside(offset, extent, /*canBeLimit=*/true);
      conditions.addAtLeast(size, 0);
      if (!knownStride)
        conditions.addAtLeast(stride, 1);
      if (knownStride == 1)
        conditions.addFits(offset, size, extent);
      else
        conditions.addFits(offset, size, stride, extent);
    }
    conditions.assertAll("slice outside the tensor");
    return success();
  }
};

} // namespace
