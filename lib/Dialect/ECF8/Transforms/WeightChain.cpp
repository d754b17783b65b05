// Follows a decoded weight through the ops that extend, scale, round and reorder it.
#include "WeightChain.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/ADT/SmallBitVector.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace mlir::ecf8;

static LogicalResult decline(std::string &reason, std::string text) {
  reason = std::move(text);
  return failure();
}

static std::string nameOf(Operation *op) { return ("'" + op->getName().getStringRef() + "'").str(); }

WeightChain WeightChain::of(CompressedType weight, bool isTransposed) {
  WeightChain chain;
  chain.weight = weight;
  WeightSpace space(weight);
  chain.index = {space.row(), space.column()};
  if (isTransposed)
    std::swap(chain.index[0], chain.index[1]);
  if (weight.getRank() == 3) {
    MLIRContext *context = weight.getContext();
    bool isOnly = weight.getShape()[0] == 1;
    chain.index.insert(chain.index.begin(), isOnly ? getAffineConstantExpr(0, context) : space.expert());
    if (isOnly)
      chain.expert = IntegerAttr::get(IndexType::get(context), 0);
  }
  chain.type = weight.getElementType();
  return chain;
}

//===----------------------------------------------------------------------===//
// Arithmetic
//===----------------------------------------------------------------------===//

static constexpr StringLiteral kRoundingMode = "roundingmode";

/// Whether an op rounds to the nearest number, and to an even one of two.
static bool roundsToNearest(Operation *op) {
  auto mode = op->getAttrOfType<arith::RoundingModeAttr>(kRoundingMode);
  return !mode || mode.getValue() == arith::RoundingMode::to_nearest_even;
}

/// An extension, or a rounding.
LogicalResult WeightChain::cast(Operation *op, std::string &reason) {
  Type to = getElementTypeOrSelf(op->getResult(0).getType());
  if (!to.isF32() && !to.isBF16() && !to.isF16())
    return decline(reason, llvm::formatv("arithmetic: a cast to {0}", to));
  // Every FP8 value is one of f16, bf16 and f32, so without a scale no cast changes anything.
  bool isRounding = to.getIntOrFloatBitWidth() <= type.getIntOrFloatBitWidth();
  if (scale && !isRounding)
    extendedFrom = type;
  if (scale && isRounding && extendedFrom) {
    if (to != extendedFrom)
      return decline(reason, "arithmetic: two roundings behind the scale");
    extendedFrom = Type(); // back to what it was
  }
  if (scale && !roundsToNearest(op)) {
    auto mode = op->getAttrOfType<arith::RoundingModeAttr>(kRoundingMode);
    return decline(reason, ("arithmetic: a rounding '" + arith::stringifyRoundingMode(mode.getValue()) + "'").str());
  }
  type = to;
  return success();
}

/// `op`: multiplies by the value, or divides by it.
LogicalResult WeightChain::setScale(Operation *op, Value value, AffineMap map, ArrayRef<AffineExpr> loops,
                                    std::string &reason) {
  if (scale)
    return decline(reason, "scale: two factors");
  if (!isa<FloatType>(type) || type == weight.getElementType())
    return decline(reason, "scale: a product in FP8");
  FailureOr<WeightScale> found =
      WeightScale::find(weight, type, value, map ? WeightSpace(weight).apply(map, loops) : WeightIndex(), reason);
  if (failed(found))
    return failure();
  scale = std::move(*found);
  scale.divides = isa<arith::DivFOp>(op);
  return success();
}

/// The block argument behind extensions, or a value from outside of `body`.
static Value skipExtensions(Value value, Block *body) {
  while (auto extension = value.getDefiningOp<arith::ExtFOp>()) {
    if (extension->getBlock() != body)
      break;
    value = extension.getIn();
  }
  return value;
}

/// What the factor of a weight is in the type of the product: an argument, or a value from outside of `body`.
static Value getUnconverted(Value factor, Block *body) {
  auto rounding = factor.getDefiningOp<arith::TruncFOp>();
  if (rounding && rounding->getBlock() == body && roundsToNearest(rounding))
    return rounding.getIn();
  return skipExtensions(factor, body);
}

