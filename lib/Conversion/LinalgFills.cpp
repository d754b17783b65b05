// Sums that begin with a constant need not read it from their destination.
#include "LinalgNest.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Interfaces/ViewLikeInterface.h"

using namespace mlir;
using namespace mlir::ecf8;

/// Ops between a fill and the sum that are looked at.
static constexpr unsigned maximumDistance = 16;

/// The allocation that `buffer` is a view of, or null.
static Value allocationOf(Value buffer) {
  while (auto view = buffer.getDefiningOp<ViewLikeOpInterface>())
    buffer = view.getViewSource();
  return buffer.getDefiningOp<memref::AllocOp>() || buffer.getDefiningOp<memref::AllocaOp>() ? buffer : Value();
}

/// Whether `buffer` has all elements of its allocation.
static bool isWhole(Value buffer) {
  while (Operation *reshape = buffer.getDefiningOp()) {
    if (!isa<memref::ExpandShapeOp, memref::CollapseShapeOp>(reshape))
      return isa<memref::AllocOp, memref::AllocaOp>(reshape);
    buffer = reshape->getOperand(0);
  }
  return false;
}

/// Whether `op` reads or writes what `allocation` holds. Only views lead there: no op stores an address.
static bool touches(Operation *op, Value allocation) {
  auto isOperand = [&](Operation *inner) {
    bool found = llvm::any_of(inner->getOperands(), [&](Value operand) {
      return isa<BaseMemRefType>(operand.getType()) && allocationOf(operand) == allocation;
    });
    return found ? WalkResult::interrupt() : WalkResult::advance();
  };
  return !isa<ViewLikeOpInterface>(op) && op->walk(isOperand).wasInterrupted();
}

/// The fill that writes all of `init`, and behind which nothing touches it before `op`.
static linalg::FillOp findFill(linalg::LinalgOp op, OpOperand &init) {
  AffineMap map = op.getMatchingIndexingMap(&init);
  Value allocation = allocationOf(init.get());
  if (!map.isProjectedPermutation() || !allocation || !isWhole(init.get()))
    return {};
  for (OpOperand &other : op->getOpOperands())
    if (&other != &init && isa<BaseMemRefType>(other.get().getType()) && allocationOf(other.get()) == allocation)
      return {};
  Operation *previous = op->getPrevNode();
  for (unsigned step = 0; previous && step < maximumDistance; ++step, previous = previous->getPrevNode()) {
    if (!touches(previous, allocation))
      continue;
    auto fill = dyn_cast<linalg::FillOp>(previous);
    bool isSame =
        fill && isWhole(fill.getOutputs()[0]) && fill.getInputs()[0].getType() == getElementTypeOrSelf(init.get());
    return isSame ? fill : linalg::FillOp();
  }
  return {};
}

SmallVector<Value> mlir::ecf8::takeFills(linalg::LinalgOp op) {
  SmallVector<Value> values(op.getNumDpsInits());
  for (auto [value, init] : llvm::zip_equal(values, op.getDpsInitsMutable())) {
    linalg::FillOp fill = findFill(op, init);
    if (!fill)
      continue;
    value = fill.getInputs()[0];
    fill.erase();
  }
  return values;
}
