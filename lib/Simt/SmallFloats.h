// Values of FP8, f16 and bf16.
#ifndef ECF8_SIMT_SMALLFLOATS_H
#define ECF8_SIMT_SMALLFLOATS_H

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <immintrin.h>
#include <limits>

namespace ecf8::simt {

inline float f16ToF32(uint16_t bits) { return _cvtsh_ss(bits); }
inline uint16_t f32ToF16(float value) { return _cvtss_sh(value, _MM_FROUND_TO_NEAREST_INT); }

inline float bf16ToF32(uint16_t bits) {
  uint32_t wide = uint32_t(bits) << 16;
  float value;
  std::memcpy(&value, &wide, sizeof value);
  return value;
}

/// To nearest, ties to even; NaN becomes 0x7fff, as in the PTX ISA.
inline uint16_t f32ToBf16(float value) {
  if (std::isnan(value))
    return 0x7fff;
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return uint16_t((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

/// Formats of the OCP 8-bit floating-point specification.
struct E4M3 {
  static constexpr int kMantissaBits = 3, kBias = 7;
  static constexpr float kMax = 448;
};
struct E5M2 {
  static constexpr int kMantissaBits = 2, kBias = 15;
  static constexpr float kMax = 57344;
};

template <typename Format> constexpr float computeF8ToF32(unsigned bits) {
  constexpr unsigned kExponents = 1 << (7 - Format::kMantissaBits), kMantissas = 1 << Format::kMantissaBits;
  unsigned exponent = bits / kMantissas % kExponents, mantissa = bits % kMantissas;
  auto withSign = [&](float magnitude) { return bits & 0x80 ? -magnitude : magnitude; };
  if (Format::kMantissaBits == 3 ? (bits & 0x7f) == 0x7f : exponent == kExponents - 1 && mantissa)
    return withSign(std::numeric_limits<float>::quiet_NaN());
  if (Format::kMantissaBits == 2 && exponent == kExponents - 1)
    return withSign(std::numeric_limits<float>::infinity());
  float value = float(mantissa + (exponent ? kMantissas : 0));
  int scale = int(exponent ? exponent : 1) - Format::kBias - Format::kMantissaBits;
  for (; scale > 0; --scale)
    value *= 2;
  for (; scale < 0; ++scale)
    value /= 2;
  return withSign(value);
}

template <typename Format> constexpr std::array<float, 256> makeF8Table() {
  std::array<float, 256> table{};
  for (unsigned i = 0; i < 256; ++i)
    table[i] = computeF8ToF32<Format>(i);
  return table;
}

/// Values by code.
template <typename Format> inline constexpr std::array<float, 256> kF8Table = makeF8Table<Format>();

/// cvt.rn.satfinite: to nearest, ties to even; what is too large becomes the largest finite value, NaN 0x7f.
template <typename Format> inline uint8_t f32ToF8(float value) {
  if (std::isnan(value))
    return 0x7f;
  uint8_t sign = std::signbit(value) ? 0x80 : 0;
  double magnitude = std::min(double(std::fabs(value)), double(Format::kMax));
  if (magnitude == 0)
    return sign;
  int exponent = std::max(std::ilogb(magnitude), 1 - Format::kBias);
  // In units of the last place, an exact integer after rounding; a carry into the next exponent comes out right.
  double units = std::nearbyint(std::ldexp(magnitude, Format::kMantissaBits - exponent));
  int code = (exponent + Format::kBias - 1) * (1 << Format::kMantissaBits) + int(units);
  constexpr int kMaxCode = Format::kMantissaBits == 3 ? 0x7e : 0x7b;
  return sign | uint8_t(std::min(code, kMaxCode));
}

} // namespace ecf8::simt

#endif // ECF8_SIMT_SMALLFLOATS_H
