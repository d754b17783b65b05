// A decode whose readers are contractions becomes `ecf8.contract`s.
#include "WeightChain.h"
#include "ecf8/Dialect/ECF8/Transforms/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/IndexingUtils.h"
#include "mlir/IR/Remarks.h"
#include "llvm/Support/FormatVariadic.h"

namespace mlir::ecf8 {
#define GEN_PASS_DEF_FUSEDECODEPASS
#include "ecf8/Dialect/ECF8/Transforms/Passes.h.inc"
} // namespace mlir::ecf8

using namespace mlir;
using namespace mlir::ecf8;

static constexpr StringLiteral kCategory = "ecf8-fuse-decode";

namespace {

/// A contraction and the chain of its weight operand.
struct Candidate {
  linalg::LinalgOp op;
  WeightChain chain;
  OpOperand *activations;
  SmallVector<int64_t> activationsOrder, resultOrder; ///< of the dimensions, as [..., K] and [..., N]
};

/// What reads a decoded weight.
struct Readers {
  SmallVector<Candidate, 0> contractions;
  SmallVector<Operation *> links; ///< the ops between, in the order of their values
  DenseSet<Operation *> ends;     ///< contractions, and readers that are none of these
  std::string reason;             ///< why the first of them is none; empty where all are
};

struct FuseDecodePass : public ::mlir::ecf8::impl::FuseDecodePassBase<FuseDecodePass> {
  void runOnOperation() override {
    SmallVector<DecodeOp> decodes;
    getOperation().walk([&](DecodeOp decode) { decodes.push_back(decode); });
    for (DecodeOp decode : decodes)
      fuse(decode);
  }

private:
  void fuse(DecodeOp decode) {
    if (decode.getDestination())
      return;
    Readers readers = collect(decode);
    if (int64_t count = readers.ends.size(); count > 1) {
      auto several = remark::analysis(decode.getLoc(), remarkOptions("SeveralReaders", decode));
      addName(several, decode);
      several << remark::metric("Readers", count)
              << remark::metric("Decision", readers.reason.empty() ? "each decodes" : "decoded once for all");
    }
    if (!readers.reason.empty()) {
      auto missed = remark::missed(decode.getLoc(), remarkOptions("NotFused", decode));
      missed << remark::reason("{0}", readers.reason);
      addName(missed, decode);
      return;
    }
    SmallVectorImpl<Candidate> &candidates = readers.contractions;
    for (auto [index, candidate] : llvm::enumerate(candidates)) {
      auto fused = remark::passed(candidate.op.getLoc(), remarkOptions("Fused", decode));
      addName(fused, decode);
      fused << remark::metric("Weight", Type(candidate.chain.weight))
            << remark::metric("Scale", describe(candidate.chain));
      Value before = candidate.op->getResult(0), result = rewrite(candidate, decode.getSource());
      for (Candidate &next : llvm::drop_begin(candidates, index + 1))
        if (next.chain.scale.value == before)
          next.chain.scale.value = result;
      before.replaceAllUsesWith(result);
      candidate.op->erase();
    }
    for (Operation *link : llvm::reverse(readers.links))
      link->erase();
    decode.erase();
  }

  static remark::RemarkOpts remarkOptions(StringRef name, DecodeOp decode) {
    return remark::RemarkOpts::name(name).category(kCategory).function(
        decode->getParentOfType<func::FuncOp>().getName());
  }

  static std::string describe(const WeightChain &chain) {
    if (!chain.scale)
      return "none";
    return llvm::formatv("{0} x {1}", chain.scale.block[0], chain.scale.block[1]);
  }

  static void addName(remark::detail::InFlightRemark &remark, DecodeOp decode) {
    if (StringRef name = getWeightName(decode.getSource()); !name.empty())
      remark << remark::metric("Name", name);
  }

  /// Why no reader of a decode can be a contraction; empty where it depends on the reader.
  static std::string declineAll(DecodeOp decode) {
    CompressedType type = decode.getSourceType();
    if (!decode.isWhole())
      return "slice: a part of the weight";
    if (type.getRank() != 2)
      return llvm::formatv("rank: {0} dimensions, and a contraction takes a matrix", type.getRank());
    if (type.getEncoding().getElementOrder() != Order::rows32)
      return "encoding: no tiles of 32 rows";
    return decode.use_empty() ? "unused: nothing reads the weight" : "";
  }

