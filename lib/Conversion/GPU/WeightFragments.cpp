#include "WeightFragments.h"

using namespace mlir;
using namespace mlir::ecf8;

/// The elements 1 and 3 or 0 and 2 of a quad of E4M3FN by integers. The lower seven bits, taken as those of exponent
/// and mantissa, are 2^-8 of the value in f16 and 2^-120 in bf16, subnormals included. What is missing of f16 is left
/// to `sumFactor`, where there is no scale; products with bf16 would underflow. Only NaN does not fit: it becomes 480.
Value WeightFragments::extendE4M3(Value quad, bool isOdd, bool isScaled) {
  const bool isBF16 = type.isBF16() && !isScaled;
  Type element = isBF16 ? b.getBF16Type() : b.getF16Type(), pair = b.pairOf(element);
  const int64_t mantissa = isBF16 ? 7 : 10, highest = int64_t(0x7F) << (mantissa - 3);
  auto inBoth = [](int64_t half) { return half << 16 | half; };
  // Of an even element bit 0 is at bit 0, of an odd one at bit 8.
  Value shifted = isOdd ? b.shrU(quad, 8 - (mantissa - 3)) : b.shl(quad, mantissa - 3);
  Value magnitude = b.andI(shifted, inBoth(highest));
  Value bits = b.orI(magnitude, b.andI(isOdd ? quad : b.shl(quad, 8), 0x80008000));
  if (isBF16 || isScaled) {
    APFloat factor(isBF16 ? 0x1p120 : 0x1p8), zero(-0.0);
    bool losesInfo;
    for (APFloat *number : {&factor, &zero})
      number->convert(cast<FloatType>(element).getFloatSemantics(), APFloat::rmNearestTiesToEven, &losesInfo);
    auto splat = [&](const APFloat &number) -> Value {
      return arith::ConstantOp::create(b, DenseElementsAttr::get(cast<ShapedType>(pair), number));
    };
    // Before sm_90 bf16 has no other multiplication.
    bits = b.cast(LLVM::FMAOp::create(b, b.cast(bits, pair), splat(factor), splat(zero)), b.i32());
  }
  if (mayHaveNaN) {
    // The highest magnitude is the NaN of E4M3FN: one more carries into the sign's place.
    Value isNaN = b.andI(b.add(magnitude, inBoth(0x8000 - highest)), 0x80008000);
    bits = b.orI(bits, b.sub(isNaN, b.shrU(isNaN, 15))); // 0x7FFF
  }
  return b.cast(bits, pair);
}

std::pair<Value, Value> WeightFragments::toPairs(Value quad, bool isScaled) {
  if (usesIntegers(spec))
    return {extendE4M3(quad, /*isOdd=*/false, isScaled), extendE4M3(quad, /*isOdd=*/true, isScaled)};
  Type halves = b.pairOf(b.getF16Type());
  if (!spec.isE4M3) // the upper half of an f16
    return {b.cast(b.permute(quad, b.word(0), 0x1404), halves), b.cast(b.permute(quad, b.word(0), 0x3424), halves)};
  auto convert = [&](Value bits) {
    return b.intrinsic("llvm.nvvm.e4m3x2.to.f16x2.rn", halves, {b.truncate(bits, b.getI16Type())});
  };
  return {convert(quad), convert(b.shrU(quad, 16))};
}

/// Two elements times `scale`, which may be null, as a word of two elements of `type`.
Value WeightFragments::round(Value pair, Value scale) {
  if (!scale && cast<VectorType>(pair.getType()).getElementType() == type)
    return pair;
  Value single[2];
  for (int64_t i = 0; i < 2; ++i) {
    single[i] = arith::ExtFOp::create(b, b.getF32Type(), b.element(pair, i));
    if (scale)
      single[i] = arith::MulFOp::create(b, single[i], scale);
  }
  StringRef name = type.isF16() ? "llvm.nvvm.ff2f16x2.rn" : "llvm.nvvm.ff2bf16x2.rn";
  return b.intrinsic(name, b.pairOf(type), {single[1], single[0]});
}

std::array<SmallVector<Value>, 2> WeightFragments::convert(ArrayRef<Value> quads, ArrayRef<Value> scales) {
  std::array<SmallVector<Value>, 2> result;
  for (int64_t half = 0; half < 2; ++half) {
    auto [low0, high0] = toPairs(quads[2 * half], !scales.empty());
    auto [low1, high1] = toPairs(quads[2 * half + 1], !scales.empty());
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
