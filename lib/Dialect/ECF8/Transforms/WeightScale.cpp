// Finds the scale of a weight, and makes it a matrix of blocks.
#include "WeightScale.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/IndexingUtils.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace mlir::ecf8;

//===----------------------------------------------------------------------===//
// Behind the ops that repeat a scale
//===----------------------------------------------------------------------===//

/// The operand that `op` copies to its result, as it is or extended.
static OpOperand *getCopied(linalg::LinalgOp op) {
  if (op.getNumParallelLoops() != op.getNumLoops() || op.getNumDpsInits() != 1 || !op.hasPureTensorSemantics())
    return nullptr;
  Value value = op.getBlock()->getTerminator()->getOperand(0);
  while (auto extension = value.getDefiningOp<arith::ExtFOp>()) {
    if (extension->getBlock() != op.getBlock())
      return nullptr;
    value = extension.getIn();
  }
  auto argument = dyn_cast<BlockArgument>(value);
  if (!argument || argument.getOwner() != op.getBlock())
    return nullptr;
  OpOperand *operand = op.getMatchingOpOperand(argument);
  return op.isDpsInit(operand) ? nullptr : operand;
}

/// From an index into the result of an op to the index into its operand; null where the op is none to look behind.
static Value stepBack(const WeightSpace &space, Value value, WeightIndex &index) {
  auto step = [&](Value source, FailureOr<WeightIndex> next) {
    if (failed(next))
      return Value();
    index = std::move(*next);
    return source;
  };
  if (auto expand = value.getDefiningOp<tensor::ExpandShapeOp>())
    return step(expand.getSrc(),
                space.join(expand.getReassociationIndices(), expand.getResultType().getShape(), index));
  if (auto collapse = value.getDefiningOp<tensor::CollapseShapeOp>())
    return step(collapse.getSrc(),
                space.split(collapse.getReassociationIndices(), collapse.getSrcType().getShape(), index));
  if (auto extension = value.getDefiningOp<arith::ExtFOp>())
    return extension.getIn();
  if (auto slice = value.getDefiningOp<tensor::ExtractSliceOp>()) {
    if (ShapedType::isDynamicShape(slice.getStaticOffsets()) || ShapedType::isDynamicShape(slice.getStaticStrides()))
      return {};
    llvm::SmallBitVector dropped = slice.getDroppedDims();
    WeightIndex next;
    unsigned from = 0;
    for (auto [dim, offset, stride] : llvm::enumerate(slice.getStaticOffsets(), slice.getStaticStrides())) {
      AffineExpr at = dropped[dim] ? getAffineConstantExpr(0, value.getContext()) : index[from++];
      next.push_back(at == space.every() ? at : space.simplify(at * stride + offset));
    }
    return step(slice.getSource(), next);
  }
  if (auto op = value.getDefiningOp<linalg::LinalgOp>()) {
    OpOperand *copied = getCopied(op);
    if (!copied)
      return {};
    FailureOr<WeightIndex> loops = space.getLoops(op.getMatchingIndexingMap(op.getDpsInitOperand(0)), index);
    if (failed(loops))
      return {};
    return step(copied->get(), space.apply(op.getMatchingIndexingMap(copied), *loops));
  }
  return {};
}

//===----------------------------------------------------------------------===//
// Blocks
//===----------------------------------------------------------------------===//

/// An index along one dimension of a scale: `dim` floordiv `block` + `offset`, or the offset alone, or the expert.
struct ScaleIndex {
  std::optional<unsigned> dim;
  int64_t block = 1, offset = 0;
  bool isExpert = false;

  static std::optional<ScaleIndex> match(const WeightSpace &space, AffineExpr index) {
    ScaleIndex result;
    if (index == space.expert()) {
      result.isExpert = true;
      return result;
    }
    if (auto sum = dyn_cast<AffineBinaryOpExpr>(index); sum && sum.getKind() == AffineExprKind::Add) {
      auto offset = dyn_cast<AffineConstantExpr>(sum.getRHS());
      if (!offset)
        return std::nullopt;
      result.offset = offset.getValue();
      index = sum.getLHS();
    } else if (auto offset = dyn_cast<AffineConstantExpr>(index)) {
      result.offset = offset.getValue();
      return result;
    }
    if (auto quotient = dyn_cast<AffineBinaryOpExpr>(index);
        quotient && quotient.getKind() == AffineExprKind::FloorDiv) {
      auto block = dyn_cast<AffineConstantExpr>(quotient.getRHS());
      if (!block)
        return std::nullopt;
      result.block = block.getValue();
      index = quotient.getLHS();
    }
    auto dim = dyn_cast<AffineDimExpr>(index);
    if (!dim || dim.getPosition() > 1)
      return std::nullopt;
    result.dim = dim.getPosition();
    return result;
  }
};

static LogicalResult decline(std::string &reason, std::string text) {
  reason = std::move(text);
  return failure();
}

