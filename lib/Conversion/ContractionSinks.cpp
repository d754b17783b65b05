// The vector sink and the panel sink.
#include "ContractionSinks.h"

using namespace mlir;
using namespace mlir::ecf8;

namespace {

VectorType halfType(LaneBuilder &b) { return VectorType::get({kHalfStrip}, b.getF32Type()); }

Value loadHalf(LaneBuilder &b, Value buffer, Value at) {
  return vector::LoadOp::create(b, halfType(b), buffer, ValueRange{at});
}

/// sum + weights * activation, the product rounded by itself.
Value accumulate(LaneBuilder &b, Value sum, Value weights, Value activation) {
  return arith::AddFOp::create(b, sum, arith::MulFOp::create(b, weights, activation));
}

/// The activation at `place` in all elements.
Value broadcastActivation(LaneBuilder &b, Value activations, ValueRange place) {
  Value scalar = memref::LoadOp::create(b, activations, place);
  return vector::BroadcastOp::create(b, halfType(b), scalar);
}

/// Copies `out`[row, strip] to or from 32 sums by lane at `at` of `sums`. Rows that the strip lacks are left out.
void copySums(LaneBuilder &b, Value out, Value row, Value strip, Value weightRows, Value sums, Value at, bool toOut) {
  Value first = b.mul(strip, kStripRows);
  b.forRange(b.minU(b.sub(weightRows, first), b.index(kStripRows)), [&](Value r) {
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
  VectorSink(const ContractionOperands &operands, WeightVectors weights)
      : operands(operands), weights(std::move(weights)) {}

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
      copySums(b, operands.out, b.index(0), own, slice.rows, sums, at, /*toOut=*/false);
      for (int64_t half = 0; half < 2; ++half)
        carried.push_back(loadHalf(b, sums, b.add(at, half * kHalfStrip)));
    }
    return carried;
  }

  void openBlock(LaneBuilder &b, const TilePlace &place, Value blockColumn) override {
    for (unsigned t = 0; t < place.count; ++t)
      weights.openBlock(b, b.add(place.strip, t), t, b.add(place.tileColumn, blockColumn));
    tileColumn = place.tileColumn;
  }

  void takeStep(LaneBuilder &b, const StepPlace &place, Value bytes, MutableArrayRef<Value> carried) override {
    std::array<Value, 4> vectors = weights.extend(b, place.tile, bytes);
    Value column = b.add(b.add(tileColumn, place.unitColumn), 2 * place.step);
    for (int64_t c = 0; c < 2; ++c) {
      Value activation = broadcastActivation(b, operands.activations, {b.index(0), b.add(column, c)});
      for (int64_t half = 0; half < 2; ++half) {
        Value &sum = carried[place.tile * 2 + half];
        sum = accumulate(b, sum, vectors[c * 2 + half], activation);
      }
    }
  }

  void closeStrips(LaneBuilder &b, Value strip, unsigned count, ValueRange carried) override {
    for (unsigned t = 0; t < count; ++t) {
      Value at = b.index(t * kStripRows);
      for (int64_t half = 0; half < 2; ++half)
        vector::StoreOp::create(b, carried[t * 2 + half], sums, ValueRange{b.add(at, half * kHalfStrip)});
      copySums(b, operands.out, b.index(0), b.add(strip, t), slice.rows, sums, at, /*toOut=*/true);
    }
  }

private:
  ContractionOperands operands;
  WeightVectors weights;
  MatrixSlice slice;
  Value sums; ///< memref<(tiles * 32) x f32>, by lane
  Value tileColumn;
};

//===----------------------------------------------------------------------===//
// Several rows
//===----------------------------------------------------------------------===//

class RegisterBlockedSink final : public PanelSink {
public:
  RegisterBlockedSink(const ContractionOperands &operands, WeightVectors weights, int64_t rowsInRegisters)
      : operands(operands), weights(std::move(weights)), rowsInRegisters(rowsInRegisters) {}

  void enterFunction(LaneBuilder &b, const MatrixSlice &matrix, unsigned tileCount) override {
    slice = matrix;
    sums = b.stackBuffer(tileCount * kSumsPerStrip, b.getF32Type());
    panel = b.stackBuffer(tileCount * kBlockBytes, b.getF32Type());
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
      weights.openBlock(b, b.add(place.strip, t), t, b.add(place.tileColumn, blockColumn));
  }

  void takeStep(LaneBuilder &b, const StepPlace &place, Value bytes, MutableArrayRef<Value>) override {
    std::array<Value, 4> vectors = weights.extend(b, place.tile, bytes);
    Value column = b.add(b.sub(place.unitColumn, place.blockColumn), 2 * place.step);
    Value at = b.add(b.mul(column, kStripRows), place.tile * kBlockBytes);
    for (int64_t i = 0; i < 4; ++i)
      vector::StoreOp::create(b, vectors[i], panel, ValueRange{b.add(at, i * kHalfStrip)});
  }

