// Encoding planes for AVX-512, and the rests that it shares with huffman.
#include "Avx512Planes.h"

namespace ecf8 {
namespace {

/// The bits of the symbol in each byte.
ECF8_AVX512_INLINE __m512i symbolMask(ElementType type) {
  return _mm512_set1_epi8(type == ElementType::F8E5M2 ? 0x7C : 0x78);
}

/// The symbols of a plane, each in all bytes of a register.
struct PlaneVectors {
  __m512i mask, first, second, third;
};

ECF8_AVX512_INLINE PlaneVectors makeVectors(ElementType type, const PlaneSymbols &symbols) {
  return {symbolMask(type), _mm512_set1_epi8(char(symbols[0])), _mm512_set1_epi8(char(symbols[1])),
          _mm512_set1_epi8(char(symbols[2]))};
}

/// Stores the masks of 64 elements and their escapes; returns the end of the escapes. [units_c1]
ECF8_AVX512_INLINE uint8_t *codePlane(const PlaneVectors &plane, const uint8_t *elements, uint8_t *masks,
                                      uint8_t *escapes) {
  __m512i values = _mm512_loadu_si512(elements), symbols = _mm512_and_si512(values, plane.mask);
  uint64_t isFirst = _mm512_cmpeq_epi8_mask(symbols, plane.first);
  uint64_t isSecond = _mm512_cmpeq_epi8_mask(symbols, plane.second);
  uint64_t isThird = _mm512_cmpeq_epi8_mask(symbols, plane.third);
  uint64_t low = ~(isFirst | isThird), high = ~(isFirst | isSecond), escaped = low & high;
  _mm_storeu_si128(reinterpret_cast<__m128i *>(masks), _mm_set_epi64x(int64_t(high), int64_t(low)));
  // To a register and then whole: compressing to memory is slow on some processors.
  _mm512_storeu_si512(escapes, _mm512_maskz_compress_epi8(escaped, values));
  return escapes + _mm_popcnt_u64(escaped);
}

} // namespace

ECF8_AVX512 EscapeCounts countEscapesAvx512(ElementType type, const std::array<uint8_t, maxSymbolCount> &table,
                                            const RowsView &rows) {
  // The table by the upper 5 bits of the magnitude, which name the symbol for both types.
  std::array<uint8_t, 32> byTop;
  for (unsigned i = 0; i < 32; ++i)
    byTop[i] = table[type == ElementType::F8E5M2 ? i : i / 2];
  __m512i lookUp = _mm512_broadcast_i64x4(_mm256_loadu_si256(reinterpret_cast<const __m256i *>(byTop.data())));
  EscapeCounts counts;
  for (uint64_t row = 0; row < rows.rows; ++row) {
    const uint8_t *source = rows.data + row * rows.stride;
    for (uint64_t column = 0; column < rows.columns; column += 64) {
      uint64_t valid = lowBits(rows.columns - column);
      __m512i elements = _mm512_maskz_loadu_epi8(valid, source + column);
      __m512i top = _mm512_and_si512(_mm512_srli_epi32(elements, 2), _mm512_set1_epi8(31));
      __m512i escapes = _mm512_permutexvar_epi8(top, lookUp);
      counts.first += uint64_t(_mm_popcnt_u64(_mm512_mask_test_epi8_mask(valid, escapes, _mm512_set1_epi8(1))));
      counts.second += uint64_t(_mm_popcnt_u64(_mm512_mask_test_epi8_mask(valid, escapes, _mm512_set1_epi8(2))));
    }
  }
  return counts;
}

ECF8_AVX512 uint8_t *encodeUnitsAvx512(ElementType type, const PlaneSymbols &symbols, const uint8_t *elements,
                                       uint64_t count, uint8_t *out, uint8_t *escapes) {
  PlaneVectors plane = makeVectors(type, symbols);
  unsigned steps = type == ElementType::F8E5M2 ? 8 : 4;
  for (uint64_t unit = 0; unit < count; ++unit, elements += steps * stepElements) {
    if (type == ElementType::F8E5M2) { // [units_c3]
      storeRestE5M2(elements, out);
      out += 192;
    } else { // [units_c2]
      storeRestE4M3(elements, out);
      storeRestE4M3(elements + 2 * stepElements, out + 64);
      out += 128;
    }
    for (unsigned step = 0; step < steps; ++step, out += 16)
      escapes = codePlane(plane, elements + step * stepElements, out, escapes);
  }
  return escapes;
}

ECF8_AVX512 uint8_t *encodeGroupsAvx512(ElementType type, const PlaneSymbols &symbols, const uint8_t *elements,
                                        uint64_t count, uint8_t *out, uint8_t *escapes) {
  PlaneVectors plane = makeVectors(type, symbols);
  for (uint64_t group = 0; group < count; ++group, elements += 64, out += 16)
    escapes = codePlane(plane, elements, out, escapes);
  return escapes;
}

} // namespace ecf8
