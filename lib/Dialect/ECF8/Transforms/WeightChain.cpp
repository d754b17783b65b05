// Follows a decoded weight through the ops that extend, scale, round and reorder it.
#include "WeightChain.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/SmallBitVector.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace mlir::ecf8;

static LogicalResult decline(std::string &reason, std::string text) {
  reason = std::move(text);
  return failure();
}

static std::string nameOf(Operation *op) { return ("'" + op->getName().getStringRef() + "'").str(); }

WeightChain WeightChain::of(DecodeOp decode) {
  WeightChain chain;
  chain.weight = decode.getSourceType();
  for (int64_t dim = 0; dim < chain.weight.getRank(); ++dim)
    chain.dims.push_back({dim});
  chain.type = chain.weight.getElementType();
  return chain;
}

//===----------------------------------------------------------------------===//
// Arithmetic
//===----------------------------------------------------------------------===//

/// An extension, or a rounding.
LogicalResult WeightChain::cast(Operation *op, std::string &reason) {
  Type to = getElementTypeOrSelf(op->getResult(0).getType());
  if (!to.isF32() && !to.isBF16() && !to.isF16())
    return decline(reason, llvm::formatv("arithmetic: a cast to {0}", to));
  // Every FP8 value is one of f16, bf16 and f32, so without a scale no cast changes anything.
  bool isRounding = to.getIntOrFloatBitWidth() <= type.getIntOrFloatBitWidth();
  if (scale && !isRounding)
    return decline(reason, "arithmetic: an extension behind the scale");
  if (auto mode = op->getAttrOfType<arith::RoundingModeAttr>("roundingmode");
      scale && mode && mode.getValue() != arith::RoundingMode::to_nearest_even)
    return decline(reason, ("arithmetic: a rounding '" + arith::stringifyRoundingMode(mode.getValue()) + "'").str());
  type = to;
  return success();
}

