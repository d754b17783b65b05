// Finds the contractions that read a weight.
#include "WeightReaders.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace mlir::ecf8;

std::string mlir::ecf8::declineShape(ArrayRef<int64_t> shape) {
  if (shape.size() != 2 && shape.size() != 3)
    return llvm::formatv("rank: {0} dimensions, and a contraction takes a matrix or one of several", shape.size());
  if (shape.size() == 3 && shape[0] > 1 && shape[1] % 32 != 0)
    return llvm::formatv("slice: experts of {0} rows do not begin at tiles of 32 rows", shape[1]);
  return "";
}

//===----------------------------------------------------------------------===//
// Layout
//===----------------------------------------------------------------------===//

namespace {

/// The loops of a contraction over its weight.
struct WeightLoops {
  unsigned row, column;
  std::optional<unsigned> expert;
};

} // namespace

static FailureOr<WeightLoops> matchLoops(linalg::LinalgOp op, OpOperand &use, const WeightChain &chain,
                                         std::string &reason) {
  constexpr StringLiteral cutOrPadded = "reader: a contraction of a weight that is cut into blocks or padded";
  WeightSpace space(chain.weight);
  auto type = cast<RankedTensorType>(use.get().getType());
  std::optional<unsigned> row, column, expert;
  // A contraction's maps are projected permutations.
  AffineMap map = op.getMatchingIndexingMap(&use);
  for (auto [dim, at] : llvm::enumerate(chain.index)) {
    if (at == space.every())
      continue;
    int64_t size = type.getDimSize(dim), expected = 1;
    auto isOver = [&](AffineExpr part, int64_t count, std::optional<unsigned> &loop) {
      if (at != part)
        return;
      loop = map.getDimPosition(dim);
      expected = ShapedType::isDynamic(size) && !chain.isPadded ? size : count;
    };
    isOver(space.row(), getRowCount(chain.weight), row);
    isOver(space.column(), getColumnCount(chain.weight), column);
    isOver(space.expert(), chain.weight.getShape()[0], expert);
    if (size != expected)
      return reason = cutOrPadded.str(), failure();
  }
  if (!row || !column || (chain.weight.getRank() == 3 && !chain.expert && !expert))
    return reason = cutOrPadded.str(), failure();
  return WeightLoops{*row, *column, expert};
}

/// Activations become [..., K] and the result becomes [..., N], with the same dimensions before, the expert first.
static LogicalResult matchLayout(WeightContraction &candidate, OpOperand &use, OpOperand &accumulator,
                                 std::string &reason) {
  linalg::LinalgOp op = candidate.op;
  auto loops = matchLoops(op, use, candidate.chain, reason);
  if (failed(loops))
    return failure();
  auto [rowLoop, columnLoop, expertLoop] = *loops;
  SmallVector<utils::IteratorType> iterators = op.getIteratorTypesArray();
  if (iterators[rowLoop] != utils::IteratorType::parallel || iterators[columnLoop] != utils::IteratorType::reduction)
    return reason = "layout: a sum over the rows of the stored weight", failure();
  if (expertLoop && iterators[*expertLoop] != utils::IteratorType::parallel)
    return reason = "layout: a sum over the experts", failure();
  for (auto [loop, size] : llvm::enumerate(op.getStaticLoopRanges()))
    if (iterators[loop] == utils::IteratorType::reduction && loop != columnLoop && size != 1)
      return reason = "layout: a sum over more than the columns of the weight", failure();
  AffineMap in = op.getMatchingIndexingMap(candidate.activations), out = op.getMatchingIndexingMap(&accumulator);
  SmallVector<AffineExpr> repeated;
  for (auto [dim, result] : llvm::enumerate(out.getResults()))
    if (unsigned loop = cast<AffineDimExpr>(result).getPosition();
        loop != rowLoop && loop != expertLoop && !in.isFunctionOfDim(loop)) {
      candidate.repeatedDims.push_back(dim);
      repeated.push_back(result);
    }
  llvm::append_range(repeated, in.getResults());
  in = AffineMap::get(in.getNumDims(), 0, repeated, in.getContext());
  candidate.isPerExpert = expertLoop.has_value();
  candidate.sharesActivations = expertLoop && !in.isFunctionOfDim(*expertLoop);
  if (in.getNumResults() + candidate.sharesActivations != out.getNumResults())
    return reason = "layout: activations and result that differ in more than columns and rows", failure();
  auto place = [](AffineMap map, unsigned loop, SmallVectorImpl<int64_t> &order) {
    std::optional<unsigned> dim = map.getResultPosition(getAffineDimExpr(loop, map.getContext()));
    order.push_back(dim.value_or(0));
    return dim.has_value();
  };
  bool isFound = !expertLoop || place(out, *expertLoop, candidate.resultOrder);
  if (expertLoop && !candidate.sharesActivations)
    place(in, *expertLoop, candidate.activationsOrder);
  for (AffineExpr result : out.getResults())
    if (unsigned loop = cast<AffineDimExpr>(result).getPosition(); loop != rowLoop && loop != expertLoop)
      isFound &= place(in, loop, candidate.activationsOrder) && place(out, loop, candidate.resultOrder);
  if (!isFound || !place(in, columnLoop, candidate.activationsOrder) || !place(out, rowLoop, candidate.resultOrder))
    return reason = "layout: activations and result that differ in more than columns and rows", failure();
  return success();
}

