// ecf8-fuse-elementwise: chains of elementwise ops become one op, where that computes nothing twice.
#include "StructuredOps.h"
#include "ecf8/Conversion/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace mlir::ecf8 {
#define GEN_PASS_DEF_FUSEELEMENTWISEPASS
#include "ecf8/Conversion/Passes.h.inc"
} // namespace mlir::ecf8

using namespace mlir;
using namespace mlir::ecf8;

namespace {

/// Whether the consumer runs the producer's body once per element: the result has one reader, which reads each element
/// once. A transposed read is one, and so is a sum along some dimensions; a broadcast, a contraction and an op with
/// several results are not.
bool computesNothingTwice(OpOperand *operand) {
  auto producer = operand->get().getDefiningOp<linalg::LinalgOp>();
  auto consumer = dyn_cast<linalg::LinalgOp>(operand->getOwner());
  // Each reader of an op with several results would get a copy of its body.
  if (!producer || !consumer || producer->getNumResults() != 1 || !operand->get().hasOneUse() ||
      !hasOnlyParallelLoops(producer))
    return false;
  return consumer.getMatchingIndexingMap(operand).isPermutation();
}

/// Whether `op` does nothing but extend numbers, which costs less than to write and read the wider ones.
bool onlyExtends(linalg::GenericOp op) {
  Block *body = op.getBody();
  return hasOnlyParallelLoops(op) && op.hasPureTensorSemantics() && op.getNumDpsInputs() == 1 &&
         op->getNumResults() == 1 && body->getOperations().size() == 2 && isa<arith::ExtFOp>(body->front()) &&
         body->front().getOperand(0) == body->getArgument(0) &&
         body->getTerminator()->getOperand(0) == body->front().getResult(0);
}

/// Gives each reader that can take it an extension of its own.
void separateExtensions(func::FuncOp function, IRRewriter &rewriter) {
  SmallVector<linalg::GenericOp> extensions;
  function.walk([&](linalg::GenericOp op) {
    if (onlyExtends(op) && !op->hasOneUse())
      extensions.push_back(op);
  });
  for (linalg::GenericOp op : extensions) {
    rewriter.setInsertionPoint(op);
    for (OpOperand &use : llvm::make_early_inc_range(op->getUses())) {
      auto reader = dyn_cast<linalg::GenericOp>(use.getOwner());
      if (reader && reader.isDpsInput(&use) && reader.getMatchingIndexingMap(&use).isPermutation() && !op->hasOneUse())
        use.set(rewriter.clone(*op)->getResult(0));
    }
  }
}

/// The ops in the bodies of named ops have no place. They get that of the named op, which messages about them point to.
void locateBodies(func::FuncOp function) {
  function.walk([](linalg::LinalgOp op) {
    for (Operation &inner : *op.getBlock())
      if (isa<UnknownLoc>(inner.getLoc()))
        inner.setLoc(op.getLoc());
  });
}

class FuseElementwisePass : public mlir::ecf8::impl::FuseElementwisePassBase<FuseElementwisePass> {
public:
  using FuseElementwisePassBase::FuseElementwisePassBase;

  void runOnOperation() override {
    locateBodies(getOperation());
    LogicalResult generalized = generalizeNamedOps(getOperation(), [](linalg::LinalgOp op) {
      return !isa<linalg::FillOp>(op) && hasOnlyParallelLoops(op) && op.hasPureTensorSemantics();
    });
    if (failed(generalized))
      return signalPassFailure();

    IRRewriter rewriter(&getContext());
    separateExtensions(getOperation(), rewriter);

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
