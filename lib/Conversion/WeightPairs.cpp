// FP8 bytes to pairs of bf16, and their products.
#include "WeightPairs.h"

using namespace mlir;
using namespace mlir::ecf8;

static VectorType f32Type(LaneBuilder &b) { return VectorType::get({kHalfStrip}, b.getF32Type()); }
static VectorType i32Type(LaneBuilder &b) { return VectorType::get({kHalfStrip}, b.getI32Type()); }
static VectorType bf16Type(LaneBuilder &b) { return VectorType::get({2 * kHalfStrip}, b.getBF16Type()); }

void WeightPairs::enterFunction(LaneBuilder &b, unsigned tileCount) {
  if (spec.scaleKind == ScaleKind::Rows)
    rowScales = b.stackBuffer(tileCount * 2 * kStripRows, b.getF32Type());
  if (spec.scaleKind == ScaleKind::Blocks)
    scaledTables = allocateTable(b, tileCount);
  else
    tables.assign(tileCount, constantWeightTable(b, fp8Of(spec)));
  tables.resize(tileCount);
}

void WeightPairs::openStrip(LaneBuilder &b, Value strip, unsigned tile, Value rows) {
  if (spec.scaleKind == ScaleKind::Rows)
    scale.storeRowScales(b, strip, rows, rowScales, b.index(tile * 2 * kStripRows), /*copies=*/2);
}

void WeightPairs::openBlock(LaneBuilder &b, Value strip, unsigned tile, Value column, Value blockColumn) {
  if (spec.scaleKind != ScaleKind::Blocks)
    return;
  scale.ifScaleChanges(b, column, blockColumn, [&] {
    storeScaledTable(b, fp8Of(spec), scale, scale.loadBlockScale(b, strip, column), scaledTables, tile);
  });
  tables[tile] = loadTable(b, scaledTables, tile);
}

/// The pairs of `half`, scaled row by row and rounded.
Value WeightPairs::roundHalf(LaneBuilder &b, const SplitStep &step, unsigned tile, unsigned half) const {
  std::array<Value, 2> products;
  for (unsigned part = 0; part < 2; ++part) {
    int64_t lane = half * kHalfStrip + part * kHalfStrip / 2;
    Value scales =
        vector::LoadOp::create(b, f32Type(b), rowScales, ValueRange{b.index(2 * (tile * kStripRows + lane))});
    products[part] = scale.apply(b, joinAsF32(b, step, lane), scales);
  }
  return b.intrinsic("llvm.x86.avx512bf16.cvtne2ps2bf16.512", bf16Type(b), {products[1], products[0]});
}

SmallVector<Value> WeightPairs::extend(LaneBuilder &b, unsigned tile, Value bytes) const {
  SplitStep step = lookUp(b, tables[tile], bytes);
  SmallVector<Value> result;
  for (unsigned half = 0; half < 2; ++half)
    result.push_back(spec.scaleKind == ScaleKind::Rows
                         ? vector::BitCastOp::create(b, i32Type(b), roundHalf(b, step, tile, half)).getResult()
                         : joinHalf(b, step, half));
  return result;
}

Value WeightPairs::accumulate(LaneBuilder &b, Value sum, Value weights, Value activation) const {
  Value factor = vector::BroadcastOp::create(b, i32Type(b), activation);
  auto pairs = [&](Value value) -> Value { return vector::BitCastOp::create(b, bf16Type(b), value); };
  return b.intrinsic("llvm.x86.avx512bf16.dpbf16ps.512", f32Type(b), {sum, pairs(weights), pairs(factor)});
}
