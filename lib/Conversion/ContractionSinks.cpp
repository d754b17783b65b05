// The vector sink and the panel sink.
#include "ContractionSinks.h"

using namespace mlir;
using namespace mlir::ecf8;

namespace {

VectorType halfType(LaneBuilder &b) { return VectorType::get({kHalfStrip}, b.getF32Type()); }

Value loadHalf(LaneBuilder &b, Value buffer, Value at) {
  return vector::LoadOp::create(b, halfType(b), buffer, ValueRange{at});
}

/// The sums of a strip where there is an epilogue: zeros at first, and at last what the epilogue makes of them.
void finishSums(LaneBuilder &b, const ContractionOperands &operands, Value row, Value strip, Value weightRows,
                Value sums, Value at, bool toOut) {
  if (!toOut) {
    Value zeros = arith::ConstantOp::create(b, b.getZeroAttr(halfType(b)));
    for (int64_t half = 0; half < 2; ++half)
      vector::StoreOp::create(b, zeros, sums, ValueRange{b.add(at, half * kHalfStrip)});
    return;
  }
  Value first = b.mul(strip, kStripRows);
  Value any = memref::CastOp::create(b, MemRefType::get({ShapedType::kDynamic}, b.getF32Type()), sums);
  SmallVector<Value> arguments{operands.out};
  llvm::append_range(arguments, operands.extra);
  arguments.append({row, first, b.sub(weightRows, first), any, at});
  func::CallOp::create(b, operands.epilogue, arguments);
}

/// Copies `out`[row, strip] to or from 32 sums by lane at `at` of `sums`. Rows that the strip lacks are left out.
void copySums(LaneBuilder &b, const ContractionOperands &operands, Value row, Value strip, Value weightRows, Value sums,
              Value at, bool toOut) {
  if (operands.epilogue)
    return finishSums(b, operands, row, strip, weightRows, sums, at, toOut);
  Value out = operands.out;
  Value first = b.mul(strip, kStripRows), count = b.sub(weightRows, first);
  auto branch = scf::IfOp::create(b, TypeRange{}, b.compare(arith::CmpIPredicate::uge, count, kStripRows),
                                  /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(branch.thenBlock());
  {
    Value from = toOut ? sums : out, to = toOut ? out : sums;
    std::array<SmallVector<Value>, 2> source, target;
    for (int64_t half = 0; half < 2; ++half) {
      SmallVector<Value> outer{row, b.add(first, half * kHalfStrip)}, inner{b.add(at, half * kHalfStrip)};
      source[half] = toOut ? inner : outer;
      target[half] = toOut ? outer : inner;
    }
    Value low = vector::LoadOp::create(b, halfType(b), from, source[0]);
    Value high = vector::LoadOp::create(b, halfType(b), from, source[1]);
    for (int64_t half = 0; half < 2; ++half) {
      SmallVector<int64_t> order; // rowOfLane and its inverse
      for (int64_t i = 0; i < kHalfStrip; ++i)
        order.push_back(toOut ? 2 * i + half : half * kHalfStrip / 2 + i / 2 + i % 2 * kHalfStrip);
      vector::StoreOp::create(b, vector::ShuffleOp::create(b, low, high, order), to, target[half]);
    }
  }
  b.setInsertionPointToStart(branch.elseBlock());
  b.forRange(count, [&](Value r) {
    Value lane = b.add(b.shl(b.andI(r, 15), 1), b.shrU(r, 4));
    SmallVector<Value> outer{row, b.add(first, r)}, inner{b.add(at, lane)};
    if (toOut)
      memref::StoreOp::create(b, memref::LoadOp::create(b, sums, inner), out, outer);
    else
      memref::StoreOp::create(b, memref::LoadOp::create(b, out, outer), sums, inner);
  });
}

//===----------------------------------------------------------------------===//
// One row
//===----------------------------------------------------------------------===//

class VectorSink final : public DecodeSink {
public:
  VectorSink(const ContractionOperands &operands, StepArithmetic &weights) : operands(operands), weights(weights) {}

  void enterFunction(LaneBuilder &b, const MatrixSlice &matrix, unsigned tileCount) override {
    slice = matrix;
    sums = b.stackBuffer(tileCount * kStripRows, b.getF32Type());
    weights.enterFunction(b, tileCount);
  }

  SmallVector<Value> openStrips(LaneBuilder &b, Value strip, unsigned count) override {
    SmallVector<Value> carried;
    for (unsigned t = 0; t < count; ++t) {
      Value own = b.add(strip, t), at = b.index(t * kStripRows);
      weights.openStrip(b, own, t, slice.rows);
      copySums(b, operands, b.index(0), own, slice.rows, sums, at, /*toOut=*/false);
      for (int64_t half = 0; half < 2; ++half)
        carried.push_back(loadHalf(b, sums, b.add(at, half * kHalfStrip)));
    }
    return carried;
  }

  void openBlock(LaneBuilder &b, const TilePlace &place, Value blockColumn) override {
    for (unsigned t = 0; t < place.count; ++t)
      weights.openBlock(b, b.add(place.strip, t), t, b.add(place.tileColumn, blockColumn), blockColumn);
    tileColumn = place.tileColumn;
  }

  void takeStep(LaneBuilder &b, const StepPlace &place, Value bytes, MutableArrayRef<Value> carried) override {
    SmallVector<Value> vectors = weights.extend(b, place.tile, bytes);
    int64_t slots = weights.slotsPerStep();
    Value first = b.add(b.divU(b.add(tileColumn, place.unitColumn), weights.columnsPerSlot()), slots * place.step);
    for (int64_t slot = 0; slot < slots; ++slot) {
      Value activation = memref::LoadOp::create(b, operands.activations, ValueRange{b.add(first, slot)});
      for (int64_t half = 0; half < 2; ++half) {
        Value &sum = carried[place.tile * 2 + half];
        sum = weights.accumulate(b, sum, vectors[slot * 2 + half], activation);
      }
    }
  }

  void closeStrips(LaneBuilder &b, Value strip, unsigned count, ValueRange carried) override {
    for (unsigned t = 0; t < count; ++t) {
      Value at = b.index(t * kStripRows);
      for (int64_t half = 0; half < 2; ++half)
        vector::StoreOp::create(b, carried[t * 2 + half], sums, ValueRange{b.add(at, half * kHalfStrip)});
      copySums(b, operands, b.index(0), b.add(strip, t), slice.rows, sums, at, /*toOut=*/true);
    }
  }

private:
  ContractionOperands operands;
  StepArithmetic &weights;
  MatrixSlice slice;
  Value sums; ///< memref<(tiles * 32) x f32>, by lane
  Value tileColumn;
};

//===----------------------------------------------------------------------===//
// Several rows
//===----------------------------------------------------------------------===//

class RegisterBlockedSink final : public PanelSink {
public:
  RegisterBlockedSink(const ContractionOperands &operands, StepArithmetic &weights, int64_t rowsInRegisters)
      : operands(operands), weights(weights), rowsInRegisters(rowsInRegisters) {}

  void enterFunction(LaneBuilder &b, const MatrixSlice &matrix, unsigned tileCount) override {
    slice = matrix;
    sums = b.stackBuffer(tileCount * kSumsPerStrip, b.getF32Type());
    panel = b.stackBuffer(tileCount * kPanelElements, weights.elementType(b));
    weights.enterFunction(b, tileCount);
  }

  SmallVector<Value> openStrips(LaneBuilder &b, Value strip, unsigned count) override {
    for (unsigned t = 0; t < count; ++t)
      weights.openStrip(b, b.add(strip, t), t, slice.rows);
    copyChunk(b, strip, count, /*toOut=*/false);
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
    auto branch = scf::IfOp::create(b, TypeRange{}, b.orI(isFull, isLast), /*withElseRegion=*/false);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(branch.thenBlock());
    Value begin = b.andI(blockColumn, -panelColumns);
    Value slots = b.divU(b.sub(end, begin), perSlot), firstSlot = b.divU(b.add(place.tileColumn, begin), perSlot);
    b.forRange(b.index(place.count), [&](Value tile) {
      Value firstOfGroup = b.index(0);
      for (int64_t rows = rowsInRegisters; rows > 0; rows /= 2) {
        Value endOfGroup = b.mul(b.divU(rowCount, rows), rows);
        b.forRange(firstOfGroup, endOfGroup, rows,
                   [&](Value row) { multiplyRows(b, tile, row, rows, firstSlot, slots); });
        firstOfGroup = endOfGroup;
      }
    });
  }

  void closeStrips(LaneBuilder &b, Value strip, unsigned count, ValueRange) override {
    copyChunk(b, strip, count, /*toOut=*/true);
  }

private:
  static constexpr int64_t kSumsPerStrip = kChunkRows * kStripRows;
  static constexpr int64_t kPanelSlots = 128; ///< 16 KiB, half of a first-level cache
  static constexpr int64_t kPanelElements = kPanelSlots * kStripRows;

  void copyChunk(LaneBuilder &b, Value strip, unsigned count, bool toOut) {
    b.forRange(b.index(count), [&](Value tile) {
      b.forRange(rowCount, [&](Value row) {
        Value at = b.add(b.mul(row, kStripRows), b.mul(tile, kSumsPerStrip));
        copySums(b, operands, b.add(firstRow, row), b.add(strip, tile), slice.rows, sums, at, toOut);
      });
    });
  }

  /// Adds the products of the panel of strip `tile` and `rows` rows of the chunk, from `row` on.
  void multiplyRows(LaneBuilder &b, Value tile, Value row, int64_t rows, Value firstSlot, Value slots) {
    auto elements = VectorType::get({kHalfStrip}, weights.elementType(b));
    SmallVector<Value> places, carried;
    for (int64_t i = 0; i < rows * 2; ++i) {
      places.push_back(b.add(b.add(b.mul(row, kStripRows), b.mul(tile, kSumsPerStrip)), i * kHalfStrip));
      carried.push_back(loadHalf(b, sums, places.back()));
    }
    Value firstBlock = b.divU(firstSlot, kPackedSlots);
    auto blocks = scf::ForOp::create(b, b.index(0), slots, b.index(kPackedSlots), carried);
    {
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(blocks.getBody());
      Value begin = blocks.getInductionVar(), block = b.add(firstBlock, b.divU(begin, kPackedSlots));
      Value count = b.minU(b.sub(slots, begin), b.index(kPackedSlots));
      auto loop = scf::ForOp::create(b, b.index(0), count, b.index(1), blocks.getRegionIterArgs());
      {
        OpBuilder::InsertionGuard inner(b);
        b.setInsertionPointToStart(loop.getBody());
        Value slot = loop.getInductionVar();
        Value at = b.add(b.mul(b.add(begin, slot), kStripRows), b.mul(tile, kPanelElements));
        std::array<Value, 2> vectors;
        for (int64_t half = 0; half < 2; ++half)
          vectors[half] = vector::LoadOp::create(b, elements, panel, ValueRange{b.add(at, half * kHalfStrip)});
        SmallVector<Value> next;
        for (int64_t i = 0; i < rows; ++i) {
          SmallVector<Value> place{block, b.add(b.add(firstRow, row), i), slot};
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

std::unique_ptr<DecodeSink> mlir::ecf8::createVectorSink(const ContractionOperands &operands, StepArithmetic &weights) {
  return std::make_unique<VectorSink>(operands, weights);
}

std::unique_ptr<PanelSink> mlir::ecf8::createPanelSink(const ContractionOperands &operands, StepArithmetic &weights,
                                                       int64_t rowsInRegisters) {
  return std::make_unique<RegisterBlockedSink>(operands, weights, rowsInRegisters);
}
