// Chooses how the loops of a structured op are cut.
#include "ExpandMath.h"
#include "LinalgNest.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace mlir::ecf8;

namespace {

/// Work of a thread, in instructions, below which waking it does not pay.
constexpr int64_t minimumThreadWork = 16384;
/// What a dimension of unknown size is taken for.
constexpr int64_t assumedDynamicSize = 32;
/// What a function such as exp costs in simple operations.
constexpr int64_t functionCost = 24;
/// Bodies longer than this are not unrolled over rows.
constexpr size_t maximumUnrolledBody = 12;

int64_t assumedSize(int64_t size) { return ShapedType::isDynamic(size) ? assumedDynamicSize : size; }

/// Whether every op of the body can work on vectors along `laneDim` as it works on scalars.
bool isVectorizable(linalg::LinalgOp op, unsigned laneDim) {
  for (OpOperand &operand : op->getOpOperands()) {
    Type element = getElementTypeOrSelf(operand.get());
    if (!element.isIntOrIndexOrFloat())
      return false;
    if (!element.isInteger() || element.getIntOrFloatBitWidth() % 8 == 0)
      continue;
    // Booleans in memory are bytes, in vectors bits. Each goes alone, which is little where there is one for a vector
    // or for a whole sum.
    bool isSum = op.isDpsInit(&operand) && op.getNumReductionLoops() != 0;
    if (!element.isInteger(1) || (!isSum && getLaneAccess(op, operand, laneDim) != LaneAccess::Invariant))
      return false;
  }
  for (Operation &inner : op.getBlock()->without_terminator()) {
    if (isa<linalg::IndexOp, arith::ConstantOp>(inner))
      continue;
    if (!OpTrait::hasElementwiseMappableTraits(&inner))
      return false;
    auto isScalar = [](Type type) { return type.isIntOrIndexOrFloat(); };
    if (!llvm::all_of(inner.getOperandTypes(), isScalar) || !llvm::all_of(inner.getResultTypes(), isScalar))
      return false;
  }
  return true;
}

/// Instructions for `lanes` elements. Functions of libm are called once for each, others work on vectors.
int64_t bodyCost(linalg::LinalgOp op, int64_t lanes) {
  int64_t cost = 1;
  for (Operation &inner : op.getBlock()->without_terminator()) {
    bool cheapMath = isa<math::AbsFOp, math::SqrtOp, math::RsqrtOp, math::FloorOp, math::CeilOp, math::FmaOp>(inner);
    if (!isa<math::MathDialect>(inner.getDialect()) || cheapMath)
      cost += 1;
    else
      cost += isExpandedMath(&inner) ? functionCost : functionCost * lanes;
  }
  return cost;
}

/// A parallel dimension along which all outputs are contiguous and no other does better.
std::optional<unsigned> chooseLaneDim(linalg::LinalgOp op) {
  SmallVector<unsigned> parallel;
  op.getParallelDims(parallel);
  for (unsigned dim : llvm::reverse(parallel))
    if (llvm::all_of(op.getDpsInitsMutable(),
                     [&](OpOperand &init) { return getLaneAccess(op, init, dim) == LaneAccess::Contiguous; }))
      return dim;
  return std::nullopt;
}

bool dependsOn(linalg::LinalgOp op, OpOperand &operand, unsigned dim) {
  return op.getMatchingIndexingMap(&operand).isFunctionOfDim(dim);
}

/// A parallel dimension that some input with lanes does not have: its rows share those loads.
std::optional<unsigned> chooseRowDim(linalg::LinalgOp op, std::optional<unsigned> laneDim, ArrayRef<int64_t> sizes) {
  SmallVector<unsigned> parallel;
  op.getParallelDims(parallel);
  std::optional<unsigned> best;
  for (unsigned dim : parallel) {
    if (dim == laneDim || sizes[dim] == 1)
      continue;
    bool shares = llvm::any_of(op.getDpsInputOperands(), [&](OpOperand *input) {
      return (!laneDim || dependsOn(op, *input, *laneDim)) && !dependsOn(op, *input, dim);
    });
    if (shares || (!laneDim && !best))
      best = dim;
  }
  return best;
}

} // namespace

LaneAccess mlir::ecf8::getLaneAccess(linalg::LinalgOp op, OpOperand &operand, unsigned laneDim) {
  AffineMap map = op.getMatchingIndexingMap(&operand);
  if (!isa<MemRefType>(operand.get().getType()) || !map.isFunctionOfDim(laneDim))
    return LaneAccess::Invariant;
  auto type = cast<MemRefType>(operand.get().getType());
  // vector.load and vector.store run along the last dimension.
  AffineExpr last = map.getResults().back();
  for (AffineExpr expr : map.getResults().drop_back())
    if (expr.isFunctionOfDim(laneDim))
      return LaneAccess::Strided;
  AffineExpr rest = simplifyAffineExpr(last - getAffineDimExpr(laneDim, map.getContext()), map.getNumDims(), 0);
  bool unitStep = !rest.isFunctionOfDim(laneDim);
  return unitStep && type.isLastDimUnitStride() ? LaneAccess::Contiguous : LaneAccess::Strided;
}

