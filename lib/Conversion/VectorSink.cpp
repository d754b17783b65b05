// The vector sink: few rows of activations, whose sums stay in registers.
#include "StripSums.h"

using namespace mlir;
using namespace mlir::ecf8;

namespace {

class VectorSink final : public DecodeSink {
public:
  VectorSink(const ContractionOperands &operands, StepArithmetic &weights, int64_t rowLimit)
      : operands(operands), weights(weights), rowLimit(rowLimit) {}

  void enterFunction(LaneBuilder &b, const MatrixSlice &matrix, unsigned tileCount) override {
    slice = matrix;
    sums = b.stackBuffer(tileCount * rowLimit * kStripRows, b.getF32Type());
    weights.enterFunction(b, tileCount);
    if (operands.scaling)
      operands.scaling->enterFunction(b, tileCount);
    rowCount = memref::DimOp::create(b, operands.out, 0);
    // Where there are fewer rows the last one is computed again, with the same result.
    for (int64_t i = 0; i < rowLimit; ++i)
      rows.push_back(rowLimit == 1 ? b.index(0) : b.minU(b.index(i), b.add(rowCount, -1)));
  }

  SmallVector<Value> openStrips(LaneBuilder &b, Value strip, unsigned count) override {
    SmallVector<Value> carried;
    for (unsigned t = 0; t < count; ++t) {
      Value own = b.add(strip, t);
      weights.openStrip(b, own, t, slice.rows);
      if (operands.scaling)
        operands.scaling->openStrip(b, own, t, slice.rows);
      if (operands.startsAtZero()) {
        carried.append(2 * rowLimit, zeroSums(b));
        continue;
      }
      for (int64_t i = 0; i < rowLimit; ++i) {
        Value at = b.index((t * rowLimit + i) * kStripRows);
        moveSums(b, operands.out, rows[i], own, slice.rows, sums, at, Transfer::Load);
        for (int64_t half = 0; half < 2; ++half)
          carried.push_back(loadSums(b, sums, b.add(at, half * kHalfStrip)));
      }
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
    // The slots of a unit are in one block.
    Value first = b.divU(b.add(tileColumn, place.unitColumn), weights.columnsPerSlot());
    if (rowLimit > 1)
      first = b.add(b.mul(b.mul(b.divU(first, kPackedSlots), rowCount), kPackedSlots), b.andI(first, kPackedSlots - 1));
    if (rowLimit > 1)
      b.keepLoadsHere();
    for (int64_t slot = 0; slot < slots; ++slot)
      for (int64_t i = 0; i < rowLimit; ++i) {
        Value at = b.add(b.add(first, b.mul(rows[i], kPackedSlots)), slots * place.step + slot);
        Value activation = memref::LoadOp::create(b, operands.activations, at);
        for (int64_t half = 0; half < 2; ++half) {
          Value &sum = carried[(place.tile * rowLimit + i) * 2 + half];
          sum = weights.accumulate(b, sum, vectors[slot * 2 + half], activation);
        }
      }
  }

  void closeBlock(LaneBuilder &b, const TilePlace &place, Value blockColumn, MutableArrayRef<Value> carried) override {
    if (!operands.scaling || !operands.scaling->hasBlocks())
      return;
    Value end = b.add(place.tileColumn, b.minU(b.add(blockColumn, kBlockColumns), place.wanted));
    Value endsBlock = b.andI(operands.scaling->endsBlock(b, end),
                             b.compare(arith::CmpIPredicate::ne, end, slice.columns)); // then closeStrips does it
    auto branch = scf::IfOp::create(b, ValueRange(carried).getTypes(), endsBlock, /*withElseRegion=*/true);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(branch.thenBlock());
    storeSums(b, place.strip, place.count, carried, end);
    scf::YieldOp::create(b, SmallVector<Value>(carried.size(), zeroSums(b)));
    b.setInsertionPointToStart(branch.elseBlock());
    scf::YieldOp::create(b, carried);
    llvm::copy(branch.getResults(), carried.begin());
  }

  void closeStrips(LaneBuilder &b, Value strip, unsigned count, ValueRange carried) override {
    storeSums(b, strip, count, carried, slice.columns);
  }

private:
  /// Brings the sums of the columns before `end` to the output.
  void storeSums(LaneBuilder &b, Value strip, unsigned count, ValueRange carried, Value end) {
    for (unsigned t = 0; t < count; ++t) {
      Value own = b.add(strip, t);
      std::array<Value, 2> scales;
      if (operands.scaling)
        scales = operands.scaling->load(b, own, b.index(t), end);
      for (int64_t i = 0; i < rowLimit; ++i) {
        int64_t vector = (t * rowLimit + i) * 2;
        Value at = b.index(vector * kHalfStrip);
        for (int64_t half = 0; half < 2; ++half)
          vector::StoreOp::create(b, carried[vector + half], sums, ValueRange{b.add(at, half * kHalfStrip)});
        if (operands.scaling) {
          // Of rows that are computed twice only one may be added.
          Value exists = b.compare(arith::CmpIPredicate::ult, b.index(i), rowCount);
          auto branch = scf::IfOp::create(b, TypeRange{}, exists, /*withElseRegion=*/false);
          OpBuilder::InsertionGuard guard(b);
          b.setInsertionPointToStart(branch.thenBlock());
          scaleSums(b, *operands.scaling, sums, at, scales);
          moveSums(b, operands.out, rows[i], own, slice.rows, sums, at, Transfer::Add);
        } else if (operands.epilogue) {
          finishSums(b, operands, rows[i], own, slice.rows, sums, at);
        } else {
          moveSums(b, operands.out, rows[i], own, slice.rows, sums, at, Transfer::Store);
        }
      }
    }
  }

  ContractionOperands operands;
  StepArithmetic &weights;
  int64_t rowLimit; ///< rows of activations that there can be
  MatrixSlice slice;
  Value sums; ///< memref<(tiles * rowLimit * 32) x f32>, by tile, row and lane
  Value rowCount;
  SmallVector<Value> rows;
  Value tileColumn;
};

} // namespace

std::unique_ptr<DecodeSink> mlir::ecf8::createVectorSink(const ContractionOperands &operands, StepArithmetic &weights,
                                                         int64_t rowLimit) {
  return std::make_unique<VectorSink>(operands, weights, rowLimit);
}
