// Each reader of a filled tensor gets one of its own, and no empty tensor has many readers.
#include "ecf8/Dialect/ECF8/Transforms/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace mlir::ecf8 {
#define GEN_PASS_DEF_SEPARATEEMPTIESPASS
#include "ecf8/Dialect/ECF8/Transforms/Passes.h.inc"
} // namespace mlir::ecf8

using namespace mlir;

namespace {

struct SeparateEmptiesPass : public ::mlir::ecf8::impl::SeparateEmptiesPassBase<SeparateEmptiesPass> {
  using SeparateEmptiesPassBase::SeparateEmptiesPassBase;

  void runOnOperation() override {
    if (maximumReaders == 0) {
      getOperation().emitError() << "expected 'max-readers' of at least 1, got 0";
      return signalPassFailure();
    }
    SmallVector<linalg::FillOp> fills;
    getOperation().walk([&](linalg::FillOp fill) {
      if (fill.hasPureTensorSemantics() && fill.output().getDefiningOp<tensor::EmptyOp>())
        fills.push_back(fill);
    });
    for (linalg::FillOp fill : fills)
      separate(fill);
    SmallVector<tensor::EmptyOp> empties;
    getOperation().walk([&](tensor::EmptyOp empty) { empties.push_back(empty); });
    for (tensor::EmptyOp empty : empties)
      empty->use_empty() ? empty.erase() : split(empty);
  }

private:
  /// The first use keeps `fill`. Copies stand behind it, so that loops around a use do not repeat them.
  static void separate(linalg::FillOp fill) {
    SmallVector<OpOperand *> uses = llvm::to_vector(llvm::make_pointer_range(fill->getUses()));
    if (uses.empty())
      return;
    OpBuilder builder(fill->getContext());
    builder.setInsertionPointAfter(fill);
    Operation *empty = fill.output().getDefiningOp();
    for (OpOperand *use : ArrayRef(uses).drop_back()) { // they are listed from the last to the first
      Operation *copy = builder.clone(*fill);
      cast<linalg::FillOp>(copy).getDpsInitsMutable()[0].set(cloneBefore(copy, empty));
      use->set(copy->getResult(0));
    }
    fill.getDpsInitsMutable()[0].set(cloneBefore(fill, empty));
  }

  /// The first `maximumReaders` uses keep `empty`.
  void split(tensor::EmptyOp empty) {
    SmallVector<OpOperand *> uses = llvm::to_vector(llvm::make_pointer_range(empty->getUses()));
    std::reverse(uses.begin(), uses.end());
    OpBuilder builder(empty->getContext());
    builder.setInsertionPointAfter(empty);
    for (size_t begin = maximumReaders; begin < uses.size(); begin += maximumReaders) {
      Value copy = builder.clone(*empty)->getResult(0);
      for (OpOperand *use : ArrayRef(uses).drop_front(begin).take_front(maximumReaders))
        use->set(copy);
    }
  }

  static Value cloneBefore(Operation *op, Operation *empty) { return OpBuilder(op).clone(*empty)->getResult(0); }
};

} // namespace
