// Index arithmetic over the rows and columns of a weight.
#include "WeightIndex.h"

using namespace mlir;
using namespace mlir::ecf8;

WeightSpace::WeightSpace(CompressedType weight) : context(weight.getContext()) {
  int64_t experts = weight.getRank() == 3 ? weight.getShape()[0] : 1;
  for (auto [end, size] : llvm::zip_equal(last, ArrayRef{getRowCount(weight), getColumnCount(weight), 1l, experts}))
    end = std::max<int64_t>(size - 1, 0);
}

//===----------------------------------------------------------------------===//
// Ranges
//===----------------------------------------------------------------------===//

/// The divisor of a division or remainder by a positive constant, else 0.
static int64_t getDivisor(AffineExpr index) {
  if (index.getKind() != AffineExprKind::FloorDiv && index.getKind() != AffineExprKind::Mod)
    return 0;
  auto divisor = dyn_cast<AffineConstantExpr>(cast<AffineBinaryOpExpr>(index).getRHS());
  return divisor ? std::max<int64_t>(divisor.getValue(), 0) : 0;
}

static int64_t divideFloor(int64_t value, int64_t divisor) { return value / divisor - (value % divisor < 0 ? 1 : 0); }

/// The smallest and the largest value, or a wider range.
std::pair<int64_t, int64_t> WeightSpace::getRange(AffineExpr index) const {
  constexpr std::pair<int64_t, int64_t> unknown{std::numeric_limits<int32_t>::min(),
                                                std::numeric_limits<int32_t>::max()};
  if (auto constant = dyn_cast<AffineConstantExpr>(index))
    return {constant.getValue(), constant.getValue()};
  if (auto dim = dyn_cast<AffineDimExpr>(index))
    return dim != every() ? std::pair<int64_t, int64_t>(0, last[dim.getPosition()]) : unknown;
  auto binary = dyn_cast<AffineBinaryOpExpr>(index);
  if (!binary)
    return unknown;
  auto [low, high] = getRange(binary.getLHS());
  auto [rightLow, rightHigh] = getRange(binary.getRHS());
  int64_t divisor = getDivisor(index);
  if (index.getKind() == AffineExprKind::Add)
    return {low + rightLow, high + rightHigh};
  if (index.getKind() == AffineExprKind::Mul && rightLow == rightHigh && rightLow >= 0)
    return {low * rightLow, high * rightLow};
  if (index.getKind() == AffineExprKind::FloorDiv && divisor != 0)
    return {divideFloor(low, divisor), divideFloor(high, divisor)};
  if (index.getKind() == AffineExprKind::Mod && divisor != 0)
    return {0, divisor - 1};
  return unknown;
}

bool WeightSpace::isInside(AffineExpr index, int64_t size) const {
  auto [low, high] = getRange(index);
  return low >= 0 && high < size;
}

AffineExpr WeightSpace::simplify(AffineExpr index) const {
  auto binary = dyn_cast<AffineBinaryOpExpr>(index);
  if (!binary)
    return index;
  index = getAffineBinaryOpExpr(index.getKind(), simplify(binary.getLHS()), simplify(binary.getRHS()));
  int64_t divisor = getDivisor(index);
  if (divisor == 0)
    return index;
  AffineExpr dividend = cast<AffineBinaryOpExpr>(index).getLHS();
  if (index.getKind() == AffineExprKind::Mod)
    return isInside(dividend, divisor) ? dividend : index;
  auto [low, high] = getRange(index);
  return low == high ? getAffineConstantExpr(low, context) : index;
}

//===----------------------------------------------------------------------===//
// Reshapes
//===----------------------------------------------------------------------===//

/// Whether a reshape can be followed that joins or splits dimensions of these sizes: it needs to know all but the
/// first.
static bool haveSizes(ArrayRef<int64_t> group, ArrayRef<int64_t> shape) {
  return llvm::all_of(group.drop_front(), [&](int64_t dim) { return shape[dim] > 0; });
}

FailureOr<WeightIndex> WeightSpace::join(ArrayRef<ReassociationIndices> groups, ArrayRef<int64_t> shape,
                                         ArrayRef<AffineExpr> index) const {
  WeightIndex joined;
  for (const ReassociationIndices &group : groups) {
    AffineExpr at = index[group.front()];
    if (llvm::any_of(group, [&](int64_t dim) { return index[dim] == every(); })) {
      if (!llvm::all_of(group, [&](int64_t dim) { return index[dim] == every() || shape[dim] == 1; }))
        return failure();
      joined.push_back(every());
      continue;
    }
    if (!haveSizes(group, shape))
      return failure();
    for (int64_t dim : ArrayRef(group).drop_front()) {
      AffineExpr inner = index[dim];
      // (x floordiv size) * size + x mod size
      if (inner.getKind() == AffineExprKind::Mod && getDivisor(inner) == shape[dim]) {
        AffineExpr whole = cast<AffineBinaryOpExpr>(inner).getLHS();
        if (at == simplify(whole.floorDiv(shape[dim]))) {
          at = whole;
          continue;
        }
      }
      at = simplify(at * shape[dim] + inner);
    }
    joined.push_back(at);
  }
  return joined;
}

FailureOr<WeightIndex> WeightSpace::split(ArrayRef<ReassociationIndices> groups, ArrayRef<int64_t> shape,
                                          ArrayRef<AffineExpr> index) const {
  WeightIndex parts(shape.size(), getAffineConstantExpr(0, context)); // of a tensor of rank 0 there are no groups
  for (auto [group, at] : llvm::zip_equal(groups, index)) {
    if (at != every() && !haveSizes(group, shape))
      return failure();
    int64_t stride = 1;
    for (int64_t dim : llvm::reverse(group)) {
      if (at == every()) {
        parts[dim] = at;
        continue;
      }
      parts[dim] = at.floorDiv(stride);
      if (dim != group.front()) {
        parts[dim] = parts[dim] % shape[dim];
        stride *= shape[dim];
      }
      parts[dim] = simplify(parts[dim]);
    }
  }
  return parts;
}

//===----------------------------------------------------------------------===//
// Loops
//===----------------------------------------------------------------------===//

FailureOr<WeightIndex> WeightSpace::getLoops(AffineMap map, ArrayRef<AffineExpr> index) const {
  WeightIndex loops(map.getNumDims(), every());
  SmallVector<bool> isUsed(loops.size());
  for (auto [result, at] : llvm::zip_equal(map.getResults(), index)) {
    if (auto loop = dyn_cast<AffineDimExpr>(result); loop && !isUsed[loop.getPosition()]) {
      loops[loop.getPosition()] = at;
      isUsed[loop.getPosition()] = true;
    } else if (result != at || !isa<AffineConstantExpr>(result)) {
      return failure();
    }
  }
  return loops;
}

WeightIndex WeightSpace::apply(AffineMap map, ArrayRef<AffineExpr> loops) const {
  return llvm::map_to_vector(map.getResults(), [&](AffineExpr result) {
    for (auto [position, loop] : llvm::enumerate(loops))
      if (loop == every() && result.isFunctionOfDim(position))
        return every();
    return simplify(result.replaceDims(loops));
  });
}