//===----------------------------------------------------------------------===//
// Types
//===----------------------------------------------------------------------===//

Value mlir::ecf8::getExtended(Value value) {
  Operation *op = value.getDefiningOp();
  if (auto extension = dyn_cast_or_null<arith::ExtFOp>(op))
    return extension.getIn();
  auto generic = dyn_cast_or_null<linalg::GenericOp>(op);
  if (!generic || generic.getNumDpsInputs() != 1 || generic.getNumDpsInits() != 1 ||
      !llvm::all_of(generic.getIndexingMapsArray(), [](AffineMap map) { return map.isIdentity(); }))
    return {};
  auto extension = generic.getBody()->getTerminator()->getOperand(0).getDefiningOp<arith::ExtFOp>();
  return extension && extension.getIn() == generic.getBody()->getArgument(0) ? generic.getInputs().front() : Value();
}

Value mlir::ecf8::getBeforeExtension(Value value, Type type) {
  do
    value = getExtended(value);
  while (value && getElementTypeOrSelf(value.getType()) != type);
  return value;
}

static LogicalResult matchTypes(linalg::LinalgOp op, OpOperand &activations, OpOperand &accumulator,
                                const WeightChain &chain, std::string &reason) {
  Type in = getElementTypeOrSelf(activations.get().getType()), out = getElementTypeOrSelf(accumulator.get().getType());
  if ((!in.isF32() && !in.isBF16() && !in.isF16()) || !out.isF32())
    return reason = llvm::formatv("type: activations of {0}, sums in {1}", in, out), failure();
  // An extension to a narrower type on the way changes nothing.
  for (Operation &inner : op.getBlock()->without_terminator())
    if (!isa<arith::ExtFOp>(inner) &&
        (!isa<arith::MulFOp, arith::AddFOp>(inner) || !inner.getResult(0).getType().isF32()))
      return reason = llvm::formatv("type: '{0}' in the contraction, or a product that is not of f32",
                                    inner.getName().getStringRef()),
             failure();
  if (!chain.scale)
    return success();
  if (chain.extendedFrom && !getBeforeExtension(activations.get(), chain.extendedFrom))
    return reason = llvm::formatv("type: a scaled weight of {0} with activations that are not extended from it",
                                  chain.extendedFrom),
           failure();
  if (chain.type != in)
    return reason = llvm::formatv("type: a scaled weight of {0} with activations of {1}", chain.type, in), failure();
  return success();
}

//===----------------------------------------------------------------------===//
// Readers
//===----------------------------------------------------------------------===//

static LogicalResult matchContraction(linalg::LinalgOp op, OpOperand &use, const WeightChain &chain,
                                      SmallVectorImpl<WeightContraction> &candidates, std::string &reason) {
  if (op.isDpsInit(&use))
    return reason = "reader: a contraction that adds to the weight", failure();
  OpOperand *activations = op.getDpsInputOperand(1 - use.getOperandNumber());
  OpOperand *accumulator = op.getDpsInitOperand(0);
  if (llvm::any_of(candidates, [&](const WeightContraction &other) { return other.op == op; }))
    return reason = "reader: a contraction of the weight with itself", failure();
  WeightContraction candidate{op, chain, activations};
  if (failed(matchLayout(candidate, use, *accumulator, reason)) ||
      failed(matchTypes(op, *activations, *accumulator, chain, reason)))
    return failure();
  candidates.push_back(std::move(candidate));
  return success();
}

WeightReaders WeightReaders::of(Value weight, const WeightChain &chainOfWeight) {
  WeightReaders readers;
  SmallVector<std::pair<Value, WeightChain>, 0> open{{weight, chainOfWeight}};
  for (size_t index = 0; index < open.size(); ++index) {
    auto [value, chain] = open[index];
    for (OpOperand &use : value.getUses()) {
      std::string reason;
      auto linalgOp = dyn_cast<linalg::LinalgOp>(use.getOwner());
      if (linalgOp && linalg::isaContractionOpInterface(linalgOp)) {
        if (succeeded(matchContraction(linalgOp, use, chain, readers.contractions, reason))) {
          readers.ends.insert(linalgOp);
          continue;
        }
      } else if (llvm::is_contained(readers.links, use.getOwner())) {
        reason = ("reader: '" + use.getOwner()->getName().getStringRef() + "' of the weight with itself").str();
      } else if (FailureOr<WeightChain> next = chain.follow(use, reason); succeeded(next)) {
        readers.links.push_back(use.getOwner());
        open.emplace_back(use.getOwner()->getResult(0), std::move(*next));
        continue;
      }
      readers.ends.insert(use.getOwner());
      if (readers.reason.empty())
        readers.reason = std::move(reason);
    }
  }
  return readers;
}
