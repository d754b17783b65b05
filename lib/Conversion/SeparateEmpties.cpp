// ecf8-separate-empties: no empty tensor has many readers.
#include "ecf8/Conversion/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace mlir::ecf8 {
#define GEN_PASS_DEF_SEPARATEEMPTIESPASS
#include "ecf8/Conversion/Passes.h.inc"
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
    SmallVector<tensor::EmptyOp> empties;
    getOperation().walk([&](tensor::EmptyOp empty) { empties.push_back(empty); });
    for (tensor::EmptyOp empty : empties)
      empty->use_empty() ? empty.erase() : split(empty);
  }

private:
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
};

} // namespace
