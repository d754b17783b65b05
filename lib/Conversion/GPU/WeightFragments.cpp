#include "WeightFragments.h"

using namespace mlir;
using namespace mlir::ecf8;

/// Two E4M3FN of `quad`, which `selector` puts into the upper halves of 16 bits, as f16 by integers: the lower seven
/// bits as exponent and mantissa of f16 are 2^-8 of the value, subnormals included. Only NaN does not fit: it becomes
/// 480 and is mended.

Value WeightFragments::expandE4M3(Value quad, int64_t selector) {
  Value high = b.permute(quad, b.word(0), selector);
  Value magnitude = b.andI(b.shrU(high, 1), 0x3F803F80);
  // 0x3F80 is the NaN of E4M3FN: one more carries into the sign's place.
  Value isNaN = b.andI(b.add(magnitude, 0x40804080), 0x80008000);
  Value nan = b.sub(isNaN, b.shrU(isNaN, 15)); // 0x7FFF
  Value bits = b.orI(magnitude, b.andI(high, 0x80008000));
  Type halves = b.pairOf(b.getF16Type());
  Value factor = arith::ConstantOp::create(
      b, DenseElementsAttr::get(cast<ShapedType>(halves), APFloat(APFloat::IEEEhalf(), "256.0")));
  Value scaled = arith::MulFOp::create(b, b.cast(bits, halves), factor);
  return b.cast(b.orI(b.cast(scaled, b.i32()), nan), halves);
}

std::pair<Value, Value> WeightFragments::toHalves(Value quad) {
  Type halves = b.pairOf(b.getF16Type());
  if (!spec.isE4M3) // the upper half of an f16
    return {b.cast(b.permute(quad, b.word(0), 0x1404), halves), b.cast(b.permute(quad, b.word(0), 0x3424), halves)};
  if (!spec.architecture->convertsFP8)
    return {expandE4M3(quad, 0x1404), expandE4M3(quad, 0x3424)};
  auto convert = [&](Value bits) {
    return b.intrinsic("llvm.nvvm.e4m3x2.to.f16x2.rn", halves, {b.truncate(bits, b.getI16Type())});
  };
  return {convert(quad), convert(b.shrU(quad, 16))};
}

/// Two f16 times `scale`, which may be null, as a word of two elements of `type`.
Value WeightFragments::round(Value halves, Value scale) {
  if (!scale && type.isF16())
    return halves;
  Value single[2];
  for (int64_t i = 0; i < 2; ++i) {
    single[i] = arith::ExtFOp::create(b, b.getF32Type(), b.element(halves, i));
    if (scale)
      single[i] = arith::MulFOp::create(b, single[i], scale);
  }
  StringRef name = type.isF16() ? "llvm.nvvm.ff2f16x2.rn" : "llvm.nvvm.ff2bf16x2.rn";
  return b.intrinsic(name, b.pairOf(type), {single[1], single[0]});
}

std::array<SmallVector<Value>, 2> WeightFragments::convert(ArrayRef<Value> quads, ArrayRef<Value> scales) {
  std::array<SmallVector<Value>, 2> result;
  for (int64_t half = 0; half < 2; ++half) {
    auto [low0, high0] = toHalves(quads[2 * half]);
    auto [low1, high1] = toHalves(quads[2 * half + 1]);
    Value upper = scales.empty() ? Value() : scales[0], lower = scales.empty() ? Value() : scales[1];
    for (auto [value, scale] :
         {std::pair(low0, upper), std::pair(low1, lower), std::pair(high0, upper), std::pair(high1, lower)})
      result[half].push_back(round(value, scale));
  }
  return result;
}

void WeightFragments::multiply(ArrayRef<Value> a, Value b0, Value b1, MutableArrayRef<Value> sums) {
  // The intrinsic for bf16 takes words, the one for f16 pairs.
  Type operand = type.isF16() ? b.pairOf(type) : Type(b.i32());
  SmallVector<Value> operands;
  for (Value value : a)
    operands.push_back(b.cast(value, operand));
  operands.append({b.cast(b0, operand), b.cast(b1, operand)});
  operands.append(sums.begin(), sums.end());
  Type f32 = b.getF32Type();
  auto result = LLVM::LLVMStructType::getLiteral(b.getContext(), {f32, f32, f32, f32});
  Value product =
      b.intrinsic(type.isF16() ? "llvm.nvvm.mma.m16n8k16.row.col.f32.f32" : "llvm.nvvm.mma.m16n8k16.row.col.bf16",
                  result, operands);
  for (int64_t i = 0; i < 4; ++i)
    sums[i] = b.field(product, i);
}
