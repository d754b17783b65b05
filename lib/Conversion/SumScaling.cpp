// Scales of sums.
#include "SumScaling.h"

using namespace mlir;
using namespace mlir::ecf8;

void SumScaling::enterFunction(LaneBuilder &b, unsigned tileCount) {
  if (kind == ScaleKind::Rows)
    rowScales = b.stackBuffer(tileCount * kStripRows, b.getF32Type());
}

void SumScaling::openStrip(LaneBuilder &b, Value strip, unsigned tile, Value rows) const {
  if (kind == ScaleKind::Rows)
    scale.storeRowScales(b, strip, rows, rowScales, b.index(tile * kStripRows), /*copies=*/1);
}

Value SumScaling::beginOfBlock(LaneBuilder &b, Value end) const {
  Value last = b.add(end, -1);
  return b.sub(last, arith::RemUIOp::create(b, last, scale.blockColumns));
}

Value SumScaling::endsBlock(LaneBuilder &b, Value end) const {
  return b.compare(arith::CmpIPredicate::eq, arith::RemUIOp::create(b, end, scale.blockColumns), 0);
}

std::array<Value, 2> SumScaling::load(LaneBuilder &b, Value strip, Value tile, Value end) const {
  auto half = VectorType::get({kHalfStrip}, b.getF32Type());
  if (kind == ScaleKind::Blocks) {
    Value splat = vector::BroadcastOp::create(b, half, scale.loadBlockScale(b, strip, b.add(end, -1)));
    return {splat, splat};
  }
  Value at = b.mul(tile, kStripRows);
  return {vector::LoadOp::create(b, half, rowScales, at),
          vector::LoadOp::create(b, half, rowScales, b.add(at, kHalfStrip))};
}
