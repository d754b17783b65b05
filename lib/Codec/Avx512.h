// What the AVX-512 kernels share. Private to the codec. Nothing here or in the files that include it is inline with
// external linkage: the linker may otherwise give code with these instructions to callers that must run everywhere.
#ifndef ECF8_LIB_CODEC_AVX512_H
#define ECF8_LIB_CODEC_AVX512_H

#include "Kernels.h"

#include <algorithm>
#include <immintrin.h>

#define ECF8_AVX512                                                                                                    \
  __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vbmi2,gfni,bmi,bmi2,lzcnt,popcnt")))
#define ECF8_AVX512_INLINE ECF8_AVX512 __attribute__((always_inline)) static inline

namespace ecf8 {

/// The low `count` bits; all of them from 64 on.
ECF8_AVX512_INLINE uint64_t lowBits(uint64_t count) {
  return _bzhi_u64(~uint64_t(0), unsigned(count < 64 ? count : 64));
}

/// Transposes a matrix of 32 x 32 units of 2 bytes, one row per register. In tile order a step is a row of 32 lanes;
/// the transposed row of a lane holds its elements of 64 columns.
ECF8_AVX512_INLINE void transposeUnits(__m512i x[32]) {
  // Eight rows at a time, within the 128-bit quarters: quarter q of the new row 8g + j holds column 8q + j of the rows
  // 8g to 8g + 7.
  for (unsigned g = 0; g < 32; g += 8) {
    __m512i a[8], b[8];
    for (unsigned i = 0; i < 4; ++i) {
      a[i] = _mm512_unpacklo_epi16(x[g + 2 * i], x[g + 2 * i + 1]); // columns 0 to 3 of two rows
      a[4 + i] = _mm512_unpackhi_epi16(x[g + 2 * i], x[g + 2 * i + 1]);
    }
    for (unsigned half = 0; half < 8; half += 4)
      for (unsigned i = 0; i < 2; ++i) {
        b[half + i] = _mm512_unpacklo_epi32(a[half + 2 * i], a[half + 2 * i + 1]); // columns 0, 1 of four rows
        b[half + 2 + i] = _mm512_unpackhi_epi32(a[half + 2 * i], a[half + 2 * i + 1]);
      }
    for (unsigned i = 0; i < 4; ++i) {
      x[g + 2 * i] = _mm512_unpacklo_epi64(b[2 * i], b[2 * i + 1]); // column 2i of eight rows
      x[g + 2 * i + 1] = _mm512_unpackhi_epi64(b[2 * i], b[2 * i + 1]);
    }
  }
  // Then the quarters: of the rows j, 8 + j, 16 + j and 24 + j, a matrix of 4 x 4.
  for (unsigned j = 0; j < 8; ++j) {
    __m512i low01 = _mm512_shuffle_i32x4(x[j], x[8 + j], 0x44), high01 = _mm512_shuffle_i32x4(x[j], x[8 + j], 0xEE);
    __m512i low23 = _mm512_shuffle_i32x4(x[16 + j], x[24 + j], 0x44);
    __m512i high23 = _mm512_shuffle_i32x4(x[16 + j], x[24 + j], 0xEE);
    x[j] = _mm512_shuffle_i32x4(low01, low23, 0x88);
    x[8 + j] = _mm512_shuffle_i32x4(low01, low23, 0xDD);
    x[16 + j] = _mm512_shuffle_i32x4(high01, high23, 0x88);
    x[24 + j] = _mm512_shuffle_i32x4(high01, high23, 0xDD);
  }
}

/// Columns of a block: 32 steps, a cache line of every row.
constexpr uint64_t blockColumns = 64;

/// Reads 64 columns of a strip from `column` on into steps of tile order; what the matrix lacks becomes `padding`.
ECF8_AVX512_INLINE void loadBlock(const RowsView &rows, uint64_t column, __m512i padding, __m512i steps[32]) {
  const uint8_t *source = rows.data + column;
  uint64_t columns = rows.columns > column ? rows.columns - column : 0;
  if (columns >= blockColumns && rows.rows == laneCount) {
    for (unsigned lane = 0; lane < laneCount; ++lane)
      steps[lane] = _mm512_loadu_si512(source + laneToRow(lane) * rows.stride);
  } else {
    for (unsigned lane = 0; lane < laneCount; ++lane)
      steps[lane] = laneToRow(lane) < rows.rows
                        ? _mm512_mask_loadu_epi8(padding, lowBits(columns), source + laneToRow(lane) * rows.stride)
                        : padding;
  }
  transposeUnits(steps);
}

/// Writes 32 steps of tile order to 64 columns of a strip from `column` on; padding is dropped. `steps` is changed.
ECF8_AVX512_INLINE void storeBlock(const MutableRowsView &rows, uint64_t column, __m512i steps[32]) {
  transposeUnits(steps);
  if (column >= rows.columns)
    return;
  uint8_t *target = rows.data + column;
  uint64_t columns = rows.columns - column;
  if (columns >= blockColumns && rows.rows == laneCount) {
    for (unsigned lane = 0; lane < laneCount; ++lane)
      _mm512_storeu_si512(target + laneToRow(lane) * rows.stride, steps[lane]);
  } else {
    for (unsigned lane = 0; lane < laneCount; ++lane)
      if (laneToRow(lane) < rows.rows)
        _mm512_mask_storeu_epi8(target + laneToRow(lane) * rows.stride, lowBits(columns), steps[lane]);
  }
}

/// Reads 64 bytes at `offset` of the payload, or the last 64 when there are fewer: such bytes are not needed.
/// [stream_c6] [codes_c7]
ECF8_AVX512_INLINE __m512i loadWithin(std::span<const uint8_t> payload, uint64_t offset) {
  return _mm512_loadu_si512(payload.data() + std::min<uint64_t>(offset, payload.size() - 64));
}

/// The rest of step `step` of a tile of f8E5M2, from the group of 8 steps that holds it. [rest_c2]
ECF8_AVX512_INLINE __m512i loadRestE5M2(const uint8_t *group, unsigned step) {
  __m512i mantissas = _mm512_loadu_si512(group + step / 4 * 64), signs = _mm512_loadu_si512(group + 128);
  mantissas = _mm512_and_si512(_mm512_srli_epi32(mantissas, step % 4 * 2), _mm512_set1_epi8(3));
  signs = _mm512_and_si512(_mm512_slli_epi32(signs, 7 - step), _mm512_set1_epi8(char(0x80)));
  return _mm512_or_si512(mantissas, signs);
}

/// The rest of the first or the second step of a unit of f8E4M3FN, added to `symbols`. [rest_c1]
ECF8_AVX512_INLINE __m512i addRestE4M3(__m512i unit, bool isSecond, __m512i symbols) {
  if (isSecond) // bits 4, 5, 6 and 3 come to 0, 1, 2 and 7, the others become 0
    return _mm512_or_si512(symbols, _mm512_gf2p8affine_epi64_epi8(unit, _mm512_set1_epi64(0x1020400000000008), 0));
  return _mm512_ternarylogic_epi32(unit, _mm512_set1_epi8(char(0x87)), symbols, 0xEA); // (unit & mask) | symbols
}

} // namespace ecf8

#endif // ECF8_LIB_CODEC_AVX512_H
