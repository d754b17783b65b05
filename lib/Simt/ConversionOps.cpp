// Ops: conversions between f32, f16, bf16 and FP8. Of two values, the first argument goes to the upper half.
#include "OpTable.h"
#include "SmallFloats.h"

using namespace ecf8::simt;

static float relu(float value) { return std::isnan(value) || value > 0 ? value : 0; }

template <typename Format, bool kRelu> static void f32x2ToF8x2(Context &, const CallSite &, Slot *slots) {
  float upper = slots[0].f32(), lower = slots[1].f32();
  if (kRelu)
    upper = relu(upper), lower = relu(lower);
  slots[0].set(uint16_t(f32ToF8<Format>(upper) << 8 | f32ToF8<Format>(lower)));
}

template <typename Format, bool kRelu> static void f16x2ToF8x2(Context &, const CallSite &, Slot *slots) {
  uint32_t pair = slots[0].u32();
  float upper = f16ToF32(pair >> 16), lower = f16ToF32(pair & 0xffff);
  if (kRelu)
    upper = relu(upper), lower = relu(lower);
  slots[0].set(uint16_t(f32ToF8<Format>(upper) << 8 | f32ToF8<Format>(lower)));
}

template <typename Format, bool kRelu> static void f8x2ToF16x2(Context &, const CallSite &, Slot *slots) {
  uint16_t pair = slots[0].get<uint16_t>();
  float upper = kF8Table<Format>[pair >> 8], lower = kF8Table<Format>[pair & 0xff];
  if (kRelu)
    upper = relu(upper), lower = relu(lower);
  auto f16 = [](float value) -> uint32_t { return std::isnan(value) ? 0x7fff : f32ToF16(value); };
  slots[0].set(f16(upper) << 16 | f16(lower));
}

static uint16_t toF16(float value) { return std::isnan(value) ? 0x7fff : f32ToF16(value); }

template <uint16_t (*kConvert)(float), bool kRelu> static void f32x2ToPair(Context &, const CallSite &, Slot *slots) {
  float upper = slots[0].f32(), lower = slots[1].f32();
  if (kRelu)
    upper = relu(upper), lower = relu(lower);
  slots[0].set(uint32_t(kConvert(upper)) << 16 | kConvert(lower));
}

template <uint16_t (*kConvert)(float), bool kRelu> static void f32ToHalf(Context &, const CallSite &, Slot *slots) {
  float value = slots[0].f32();
  slots[0].set(kConvert(kRelu ? relu(value) : value));
}

/// To the nearest value with 10 bits of mantissa, ties away from zero.
static void f32ToTf32(Context &, const CallSite &, Slot *slots) {
  uint32_t bits = slots[0].u32();
  if (!std::isnan(slots[0].f32()) && !std::isinf(slots[0].f32()))
    bits += 0x1000;
  slots[0].set(bits & 0xffffe000);
}

void ecf8::simt::addConversionOps(OpList &ops) {
  auto thread = [&ops](std::string_view name, ThreadFunction function) { ops.push_back({name, function, nullptr}); };
  thread("ff.to.e4m3x2.rn", f32x2ToF8x2<E4M3, false>);
  thread("ff.to.e4m3x2.rn.relu", f32x2ToF8x2<E4M3, true>);
  thread("ff.to.e5m2x2.rn", f32x2ToF8x2<E5M2, false>);
  thread("ff.to.e5m2x2.rn.relu", f32x2ToF8x2<E5M2, true>);
  thread("f16x2.to.e4m3x2.rn", f16x2ToF8x2<E4M3, false>);
  thread("f16x2.to.e4m3x2.rn.relu", f16x2ToF8x2<E4M3, true>);
  thread("f16x2.to.e5m2x2.rn", f16x2ToF8x2<E5M2, false>);
  thread("f16x2.to.e5m2x2.rn.relu", f16x2ToF8x2<E5M2, true>);
  thread("e4m3x2.to.f16x2.rn", f8x2ToF16x2<E4M3, false>);
  thread("e4m3x2.to.f16x2.rn.relu", f8x2ToF16x2<E4M3, true>);
  thread("e5m2x2.to.f16x2.rn", f8x2ToF16x2<E5M2, false>);
  thread("e5m2x2.to.f16x2.rn.relu", f8x2ToF16x2<E5M2, true>);
  thread("ff2bf16x2.rn", f32x2ToPair<f32ToBf16, false>);
  thread("ff2bf16x2.rn.relu", f32x2ToPair<f32ToBf16, true>);
  thread("ff2f16x2.rn", f32x2ToPair<toF16, false>);
  thread("ff2f16x2.rn.relu", f32x2ToPair<toF16, true>);
  thread("f2bf16.rn", f32ToHalf<f32ToBf16, false>);
  thread("f2bf16.rn.relu", f32ToHalf<f32ToBf16, true>);
  thread("f2f16.rn", f32ToHalf<toF16, false>);
  thread("f2f16.rn.relu", f32ToHalf<toF16, true>);
  thread("f2tf32.rna", f32ToTf32);
}
