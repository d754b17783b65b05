// ecf8-tile-attention: what lies between the two matmuls of an attention stays in the cache, a block of rows at a time.
#include "Attention.h"
#include "StructuredOps.h"
#include "ecf8/Conversion/Passes.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/SCF/Transforms/TileUsingInterface.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Tensor/Transforms/Transforms.h"
#include "mlir/IR/Dominance.h"
#include "mlir/Transforms/CSE.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace mlir::ecf8 {
#define GEN_PASS_DEF_TILEATTENTIONPASS
#include "ecf8/Conversion/Passes.h.inc"
} // namespace mlir::ecf8

using namespace mlir;
using namespace mlir::ecf8;

namespace {

/// What a tile may hold, in bytes: half of the smallest second-level cache that matters.
constexpr int64_t preferredTileBytes = 256 << 10;
constexpr int64_t mostRows = 32, fewestRows = 4;
/// Scores smaller than this stay in the cache as a whole.
constexpr int64_t minimumScoreBytes = 64 << 10;
/// What a dimension of unknown size is taken for.
constexpr int64_t assumedDynamicSize = 512;

int64_t bytesOf(Type element) {
  return element.isIntOrFloat() ? llvm::divideCeil(element.getIntOrFloatBitWidth(), 8) : 8;
}

/// Which of the tiled dimensions each loop of an op runs over, if any.
using LoopTiles = SmallVector<std::optional<unsigned>>;

/// The matmul of scores and values, and what comes before it for the same rows.
struct Attention {
  linalg::LinalgOp root; ///< computed in tiles: the matmul, or what rearranges its result
  llvm::MapVector<Operation *, LoopTiles> members;
  unsigned numTiled = 0; ///< tiled dimensions, the last of which are the rows