FailureOr<WeightChain> WeightChain::followStructured(linalg::LinalgOp op, OpOperand &operand,
                                                     std::string &reason) const {
  if (op.getNumParallelLoops() != op.getNumLoops() || op.getNumDpsInits() != 1 || !op.hasPureTensorSemantics() ||
      op.isDpsInit(&operand))
    return decline(reason, "reader: " + nameOf(op) + " that is not elementwise on one result");
  WeightSpace space(weight);
  AffineMap out = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  FailureOr<WeightIndex> loops = space.getLoops(op.getMatchingIndexingMap(&operand), index);
  if (failed(loops) || !out.isPermutation())
    return decline(reason, "reader: " + nameOf(op) + " that selects weights");
  WeightChain next = *this;
  next.index = space.apply(out, *loops);

  // From the result back to the weight, then forward.
  Block *body = op.getBlock();
  SmallVector<std::pair<Operation *, Value>> links; // an op and the factor of the weight, if it has one
  Value weightArgument = op.getMatchingBlockArgument(&operand);
  Value at = body->getTerminator()->getOperand(0);
  auto leadsToWeight = [&](Value value) {
    for (;;) {
      Operation *producer = value.getDefiningOp();
      if (!producer || producer->getBlock() != body)
        return value == weightArgument;
      if (producer->getNumOperands() == 0)
        return false;
      if (isa<arith::MulFOp>(producer) && skipExtensions(producer->getOperand(1), body) == weightArgument)
        return true;
      value = producer->getOperand(0);
    }
  };
  while (at != weightArgument) {
    Operation *producer = at.getDefiningOp();
    if (!producer || producer->getBlock() != body ||
        !isa<arith::ExtFOp, arith::TruncFOp, arith::MulFOp, arith::DivFOp>(producer))
      return decline(reason, "arithmetic: " + (producer ? nameOf(producer) : "a result without the weight"));
    Value factor;
    at = producer->getOperand(0);
    if (isa<arith::MulFOp, arith::DivFOp>(producer)) {
      factor = producer->getOperand(1);
      if (!leadsToWeight(at)) {
        if (isa<arith::DivFOp>(producer))
          return decline(reason, "arithmetic: a division by the weight");
        std::swap(at, factor);
      }
      if (leadsToWeight(factor))
        return decline(reason, "arithmetic: the weight with itself");
    }
    links.emplace_back(producer, factor);
  }
  for (auto [link, factor] : llvm::reverse(links)) {
    if (!factor) {
      if (failed(next.cast(link, reason)))
        return failure();
      continue;
    }
    Value source = getUnconverted(factor, body);
    if (auto argument = dyn_cast<BlockArgument>(source); argument && argument.getOwner() == body) {
      OpOperand *input = op.getMatchingOpOperand(argument);
      if (op.isDpsInit(input))
        return decline(reason, "scale: the output's old value");
      if (failed(next.setScale(link, input->get(), op.getMatchingIndexingMap(input), *loops, reason)))
        return failure();
    } else if (source.getParentBlock() != body) {
      if (failed(next.setScale(link, source, AffineMap(), *loops, reason)))
        return failure();
    } else {
      return decline(reason, "scale: computed by " + nameOf(source.getDefiningOp()) + " in the same op");
    }
  }
  return next;
}

//===----------------------------------------------------------------------===//
// Shapes
//===----------------------------------------------------------------------===//

FailureOr<WeightChain> WeightChain::followPad(tensor::PadOp op, std::string &reason) const {
  WeightChain next = *this;
  WeightSpace space(weight);
  next.isPadded = true;
  for (auto [at, low, high] : llvm::zip_equal(next.index, op.getStaticLow(), op.getStaticHigh())) {
    if (at == space.every() ? low != 0 || high != 0 : ShapedType::isDynamic(low) || ShapedType::isDynamic(high))
      return decline(reason, "reader: " + nameOf(op) + " of a dynamic size, or of repetitions");
    if (at != space.every())
      at = at + low;
  }
  return next;
}

FailureOr<WeightChain> WeightChain::followSlice(tensor::ExtractSliceOp op, std::string &reason) const {
  WeightChain next = *this;
  WeightSpace space(weight);
  llvm::SmallBitVector dropped = op.getDroppedDims();
  next.index.clear();
  for (auto [dim, at, offset, size, stride] :
       llvm::enumerate(index, op.getStaticOffsets(), op.getStaticSizes(), op.getStaticStrides())) {
    AffineExpr inside = at;
    if (at == space.expert() && size == 1) {
      next.expert = op.getMixedOffsets()[dim];
      inside = getAffineConstantExpr(0, op.getContext());
    } else if (at != space.every()) {
      if (ShapedType::isDynamic(offset) || ShapedType::isDynamic(size) || stride != 1 ||
          !space.isInside(at - offset, size))
        return decline(reason, "slice: a part of the weight");
      inside = at - offset;
    }
    if (!dropped[dim])
      next.index.push_back(inside);
  }
  return next;
}

FailureOr<WeightChain> WeightChain::follow(OpOperand &operand, std::string &reason) const {
  Operation *op = operand.getOwner();
  WeightChain next = *this;
  auto reshaped = [&](FailureOr<WeightIndex> at) -> FailureOr<WeightChain> {
    if (failed(at))
      return decline(reason, "reader: " + nameOf(op) + " of a dynamic size, or of weights with their repetitions");
    next.index = std::move(*at);
    return next;
  };
  if (auto structured = dyn_cast<linalg::LinalgOp>(op))
    return followStructured(structured, operand, reason);
  if (auto expand = dyn_cast<tensor::ExpandShapeOp>(op))
    return reshaped(
        WeightSpace(weight).split(expand.getReassociationIndices(), expand.getResultType().getShape(), index));
  if (auto collapse = dyn_cast<tensor::CollapseShapeOp>(op))
    return reshaped(
        WeightSpace(weight).join(collapse.getReassociationIndices(), collapse.getSrcType().getShape(), index));
  if (auto pad = dyn_cast<tensor::PadOp>(op); pad && operand.getOperandNumber() == 0)
    return followPad(pad, reason);
  if (auto slice = dyn_cast<tensor::ExtractSliceOp>(op))
    return followSlice(slice, reason);
  if (auto cast = dyn_cast<tensor::CastOp>(op); cast && isa<RankedTensorType>(cast.getType()))
    return next; // the same dimensions, whose sizes are known to fewer or more readers
  if (isa<arith::MulFOp, arith::DivFOp>(op)) {
    unsigned other = 1 - operand.getOperandNumber();
    if (op->getOperand(other) == operand.get())
      return decline(reason, "arithmetic: the weight with itself");
    if (isa<arith::DivFOp>(op) && other == 0)
      return decline(reason, "arithmetic: a division by the weight");
    AffineMap identity = AffineMap::getMultiDimIdentityMap(index.size(), op->getContext());
    if (failed(next.setScale(op, op->getOperand(other), identity, index, reason)))
      return failure();
    return next;
  }
  if (isa<arith::ExtFOp, arith::TruncFOp>(op)) {
    if (failed(next.cast(op, reason)))
      return failure();
    return next;
  }
  return decline(reason, "reader: " + nameOf(op));
}
