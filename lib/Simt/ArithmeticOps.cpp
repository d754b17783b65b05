// Ops: integer and floating-point instructions. Approximations of the hardware are computed to the nearest f32 here.
#include "OpTable.h"
#include "SmallFloats.h"

#include <cmath>

using namespace ecf8::simt;

//===--- prmt
//-----------------------------------------------------------------------------------------------------------===//

/// PTX ISA, prmt: each nibble of the selector picks a byte of {b, a}; its top bit spreads the byte's sign.
static uint32_t permute(uint32_t a, uint32_t b, uint32_t selector) {
  uint64_t bytes = uint64_t(b) << 32 | a;
  uint32_t result = 0;
  for (unsigned i = 0; i < 4; ++i) {
    unsigned nibble = selector >> 4 * i & 15;
    uint8_t byte = bytes >> 8 * (nibble & 7);
    if (nibble & 8)
      byte = byte & 0x80 ? 0xff : 0;
    result |= uint32_t(byte) << 8 * i;
  }
  return result;
}

/// The modes of prmt as selectors, by the low two bits of the control value.
static constexpr uint16_t kForward4[] = {0x3210, 0x4321, 0x5432, 0x6543};
static constexpr uint16_t kBackward4[] = {0x5670, 0x6701, 0x7012, 0x0123};
static constexpr uint16_t kReplicate8[] = {0x0000, 0x1111, 0x2222, 0x3333};
static constexpr uint16_t kEdgeLeft[] = {0x3210, 0x3211, 0x3222, 0x3333};
static constexpr uint16_t kEdgeRight[] = {0x0000, 0x1110, 0x2210, 0x3210};
static constexpr uint16_t kReplicate16[] = {0x1010, 0x3232, 0x1010, 0x3232};

static void prmt(Context &, const CallSite &, Slot *slots) {
  slots[0].set(permute(slots[0].u32(), slots[1].u32(), slots[2].u32()));
}

template <const uint16_t *kSelectors, bool kTwoSources> static void prmtMode(Context &, const CallSite &, Slot *slots) {
  uint32_t b = kTwoSources ? slots[1].u32() : 0;
  uint32_t control = slots[kTwoSources ? 2 : 1].u32();
  slots[0].set(permute(slots[0].u32(), b, kSelectors[control & 3]));
}

//===--- Functions of values
//--------------------------------------------------------------------------------------------===//

template <typename T, auto kFunction> static void unary(Context &, const CallSite &, Slot *slots) {
  slots[0].set(T(kFunction(slots[0].get<T>())));
}
template <typename T, auto kFunction> static void binary(Context &, const CallSite &, Slot *slots) {
  slots[0].set(T(kFunction(slots[0].get<T>(), slots[1].get<T>())));
}
template <typename T, auto kFunction> static void ternary(Context &, const CallSite &, Slot *slots) {
  slots[0].set(T(kFunction(slots[0].get<T>(), slots[1].get<T>(), slots[2].get<T>())));
}

static float flush(float value) { return std::fpclassify(value) == FP_SUBNORMAL ? std::copysign(0.0f, value) : value; }

/// With subnormal inputs and results taken as zero (.ftz).
template <auto kFunction> static void unaryFlushed(Context &, const CallSite &, Slot *slots) {
  slots[0].set(flush(float(kFunction(flush(slots[0].f32())))));
}
template <auto kFunction> static void binaryFlushed(Context &, const CallSite &, Slot *slots) {
  slots[0].set(flush(float(kFunction(flush(slots[0].f32()), flush(slots[1].f32())))));
}