  int64_t tileBytes(int64_t rows) const;
};

/// Bytes of what the ops before the root compute for a tile of `rows` rows; a size that is not known is taken for
/// large.
int64_t Attention::tileBytes(int64_t rows) const {
  int64_t bytes = 0;
  for (auto &[op, loops] : members) {
    if (op == root)
      continue;
    auto member = cast<linalg::LinalgOp>(op);
    AffineMap map = member.getMatchingIndexingMap(member.getDpsInitOperand(0));
    auto type = cast<RankedTensorType>(op->getResult(0).getType());
    int64_t elements = 1;
    for (auto [size, expr] : llvm::zip_equal(type.getShape(), map.getResults())) {
      auto dim = dyn_cast<AffineDimExpr>(expr);
      std::optional<unsigned> tile = dim ? loops[dim.getPosition()] : std::nullopt;
      int64_t extent = !tile ? size : *tile + 1 == numTiled ? rows : 1;
      elements *= ShapedType::isDynamic(extent) ? assumedDynamicSize : extent;
    }
    bytes += elements * bytesOf(type.getElementType());
  }
  return bytes;
}

/// Bytes of the result of `op`, taking what is not known for large.
int64_t resultBytes(Operation *op) {
  auto type = cast<RankedTensorType>(op->getResult(0).getType());
  return type.hasStaticShape() ? type.getNumElements() * bytesOf(type.getElementType()) : minimumScoreBytes;
}

/// What the loops of `producer` run over when `use` reads it in an op whose loops run over `loops`. Fails where the
/// tiles of two iterations would not be different parts of the result.
std::optional<LoopTiles> loopsOfProducer(linalg::LinalgOp producer, OpOperand &use,
                                         ArrayRef<std::optional<unsigned>> loops, unsigned numTiled) {
  auto consumer = cast<linalg::LinalgOp>(use.getOwner());
  AffineMap read = consumer.getMatchingIndexingMap(&use);
  AffineMap written = producer.getMatchingIndexingMap(producer.getDpsInitOperand(0));
  LoopTiles result(producer.getNumLoops());
  llvm::SmallBitVector found(numTiled);
  for (auto [readExpr, writtenExpr] : llvm::zip_equal(read.getResults(), written.getResults())) {
    auto dim = dyn_cast<AffineDimExpr>(readExpr), target = dyn_cast<AffineDimExpr>(writtenExpr);
    if (!dim || !loops[dim.getPosition()])
      continue;
    if (!target)
      return std::nullopt;
    result[target.getPosition()] = loops[dim.getPosition()];
    found.set(*loops[dim.getPosition()]);
  }
  if (!found.all())
    return std::nullopt;
  return result;
}

/// Adds the ops whose results nothing reads but `attention`, as long as no tile computes what another one does.
void addProducers(Attention &attention) {
  Operation *op = attention.root->getPrevNode();
  for (unsigned step = 0; op && step < kMaximumAttentionOps; ++step, op = op->getPrevNode()) {
    auto producer = dyn_cast<linalg::LinalgOp>(op);
    if (!producer || isa<linalg::FillOp>(op) || op->getNumResults() != 1 || op->use_empty() ||
        !producer.hasPureTensorSemantics())
      continue;
    std::optional<LoopTiles> loops;
    bool belongs = llvm::all_of(op->getUses(), [&](OpOperand &use) {
      auto member = attention.members.find(use.getOwner());
      if (member == attention.members.end() || !cast<linalg::LinalgOp>(use.getOwner()).isDpsInput(&use))
        return false;
      std::optional<LoopTiles> ofUse = loopsOfProducer(producer, use, member->second, attention.numTiled);
      bool agrees = ofUse && (!loops || *loops == *ofUse);
      loops = ofUse;
      return agrees;
    });
    if (belongs)
      attention.members[op] = *loops;
  }
}

/// The elementwise op that alone reads the result of `op`, each element once, or null.
linalg::GenericOp onlyRearranging(linalg::LinalgOp op) {
  Value result = op->getResult(0);
  if (!result.hasOneUse())
    return {};
  OpOperand &use = *result.getUses().begin();
  auto reader = dyn_cast<linalg::GenericOp>(use.getOwner());
  bool isPart = reader && reader->getBlock() == op->getBlock() && reader->getNumResults() == 1 &&
                reader.hasPureTensorSemantics() && hasOnlyParallelLoops(reader) && reader.isDpsInput(&use) &&
                reader.getMatchingIndexingMap(&use).isPermutation();
  return isPart ? reader : linalg::GenericOp();
}

/// The attention whose second matmul is `matmul` with the scores as its operand `number`, or none.
std::optional<Attention> findAttention(linalg::LinalgOp matmul, unsigned number) {
  OpOperand &scores = matmul->getOpOperand(number);
  SmallVector<int64_t> sizes = matmul.getStaticLoopRanges();
  Attention attention;
  attention.root = matmul;
  LoopTiles loops(matmul.getNumLoops());
  for (AffineExpr expr : matmul.getMatchingIndexingMap(&scores).getResults()) {
    auto dim = dyn_cast<AffineDimExpr>(expr);
    if (!dim)
      return std::nullopt;
    unsigned loop = dim.getPosition();
    if (linalg::isParallelIterator(matmul.getIteratorTypesArray()[loop]) && sizes[loop] != 1)
      loops[loop] = attention.numTiled++;
  }
  if (attention.numTiled == 0)
    return std::nullopt;
  attention.members[matmul] = loops;

  // What only rounds the result or moves heads next to rows can do so with its part.
  while (linalg::GenericOp reader = onlyRearranging(attention.root)) {
    OpOperand &use = *attention.root->getUses().begin();
    AffineMap written = attention.root.getMatchingIndexingMap(attention.root.getDpsInitOperand(0));
    LoopTiles ofRoot = attention.members.lookup(attention.root), ofReader(reader.getNumLoops());
    for (auto [readExpr, writtenExpr] :
         llvm::zip_equal(reader.getMatchingIndexingMap(&use).getResults(), written.getResults()))
      if (auto dim = dyn_cast<AffineDimExpr>(writtenExpr))
        ofReader[cast<AffineDimExpr>(readExpr).getPosition()] = ofRoot[dim.getPosition()];
    attention.members.insert({reader, ofReader});
    attention.root = reader;
  }
  addProducers(attention);
  bool hasScores = llvm::any_of(attention.members, [&](auto &member) {
    return member.first != matmul && isBatchMatmul(member.first) && resultBytes(member.first) >= minimumScoreBytes;
  });
  if (!hasScores || !attention.members.count(matmul))
    return std::nullopt;
  return attention;
}

/// Elementwise ops of `loop` write over an operand that nothing reads afterwards: a tile needs fewer buffers.
void reuseOperands(LoopLikeOpInterface loop) {
  loop->walk([](linalg::GenericOp op) {
    if (!hasOnlyParallelLoops(op) || op->getNumResults() != 1)
      return;
    OpOperand *init = op.getDpsInitOperand(0);
    if (!init->get().getDefiningOp<tensor::EmptyOp>() || op.payloadUsesValueFromOperand(init))
      return;
    for (OpOperand *input : op.getDpsInputOperands()) {
      auto producer = input->get().getDefiningOp<linalg::LinalgOp>();
      bool isLast = producer && producer->getBlock() == op->getBlock() &&
                    llvm::all_of(input->get().getUsers(), [&](Operation *user) {
                      return user == op || (user->getBlock() == op->getBlock() && user->isBeforeInBlock(op));
                    });
      if (!isLast || input->get().getType() != init->get().getType() ||
          op.getMatchingIndexingMap(input) != op.getMatchingIndexingMap(init))
        continue;
      init->set(input->get());
      return;
    }
  });
}

class TileAttentionPass : public mlir::ecf8::impl::TileAttentionPassBase<TileAttentionPass> {
public:
  using TileAttentionPassBase::TileAttentionPassBase;

