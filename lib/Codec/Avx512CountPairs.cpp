// Counting pairs of symbols for AVX-512, for element types of 16 symbols. Increments of counters in memory wait for
// each other; here each pair of frequent symbols is counted in 2048 pairs at once, as a number of set bits.
#include "Avx512CountPairs.h"

namespace ecf8 {
namespace {

constexpr unsigned symbols = 16, symbolBits = 4;
/// Pairs whose bits fill a register, and such groups that are counted together.
constexpr unsigned groupPairs = 512, groups = 4;
constexpr unsigned blockElements = 2 * groupPairs * groups;

/// For each bit of a symbol a register with that bit of 512 elements. Neighbours are neighbours there, the first of a
/// pair in the odd bit.
struct BitPlanes {
  __m512i bits[symbolBits];
};

/// Words q and q + 4: bit q of the symbols of 64 elements each.
ECF8_AVX512_INLINE __m512i planesOf128(const uint8_t *elements) {
  // The elements are the matrix: byte k of a product with bytes of one bit each has bit k of its eight elements.
  const __m512i low = _mm512_set1_epi64(0x0000000040201008), high = _mm512_set1_epi64(0x4020100800000000);
  __m512i first = _mm512_gf2p8affine_epi64_epi8(low, _mm512_loadu_si512(elements), 0);
  __m512i both = _mm512_or_si512(first, _mm512_gf2p8affine_epi64_epi8(high, _mm512_loadu_si512(elements + 64), 0));
  // Byte j of each of the eight words goes to word j.
  const __m512i byPlane =
      _mm512_set_epi64(0x3F372F271F170F07, 0x3E362E261E160E06, 0x3D352D251D150D05, 0x3C342C241C140C04,
                       0x3B332B231B130B03, 0x3A322A221A120A02, 0x3931292119110901, 0x3830282018100800);
  return _mm512_permutexvar_epi8(byPlane, both);
}

ECF8_AVX512_INLINE BitPlanes planesOf512(const uint8_t *elements) {
  __m512i part[4];
  for (unsigned i = 0; i < 4; ++i)
    part[i] = planesOf128(elements + i * 128);
  __m512i even[2], odd[2]; // bits 0 and 2, bits 1 and 3
  for (unsigned i = 0; i < 2; ++i) {
    even[i] = _mm512_unpacklo_epi64(part[2 * i], part[2 * i + 1]);
    odd[i] = _mm512_unpackhi_epi64(part[2 * i], part[2 * i + 1]);
  }
  return {{_mm512_shuffle_i64x2(even[0], even[1], 0x88), _mm512_shuffle_i64x2(odd[0], odd[1], 0x88),
           _mm512_shuffle_i64x2(even[0], even[1], 0xDD), _mm512_shuffle_i64x2(odd[0], odd[1], 0xDD)}};
}

/// Where each symbol occurs, as bits of 512 pairs: masks[s * groups] for symbol s.
ECF8_AVX512_INLINE void storeMasks(const __m512i bits[symbolBits], __m512i *masks) {
  for (unsigned low = 0; low < symbols / 2; ++low) {
    __m512i match = _mm512_set1_epi8(-1);
    for (unsigned bit = 0; bit < symbolBits - 1; ++bit)
      match = low >> bit & 1 ? _mm512_and_si512(match, bits[bit]) : _mm512_andnot_si512(bits[bit], match);
    _mm512_store_si512(masks + low * groups, _mm512_andnot_si512(bits[symbolBits - 1], match));
    _mm512_store_si512(masks + (low + symbols / 2) * groups, _mm512_and_si512(bits[symbolBits - 1], match));
  }
}

/// Masks of both symbols of the pairs of a block.
struct BlockMasks {
  alignas(64) __m512i first[symbols * groups];
  alignas(64) __m512i second[symbols * groups];
};

ECF8_AVX512_INLINE void readBlock(const uint8_t *elements, BlockMasks &masks) {
  const __m512i evenBits = _mm512_set1_epi8(0x55);
  for (unsigned group = 0; group < groups; ++group, elements += 2 * groupPairs) {
    BitPlanes a = planesOf512(elements), b = planesOf512(elements + groupPairs);
    __m512i first[symbolBits], second[symbolBits];
    for (unsigned bit = 0; bit < symbolBits; ++bit) { // evenBits ? one of a : one of b
      first[bit] = _mm512_ternarylogic_epi64(evenBits, _mm512_srli_epi64(a.bits[bit], 1), b.bits[bit], 0xCA);
      second[bit] = _mm512_ternarylogic_epi64(evenBits, a.bits[bit], _mm512_slli_epi64(b.bits[bit], 1), 0xCA);
    }
    storeMasks(first, masks.first + group);
    storeMasks(second, masks.second + group);
  }
}

/// Symbols whose pairs are counted by their masks. Any choice gives the same counts.
struct Frequent {
  std::array<uint8_t, symbols> symbols;
  unsigned count;
};

/// The choice that takes the least time for blocks like this one.
ECF8_AVX512 Frequent chooseFrequent(const BlockMasks &masks) {
  std::array<std::pair<uint32_t, uint8_t>, symbols> order;
  for (unsigned symbol = 0; symbol < symbols; ++symbol) {
    __m512i count = _mm512_setzero_si512();
    for (unsigned i = symbol * groups; i < (symbol + 1) * groups; ++i)
      count = _mm512_add_epi64(
          count, _mm512_add_epi64(_mm512_popcnt_epi64(masks.first[i]), _mm512_popcnt_epi64(masks.second[i])));
    order[symbol] = {uint32_t(_mm512_reduce_add_epi64(count)), uint8_t(symbol)};
  }
  std::sort(order.begin(), order.end(), std::greater<>());
  // By cycles, roughly: for each pair of frequent symbols, and for each element that is not frequent.
  constexpr uint32_t maskCycles = 7, elementCycles = 4;
  Frequent frequent = {{}, 0};
  uint32_t others = blockElements, leastCycles = ~uint32_t(0);
  for (unsigned count = 1; count <= symbols; ++count) {
    frequent.symbols[count - 1] = order[count - 1].second;
    others -= order[count - 1].first;
    if (uint32_t cycles = count * count * maskCycles + others * elementCycles; cycles < leastCycles) {
      leastCycles = cycles;
      frequent.count = count;
    }
  }
  return frequent;
}

/// Counts the pairs of group `group` that have a symbol which is not frequent, one by one. `elements` are the group's.
ECF8_AVX512_INLINE void countOthers(const BlockMasks &masks, const Frequent &frequent, unsigned group,
                                    const uint8_t *elements, uint32_t *table) {
  __m512i first = _mm512_setzero_si512(), second = first;
  for (unsigned i = 0; i < frequent.count; ++i) {
    first = _mm512_or_si512(first, masks.first[frequent.symbols[i] * groups + group]);
    second = _mm512_or_si512(second, masks.second[frequent.symbols[i] * groups + group]);
  }
  alignas(64) uint64_t others[8];
  _mm512_store_si512(others, _mm512_ternarylogic_epi64(first, first, second, 0x7F)); // not both
  // The order that planesOf512 gives to words, and its bits to elements.
  constexpr uint16_t wordElements[8] = {0, 128, 64, 192, 256, 384, 320, 448};
  for (unsigned word = 0; word < 8; ++word)
    for (uint64_t left = others[word]; left != 0; left = _blsr_u64(left)) {
      unsigned bit = unsigned(_tzcnt_u64(left));
      const uint8_t *pair = elements + wordElements[word] + ((bit & 62) ^ 6) + (bit & 1) * groupPairs;
      ++table[(pair[0] >> 3 & 15) | (pair[1] >> 3 & 15) << symbolBits];
    }
}

} // namespace

ECF8_AVX512 void countPairsAvx512(ElementType type, std::span<const uint8_t> elements, std::span<uint32_t> tables) {
  if (type == ElementType::F8E5M2 || elements.size() < blockElements)
    return genericEncodeKernels().countPairs(type, elements, tables);
  BlockMasks masks;
  alignas(64) __m512i counts[symbols * symbols] = {}; // in eight parts
  readBlock(elements.data(), masks);
  const Frequent frequent = chooseFrequent(masks);
  for (; elements.size() >= blockElements; elements = elements.subspan(blockElements)) {
    readBlock(elements.data(), masks);
    for (unsigned i = 0; i < frequent.count; ++i) {
      const __m512i *first = masks.first + frequent.symbols[i] * groups;
      for (unsigned j = 0; j < frequent.count; ++j) {
        const __m512i *second = masks.second + frequent.symbols[j] * groups;
        __m512i &count = counts[frequent.symbols[i] + frequent.symbols[j] * symbols];
        for (unsigned group = 0; group < groups; ++group)
          count = _mm512_add_epi64(count, _mm512_popcnt_epi64(_mm512_and_si512(first[group], second[group])));
      }
    }
    for (unsigned group = 0; group < groups; ++group)
      countOthers(masks, frequent, group, elements.data() + group * 2 * groupPairs, tables.data());
  }
  for (unsigned pair = 0; pair < symbols * symbols; ++pair)
    tables[pair] += uint32_t(_mm512_reduce_add_epi64(counts[pair]));
  genericEncodeKernels().countPairs(type, elements, tables);
}

} // namespace ecf8