LogicalResult WeightChain::setScale(Value value, AffineMap map, ArrayRef<WeightDim> loops, std::string &reason) {
  if (scale)
    return decline(reason, "scale: two factors");
  if (!isa<FloatType>(type) || type == weight.getElementType())
    return decline(reason, "scale: a product in FP8");
  if (weight.getNumElements() == 0)
    return decline(reason, "scale: a weight without elements");
  scale = value;
  scaleType = type;
  block.assign(weight.getShape().begin(), weight.getShape().end());
  auto tensor = dyn_cast<RankedTensorType>(value.getType());
  if (!tensor)
    return success();
  if (!tensor.hasStaticShape())
    return decline(reason, "scale: a dynamic shape");
  int64_t next = 0;
  for (auto [size, result] : llvm::zip_equal(tensor.getShape(), map.getResults())) {
    auto loop = dyn_cast<AffineDimExpr>(result);
    if (!loop) {
      if (size != 1)
        return decline(reason, "scale: an index that is no loop");
      continue;
    }
    const WeightDim &dim = loops[loop.getPosition()];
    if (size == 1 && dim.part == WeightDim::Outer && weight.getShape()[dim.dim] <= dim.block)
      continue;
    if (dim.part == WeightDim::Inner || dim.dim < next)
      return decline(reason, "scale: one for each weight, or columns before rows");
    block[dim.dim] = dim.part == WeightDim::Outer ? dim.block : 1;
    next = dim.dim + 1;
  }
  if (!ContractOp::isValidBlock(weight, block))
    return decline(reason, llvm::formatv("scale: blocks of {0} x {1} in tiles of {2} columns", block[0], block[1],
                                         weight.getEncoding().getTileColumnCount()));
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

FailureOr<WeightChain> WeightChain::followGeneric(linalg::GenericOp op, OpOperand &operand, std::string &reason) const {
  if (op.getNumParallelLoops() != op.getNumLoops() || op.getNumDpsInits() != 1 || !op.hasPureTensorSemantics() ||
      op.isDpsInit(&operand))
    return decline(reason, "reader: " + nameOf(op) + " that is not elementwise on one result");
  AffineMap in = op.getMatchingIndexingMap(&operand), out = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  if (!in.isPermutation() || !out.isPermutation())
    return decline(reason, "reader: " + nameOf(op) + " that repeats or selects weights");
  WeightChain next = *this;
  SmallVector<WeightDim> loops(dims.size(), WeightDim{0});
  for (auto [index, dim] : llvm::enumerate(dims))
    loops[in.getDimPosition(index)] = dim;
  for (size_t index = 0; index < dims.size(); ++index)
    next.dims[index] = loops[out.getDimPosition(index)];

  // From the result back to the weight, then forward.
  Block *body = op.getBody();
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
    if (!producer || producer->getBlock() != body || !isa<arith::ExtFOp, arith::TruncFOp, arith::MulFOp>(producer))
      return decline(reason, "arithmetic: " + (producer ? nameOf(producer) : "a result without the weight"));
    Value factor;
    at = producer->getOperand(0);
    if (isa<arith::MulFOp>(producer)) {
      factor = producer->getOperand(1);
      if (!leadsToWeight(at))
        std::swap(at, factor);
      if (leadsToWeight(factor))
        return decline(reason, "arithmetic: the weight squared");
    }
    links.emplace_back(producer, factor);
  }
  for (auto [link, factor] : llvm::reverse(links)) {
    if (!factor) {
      if (failed(next.cast(link, reason)))
        return failure();
      continue;
    }
    Value source = skipExtensions(factor, body);
    if (auto argument = dyn_cast<BlockArgument>(source); argument && argument.getOwner() == body) {
      OpOperand *input = op.getMatchingOpOperand(argument);
      if (op.isDpsInit(input))
        return decline(reason, "scale: the output's old value");
      if (failed(next.setScale(input->get(), op.getMatchingIndexingMap(input), loops, reason)))
        return failure();
    } else if (source.getParentBlock() != body) {
      if (failed(next.setScale(source, AffineMap(), loops, reason)))
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

/// One or both dimensions of the matrix are cut into blocks.
FailureOr<WeightChain> WeightChain::followExpand(tensor::ExpandShapeOp op, std::string &reason) const {
  WeightChain next = *this;
  next.dims.clear();
  ArrayRef<int64_t> shape = op.getResultType().getShape();
  for (auto [index, group] : llvm::enumerate(op.getReassociationIndices())) {
    WeightDim dim = dims[index];
    if (group.size() == 1) {
      next.dims.push_back(dim);
      continue;
    }
    if (group.size() != 2 || dim.part != WeightDim::Whole || ShapedType::isDynamic(shape[group[1]]))
      return decline(reason, "reader: " + nameOf(op) + " that does not cut into blocks");
    dim.block = shape[group[1]];
    dim.part = WeightDim::Outer;
    next.dims.push_back(dim);
    dim.part = WeightDim::Inner;
    next.dims.push_back(dim);
  }
  return next;
}

/// Blocks become whole dimensions again.
FailureOr<WeightChain> WeightChain::followCollapse(tensor::CollapseShapeOp op, std::string &reason) const {
  WeightChain next = *this;
  next.dims.clear();
  for (const ReassociationIndices &group : op.getReassociationIndices()) {
    WeightDim dim = dims[group.front()];
    if (group.size() != 1) {
      WeightDim inner = dims[group.back()];
      if (group.size() != 2 || dim.part != WeightDim::Outer || inner != WeightDim{dim.dim, WeightDim::Inner, dim.block})
        return decline(reason, "reader: " + nameOf(op) + " that does not join blocks");
      dim = {dim.dim};
    }
    next.dims.push_back(dim);
  }
  return next;
}

FailureOr<WeightChain> WeightChain::follow(OpOperand &operand, std::string &reason) const {
  Operation *op = operand.getOwner();
  WeightChain next = *this;
  if (auto generic = dyn_cast<linalg::GenericOp>(op))
    return followGeneric(generic, operand, reason);
  if (auto expand = dyn_cast<tensor::ExpandShapeOp>(op))
    return followExpand(expand, reason);
  if (auto collapse = dyn_cast<tensor::CollapseShapeOp>(op))
    return followCollapse(collapse, reason);
  if (auto transpose = dyn_cast<linalg::TransposeOp>(op);
      transpose && operand.getOperandNumber() == 0 && transpose->getNumResults() == 1) {
    for (auto [index, from] : llvm::enumerate(transpose.getPermutation()))
      next.dims[index] = dims[from];
    return next;
  }
  if (isa<arith::ExtFOp, arith::TruncFOp>(op)) {
    if (failed(next.cast(op, reason)))
      return failure();
    return next;
  }
  return decline(reason, "reader: " + nameOf(op));
}

//===----------------------------------------------------------------------===//
// The scale
//===----------------------------------------------------------------------===//

Value WeightChain::materializeScale(OpBuilder &builder, Location loc) const {
  int64_t rows = llvm::divideCeil(weight.getShape()[0], block[0]);
  int64_t columns = llvm::divideCeil(weight.getShape()[1], block[1]);
  Type elementType = getElementTypeOrSelf(scale.getType());
  auto matrix = RankedTensorType::get({rows, columns}, elementType);
  Value value = scale;
  if (!isa<RankedTensorType>(value.getType())) {
    value = tensor::FromElementsOp::create(builder, loc, matrix, ValueRange{value});
  } else if (value.getType() != matrix) {
    // Its other dimensions have size 1, so its elements lie as those of the matrix.
    auto type = ::mlir::cast<RankedTensorType>(value.getType());
    if (type.getRank() > 1) {
      ReassociationIndices all = llvm::to_vector(llvm::seq<int64_t>(0, type.getRank()));
      value = tensor::CollapseShapeOp::create(builder, loc, value, ArrayRef<ReassociationIndices>{all});
    }
    SmallVector<ReassociationIndices> groups;
    if (type.getRank() != 0)
      groups.push_back({0, 1});
    value = tensor::ExpandShapeOp::create(builder, loc, matrix, value, groups);
  }
  if (elementType != scaleType)
    value = arith::ExtFOp::create(builder, loc, matrix.clone(scaleType), value);
  return value;
}
