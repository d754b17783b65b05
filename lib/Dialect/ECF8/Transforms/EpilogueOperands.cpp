// Operands of elementwise ops as matrices.
#include "EpilogueOperands.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mlir::ecf8;

/// For each dimension of the operand its loop, or -1 where it has one element: the loop too, or the index is zero.
std::optional<SmallVector<int64_t>> EpilogueSpace::loopsOf(AffineMap map) const {
  SmallVector<int64_t> loops;
  for (AffineExpr result : map.getResults()) {
    if (auto constant = dyn_cast<AffineConstantExpr>(result); constant && constant.getValue() == 0) {
      loops.push_back(-1);
      continue;
    }
    auto dim = dyn_cast<AffineDimExpr>(result);
    if (!dim)
      return std::nullopt;
    loops.push_back(ranges[dim.getPosition()] == 1 ? -1 : static_cast<int64_t>(dim.getPosition()));
  }
  return loops;
}

bool EpilogueSpace::isIdentity(AffineMap map) const {
  auto loops = loopsOf(map);
  if (!loops || loops->size() != ranges.size())
    return false;
  for (auto [index, loop] : llvm::enumerate(*loops))
    if (loop != (ranges[index] == 1 ? -1 : static_cast<int64_t>(index)))
      return false;
  return true;
}

std::optional<EpilogueOperand> EpilogueSpace::classify(OpOperand &operand, AffineMap map) const {
  auto loops = loopsOf(map);
  if (!loops)
    return std::nullopt;
  const int64_t columnLoop = static_cast<int64_t>(ranges.size()) - 1;
  EpilogueOperand result{&operand, false, false, 0};
  SmallVector<int64_t> rows;
  for (auto [dim, loop] : llvm::enumerate(*loops)) {
    if (loop == -1)
      continue;
    if (result.hasColumns)
      return std::nullopt; // something behind the columns
    if (loop == columnLoop) {
      result.hasColumns = true;
      result.columnDimension = dim;
    } else {
      rows.push_back(loop);
    }
  }
  SmallVector<int64_t> allRows;
  for (int64_t loop = 0; loop < columnLoop; ++loop)
    if (ranges[loop] != 1)
      allRows.push_back(loop);
  result.hasRows = !rows.empty();
  if (result.hasRows && rows != allRows)
    return std::nullopt;
  // A single element is a matrix only if its tensor says so.
  if (auto type = dyn_cast<RankedTensorType>(operand.get().getType()))
    for (auto [dim, loop] : llvm::enumerate(*loops))
      if (loop == -1 && type.getDimSize(dim) != 1)
        return std::nullopt;
  return result;
}

Value EpilogueOperand::materialize(OpBuilder &builder, Location loc, RankedTensorType type) const {
  Value value = operand->get();
  auto source = dyn_cast<RankedTensorType>(value.getType());
  if (!source)
    return tensor::FromElementsOp::create(builder, loc, RankedTensorType::get({1, 1}, value.getType()), value);
  // A matrix of the right form, up to what is known of its sizes.
  int64_t rank = source.getRank();
  SmallVector<int64_t> shape{hasRows ? type.getDimSize(0) : 1, hasColumns ? type.getDimSize(1) : 1};
  const bool isMatrix = rank == 2 && (!(hasRows && hasColumns) || columnDimension == 1) &&
                        (hasRows || source.getDimSize(0) == 1) && (hasColumns || source.getDimSize(1) == 1);
  if (!isMatrix) {
    SmallVector<ReassociationIndices> groups;
    if (hasColumns && columnDimension > 0) // those before it are rows, or of size 1
      groups = {llvm::to_vector(llvm::seq<int64_t>(0, columnDimension)),
                llvm::to_vector(llvm::seq<int64_t>(columnDimension, rank))};
    else if (hasRows || hasColumns)
      groups = {llvm::to_vector(llvm::seq<int64_t>(0, rank))};
    if (static_cast<int64_t>(groups.size()) != rank)
      value = tensor::CollapseShapeOp::create(builder, loc, value, groups);
    if (groups.size() < 2) {
      auto flat = cast<RankedTensorType>(value.getType());
      int64_t size = groups.empty() ? 1 : flat.getDimSize(0);
      SmallVector<ReassociationIndices> expansion;
      if (!groups.empty())
        expansion.push_back({0, 1});
      auto expanded = RankedTensorType::get({hasRows ? size : 1, hasColumns ? size : 1}, source.getElementType());
      SmallVector<OpFoldResult> sizes(2, builder.getIndexAttr(1));
      if (!groups.empty())
        sizes[hasColumns] = tensor::getMixedSize(builder, loc, value, 0);
      value = tensor::ExpandShapeOp::create(builder, loc, expanded, value, expansion, sizes);
    }
  }
  auto wanted = RankedTensorType::get(shape, source.getElementType());
  auto found = cast<RankedTensorType>(value.getType());
  // Sizes that are known here and not there do not hurt.
  bool hasUnknownColumns = found.isDynamicDim(1) && !wanted.isDynamicDim(1);
  if (!hasUnknownColumns)
    return value;
  return tensor::CastOp::create(builder, loc,
                                RankedTensorType::get({found.getDimSize(0), shape[1]}, found.getElementType()), value);
}
