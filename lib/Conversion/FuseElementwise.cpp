// ecf8-fuse-elementwise: chains of elementwise ops become one op, where that computes nothing twice.
#include "ecf8/Conversion/Passes.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace mlir::ecf8 {
#define GEN_PASS_DEF_FUSEELEMENTWISEPASS
#include "ecf8/Conversion/Passes.h.inc"
} // namespace mlir::ecf8

using namespace mlir;

namespace {

bool hasOnlyParallelLoops(linalg::LinalgOp op) { return op.getNumLoops() == op.getNumParallelLoops(); }

/// Whether the consumer runs the producer's body once per element: the result has one reader, which reads each element
/// once. A transposed read is one; a broadcast, a contraction and an op with several results are not.
bool computesNothingTwice(OpOperand *operand) {
  auto producer = operand->get().getDefiningOp<linalg::LinalgOp>();
  auto consumer = dyn_cast<linalg::LinalgOp>(operand->getOwner());
  // Each reader of an op with several results would get a copy of its body.
  if (!producer || !consumer || producer->getNumResults() != 1 || !operand->get().hasOneUse() ||
      !hasOnlyParallelLoops(producer) || !hasOnlyParallelLoops(consumer))
    return false;
  return consumer.getMatchingIndexingMap(operand).isPermutation();
}

class FuseElementwisePass : public mlir::ecf8::impl::FuseElementwisePassBase<FuseElementwisePass> {
public:
  using FuseElementwisePassBase::FuseElementwisePassBase;

  void runOnOperation() override {
    IRRewriter rewriter(&getContext());
    SmallVector<linalg::LinalgOp> named;
    getOperation().walk([&](linalg::LinalgOp op) {
      if (!isa<linalg::GenericOp, linalg::FillOp>(op) && hasOnlyParallelLoops(op) && op.hasPureTensorSemantics())
        named.push_back(op);
    });
    for (linalg::LinalgOp op : named) {
      rewriter.setInsertionPoint(op);
      if (failed(linalg::generalizeNamedOp(rewriter, op))) {
        op->emitOpError() << "expected a structured op that can be written as linalg.generic";
        return signalPassFailure();
      }
    }

    RewritePatternSet patterns(&getContext());
    linalg::populateElementwiseOpsFusionPatterns(patterns, computesNothingTwice);
    linalg::GenericOp::getCanonicalizationPatterns(patterns, &getContext());
    tensor::ExpandShapeOp::getCanonicalizationPatterns(patterns, &getContext());
    tensor::CollapseShapeOp::getCanonicalizationPatterns(patterns, &getContext());
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns)))) {
      getOperation().emitOpError() << "expected the fusion of elementwise ops to end, got more rewrites than allowed";
      signalPassFailure();
    }
  }
};

} // namespace