  static Readers collect(DecodeOp decode) {
    Readers readers;
    readers.reason = declineAll(decode);
    if (!readers.reason.empty())
      return readers;
    SmallVector<std::pair<Value, WeightChain>, 0> open{{decode.getResult(), WeightChain::of(decode)}};
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

  static LogicalResult matchContraction(linalg::LinalgOp op, OpOperand &use, const WeightChain &chain,
                                        SmallVectorImpl<Candidate> &candidates, std::string &reason) {
    if (op.isDpsInit(&use))
      return reason = "reader: a contraction that adds to the weight", failure();
    OpOperand *activations = op.getDpsInputOperand(1 - use.getOperandNumber());
    OpOperand *accumulator = op.getDpsInitOperand(0);
    if (llvm::any_of(candidates, [&](const Candidate &other) { return other.op == op; }))
      return reason = "reader: a contraction of the weight with itself", failure();
    Candidate candidate{op, chain, activations, {}, {}};
    if (failed(matchLayout(candidate, use, *accumulator, reason)) ||
        failed(matchTypes(op, *activations, *accumulator, chain, reason)))
      return failure();
    candidates.push_back(std::move(candidate));
    return success();
  }

  /// The loops over the weight's rows and columns.
  static FailureOr<std::pair<unsigned, unsigned>> matchLoops(linalg::LinalgOp op, OpOperand &use,
                                                             const WeightChain &chain, std::string &reason) {
    constexpr StringLiteral cutOrPadded = "reader: a contraction of a weight that is cut into blocks or padded";
    WeightSpace space(chain.weight);
    auto type = cast<RankedTensorType>(use.get().getType());
    std::optional<unsigned> loops[2];
    // A contraction's maps are projected permutations.
    AffineMap map = op.getMatchingIndexingMap(&use);
    for (auto [dim, at] : llvm::enumerate(chain.index)) {
      if (at == space.every())
        continue;
      int64_t size = type.getDimSize(dim), expected = 1;
      if (at == space.row() || at == space.column()) {
        bool isColumn = at == space.column();
        loops[isColumn] = map.getDimPosition(dim);
        expected = ShapedType::isDynamic(size) && !chain.isPadded ? size : chain.weight.getShape()[isColumn];
      }
      if (size != expected)
        return reason = cutOrPadded.str(), failure();
    }
    if (!loops[0] || !loops[1])
      return reason = cutOrPadded.str(), failure();
    return std::pair(*loops[0], *loops[1]);
  }

  /// Activations become [..., K] and the result becomes [..., N], with the same dimensions before.
  static LogicalResult matchLayout(Candidate &candidate, OpOperand &use, OpOperand &accumulator, std::string &reason) {
    linalg::LinalgOp op = candidate.op;
    auto loops = matchLoops(op, use, candidate.chain, reason);
    if (failed(loops))
      return failure();
    auto [rowLoop, columnLoop] = *loops;
    SmallVector<utils::IteratorType> iterators = op.getIteratorTypesArray();
    if (iterators[rowLoop] != utils::IteratorType::parallel || iterators[columnLoop] != utils::IteratorType::reduction)
      return reason = "layout: a sum over the rows of the stored weight", failure();
    AffineMap in = op.getMatchingIndexingMap(candidate.activations), out = op.getMatchingIndexingMap(&accumulator);
    if (in.getNumResults() != out.getNumResults())
      return reason = "layout: activations and result that differ in more than columns and rows", failure();
    auto place = [](AffineMap map, unsigned loop, SmallVectorImpl<int64_t> &order) {
      std::optional<unsigned> dim = map.getResultPosition(getAffineDimExpr(loop, map.getContext()));
      order.push_back(dim.value_or(0));
      return dim.has_value();
    };
    bool isFound = true;
    for (AffineExpr result : out.getResults())
      if (unsigned loop = cast<AffineDimExpr>(result).getPosition(); loop != rowLoop)
        isFound &= place(in, loop, candidate.activationsOrder) && place(out, loop, candidate.resultOrder);
    if (!isFound || !place(in, columnLoop, candidate.activationsOrder) || !place(out, rowLoop, candidate.resultOrder))
      return reason = "layout: activations and result that differ in more than columns and rows", failure();
    return success();
  }

  /// The tensor of `type` that `value` is an extension of; null where it is none.
  static Value getBeforeExtension(Value value, Type type) {
    Operation *op = value.getDefiningOp();
    Value source;
    if (auto extension = dyn_cast_or_null<arith::ExtFOp>(op)) {
      source = extension.getIn();
    } else if (auto generic = dyn_cast_or_null<linalg::GenericOp>(op);
               generic && generic.getNumDpsInputs() == 1 && generic.getNumDpsInits() == 1 &&
               llvm::all_of(generic.getIndexingMapsArray(), [](AffineMap map) { return map.isIdentity(); })) {
      auto extension = generic.getBody()->getTerminator()->getOperand(0).getDefiningOp<arith::ExtFOp>();
      if (extension && extension.getIn() == generic.getBody()->getArgument(0))
        source = generic.getInputs().front();
    }
    return source && getElementTypeOrSelf(source.getType()) == type ? source : Value();
  }

  static LogicalResult matchTypes(linalg::LinalgOp op, OpOperand &activations, OpOperand &accumulator,
                                  const WeightChain &chain, std::string &reason) {
    Type in = getElementTypeOrSelf(activations.get().getType()),
         out = getElementTypeOrSelf(accumulator.get().getType());
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

  //===--------------------------------------------------------------------===//
  // Rewriting
  //===--------------------------------------------------------------------===//

  /// The groups of dimensions that make a tensor of `rank` dimensions a matrix with the same last dimension.
  static SmallVector<ReassociationIndices> matrixGroups(int64_t rank) {
    ReassociationIndices rows = llvm::to_vector(llvm::seq<int64_t>(0, rank - 1));
    return {rows, {rank - 1}};
  }

  /// `value` with a last dimension of static size: as a contraction with a weight, it can have no other.
  static Value withColumns(OpBuilder &builder, Location loc, Value value, int64_t columns) {
    auto type = cast<RankedTensorType>(value.getType());
    SmallVector<int64_t> shape(type.getShape());
    if (shape.back() == columns)
      return value;
    shape.back() = columns;
    return tensor::CastOp::create(builder, loc, type.clone(shape), value);
  }

  static Value asMatrix(OpBuilder &builder, Location loc, Value value) {
    auto type = cast<RankedTensorType>(value.getType());
    if (type.getRank() == 2)
      return value;
    if (type.getRank() > 2)
      return tensor::CollapseShapeOp::create(builder, loc, value, matrixGroups(type.getRank()));
    auto row = RankedTensorType::get({1, type.getDimSize(0)}, type.getElementType());
    return tensor::ExpandShapeOp::create(builder, loc, row, value, ArrayRef<ReassociationIndices>{{0, 1}});
  }

  /// `value` with its dimensions in this order.
  static Value inOrder(OpBuilder &builder, Location loc, Value value, ArrayRef<int64_t> order) {
    if (isIdentityPermutation(order))
      return value;
    SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(builder, loc, value);
    applyPermutationToVector(sizes, order);
    Value empty = tensor::EmptyOp::create(builder, loc, sizes, getElementTypeOrSelf(value.getType()));
    return linalg::TransposeOp::create(builder, loc, value, empty, order)->getResult(0);
  }

  /// The result of a contraction with the compressed weight.
  static Value rewrite(const Candidate &candidate, Value weight) {
    linalg::LinalgOp op = candidate.op;
    Location loc = op.getLoc();
    OpBuilder builder(op);
    ArrayRef<int64_t> shape = candidate.chain.weight.getShape();
    Value activations = candidate.activations->get();
    if (candidate.chain.extendedFrom)
      activations = getBeforeExtension(activations, candidate.chain.extendedFrom);
    activations = inOrder(builder, loc, activations, candidate.activationsOrder);
    Value accumulator = inOrder(builder, loc, op.getDpsInits()[0], candidate.resultOrder);
    activations = withColumns(builder, loc, activations, shape[1]);
    accumulator = withColumns(builder, loc, accumulator, shape[0]);
    auto type = cast<RankedTensorType>(accumulator.getType());
    const WeightScale &found = candidate.chain.scale;
    Value scale = found ? found.materialize(builder, loc, candidate.chain.weight) : Value();
    ArrayRef<int64_t> block = scale ? ArrayRef<int64_t>(found.block) : ArrayRef<int64_t>();
    Value result = ContractOp::create(builder, loc, asMatrix(builder, loc, activations), weight, scale, block,
                                      asMatrix(builder, loc, accumulator))
                       .getResult();
    if (type.getRank() == 1)
      result = tensor::CollapseShapeOp::create(builder, loc, result, ArrayRef<ReassociationIndices>{{0, 1}});
    else if (type.getRank() > 2)
      result = tensor::ExpandShapeOp::create(builder, loc, type, result, matrixGroups(type.getRank()),
                                             tensor::getMixedSizes(builder, loc, accumulator));
    result = inOrder(builder, loc, result, invertPermutationVector(candidate.resultOrder));
    if (result.getType() != op->getResult(0).getType())
      result = tensor::CastOp::create(builder, loc, op->getResult(0).getType(), result);
    return result;
  }
};

} // namespace
