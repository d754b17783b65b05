// The panel sink: several rows of activations, multiplied by weights that were extended once.
#include "StripSums.h"

using namespace mlir;
using namespace mlir::ecf8;

namespace {

class RegisterBlockedSink final : public PanelSink {
public:
  RegisterBlockedSink(const ContractionOperands &operands, StepArithmetic &weights, int64_t rowsInRegisters)
      : operands(operands), weights(weights), rowsInRegisters(rowsInRegisters) {}

  void enterFunction(LaneBuilder &b, const MatrixSlice &matrix, unsigned tileCount) override {
    slice = matrix;
    sums = b.stackBuffer(tileCount * kSumsPerStrip, b.getF32Type());
    panel = b.stackBuffer(tileCount * kPanelElements, weights.elementType(b));
    weights.enterFunction(b, tileCount);
    if (operands.scaling)
      operands.scaling->enterFunction(b, tileCount);
  }

  SmallVector<Value> openStrips(LaneBuilder &b, Value strip, unsigned count) override {
    for (unsigned t = 0; t < count; ++t) {
      weights.openStrip(b, b.add(strip, t), t, slice.rows);
      if (operands.scaling)
        operands.scaling->openStrip(b, b.add(strip, t), t, slice.rows);
    }
    forEveryRow(b, strip, count, [&](Value, Value own, Value row, Value at) {
      if (operands.startsAtZero())
        clearSums(b, sums, at);
      else
        moveSums(b, operands.out, row, own, slice.rows, sums, at, Transfer::Load);
    });
    return {};
  }

  void openBlock(LaneBuilder &b, const TilePlace &place, Value blockColumn) override {
    for (unsigned t = 0; t < place.count; ++t)
      weights.openBlock(b, b.add(place.strip, t), t, b.add(place.tileColumn, blockColumn), blockColumn);
  }

  void takeStep(LaneBuilder &b, const StepPlace &place, Value bytes, MutableArrayRef<Value>) override {
    SmallVector<Value> vectors = weights.extend(b, place.tile, bytes);
    Value slot = b.andI(b.divU(b.add(place.unitColumn, 2 * place.step), weights.columnsPerSlot()), kPanelSlots - 1);
    Value at = b.add(b.mul(slot, kStripRows), place.tile * kPanelElements);
    for (auto [index, vector] : llvm::enumerate(vectors))
      vector::StoreOp::create(b, vector, panel, ValueRange{b.add(at, index * kHalfStrip)});
  }

  void closeBlock(LaneBuilder &b, const TilePlace &place, Value blockColumn, MutableArrayRef<Value>) override {
    int64_t perSlot = weights.columnsPerSlot(), panelColumns = kPanelSlots * perSlot;
    Value end = b.minU(b.add(blockColumn, kBlockColumns), place.wanted); // padding is not multiplied
    Value isFull = b.compare(arith::CmpIPredicate::eq, b.andI(end, panelColumns - 1), 0);
    Value isLast = b.compare(arith::CmpIPredicate::eq, end, place.wanted);
    Value isDue = b.orI(isFull, isLast), begin = b.andI(blockColumn, -panelColumns);
    Value matrixEnd = b.add(place.tileColumn, end), endsBlock;
    const bool hasBlocks = operands.scaling && operands.scaling->hasBlocks();
    if (hasBlocks) {
      Value blockBegin = arith::MaxUIOp::create(b, operands.scaling->beginOfBlock(b, matrixEnd), place.tileColumn);
      begin = arith::MaxUIOp::create(b, begin, b.sub(blockBegin, place.tileColumn));
      endsBlock = b.andI(operands.scaling->endsBlock(b, matrixEnd),
                         b.compare(arith::CmpIPredicate::ne, matrixEnd, slice.columns)); // then closeStrips does it
      isDue = b.orI(isDue, endsBlock);
    }
    auto branch = scf::IfOp::create(b, TypeRange{}, isDue, /*withElseRegion=*/false);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(branch.thenBlock());
    SlotRange range{b.divU(b.sub(end, begin), perSlot), b.divU(b.add(place.tileColumn, begin), perSlot),
                    b.andI(b.divU(begin, perSlot), kPanelSlots - 1), place.plane,
                    b.add(place.plane.at, b.mul(end, place.plane.bytesPerColumn))};
    b.forRange(b.index(place.count), [&](Value tile) {
      Value firstOfGroup = b.index(0);
      for (int64_t rows = rowsInRegisters; rows > 0; rows /= 2) {
        Value endOfGroup = b.mul(b.divU(rowCount, rows), rows);
        b.forRange(firstOfGroup, endOfGroup, rows, [&](Value row) { multiplyRows(b, tile, row, rows, range); });
        firstOfGroup = endOfGroup;
      }
    });
    if (!hasBlocks)
      return;
    auto ending = scf::IfOp::create(b, TypeRange{}, endsBlock, /*withElseRegion=*/false);
    b.setInsertionPointToStart(ending.thenBlock());
    forEveryRow(b, place.strip, place.count, [&](Value tile, Value own, Value row, Value at) {
      addScaled(b, tile, own, row, at, matrixEnd);
      clearSums(b, sums, at);
    });
  }

