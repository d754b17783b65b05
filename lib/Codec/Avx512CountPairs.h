// Counting pairs of symbols for AVX-512. Private to the codec.
#ifndef ECF8_LIB_CODEC_AVX512COUNTPAIRS_H
#define ECF8_LIB_CODEC_AVX512COUNTPAIRS_H

#include "Avx512.h"

namespace ecf8 {

/// EncodeKernels::countPairs
void countPairsAvx512(ElementType type, std::span<const uint8_t> elements, std::span<uint32_t> tables);

} // namespace ecf8

#endif // ECF8_LIB_CODEC_AVX512COUNTPAIRS_H