  void closeBlock(LaneBuilder &b, const TilePlace &place, Value blockColumn, MutableArrayRef<Value>) override {
    Value columns = b.minU(b.sub(place.wanted, blockColumn), b.index(kBlockColumns)); // padding is not multiplied
    Value firstColumn = b.add(place.tileColumn, blockColumn);
    b.forRange(b.index(place.count), [&](Value tile) {
      Value begin = b.index(0);
      for (int64_t rows = rowsInRegisters; rows > 0; rows /= 2) {
        Value end = b.mul(b.divU(rowCount, rows), rows);
        b.forRange(begin, end, rows, [&](Value row) { multiplyRows(b, tile, row, rows, firstColumn, columns); });
        begin = end;
      }
    });
  }

  void closeStrips(LaneBuilder &b, Value strip, unsigned count, ValueRange) override {
    copyChunk(b, strip, count, /*toOut=*/true);
  }

private:
  static constexpr int64_t kSumsPerStrip = kChunkRows * kStripRows;

  void copyChunk(LaneBuilder &b, Value strip, unsigned count, bool toOut) {
    b.forRange(b.index(count), [&](Value tile) {
      b.forRange(rowCount, [&](Value row) {
        Value at = b.add(b.mul(row, kStripRows), b.mul(tile, kSumsPerStrip));
        copySums(b, operands.out, b.add(firstRow, row), b.add(strip, tile), slice.rows, sums, at, toOut);
      });
    });
  }

  /// Adds the products of the panel of strip `tile` and `rows` rows of the chunk, from `row` on.
  void multiplyRows(LaneBuilder &b, Value tile, Value row, int64_t rows, Value firstColumn, Value columns) {
    SmallVector<Value> places, carried;
    for (int64_t i = 0; i < rows * 2; ++i) {
      places.push_back(b.add(b.add(b.mul(row, kStripRows), b.mul(tile, kSumsPerStrip)), i * kHalfStrip));
      carried.push_back(loadHalf(b, sums, places.back()));
    }
    Value firstBlock = b.divU(firstColumn, kPackedColumns);
    auto blocks = scf::ForOp::create(b, b.index(0), columns, b.index(kPackedColumns), carried);
    {
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(blocks.getBody());
      Value begin = blocks.getInductionVar(), block = b.add(firstBlock, b.divU(begin, kPackedColumns));
      Value count = b.minU(b.sub(columns, begin), b.index(kPackedColumns));
      auto loop = scf::ForOp::create(b, b.index(0), count, b.index(1), blocks.getRegionIterArgs());
      {
        OpBuilder::InsertionGuard inner(b);
        b.setInsertionPointToStart(loop.getBody());
        Value column = loop.getInductionVar();
        Value at = b.add(b.mul(b.add(begin, column), kStripRows), b.mul(tile, kBlockBytes));
        std::array<Value, 2> vectors{loadHalf(b, panel, at), loadHalf(b, panel, b.add(at, kHalfStrip))};
        SmallVector<Value> next;
        for (int64_t i = 0; i < rows; ++i) {
          Value activation =
              broadcastActivation(b, operands.activations, {block, b.add(b.add(firstRow, row), i), column});
          for (int64_t half = 0; half < 2; ++half)
            next.push_back(accumulate(b, loop.getRegionIterArg(i * 2 + half), vectors[half], activation));
        }
        scf::YieldOp::create(b, next);
      }
      scf::YieldOp::create(b, loop.getResults());
    }
    for (auto [place, value] : llvm::zip_equal(places, blocks.getResults()))
      vector::StoreOp::create(b, value, sums, ValueRange{place});
  }

  ContractionOperands operands;
  WeightVectors weights;
  int64_t rowsInRegisters;
  MatrixSlice slice;
  Value sums;  ///< by strip, row of the chunk and lane
  Value panel; ///< by strip, column of the block and lane
};

} // namespace

std::unique_ptr<DecodeSink> mlir::ecf8::createVectorSink(const ContractionOperands &operands, WeightVectors weights) {
  return std::make_unique<VectorSink>(operands, std::move(weights));
}

std::unique_ptr<PanelSink> mlir::ecf8::createPanelSink(const ContractionOperands &operands, WeightVectors weights,
                                                       int64_t rowsInRegisters) {
  return std::make_unique<RegisterBlockedSink>(operands, std::move(weights), rowsInRegisters);
}