  void runOnOperation() override {
    WalkResult large = getOperation().walk([](linalg::LinalgOp op) {
      bool isLarge = isBatchMatmul(op) && resultBytes(op) >= minimumScoreBytes;
      return isLarge ? WalkResult::interrupt() : WalkResult::advance();
    });
    if (!large.wasInterrupted())
      return;
    if (failed(giveOneShape(getOperation())))
      return signalPassFailure();
    SmallVector<linalg::LinalgOp> matmuls;
    getOperation().walk([&](linalg::LinalgOp op) {
      if (isBatchMatmul(op))
        matmuls.push_back(op);
    });
    llvm::SmallPtrSet<Operation *, 16> done;
    for (linalg::LinalgOp matmul : llvm::reverse(matmuls)) { // the last first: an attention begins with another matmul
      if (done.contains(matmul))
        continue;
      for (unsigned number : {0, 1}) {
        std::optional<Attention> attention = findAttention(matmul, number);
        if (!attention)
          continue;
        for (auto &[member, loops] : attention->members)
          done.insert(member);
        if (failed(tile(*attention, chooseRows(*attention))))
          return signalPassFailure();
        break;
      }
    }
  }

private:
  static int64_t chooseRows(const Attention &attention) {
    int64_t rows = mostRows;
    while (rows > fewestRows && attention.tileBytes(rows) > preferredTileBytes)
      rows /= 2;
    return rows;
  }

  LogicalResult tile(const Attention &attention, int64_t rows) {
    IRRewriter rewriter(&getContext());
    linalg::LinalgOp root = attention.root;
    rewriter.setInsertionPoint(root);
    SmallVector<OpFoldResult> sizes;
    SmallVector<int64_t> ranges = root.getStaticLoopRanges();
    LoopTiles loops = attention.members.lookup(root);
    for (auto [loop, range] : llvm::zip_equal(loops, ranges)) {
      int64_t size = !loop ? 0 : *loop + 1 == attention.numTiled ? rows : 1;
      if (!ShapedType::isDynamic(range))
        size = std::min(size, range);
      sizes.push_back(rewriter.getIndexAttr(size));
    }
    // Rows fastest: consecutive blocks read the keys and values of one head.
    auto order = llvm::to_vector(llvm::seq<int64_t>(0, loops.size()));
    llvm::sort(order, [&](int64_t a, int64_t b) {
      return std::pair(loops[a].value_or(attention.numTiled), a) < std::pair(loops[b].value_or(attention.numTiled), b);
    });
    scf::SCFTileAndFuseOptions options;
    options.tilingOptions.setLoopType(scf::SCFTilingOptions::LoopType::ForallOp)
        .setTileSizes(sizes)
        .setInterchange(order);
    options.setFusionControlFn([&](tensor::ExtractSliceOp, OpResult producer,
                                   bool isDestination) -> std::optional<scf::SCFTileAndFuseOptions::ControlFnResult> {
      if (attention.members.contains(producer.getOwner()) || isa<linalg::FillOp, tensor::EmptyOp>(producer.getOwner()))
        return scf::SCFTileAndFuseOptions::ControlFnResult{};
      return std::nullopt;
    });
    FailureOr<scf::SCFTileAndFuseResult> result =
        scf::tileConsumerAndFuseProducersUsingSCF(rewriter, cast<TilingInterface>(root.getOperation()), options);
    if (failed(result))
      return root->emitOpError() << "expected an op that can be computed in tiles";
    for (auto [from, to] : result->replacements)
      rewriter.replaceAllUsesWith(from, to);
    SmallVector<Operation *> members(llvm::make_first_range(attention.members));
    llvm::sort(members, [](Operation *a, Operation *b) { return b->isBeforeInBlock(a); });
    for (Operation *member : members)
      if (member->use_empty())
        rewriter.eraseOp(member);
    LoopLikeOpInterface loop = result->loops.front();
    DominanceInfo dominance(getOperation());
    eliminateCommonSubExpressions(rewriter, dominance, loop);
    RewritePatternSet patterns(&getContext());
    tensor::populateFoldTensorEmptyPatterns(patterns); // a tile of what is empty is empty
    if (failed(applyPatternsGreedily(loop, std::move(patterns))))
      return loop->emitOpError() << "expected the folding of empty tensors to end, got more rewrites than allowed";
    reuseOperands(loop);
    return success();
  }
};

} // namespace
