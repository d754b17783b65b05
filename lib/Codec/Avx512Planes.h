// The AVX-512 kernels of encoding planes, and rests. Private to the codec.
#ifndef ECF8_LIB_CODEC_AVX512PLANES_H
#define ECF8_LIB_CODEC_AVX512PLANES_H

#include "Avx512.h"

namespace ecf8 {

/// The rest of 2 steps. [rest_c1]
ECF8_AVX512_INLINE void storeRestE4M3(const uint8_t *elements, uint8_t *out) {
  const __m512i restMask = _mm512_set1_epi8(char(0x87));
  __m512i first = _mm512_and_si512(_mm512_loadu_si512(elements), restMask);
  __m512i second = _mm512_and_si512(_mm512_loadu_si512(elements + stepElements), restMask);
  // Rotating by 4 bits takes the 3 low bits up, and bit 7 down: no bit of another byte gets in.
  __m512i up = _mm512_slli_epi32(second, 4), down = _mm512_and_si512(_mm512_srli_epi32(second, 4), _mm512_set1_epi8(8));
  up = _mm512_and_si512(up, _mm512_set1_epi8(0x70));
  _mm512_storeu_si512(out, _mm512_or_si512(first, _mm512_or_si512(up, down)));
}

/// The rest of 8 steps. [rest_c2]
ECF8_AVX512_INLINE void storeRestE5M2(const uint8_t *elements, uint8_t *out) {
  __m512i mantissas[2] = {_mm512_setzero_si512(), _mm512_setzero_si512()}, signs = _mm512_setzero_si512();
  for (unsigned step = 0; step < 8; ++step) {
    __m512i values = _mm512_loadu_si512(elements + step * stepElements);
    __m512i mantissa = _mm512_and_si512(values, _mm512_set1_epi8(3));
    __m512i sign = _mm512_and_si512(values, _mm512_set1_epi8(char(0x80)));
    mantissas[step / 4] = _mm512_or_si512(mantissas[step / 4], _mm512_slli_epi32(mantissa, step % 4 * 2));
    signs = _mm512_or_si512(signs, _mm512_srli_epi32(sign, 7 - step));
  }
  _mm512_storeu_si512(out, mantissas[0]);
  _mm512_storeu_si512(out + 64, mantissas[1]);
  _mm512_storeu_si512(out + 128, signs);
}

EscapeCounts countEscapesAvx512(ElementType type, const std::array<uint8_t, maxSymbolCount> &table,
                                const RowsView &rows);
uint8_t *encodeUnitsAvx512(ElementType type, const PlaneSymbols &symbols, const uint8_t *elements, uint64_t count,
                           uint8_t *out, uint8_t *escapes);
uint8_t *encodeGroupsAvx512(ElementType type, const PlaneSymbols &symbols, const uint8_t *elements, uint64_t count,
                            uint8_t *out, uint8_t *escapes);

} // namespace ecf8

#endif // ECF8_LIB_CODEC_AVX512PLANES_H
