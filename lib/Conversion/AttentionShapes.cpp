// Attention in one shape: the reshapes between its ops are gone.
#include "Attention.h"
#include "StructuredOps.h"

#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Tensor/Transforms/Transforms.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

using namespace mlir;
using namespace mlir::ecf8;

bool mlir::ecf8::isBatchMatmul(Operation *op) {
  auto structured = dyn_cast_if_present<linalg::LinalgOp>(op);
  if (!structured || !structured.hasPureTensorSemantics() || !linalg::isaContractionOpInterface(structured))
    return false;
  FailureOr<linalg::ContractionDimensions> dims = linalg::inferContractionDims(structured);
  return succeeded(dims) && !dims->batch.empty();
}

namespace {

/// Where `op` reads a tensor that `expand_shape` has given dimensions of size 1, always at their position 0, it reads
/// the one before.
void readWithoutUnits(linalg::GenericOp op) {
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  bool changed = false;
  for (OpOperand *input : op.getDpsInputOperands()) {
    auto expand = input->get().getDefiningOp<tensor::ExpandShapeOp>();
    if (!expand)
      continue;
    AffineMap &map = maps[input->getOperandNumber()];
    SmallVector<AffineExpr> exprs;
    for (ArrayRef<int64_t> group : expand.getReassociationIndices()) {
      auto isUnit = [&](int64_t dim) {
        return expand.getResultType().getDimSize(dim) == 1 &&
               map.getResult(dim) == getAffineConstantExpr(0, op.getContext());
      };
      SmallVector<int64_t> others(llvm::make_filter_range(group, [&](int64_t dim) { return !isUnit(dim); }));
      if (others.size() <= 1)
        exprs.push_back(map.getResult(others.empty() ? group.front() : others.front()));
    }
    if (exprs.size() != expand.getReassociationIndices().size())
      continue;
    map = AffineMap::get(map.getNumDims(), 0, exprs, op.getContext());
    input->set(expand.getSrc());
    changed = true;
  }
  if (changed)
    op.setIndexingMapsAttr(Builder(op.getContext()).getAffineMapArrayAttr(maps));
}

/// A reduction that keeps its dimensions with size 1 makes a tensor without them, which gets them back afterwards:
/// tiles are made of dimensions of loops alone.
void dropKeptDims(linalg::GenericOp op, IRRewriter &rewriter) {
  if (hasOnlyParallelLoops(op) || op->getNumResults() != 1)
    return;
  OpOperand *init = op.getDpsInitOperand(0);
  AffineMap map = op.getMatchingIndexingMap(init);
  SmallVector<ReassociationIndices> groups;
  SmallVector<AffineExpr> kept;
  int64_t leading = 0; // constants before the first dimension, which join its group
  for (auto [dim, expr] : llvm::enumerate(map.getResults())) {
    if (isa<AffineDimExpr>(expr)) {
      kept.push_back(expr);
      groups.push_back({});
      for (int64_t unit = leading; unit > 0; --unit)
        groups.back().push_back(dim - unit);
      leading = 0;
    } else if (expr != getAffineConstantExpr(0, op.getContext())) {
      return;
    } else if (groups.empty()) {
      ++leading;
      continue;
    }
    groups.back().push_back(dim);
  }
  if (groups.empty() || kept.size() == map.getNumResults())
    return;
  rewriter.setInsertionPoint(op);
  Type type = op->getResult(0).getType();
  Value collapsed = tensor::CollapseShapeOp::create(rewriter, op.getLoc(), init->get(), groups);
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  maps.back() = AffineMap::get(map.getNumDims(), 0, kept, op.getContext());
  init->set(collapsed);
  op.setIndexingMapsAttr(rewriter.getAffineMapArrayAttr(maps));
  op->getResult(0).setType(cast<RankedTensorType>(collapsed.getType()));
  rewriter.setInsertionPointAfter(op);
  SmallVector<OpOperand *> readers(llvm::make_pointer_range(op->getResult(0).getUses()));
  Value expanded = tensor::ExpandShapeOp::create(rewriter, op.getLoc(), type, op->getResult(0), groups);
  for (OpOperand *reader : readers)
    reader->set(expanded);
}

/// Whether a batch matmul lies before `op`, or behind it, with nothing in between but elementwise ops, reductions and
/// reshapes.
bool reachesMatmul(Operation *op, bool isBehind) {
  SetVector<Operation *> seen;
  seen.insert(op);
  for (size_t next = 0; next < seen.size() && seen.size() < kMaximumAttentionOps; ++next) {
    SmallVector<Operation *> others;
    if (isBehind)
      others.assign(seen[next]->user_begin(), seen[next]->user_end());
    else
      for (Value operand : seen[next]->getOperands())
        others.push_back(operand.getDefiningOp());
    for (Operation *other : others) {
      if (isBatchMatmul(other))
        return true;
      auto generic = dyn_cast_if_present<linalg::GenericOp>(other);
      if (isa_and_present<tensor::ExpandShapeOp, tensor::CollapseShapeOp>(other) ||
          (generic && !linalg::isaContractionOpInterface(generic)))
        seen.insert(other);
    }
  }
  return false;
}

/// Whether `op` belongs to an attention: a batch matmul, what lies between two, and elementwise ops before the first
/// and behind the last.
bool isPartOfAttention(Operation *op) {
  auto generic = dyn_cast_if_present<linalg::GenericOp>(op);
  if (!generic || isBatchMatmul(op))
    return generic != nullptr;
  bool isBefore = reachesMatmul(op, /*isBehind=*/true), isAfter = reachesMatmul(op, /*isBehind=*/false);
  return (isBefore && isAfter) || ((isBefore || isAfter) && hasOnlyParallelLoops(generic));
}

} // namespace

LogicalResult mlir::ecf8::giveOneShape(func::FuncOp function) {
  if (failed(generalizeNamedOps(function, [](linalg::LinalgOp op) { return isBatchMatmul(op); })))
    return failure();
  IRRewriter rewriter(function.getContext());
  function.walk([&](linalg::GenericOp op) {
    readWithoutUnits(op);
    dropKeptDims(op, rewriter);
  });
  MLIRContext *context = function.getContext();
  RewritePatternSet patterns(context);
  linalg::populateFoldReshapeOpsByExpansionPatterns(patterns, [](OpOperand *operand) {
    return isPartOfAttention(operand->getOwner()) || isPartOfAttention(operand->get().getDefiningOp());
  });
  linalg::FillOp::getCanonicalizationPatterns(patterns, context);
  tensor::ExpandShapeOp::getCanonicalizationPatterns(patterns, context);
  tensor::CollapseShapeOp::getCanonicalizationPatterns(patterns, context);
  tensor::populateFoldTensorEmptyPatterns(patterns);
  // Where heads or rows are one, reshapes may go to and fro until the driver ends it. What it leaves is the same
  // program.
  (void)applyPatternsGreedily(function, std::move(patterns));
  return success();
}