bool mlir::ecf8::isTransposable(linalg::LinalgOp op, OpOperand &operand, unsigned laneDim, unsigned contiguousDim) {
  auto type = dyn_cast<MemRefType>(operand.get().getType());
  if (!type || !type.getElementType().isIntOrFloat() || type.getElementTypeBitWidth() > 32)
    return false;
  // The two dimensions are independent: a sum of both, as in a convolution, repeats elements.
  AffineExpr last = op.getMatchingIndexingMap(&operand).getResults().back();
  return getLaneAccess(op, operand, laneDim) == LaneAccess::Strided && !last.isFunctionOfDim(laneDim) &&
         getLaneAccess(op, operand, contiguousDim) == LaneAccess::Contiguous;
}

NestPlan mlir::ecf8::planNest(linalg::LinalgOp op, unsigned vectorBits) {
  NestPlan plan;
  SmallVector<int64_t> sizes = op.getStaticLoopRanges();
  SmallVector<unsigned> parallel, reductions;
  op.getParallelDims(parallel);
  op.getReductionDims(reductions);

  plan.laneDim = chooseLaneDim(op);
  if (plan.laneDim && isVectorizable(op, *plan.laneDim)) {
    plan.lanes = vectorBits / 32;
    int64_t size = sizes[*plan.laneDim];
    if (!ShapedType::isDynamic(size))
      while (plan.lanes > 1 && plan.lanes > size)
        plan.lanes /= 2;
  }

  if (!reductions.empty()) {
    plan.innerDims = reductions;
    if (op.getBlock()->getOperations().size() <= maximumUnrolledBody) {
      const int64_t accumulators = vectorBits >= 512 ? 16 : 8;
      plan.rowDim = chooseRowDim(op, plan.laneDim, sizes);
      if (plan.rowDim) {
        int64_t size = sizes[*plan.rowDim];
        plan.rows = accumulators / 2;
        if (!ShapedType::isDynamic(size))
          plan.rows = std::min(plan.rows, size);
      }
      if (plan.lanes > 1) {
        plan.vectors = std::max<int64_t>(1, accumulators / plan.rows);
        int64_t size = sizes[*plan.laneDim];
        plan.vectors = std::min<int64_t>(plan.vectors, ShapedType::isDynamic(size) ? 2 : size / plan.lanes);
      }
    }
    unsigned innermost = reductions.back();
    if (plan.lanes >= 4 && (ShapedType::isDynamic(sizes[innermost]) || sizes[innermost] >= plan.lanes) &&
        llvm::any_of(op.getDpsInputOperands(), [&](OpOperand *input) {
          return isTransposable(op, *input, *plan.laneDim, innermost) && op.payloadUsesValueFromOperand(input);
        })) {
      plan.transposedDim = innermost;
      plan.vectors = 1; // the registers hold a transposed block
    }
    for (unsigned dim : parallel)
      if (dim != plan.laneDim && dim != plan.rowDim)
        plan.outerDims.push_back(dim);
    // Rows fastest: consecutive blocks read the same columns of the operand that has lanes.
    if (plan.laneDim)
      plan.outerDims.push_back(*plan.laneDim);
    if (plan.rowDim)
      plan.outerDims.push_back(*plan.rowDim);
  } else {
    // Elementwise. Where an input has its elements along another dimension, blocks of lanes stream along that one.
    std::optional<unsigned> stream = plan.laneDim;
    if (plan.lanes > 1) {
      for (OpOperand *input : op.getDpsInputOperands()) {
        if (!isa<MemRefType>(input->get().getType()) || getLaneAccess(op, *input, *plan.laneDim) != LaneAccess::Strided)
          continue;
        AffineExpr last = op.getMatchingIndexingMap(input).getResults().back();
        if (auto dim = dyn_cast<AffineDimExpr>(last); dim && dim.getPosition() != *plan.laneDim) {
          stream = dim.getPosition();
          break;
        }
      }
    } else if (!stream && !parallel.empty()) {
      stream = parallel.back();
    }
    if (stream && parallel.size() > 1)
      plan.innerDims = {*stream};
    for (unsigned dim : parallel)
      if (!llvm::is_contained(plan.innerDims, dim))
        plan.outerDims.push_back(dim);
  }

  int64_t work = bodyCost(op, plan.lanes);
  for (unsigned dim : plan.innerDims)
    work *= assumedSize(sizes[dim]) / (dim == plan.laneDim ? plan.lanes : 1);
  if (plan.rowDim)
    work *= plan.rows;
  if (!llvm::is_contained(plan.innerDims, plan.laneDim.value_or(sizes.size())))
    work *= plan.vectors;
  plan.grain = std::max<int64_t>(minimumThreadWork / std::max<int64_t>(work, 1), 1);
  return plan;
}

NestPlan mlir::ecf8::planThreads(linalg::LinalgOp op) {
  NestPlan plan;
  SmallVector<unsigned> parallel;
  op.getParallelDims(parallel);
  op.getReductionDims(plan.innerDims);
  std::optional<unsigned> fastest = chooseLaneDim(op);
  for (unsigned dim : parallel)
    if (dim != fastest)
      plan.outerDims.push_back(dim);
  if (fastest)
    plan.outerDims.push_back(*fastest);
  plan.isAlwaysLoop = true;
  return plan;
}
