// What the AVX2 kernels share. Private to the codec; see Avx512.h on linkage.
#ifndef ECF8_LIB_CODEC_AVX2_H
#define ECF8_LIB_CODEC_AVX2_H

#include "Kernels.h"

#include <immintrin.h>

#define ECF8_AVX2 __attribute__((target("avx2,bmi,bmi2,lzcnt,popcnt")))
#define ECF8_AVX2_INLINE ECF8_AVX2 __attribute__((always_inline)) static inline

namespace ecf8 {

/// Transposes the two matrices of 8 x 8 units of 2 bytes in the halves of eight registers.
ECF8_AVX2_INLINE void transposeUnits(__m256i x[8]) {
  __m256i a[8], b[8];
  for (unsigned i = 0; i < 4; ++i) {
    a[i] = _mm256_unpacklo_epi16(x[2 * i], x[2 * i + 1]); // columns 0 to 3 of two rows
    a[4 + i] = _mm256_unpackhi_epi16(x[2 * i], x[2 * i + 1]);
  }
  for (unsigned half = 0; half < 8; half += 4)
    for (unsigned i = 0; i < 2; ++i) {
      b[half + i] = _mm256_unpacklo_epi32(a[half + 2 * i], a[half + 2 * i + 1]); // columns 0, 1 of four rows
      b[half + 2 + i] = _mm256_unpackhi_epi32(a[half + 2 * i], a[half + 2 * i + 1]);
    }
  for (unsigned i = 0; i < 4; ++i) {
    x[2 * i] = _mm256_unpacklo_epi64(b[2 * i], b[2 * i + 1]); // column 2i of eight rows
    x[2 * i + 1] = _mm256_unpackhi_epi64(b[2 * i], b[2 * i + 1]);
  }
}

} // namespace ecf8

#endif // ECF8_LIB_CODEC_AVX2_H