LogicalResult WeightScale::match(CompressedType weight, ArrayRef<AffineExpr> index, std::string &reason) {
  const int64_t shape[] = {getRowCount(weight), getColumnCount(weight)};
  WeightSpace space(weight);
  block.assign(std::begin(shape), std::end(shape));
  expertDim.reset();
  offsets.clear();
  sizes.clear();
  std::optional<unsigned> dims[2]; // of the rows and of the columns
  auto tensor = dyn_cast<RankedTensorType>(value.getType());
  if (!tensor)
    return success();
  if (!tensor.hasStaticShape())
    return decline(reason, "scale: a dynamic shape");
  for (auto [size, at] : llvm::zip_equal(tensor.getShape(), index)) {
    std::optional<ScaleIndex> matched = size == 1 ? ScaleIndex() : ScaleIndex::match(space, at);
    if (!matched)
      return decline(reason, "scale: an index that is no row, column or block of them");
    if (matched->isExpert)
      expertDim = offsets.size();
    offsets.push_back(matched->offset);
    sizes.push_back(matched->dim ? llvm::divideCeil(shape[*matched->dim], matched->block) : 1);
    if (!matched->dim)
      continue;
    if (dims[*matched->dim])
      return decline(reason, "scale: two indices along the rows, or along the columns");
    block[*matched->dim] = matched->block;
    dims[*matched->dim] = sizes.size() - 1;
  }
  exchanged.reset();
  if (dims[0] && dims[1] && *dims[0] > *dims[1])
    exchanged = {*dims[1], *dims[0]};
  // One row is a block of rows like any other.
  if (shape[0] == 1 && block[1] < shape[1])
    block[0] = 32;
  if (!ContractOp::isValidBlock(weight, shape[0], block))
    return decline(reason, llvm::formatv("scale: blocks of {0} x {1} in tiles of {2} columns", block[0], block[1],
                                         weight.getEncoding().getTileColumnCount()));
  return success();
}

FailureOr<WeightScale> WeightScale::find(CompressedType weight, Type type, Value value, WeightIndex index,
                                         std::string &reason) {
  if (weight.getNumElements() == 0)
    return decline(reason, "scale: a weight without elements");
  WeightSpace space(weight);
  WeightScale scale;
  scale.type = type;
  scale.value = value;
  while (failed(scale.match(weight, index, reason))) {
    Value source = stepBack(space, scale.value, index);
    if (!source) {
      if (auto producer = scale.value.getDefiningOp<linalg::LinalgOp>())
        reason += (", computed by '" + producer->getName().getStringRef() + "'").str();
      return failure();
    }
    scale.value = source;
  }
  return scale;
}

//===----------------------------------------------------------------------===//
// The matrix
//===----------------------------------------------------------------------===//

/// `matrix` in elements of `type`: extended, or rounded as the program does.
static Value convert(OpBuilder &builder, Location loc, Value matrix, Type type) {
  auto from = cast<RankedTensorType>(matrix.getType());
  unsigned before = from.getElementTypeBitWidth(), after = type.getIntOrFloatBitWidth();
  if (from.getElementType() == type)
    return matrix;
  if (before < after)
    return arith::ExtFOp::create(builder, loc, from.clone(type), matrix);
  if (before == after) // bf16 and f16
    matrix = arith::ExtFOp::create(builder, loc, from.clone(builder.getF32Type()), matrix);
  return arith::TruncFOp::create(builder, loc, from.clone(type), matrix);
}

Value WeightScale::materialize(OpBuilder &builder, Location loc, CompressedType weight, OpFoldResult expert) const {
  int64_t rows = llvm::divideCeil(getRowCount(weight), block[0]);
  int64_t columns = llvm::divideCeil(getColumnCount(weight), block[1]);
  Type elementType = getElementTypeOrSelf(value.getType());
  auto matrix = RankedTensorType::get({rows, columns}, elementType);
  Value result = value;
  if (auto type = dyn_cast<RankedTensorType>(result.getType()); type && type.getShape() != ArrayRef<int64_t>(sizes)) {
    SmallVector<OpFoldResult> ones(sizes.size(), builder.getIndexAttr(1));
    SmallVector<OpFoldResult> begin = getAsIndexOpFoldResult(builder.getContext(), offsets);
    if (expertDim)
      begin[*expertDim] = expert;
    result = tensor::ExtractSliceOp::create(builder, loc, result, begin,
                                            getAsIndexOpFoldResult(builder.getContext(), sizes), ones);
  }
  if (exchanged) {
    SmallVector<int64_t> order = llvm::to_vector(llvm::seq<int64_t>(0, sizes.size())), shape(sizes);
    std::swap(order[exchanged->first], order[exchanged->second]);
    applyPermutationToVector(shape, order);
    Value empty = tensor::EmptyOp::create(builder, loc, shape, elementType);
    result = linalg::TransposeOp::create(builder, loc, result, empty, order)->getResult(0);
  }
  if (!isa<RankedTensorType>(result.getType())) {
    result = tensor::FromElementsOp::create(builder, loc, matrix, ValueRange{result});
  } else if (result.getType() != matrix) {
    // Its other dimensions have size 1, so its elements lie as those of the matrix.
    int64_t rank = sizes.size();
    if (rank > 1) {
      ReassociationIndices all = llvm::to_vector(llvm::seq<int64_t>(0, rank));
      result = tensor::CollapseShapeOp::create(builder, loc, result, ArrayRef<ReassociationIndices>{all});
    }
    SmallVector<ReassociationIndices> groups;
    if (rank != 0)
      groups.push_back({0, 1});
    result = tensor::ExpandShapeOp::create(builder, loc, matrix, result, groups);
  }
  return convert(builder, loc, result, type);
}
