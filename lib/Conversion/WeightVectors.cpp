// FP8 bytes to scaled f32 vectors.
#include "WeightVectors.h"

using namespace mlir;
using namespace mlir::ecf8;

static VectorType halfType(LaneBuilder &b) { return VectorType::get({kHalfStrip}, b.getF32Type()); }

/// Whether scales are in the tables: where few weights have another scale than those before, and products are rounded
/// to what a table holds.
bool WeightVectors::scalesTable() const {
  return extension == Extension::Table && spec.scaleKind == ScaleKind::Blocks && spec.activations.isBF16();
}

void WeightVectors::enterFunction(LaneBuilder &b, unsigned tileCount) {
  tileScales.resize(tileCount);
  if (spec.scaleKind == ScaleKind::Rows)
    rowScales = b.stackBuffer(tileCount * kStripRows, b.getF32Type());
  if (scalesTable())
    scaledTables = allocateTable(b, tileCount);
  else if (extension == Extension::Table)
    tables.assign(tileCount, constantWeightTable(b, fp8Of(spec)));
  tables.resize(tileCount);
}

void WeightVectors::openStrip(LaneBuilder &b, Value strip, unsigned tile, Value rows) {
  if (spec.scaleKind != ScaleKind::Rows)
    return;
  scale.storeRowScales(b, strip, rows, rowScales, b.index(tile * kStripRows), /*copies=*/1);
  for (unsigned half = 0; half < 2; ++half)
    tileScales[tile][half] =
        vector::LoadOp::create(b, halfType(b), rowScales, ValueRange{b.index(tile * kStripRows + half * kHalfStrip)});
}

void WeightVectors::openBlock(LaneBuilder &b, Value strip, unsigned tile, Value column, Value blockColumn) {
  if (spec.scaleKind != ScaleKind::Blocks)
    return;
  if (scalesTable()) {
    scale.ifScaleChanges(b, column, blockColumn, [&] {
      storeScaledTable(b, fp8Of(spec), scale, scale.loadBlockScale(b, strip, column), scaledTables, tile);
    });
    tables[tile] = loadTable(b, scaledTables, tile);
    return;
  }
  Value own = vector::BroadcastOp::create(b, halfType(b), scale.loadBlockScale(b, strip, column));
  tileScales[tile] = {own, own};
}

/// `words`: vector<32xi16>, the byte of each lane in the low half, the high half zero. Gives vector<32xf32>.
Value WeightVectors::extendColumn(LaneBuilder &b, Value words) const {
  FloatType elementType = fp8Of(spec);
  auto f32 = VectorType::get({kStripRows}, b.getF32Type());
  if (extension == Extension::Integer) {
    Value bytes = b.truncate(words, b.bytes(kStripRows));
    Value elements = arith::BitcastOp::create(b, VectorType::get({kStripRows}, elementType), bytes);
    return arith::ExtFOp::create(b, f32, elements);
  }
  auto extendHalf = [&](Value bits) -> Value {
    Value halves = arith::BitcastOp::create(b, VectorType::get({kStripRows}, b.getF16Type()), bits);
    return arith::ExtFOp::create(b, f32, halves);
  };
  if (isa<Float8E5M2Type>(elementType)) // the upper half of an f16
    return extendHalf(b.shl(words, 8));
  // The bits in the places of an f16 give the value times 2^-8, subnormals included, but for NaN: its exponent has to
  // become f16's greatest.
  Value magnitude = b.andI(words, 0x7f);
  Value isNaN = b.compare(arith::CmpIPredicate::eq, magnitude, 0x7f);
  Value bits = b.orI(b.shl(b.andI(words, 0x80), 8), b.shl(magnitude, 7));
  bits = b.select(isNaN, b.orI(bits, b.constant(bits.getType(), 0x7c00)), bits);
  auto factor = DenseElementsAttr::get(f32, b.getF32FloatAttr(256).getValue());
  return arith::MulFOp::create(b, extendHalf(bits), arith::ConstantOp::create(b, factor));
}

Value WeightVectors::applyScale(LaneBuilder &b, unsigned tile, unsigned half, Value vector) const {
  if (spec.scaleKind == ScaleKind::None || scalesTable())
    return vector;
  // The product of a bf16 or f16 scale and an FP8 value is exact in f32, so that the rounding is the only one. A
  // quotient in f32 has so many bits that rounding it again gives what rounding it once would.
  vector = scale.apply(b, vector, tileScales[tile][half]);
  if (spec.activations.isF32())
    return vector;
  auto rounded = VectorType::get({kHalfStrip}, spec.activations);
  return extendToF32(b, arith::TruncFOp::create(b, rounded, vector));
}

SmallVector<Value> WeightVectors::extend(LaneBuilder &b, unsigned tile, Value bytes) const {
  SmallVector<Value> result(4);
  if (extension == Extension::Table) {
    SplitStep step = lookUp(b, tables[tile], bytes);
    for (unsigned half = 0; half < 2; ++half) {
      Value both = joinHalf(b, step, half);
      result[half] = arith::BitcastOp::create(b, halfType(b), b.andI(both, 0xffff0000));
      result[2 + half] = arith::BitcastOp::create(b, halfType(b), b.shl(both, 16));
    }
  } else {
    Value words = b.bitcast(bytes, b.words(kStripRows));
    for (unsigned column = 0; column < 2; ++column) {
      Value whole = extendColumn(b, column == 0 ? b.andI(words, 0xff) : b.shrU(words, 8));
      for (unsigned half = 0; half < 2; ++half)
        result[column * 2 + half] = vector::ExtractStridedSliceOp::create(
            b, whole, ArrayRef<int64_t>{half * kHalfStrip}, ArrayRef<int64_t>{kHalfStrip}, ArrayRef<int64_t>{1});
    }
  }
  for (unsigned i = 0; i < 4; ++i)
    result[i] = applyScale(b, tile, i % 2, result[i]);
  return result;
}

Value WeightVectors::accumulate(LaneBuilder &b, Value sum, Value weights, Value activation) const {
  Value factor = vector::BroadcastOp::create(b, halfType(b), activation);
  return arith::AddFOp::create(b, sum, arith::MulFOp::create(b, weights, factor)); // two roundings, as written
}
