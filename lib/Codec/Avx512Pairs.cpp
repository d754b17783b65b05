// Decoding huffman of group 2 for AVX-512, for element types of 16 symbols. A table by the 12 bits of the longest code
// would need a memory access for every lane. Canonical codes need none: the length of a code follows from comparisons,
// and its symbol is found by counting.
#include "Avx512Huffman.h"

namespace ecf8 {
namespace {

constexpr unsigned shortBits = 7; ///< codes of up to so many bits have their length in a table
constexpr unsigned longestBits = 12;

/// The code of a tensor in registers. Windows have their first bit highest here, so that codes are ordered by length.
struct PairVectors {
  __m512i lengths[2];                         ///< by the first 7 bits; 8 for all longer codes
  __m512i lasts[longestBits - shortBits - 1]; ///< the greatest windows of codes of up to 8, 9, 10, 11 bits
  __m512i offsets;                            ///< by length: what turns a code into its rank in canonical order
  __m512i symbols[4];                         ///< by rank: both symbols, the first in the low 4 bits
};

ECF8_AVX512_INLINE PairVectors loadTables(const HuffmanTables &tables) {
  const CanonicalCode &code = tables.code;
  std::array<uint8_t, 128> lengths;
  std::array<uint16_t, 32> offsets{};
  std::array<uint8_t, 256> symbols{};
  unsigned filled = 0, rank = 0;
  uint32_t end = 0; // of the windows of all codes so far
  PairVectors vectors;
  lengths.fill(code.usedSymbols() < 2 ? 0 : shortBits + 1);
  for (unsigned length = 1; length <= longestBits; ++length) {
    CanonicalCode::Codes codes = code.codesOf(length);
    offsets[length] = uint16_t(codes.firstIndex - codes.first);
    end += codes.count << (16 - length);
    for (unsigned i = 0; i < codes.count; ++i)
      symbols[rank++] = uint8_t(code.symbolAt(codes.firstIndex + i));
    for (; length <= shortBits && filled < end >> (16 - shortBits); ++filled)
      lengths[filled] = uint8_t(length);
    // Nothing is greater than the last one once there are no more codes.
    if (length > shortBits && length < longestBits)
      vectors.lasts[length - shortBits - 1] = _mm512_set1_epi16(short(code.usedSymbols() < 2 ? 0xFFFF : end - 1));
  }
  if (code.usedSymbols() < 2)
    symbols[0] = uint8_t(code.paddingSymbol());
  for (unsigned i = 0; i < 2; ++i)
    vectors.lengths[i] = _mm512_loadu_si512(lengths.data() + i * 64);
  vectors.offsets = _mm512_loadu_si512(offsets.data());
  for (unsigned i = 0; i < 4; ++i)
    vectors.symbols[i] = _mm512_loadu_si512(symbols.data() + i * 64);
  return vectors;
}

struct PairDecoder {
  using Vectors = PairVectors;

  /// The two symbols of each lane, and the refill. Bits that are no symbol's are undefined. [stream_c3]
  ECF8_AVX512 __attribute__((always_inline)) static __m512i decodeStep(const PairVectors &tables,
                                                                       std::span<const uint8_t> payload, Lanes &lanes) {
    __m512i window = _mm512_shrdv_epi16(lanes.first, lanes.second, lanes.position);
    // The first bit comes highest: bits are reversed in bytes, and the bytes change places.
    window = _mm512_gf2p8affine_epi64_epi8(window, _mm512_set1_epi64(int64_t(0x8040201008040201)), 0);
    window = _mm512_shldi_epi16(window, window, 8);
    __m512i length = _mm512_maskz_permutex2var_epi8(0x5555555555555555, tables.lengths[0],
                                                    _mm512_srli_epi16(window, 16 - shortBits), tables.lengths[1]);
    const __m512i one = _mm512_set1_epi16(1);
    for (const __m512i &last : tables.lasts)
      length = _mm512_mask_add_epi16(length, _mm512_cmpgt_epu16_mask(window, last), length, one);
    refill(payload, _mm512_add_epi16(lanes.position, length), lanes);

    __m512i code = _mm512_srlv_epi16(window, _mm512_sub_epi16(_mm512_set1_epi16(16), length));
    __m512i rank = _mm512_add_epi16(code, _mm512_permutexvar_epi16(length, tables.offsets));
    __m512i low = _mm512_permutex2var_epi8(tables.symbols[0], rank, tables.symbols[1]);
    __m512i high = _mm512_permutex2var_epi8(tables.symbols[2], rank, tables.symbols[3]);
    __m512i pair = _mm512_mask_mov_epi8(low, _mm512_movepi8_mask(rank), high);
    // Bits 0 to 3 of each pair go to bits 3 to 6 of its low byte, bits 4 to 7 to the same of its high byte.
    return _mm512_multishift_epi64_epi8(_mm512_set1_epi64(0x312D211D110D013D), pair);
  }
};

} // namespace

ECF8_AVX512 void decodePairsAvx512(const HuffmanTables &tables, std::span<const uint8_t> payload,
                                   std::span<const TileSource> tiles) {
  decodeAll<ElementType::F8E4M3FN, PairDecoder>(loadTables(tables), payload, tiles);
}

} // namespace ecf8
