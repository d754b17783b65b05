// FP8 bytes to scaled f32 vectors.
#include "WeightVectors.h"
#include "mlir/IR/TypeUtilities.h"

using namespace mlir;
using namespace mlir::ecf8;

static Type f32Like(Type type) {
  Type f32 = Float32Type::get(type.getContext());
  if (auto vector = dyn_cast<VectorType>(type))
    return vector.clone(f32);
  return f32;
}

Value mlir::ecf8::extendToF32(LaneBuilder &b, Value value) {
  Type type = f32Like(value.getType());
  return value.getType() == type ? value : arith::ExtFOp::create(b, type, value).getResult();
}

static Value splat(LaneBuilder &b, Value scalar) {
  return vector::BroadcastOp::create(b, VectorType::get({kHalfStrip}, scalar.getType()), scalar);
}

/// A scale as f32, with the factor that extended weights lack.
Value WeightVectors::extendScale(LaneBuilder &b, Value value) const {
  value = extendToF32(b, value);
  if (extension != Extension::FoldedHalf)
    return value;
  Value factor = arith::ConstantOp::create(b, b.getF32FloatAttr(kFoldedFactor));
  return arith::MulFOp::create(b, value, factor);
}

void WeightVectors::enterFunction(LaneBuilder &b, unsigned tileCount) {
  tileScales.resize(tileCount);
  if (spec.scaleKind == ScaleKind::Rows)
    rowScales = b.stackBuffer(tileCount * kStripRows, b.getF32Type());
}

void WeightVectors::openStrip(LaneBuilder &b, Value strip, unsigned tile, Value rows) {
  if (spec.scaleKind != ScaleKind::Rows)
    return;
  Value lastRow = b.sub(rows, b.index(1)), firstRow = b.mul(strip, kStripRows);
  b.forRange(b.index(kStripRows), [&](Value lane) {
    Value row = b.add(firstRow, b.add(b.shrU(lane, 1), b.shl(b.andI(lane, 1), 4)));
    // Rows that the strip lacks take the last one's: their sums go nowhere.
    Value own = memref::LoadOp::create(b, scale, ValueRange{b.minU(row, lastRow), b.index(0)});
    memref::StoreOp::create(b, extendScale(b, own), rowScales, ValueRange{b.add(lane, tile * kStripRows)});
  });
  for (unsigned half = 0; half < 2; ++half)
    tileScales[tile][half] = vector::LoadOp::create(b, VectorType::get({kHalfStrip}, b.getF32Type()), rowScales,
                                                    ValueRange{b.index(tile * kStripRows + half * kHalfStrip)});
}

void WeightVectors::openBlock(LaneBuilder &b, Value strip, unsigned tile, Value column) {
  if (spec.scaleKind != ScaleKind::Blocks)
    return;
  Value row = arith::DivUIOp::create(b, b.mul(strip, kStripRows), blockRows);
  Value own = memref::LoadOp::create(b, scale, ValueRange{row, arith::DivUIOp::create(b, column, blockColumns)});
  tileScales[tile][0] = tileScales[tile][1] = splat(b, extendScale(b, own));
}

/// `words`: vector<32xi16>, the byte of each lane in the low half, the high half zero. Gives vector<32xf32>.
Value WeightVectors::extendColumn(LaneBuilder &b, Value words) const {
  Type elementType = spec.weight.getElementType();
  auto f32 = VectorType::get({kStripRows}, b.getF32Type());
  if (extension == Extension::Integer) {
    Value bytes = b.truncate(words, b.bytes(kStripRows));
    Value elements = arith::BitcastOp::create(b, VectorType::get({kStripRows}, elementType), bytes);
    return arith::ExtFOp::create(b, f32, elements);
  }
  auto f16 = VectorType::get({kStripRows}, b.getF16Type());
  auto extendHalf = [&](Value bits) -> Value {
    Value halves = arith::BitcastOp::create(b, f16, bits);
    return arith::ExtFOp::create(b, f32, halves);
  };
  if (isa<Float8E5M2Type>(elementType)) // the upper half of an f16
    return extendHalf(b.shl(words, 8));
  // The bits in the places of an f16 give the value times 2^-8, subnormals included, but for NaN: its exponent has to
  // become f16's greatest.
  Value magnitude = b.andI(words, 0x7f);
  if (extension == Extension::FoldedHalf)
    return extendHalf(b.orI(b.shl(b.andI(words, 0x80), 8), b.shl(magnitude, 7)));
  Value isNaN = b.compare(arith::CmpIPredicate::eq, magnitude, 0x7f);
  Value bits = b.orI(b.shl(b.andI(words, 0x80), 8), b.shl(magnitude, 7));
  bits = b.select(isNaN, b.orI(bits, b.constant(bits.getType(), 0x7c00)), bits);
  auto factor = DenseElementsAttr::get(f32, b.getF32FloatAttr(kFoldedFactor).getValue());
  return arith::MulFOp::create(b, extendHalf(bits), arith::ConstantOp::create(b, factor));
}

Value WeightVectors::applyScale(LaneBuilder &b, unsigned tile, unsigned half, Value vector) const {
  if (spec.scaleKind == ScaleKind::None)
    return vector;
  // The product of a bf16 or f16 scale and an FP8 value is exact in f32, so that the rounding is the only one.
  vector = arith::MulFOp::create(b, vector, tileScales[tile][half]);
  if (spec.activations.isF32())
    return vector;
  auto rounded = VectorType::get({kHalfStrip}, spec.activations);
  return extendToF32(b, arith::TruncFOp::create(b, rounded, vector));
}

std::array<Value, 4> WeightVectors::extend(LaneBuilder &b, unsigned tile, Value bytes) const {
  Value words = b.bitcast(bytes, b.words(kStripRows));
  std::array<Value, 4> result;
  for (unsigned column = 0; column < 2; ++column) {
    Value whole = extendColumn(b, column == 0 ? b.andI(words, 0xff) : b.shrU(words, 8));
    for (unsigned half = 0; half < 2; ++half) {
      Value part = vector::ExtractStridedSliceOp::create(b, whole, ArrayRef<int64_t>{half * kHalfStrip},
                                                         ArrayRef<int64_t>{kHalfStrip}, ArrayRef<int64_t>{1});
      result[column * 2 + half] = applyScale(b, tile, half, part);
    }
  }
  return result;
}
