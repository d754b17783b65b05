// ecf8-separate-fills: each destination is filled right before the op that writes it.
#include "ecf8/Conversion/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/PatternMatch.h"

namespace mlir::ecf8 {
#define GEN_PASS_DEF_SEPARATEFILLSPASS
#include "ecf8/Conversion/Passes.h.inc"
} // namespace mlir::ecf8

using namespace mlir;

namespace {

class SeparateFillsPass : public mlir::ecf8::impl::SeparateFillsPassBase<SeparateFillsPass> {
public:
  using SeparateFillsPassBase::SeparateFillsPassBase;

  void runOnOperation() override {
    SmallVector<linalg::FillOp> fills;
    getOperation().walk([&](linalg::FillOp fill) {
      if (fill.hasPureTensorSemantics() && fill.getOutputs()[0].getDefiningOp<tensor::EmptyOp>())
        fills.push_back(fill);
    });
    IRRewriter rewriter(&getContext());
    for (linalg::FillOp fill : fills) {
      Operation *empty = fill.getOutputs()[0].getDefiningOp();
      for (OpOperand &use : llvm::make_early_inc_range(fill->getUses())) {
        auto writer = dyn_cast<DestinationStyleOpInterface>(use.getOwner());
        if (!writer || !writer.isDpsInit(&use) || writer->getBlock() != fill->getBlock())
          continue;
        rewriter.setInsertionPoint(writer);
        IRMapping mapping;
        rewriter.clone(*empty, mapping);
        use.set(rewriter.clone(*fill, mapping)->getResult(0));
      }
      if (fill->use_empty())
        rewriter.eraseOp(fill);
    }
  }
};

} // namespace
