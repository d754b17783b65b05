// The AVX-512 kernels of the decoders that have files of their own. Private to the codec.
#ifndef ECF8_LIB_CODEC_AVX512DECODE_H
#define ECF8_LIB_CODEC_AVX512DECODE_H

#include "Avx512.h"

namespace ecf8 {

void decodePlanesAvx512(const PlanesTables &tables, std::span<const uint8_t> payload, std::span<const TileSource> tiles,
                        std::vector<uint8_t> &scratch);

/// Encoding huffman of group 2, f8E4M3FN only.
void decodePairsAvx512(const HuffmanTables &tables, std::span<const uint8_t> payload,
                       std::span<const TileSource> tiles);

} // namespace ecf8

#endif // ECF8_LIB_CODEC_AVX512DECODE_H
