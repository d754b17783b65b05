// Decoding huffman of group 2 for AVX-512, for element types of 16 symbols. A table by the 12 bits of the longest code
// would need a memory access for every lane. Canonical codes need none: the length of a code follows from comparisons,
// and its symbol is found by counting.
#include "Avx512Huffman.h"

namespace ecf8 {
namespace {

constexpr unsigned shortBits = 7; ///< codes of up to so many bits have their length in a table
constexpr unsigned longestBits = 12;

/// A length of codes of more than 7 bits is told from the one before by a comparison.
struct Boundary {
  __m512i last;     ///< the greatest window of shorter codes
  __m512i distance; ///< to the next length
};

/// The code of a tensor in registers. Windows have their first bit highest for comparisons, so that codes are ordered
/// by length. Instead of lengths there are shifts: 16 less the length, which move a code to the low end of its window.
struct PairVectors {
  __m512i shifts[2]; ///< by the first 7 bits, the first one lowest; that of the shortest of them for all longer codes
  Boundary boundaries[longestBits - shortBits - 1];
  __m512i offsets;    ///< by shift: what turns a code into its rank in canonical order
  __m512i symbols[4]; ///< by rank: both symbols, the first in the low 4 bits
};

ECF8_AVX512_INLINE PairVectors loadTables(const HuffmanTables &tables) {
  const CanonicalCode &code = tables.code;
  std::array<uint8_t, 128> shifts;
  std::array<uint16_t, 32> offsets{};
  std::array<uint8_t, 256> symbols{};
  unsigned rank = 0, boundaries = 0, longer = 0;
  uint32_t end = 0; // of the windows of all codes so far
  PairVectors vectors;
  shifts.fill(16);
  for (unsigned length = 1; length <= longestBits; ++length) {
    CanonicalCode::Codes codes = code.codesOf(length);
    if (codes.count == 0)
      continue;
    offsets[16 - length] = uint16_t(codes.firstIndex - codes.first);
    for (unsigned i = 0; i < codes.count; ++i) {
      unsigned symbol = code.symbolAt(codes.firstIndex + i);
      symbols[rank++] = uint8_t(symbol);
      for (unsigned bits = code.streamBits(symbol); length <= shortBits && bits < 128; bits += 1u << length)
        shifts[bits] = uint8_t(16 - length);
    }
    if (length > shortBits && longer == 0)
      std::ranges::replace(shifts, 16, uint8_t(16 - length)); // what no short code has taken
    else if (length > shortBits)
      vectors.boundaries[boundaries++] = {_mm512_set1_epi16(short(end - 1)), _mm512_set1_epi16(short(length - longer))};
    longer = length > shortBits ? length : 0;
    end += codes.count << (16 - length);
  }
  for (; boundaries < std::size(vectors.boundaries); ++boundaries) // nothing is greater
    vectors.boundaries[boundaries] = {_mm512_set1_epi16(short(0xFFFF)), _mm512_setzero_si512()};
  if (code.usedSymbols() < 2) {
    shifts.fill(16); // moves nothing, so any rank may come out
    symbols.fill(uint8_t(code.paddingSymbol()));
  }
  for (unsigned i = 0; i < 2; ++i)
    vectors.shifts[i] = _mm512_loadu_si512(shifts.data() + i * 64);
  vectors.offsets = _mm512_loadu_si512(offsets.data());
  for (unsigned i = 0; i < 4; ++i)
    vectors.symbols[i] = _mm512_loadu_si512(symbols.data() + i * 64);
  return vectors;
}

struct PairDecoder {
  using Vectors = PairVectors;

  /// The rank of the code of each lane in its low byte. [stream_c3]
  ECF8_AVX512 __attribute__((always_inline)) static __m512i decodeStep(const PairVectors &tables,
                                                                       std::span<const uint8_t> payload, Lanes &lanes) {
    __m512i window = _mm512_shrdv_epi16(lanes.first, lanes.second, lanes.position);
    // In the low byte of each lane; nothing below minds what the upper one holds.
    __m512i shift = _mm512_permutex2var_epi8(tables.shifts[0], window, tables.shifts[1]);
    // The first bit comes highest: bits are reversed in bytes, and the bytes change places.
    window = _mm512_gf2p8affine_epi64_epi8(window, _mm512_set1_epi64(int64_t(0x8040201008040201)), 0);
    window = _mm512_shldi_epi16(window, window, 8);
    for (const Boundary &boundary : tables.boundaries)
      shift = _mm512_mask_sub_epi16(shift, _mm512_cmpgt_epu16_mask(window, boundary.last), shift, boundary.distance);
    // 16 less than where the lane stands now: below 0 as long as its first word lasts.
    __m512i position = _mm512_sub_epi16(lanes.position, shift);
    refill(payload, _mm512_testn_epi16_mask(position, _mm512_set1_epi16(16)), position, lanes);
    __m512i code = _mm512_shrdv_epi16(window, _mm512_setzero_si512(), shift); // by its low 4 bits
    return _mm512_add_epi16(code, _mm512_permutexvar_epi16(shift, tables.offsets));
  }

  /// Both steps share the look-ups, the second in the upper bytes.
  ECF8_AVX512 __attribute__((always_inline)) static void getSymbols(const PairVectors &tables, __m512i first,
                                                                    __m512i second, __m512i symbols[2]) {
    __m512i ranks = _mm512_ternarylogic_epi32(first, _mm512_set1_epi16(0xFF), _mm512_slli_epi16(second, 8), 0xEA);
    __m512i low = _mm512_permutex2var_epi8(tables.symbols[0], ranks, tables.symbols[1]);
    __m512i high = _mm512_permutex2var_epi8(tables.symbols[2], ranks, tables.symbols[3]);
    __m512i pairs = _mm512_mask_mov_epi8(low, _mm512_movepi8_mask(ranks), high);
    // Bits 0 to 3 of each pair go to bits 3 to 6 of its low byte, bits 4 to 7 to the same of its high byte.
    symbols[0] = _mm512_multishift_epi64_epi8(_mm512_set1_epi64(0x312D211D110D013D), pairs);
    symbols[1] = _mm512_multishift_epi64_epi8(_mm512_set1_epi64(0x3935292519150905), pairs);
  }
};

} // namespace

ECF8_AVX512 void decodePairsAvx512(const HuffmanTables &tables, std::span<const uint8_t> payload,
                                   std::span<const TileSource> tiles) {
  decodeAll<ElementType::F8E4M3FN, PairDecoder>(loadTables(tables), payload, tiles);
}

} // namespace ecf8