static float exp2Of(float x) { return std::exp2(x); }
static float log2Of(float x) { return std::log2(x); }
static float reciprocal(float x) { return 1 / x; }
static float squareRoot(float x) { return std::sqrt(x); }
static float reciprocalSquareRoot(float x) { return float(1 / std::sqrt(double(x))); }
static float sine(float x) { return std::sin(x); }
static float cosine(float x) { return std::cos(x); }
static float saturate(float x) { return x > 0 ? std::min(x, 1.0f) : 0; } // NaN and -0 become 0
static float absolute(float x) { return std::fabs(x); }
static float minimum(float a, float b) { return std::fmin(a, b); }
static float maximum(float a, float b) { return std::fmax(a, b); }
static float minimumNaN(float a, float b) { return std::isnan(a) || std::isnan(b) ? NAN : std::fmin(a, b); }
static float maximumNaN(float a, float b) { return std::isnan(a) || std::isnan(b) ? NAN : std::fmax(a, b); }
static float add(float a, float b) { return a + b; }
static float multiply(float a, float b) { return a * b; }
static float divide(float a, float b) { return a / b; }
static float fusedMultiplyAdd(float a, float b, float c) { return std::fma(a, b, c); }
static double fusedMultiplyAddDouble(double a, double b, double c) { return std::fma(a, b, c); }

static int32_t multiplyHigh(int32_t a, int32_t b) { return int32_t(int64_t(a) * b >> 32); }
static uint32_t multiplyHighUnsigned(uint32_t a, uint32_t b) { return uint32_t(uint64_t(a) * b >> 32); }
static int64_t multiplyHighLong(int64_t a, int64_t b) { return int64_t(__int128(a) * b >> 64); }
static uint64_t multiplyHighLongUnsigned(uint64_t a, uint64_t b) { return uint64_t((unsigned __int128)(a)*b >> 64); }
static int32_t multiply24(int32_t a, int32_t b) {
  return int32_t(int64_t(int32_t(uint32_t(a) << 8) >> 8) * (int32_t(uint32_t(b) << 8) >> 8));
}
static uint32_t multiply24Unsigned(uint32_t a, uint32_t b) { return uint32_t(uint64_t(a & 0xffffff) * (b & 0xffffff)); }
static int32_t sumOfDifference(int32_t a, int32_t b, int32_t c) {
  return int32_t(uint32_t(a > b ? uint32_t(a) - uint32_t(b) : uint32_t(b) - uint32_t(a)) + uint32_t(c));
}
static uint32_t sumOfDifferenceUnsigned(uint32_t a, uint32_t b, uint32_t c) { return (a > b ? a - b : b - a) + c; }

template <typename A, typename B> static uint32_t dotProduct4(uint32_t a, uint32_t b, uint32_t c) {
  for (unsigned i = 0; i < 4; ++i)
    c += uint32_t(int32_t(A(a >> 8 * i)) * int32_t(B(b >> 8 * i)));
  return c;
}

/// Funnel shifts whose amount is at most 32.
static uint32_t shiftLeftClamped(uint32_t high, uint32_t low, uint32_t amount) {
  return amount >= 32 ? low : amount == 0 ? high : high << amount | low >> (32 - amount);
}
static uint32_t shiftRightClamped(uint32_t high, uint32_t low, uint32_t amount) {
  return amount >= 32 ? high : amount == 0 ? low : high << (32 - amount) | low >> amount;
}

static void joinDouble(Context &, const CallSite &, Slot *slots) {
  slots[0].set(uint64_t(slots[1].u32()) << 32 | slots[0].u32());
}
static void lowOfDouble(Context &, const CallSite &, Slot *slots) { slots[0].set(uint32_t(slots[0].u64())); }
static void highOfDouble(Context &, const CallSite &, Slot *slots) { slots[0].set(uint32_t(slots[0].u64() >> 32)); }