  void closeStrips(LaneBuilder &b, Value strip, unsigned count, ValueRange) override {
    forEveryRow(b, strip, count, [&](Value tile, Value own, Value row, Value at) {
      if (operands.scaling)
        addScaled(b, tile, own, row, at, slice.columns);
      else if (operands.epilogue)
        finishSums(b, operands, row, own, slice.rows, sums, at);
      else
        moveSums(b, operands.out, row, own, slice.rows, sums, at, Transfer::Store);
    });
  }

private:
  static constexpr int64_t kSumsPerStrip = kChunkRows * kStripRows;
  static constexpr int64_t kPanelSlots = 128; ///< 16 KiB, half of a first-level cache
  static constexpr int64_t kPanelElements = kPanelSlots * kStripRows;

  /// What is multiplied at a time.
  struct SlotRange {
    Value count;
    Value activations; ///< the first slot in the packed activations
    Value panel;       ///< the first slot in the panel
    PlanePlace plane;
    Value ahead; ///< the byte of the stored plane that the next panel begins with
  };

  /// Emits `body(tile, strip, row, place of the sums)` in loops over the strips in lockstep and the rows of the chunk.
  void forEveryRow(LaneBuilder &b, Value strip, unsigned count,
                   llvm::function_ref<void(Value, Value, Value, Value)> body) {
    b.forRange(b.index(count), [&](Value tile) {
      b.forRange(rowCount, [&](Value row) {
        Value at = b.add(b.mul(row, kStripRows), b.mul(tile, kSumsPerStrip));
        body(tile, b.add(strip, tile), b.add(firstRow, row), at);
      });
    });
  }

  /// Adds the sums of the block of scales that ends before column `end`, scaled, to the output.
  void addScaled(LaneBuilder &b, Value tile, Value strip, Value row, Value at, Value end) {
    scaleSums(b, *operands.scaling, sums, at, operands.scaling->load(b, strip, tile, end));
    moveSums(b, operands.out, row, strip, slice.rows, sums, at, Transfer::Add);
  }

  /// Adds the products of slots of the panel of strip `tile` and `rows` rows of the chunk, from `row` on.
  void multiplyRows(LaneBuilder &b, Value tile, Value row, int64_t rows, const SlotRange &range) {
    auto elements = VectorType::get({kHalfStrip}, weights.elementType(b));
    SmallVector<Value> places, carried;
    for (int64_t i = 0; i < rows * 2; ++i) {
      places.push_back(b.add(b.add(b.mul(row, kStripRows), b.mul(tile, kSumsPerStrip)), i * kHalfStrip));
      carried.push_back(loadSums(b, sums, places.back()));
    }
    // The products of a slot take as long as memory needs for its share of the next panel's bytes.
    Value ahead = b.add(range.ahead, b.mul(range.plane.bytesPerStrip, tile));
    int64_t aheadPerSlot = range.plane.bytesPerColumn * weights.columnsPerSlot();
    Value firstBlock = b.divU(range.activations, kPackedSlots);
    auto blocks = scf::ForOp::create(b, b.index(0), range.count, b.index(kPackedSlots), carried);
    {
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(blocks.getBody());
      Value begin = blocks.getInductionVar(), block = b.add(firstBlock, b.divU(begin, kPackedSlots));
      Value count = b.minU(b.sub(range.count, begin), b.index(kPackedSlots));
      auto loop = scf::ForOp::create(b, b.index(0), count, b.index(1), blocks.getRegionIterArgs());
      {
        OpBuilder::InsertionGuard inner(b);
        b.setInsertionPointToStart(loop.getBody());
        Value slot = loop.getInductionVar();
        b.prefetch(range.plane.payload, b.add(ahead, b.mul(b.add(begin, slot), aheadPerSlot)));
        Value at = b.add(b.mul(b.add(b.add(range.panel, begin), slot), kStripRows), b.mul(tile, kPanelElements));
        std::array<Value, 2> vectors;
        for (int64_t half = 0; half < 2; ++half)
          vectors[half] = vector::LoadOp::create(b, elements, panel, ValueRange{b.add(at, half * kHalfStrip)});
        SmallVector<Value> next;
        for (int64_t i = 0; i < rows; ++i) {
          SmallVector<Value> place{block, b.add(row, i), slot}; // of the chunk
          Value activation = memref::LoadOp::create(b, operands.activations, place);
          for (int64_t half = 0; half < 2; ++half)
            next.push_back(weights.accumulate(b, loop.getRegionIterArg(i * 2 + half), vectors[half], activation));
        }
        scf::YieldOp::create(b, next);
      }
      scf::YieldOp::create(b, loop.getResults());
    }
    for (auto [place, value] : llvm::zip_equal(places, blocks.getResults()))
      vector::StoreOp::create(b, value, sums, ValueRange{place});
  }

  ContractionOperands operands;
  StepArithmetic &weights;
  int64_t rowsInRegisters;
  MatrixSlice slice;
  Value sums;  ///< by strip, row of the chunk and lane
  Value panel; ///< by strip, slot of a panel and lane
};

} // namespace

std::unique_ptr<PanelSink> mlir::ecf8::createPanelSink(const ContractionOperands &operands, StepArithmetic &weights,
                                                       int64_t rowsInRegisters) {
  return std::make_unique<RegisterBlockedSink>(operands, weights, rowsInRegisters);
}
