// ecf8-prepare-contractions: no copy of a transposed weight, no conversion of an activation for each column of outputs.
#include "ecf8/Conversion/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace mlir::ecf8 {
#define GEN_PASS_DEF_PREPARECONTRACTIONSPASS
#include "ecf8/Conversion/Passes.h.inc"
} // namespace mlir::ecf8

using namespace mlir;

namespace {

/// Outputs side by side below which a conversion is not worth a tensor of its own.
constexpr int64_t minimumOutputsForConversion = 64;

/// The map from the coordinates of the result of `op` to those of its input, where `op` only permutes it; or null.
AffineMap permutation(linalg::LinalgOp op) {
  if (!op || op.getNumReductionLoops() != 0 || op.getNumDpsInputs() != 1 || op.getNumDpsInits() != 1 ||
      !op.hasPureTensorSemantics() || !isa<RankedTensorType>(op.getDpsInputOperand(0)->get().getType()))
    return {};
  Block *body = op.getBlock();
  AffineMap input = op.getIndexingMapsArray()[0], result = op.getIndexingMapsArray()[1];
  bool copies = body->getOperations().size() == 1 && body->getTerminator()->getOperand(0) == body->getArgument(0);
  bool permutes = input.isPermutation() && result.isPermutation();
  return copies && permutes ? input.compose(inversePermutation(result)) : AffineMap();
}

FailureOr<linalg::GenericOp> asGeneric(PatternRewriter &rewriter, linalg::LinalgOp op) {
  if (auto generic = dyn_cast<linalg::GenericOp>(op.getOperation()))
    return generic;
  return linalg::generalizeNamedOp(rewriter, op);
}

LogicalResult checkSums(PatternRewriter &rewriter, linalg::LinalgOp op) {
  if (op.hasPureTensorSemantics() && op.getNumReductionLoops() != 0)
    return success();
  return rewriter.notifyMatchFailure(op, "expected a contraction or reduction of tensors");
}

/// A transposed input is read where it lies.
struct ReadThroughTranspose : OpInterfaceRewritePattern<linalg::LinalgOp> {
  using OpInterfaceRewritePattern::OpInterfaceRewritePattern;

  LogicalResult matchAndRewrite(linalg::LinalgOp op, PatternRewriter &rewriter) const override {
    if (failed(checkSums(rewriter, op)))
      return failure();
    for (OpOperand *input : op.getDpsInputOperands()) {
      auto transpose = input->get().getDefiningOp<linalg::LinalgOp>();
      AffineMap map = permutation(transpose);
      if (!map)
        continue;
      unsigned number = input->getOperandNumber();
      FailureOr<linalg::GenericOp> generic = asGeneric(rewriter, op);
      if (failed(generic))
        return rewriter.notifyMatchFailure(op, "expected an op that can be written as linalg.generic");
      SmallVector<AffineMap> maps = generic->getIndexingMapsArray();
      maps[number] = map.compose(maps[number]);
      rewriter.modifyOpInPlace(*generic, [&] {
        generic->setOperand(number, transpose.getDpsInputOperand(0)->get());
        generic->setIndexingMapsAttr(rewriter.getAffineMapArrayAttr(maps));
      });
      return success();
    }
    return rewriter.notifyMatchFailure(op, "expected an input that is a transposed tensor");
  }
};

/// The conversion that is all that the body of `op` does with `input`, or null.
Operation *onlyConversion(linalg::LinalgOp op, OpOperand &input) {
  BlockArgument element = op.getMatchingBlockArgument(&input);
  if (!element.hasOneUse())
    return nullptr;
  Operation *user = *element.user_begin();
  return isa<arith::ExtFOp, arith::TruncFOp, arith::ExtSIOp, arith::ExtUIOp, arith::SIToFPOp, arith::UIToFPOp>(user)
             ? user
             : nullptr;
}

/// An input that is the same for many outputs side by side is converted before the op, each element once.
struct ConvertBefore : OpInterfaceRewritePattern<linalg::LinalgOp> {
  using OpInterfaceRewritePattern::OpInterfaceRewritePattern;

  LogicalResult matchAndRewrite(linalg::LinalgOp op, PatternRewriter &rewriter) const override {
    if (failed(checkSums(rewriter, op)))
      return failure();
    AffineMap outputs = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
    auto side =
        dyn_cast_if_present<AffineDimExpr>(outputs.getNumResults() == 0 ? AffineExpr() : outputs.getResults().back());
    if (!side || op.getStaticLoopRanges()[side.getPosition()] < minimumOutputsForConversion) // dynamic: negative
      return rewriter.notifyMatchFailure(op, "expected many outputs side by side");
    for (OpOperand *input : op.getDpsInputOperands()) {
      auto type = dyn_cast<RankedTensorType>(input->get().getType());
      if (!type || op.getMatchingIndexingMap(input).isFunctionOfDim(side.getPosition()) || !onlyConversion(op, *input))
        continue;
      unsigned number = input->getOperandNumber();
      FailureOr<linalg::GenericOp> generic = asGeneric(rewriter, op);
      if (failed(generic))
        return rewriter.notifyMatchFailure(op, "expected an op that can be written as linalg.generic");
      hoist(rewriter, *generic, number);
      return success();
    }
    return rewriter.notifyMatchFailure(op, "expected an input that is converted anew for each output");
  }

private:
  static void hoist(PatternRewriter &rewriter, linalg::GenericOp op, unsigned number) {
    Operation *conversion = onlyConversion(op, op->getOpOperand(number));
    Type element = conversion->getResult(0).getType();
    Value source = op->getOperand(number);
    Location loc = conversion->getLoc();
    rewriter.setInsertionPoint(op);
    int64_t rank = cast<RankedTensorType>(source.getType()).getRank();
    Value empty = tensor::EmptyOp::create(rewriter, loc, tensor::getMixedSizes(rewriter, loc, source), element);
    SmallVector<AffineMap> maps(2, rewriter.getMultiDimIdentityMap(rank));
    SmallVector<utils::IteratorType> loops(rank, utils::IteratorType::parallel);
    auto converted = linalg::GenericOp::create(rewriter, loc, empty.getType(), source, empty, maps, loops,
                                               [&](OpBuilder &builder, Location, ValueRange values) {
                                                 IRMapping mapping;
                                                 mapping.map(conversion->getOperand(0), values[0]);
                                                 Value result = builder.clone(*conversion, mapping)->getResult(0);
                                                 linalg::YieldOp::create(builder, loc, result);
                                               });
    rewriter.modifyOpInPlace(op, [&] {
      op.setOperand(number, converted.getResult(0));
      BlockArgument argument = op.getBody()->getArgument(number);
      argument.setType(element);
      rewriter.replaceOp(conversion, argument);
    });
  }
};

class PrepareContractionsPass : public mlir::ecf8::impl::PrepareContractionsPassBase<PrepareContractionsPass> {
public:
  using PrepareContractionsPassBase::PrepareContractionsPassBase;

  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<ReadThroughTranspose, ConvertBefore>(&getContext());
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns)))) {
      getOperation().emitOpError()
          << "expected the inputs of contractions to be settled, got more rewrites than allowed";
      signalPassFailure();
    }
  }
};

} // namespace