void ecf8::simt::addArithmeticOps(OpList &ops) {
  auto thread = [&ops](std::string_view name, ThreadFunction function) { ops.push_back({name, function, nullptr}); };
  thread("prmt", prmt);
  thread("prmt.f4e", prmtMode<kForward4, true>);
  thread("prmt.b4e", prmtMode<kBackward4, true>);
  thread("prmt.rc8", prmtMode<kReplicate8, false>);
  thread("prmt.ecl", prmtMode<kEdgeLeft, false>);
  thread("prmt.ecr", prmtMode<kEdgeRight, false>);
  thread("prmt.rc16", prmtMode<kReplicate16, false>);
  thread("ex2.approx.f32", unary<float, exp2Of>);
  thread("ex2.approx.ftz.f32", unaryFlushed<exp2Of>);
  thread("lg2.approx.f", unary<float, log2Of>);
  thread("lg2.approx.ftz.f", unaryFlushed<log2Of>);
  thread("rcp.approx.ftz.f", unaryFlushed<reciprocal>);
  thread("rcp.rn.f", unary<float, reciprocal>);
  thread("rcp.rn.ftz.f", unaryFlushed<reciprocal>);
  thread("sqrt.approx.f", unary<float, squareRoot>);
  thread("sqrt.approx.ftz.f", unaryFlushed<squareRoot>);
  thread("sqrt.rn.f", unary<float, squareRoot>);
  thread("rsqrt.approx.f", unary<float, reciprocalSquareRoot>);
  thread("rsqrt.approx.ftz.f", unaryFlushed<reciprocalSquareRoot>);
  thread("sin.approx.f", unary<float, sine>);
  thread("cos.approx.f", unary<float, cosine>);
  thread("saturate.f", unary<float, saturate>);
  thread("fabs.f32", unary<float, absolute>);
  thread("fmin.f", binary<float, minimum>);
  thread("fmin.ftz.f", binaryFlushed<minimum>);
  thread("fmin.nan.f", binary<float, minimumNaN>);
  thread("fmax.f", binary<float, maximum>);
  thread("fmax.ftz.f", binaryFlushed<maximum>);
  thread("fmax.nan.f", binary<float, maximumNaN>);
  thread("add.rn.f", binary<float, add>);
  thread("add.rn.ftz.f", binaryFlushed<add>);
  thread("mul.rn.f", binary<float, multiply>);
  thread("mul.rn.ftz.f", binaryFlushed<multiply>);
  thread("div.approx.f", binary<float, divide>);
  thread("div.approx.ftz.f", binaryFlushed<divide>);
  thread("div.full", binary<float, divide>);
  thread("div.full.ftz", binaryFlushed<divide>);
  thread("div.rn.f", binary<float, divide>);
  thread("fma.rn.f", ternary<float, fusedMultiplyAdd>);
  thread("fma.rn.d", ternary<double, fusedMultiplyAddDouble>);
  thread("mulhi.i", binary<int32_t, multiplyHigh>);
  thread("mulhi.ui", binary<uint32_t, multiplyHighUnsigned>);
  thread("mulhi.ll", binary<int64_t, multiplyHighLong>);
  thread("mulhi.ull", binary<uint64_t, multiplyHighLongUnsigned>);
  thread("mul24.i", binary<int32_t, multiply24>);
  thread("mul24.ui", binary<uint32_t, multiply24Unsigned>);
  thread("sad.i", ternary<int32_t, sumOfDifference>);
  thread("sad.ui", ternary<uint32_t, sumOfDifferenceUnsigned>);
  thread("idp4a.s.s", ternary<uint32_t, dotProduct4<int8_t, int8_t>>);
  thread("idp4a.s.u", ternary<uint32_t, dotProduct4<int8_t, uint8_t>>);
  thread("idp4a.u.s", ternary<uint32_t, dotProduct4<uint8_t, int8_t>>);
  thread("idp4a.u.u", ternary<uint32_t, dotProduct4<uint8_t, uint8_t>>);
  thread("fshl.clamp.i32", ternary<uint32_t, shiftLeftClamped>);
  thread("fshr.clamp.i32", ternary<uint32_t, shiftRightClamped>);
  thread("lohi.i2d", joinDouble);
  thread("d2i.lo", lowOfDouble);
  thread("d2i.hi", highOfDouble);
}
