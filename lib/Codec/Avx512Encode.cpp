// The inner loops of the encoders for AVX-512: figures, tile order, rests and the codes of huffman.
#include "Avx512CountPairs.h"
#include "Avx512Planes.h"

namespace ecf8 {
namespace {

/// The symbols of 64 elements, one in each byte.
template <ElementType type> ECF8_AVX512_INLINE __m512i symbolsOf(__m512i elements) {
  // Shifted in units of 4 bytes: the mask clears what comes from the neighbouring byte.
  if constexpr (type == ElementType::F8E5M2)
    return _mm512_and_si512(_mm512_srli_epi32(elements, 2), _mm512_set1_epi8(31));
  else
    return _mm512_and_si512(_mm512_srli_epi32(elements, 3), _mm512_set1_epi8(15));
}

/// Looks each symbol up in a table of 32 bytes that is repeated in `table`.
template <ElementType type> ECF8_AVX512_INLINE __m512i lookUp(__m512i table, __m512i symbols) {
  if constexpr (type == ElementType::F8E5M2)
    return _mm512_permutexvar_epi8(symbols, table);
  else
    return _mm512_shuffle_epi8(table, symbols);
}

/// A table by symbol as `lookUp` wants it.
template <ElementType type> ECF8_AVX512_INLINE __m512i makeTable(const std::array<uint8_t, maxSymbolCount> &entries) {
  if constexpr (type == ElementType::F8E5M2)
    return _mm512_broadcast_i64x4(_mm256_loadu_si256(reinterpret_cast<const __m256i *>(entries.data())));
  else
    return _mm512_broadcast_i32x4(_mm_loadu_si128(reinterpret_cast<const __m128i *>(entries.data())));
}

/// Adds `a`, `b` and `c` bit by bit: `low` gets the sums, `high` the carries.
ECF8_AVX512_INLINE void addBits(__m512i &high, __m512i &low, __m512i a, __m512i b, __m512i c) {
  high = _mm512_ternarylogic_epi32(a, b, c, 0xE8); // majority
  low = _mm512_ternarylogic_epi32(a, b, c, 0x96);  // parity
}

/// Counts how often each of the 8 bits is set over the bytes of many registers, 16 of them at a time, by carry-save
/// adders (after Harley and Seal): each bit position of a register is a counter of its own in base 2.
class BitCounter {
public:
  /// Adds registers 0 to 15 of `get`.
  template <typename Get> ECF8_AVX512 __attribute__((always_inline)) void add16(const Get &get) {
    __m512i carries[4][2]; // of weight 2, 4, 8, 16
    for (unsigned i = 0; i < 8; ++i) {
      addBits(carries[0][i % 2], sums[0], sums[0], get(2 * i), get(2 * i + 1));
      if (i % 2 == 1)
        addBits(carries[1][i / 2 % 2], sums[1], sums[1], carries[0][0], carries[0][1]);
      if (i % 4 == 3)
        addBits(carries[2][i / 4], sums[2], sums[2], carries[1][0], carries[1][1]);
    }
    addBits(carries[3][0], sums[3], sums[3], carries[2][0], carries[2][1]);
    count(carries[3][0], 16);
  }

  /// Adds what is left in the counters of base 2, and all counts to `counts`.
  ECF8_AVX512 __attribute__((always_inline)) void finish(uint64_t counts[8]) {
    for (unsigned i = 0; i < 4; ++i)
      count(sums[i], uint64_t(1) << i);
    for (unsigned bit = 0; bit < 8; ++bit)
      counts[bit] += totals[bit];
  }

private:
  ECF8_AVX512 __attribute__((always_inline)) void count(__m512i values, uint64_t weight) {
    for (unsigned bit = 0; bit < 8; ++bit)
      totals[bit] +=
          weight * uint64_t(_mm_popcnt_u64(_mm512_test_epi8_mask(values, _mm512_set1_epi8(char(1u << bit)))));
  }

  __m512i sums[4] = {}; // bits of weight 1, 2, 4, 8
  uint64_t totals[8] = {};
};

/// Extremes over the bytes of a tensor that tell which data flags it has. [header_c15]
struct Extremes {
  __m512i greatest;                                 ///< of the magnitudes
  __m512i leastAboveZero;                           ///< of the magnitudes - 1, where a zero counts as 255
  __m512i leastFromInfinity, leastFromNegativeZero; ///< 0: is present

  ECF8_AVX512 __attribute__((always_inline)) Extremes()
      : greatest(_mm512_setzero_si512()), leastAboveZero(_mm512_set1_epi8(-1)), leastFromInfinity(leastAboveZero),
        leastFromNegativeZero(leastAboveZero) {}

  ECF8_AVX512 __attribute__((always_inline)) void add(__m512i elements) {
    __m512i magnitude = _mm512_and_si512(elements, _mm512_set1_epi8(0x7F));
    greatest = _mm512_max_epu8(greatest, magnitude);
    leastAboveZero = _mm512_min_epu8(leastAboveZero, _mm512_sub_epi8(magnitude, _mm512_set1_epi8(1)));
    leastFromInfinity = _mm512_min_epu8(leastFromInfinity, _mm512_xor_si512(magnitude, _mm512_set1_epi8(0x7C)));
    leastFromNegativeZero =
        _mm512_min_epu8(leastFromNegativeZero, _mm512_xor_si512(elements, _mm512_set1_epi8(char(0x80))));
  }

  ECF8_AVX512 __attribute__((always_inline)) uint32_t flags(ElementType type) const {
    bool isE5M2 = type == ElementType::F8E5M2;
    const __m512i zero = _mm512_setzero_si512();
    uint32_t flags = 0;
    if (_mm512_cmpgt_epu8_mask(greatest, _mm512_set1_epi8(isE5M2 ? 0x7C : 0x7E)))
      flags |= DataHasNaN;
    if (isE5M2 && _mm512_cmpeq_epi8_mask(leastFromInfinity, zero))
      flags |= DataHasInfinity;
    if (_mm512_cmplt_epu8_mask(leastAboveZero, _mm512_set1_epi8(isE5M2 ? 3 : 7)))
      flags |= DataHasSubnormal;
    if (_mm512_cmpeq_epi8_mask(leastFromNegativeZero, zero))
      flags |= DataHasNegativeZero;
    return flags;
  }
};

template <ElementType type>
ECF8_AVX512 void countSymbolsOf(std::span<const uint8_t> bytes, SymbolCounts &symbolCounts, uint32_t &dataFlags) {
  // Counter k counts the symbols 8k to 8k + 7: a table makes one bit of each.
  constexpr unsigned counters = type == ElementType::F8E5M2 ? 4 : 2;
  BitCounter counter[counters];
  __m512i bitOf[counters];
  for (unsigned k = 0; k < counters; ++k) {
    std::array<uint8_t, maxSymbolCount> bits{};
    for (unsigned bit = 0; bit < 8; ++bit)
      bits[8 * k + bit] = uint8_t(1u << bit);
    bitOf[k] = makeTable<type>(bits);
  }
  Extremes extremes;
  constexpr size_t blockBytes = 16 * 64;
  size_t i = 0;
  for (; i + blockBytes <= bytes.size(); i += blockBytes) {
    __m512i symbols[16];
    for (unsigned part = 0; part < 16; ++part) {
      __m512i elements = _mm512_loadu_si512(bytes.data() + i + part * 64);
      symbols[part] = symbolsOf<type>(elements);
      extremes.add(elements);
    }
    for (unsigned k = 0; k < counters; ++k)
      counter[k].add16([&](unsigned part) ECF8_AVX512
                       __attribute__((always_inline)) { return lookUp<type>(bitOf[k], symbols[part]); });
  }
  for (unsigned k = 0; k < counters; ++k)
    counter[k].finish(symbolCounts.data() + 8 * k);
  dataFlags |= extremes.flags(type);
  genericEncodeKernels().countSymbols(type, bytes.subspan(i), symbolCounts, dataFlags);
}

void countSymbols(ElementType type, std::span<const uint8_t> bytes, SymbolCounts &symbolCounts, uint32_t &dataFlags) {
  if (type == ElementType::F8E5M2)
    countSymbolsOf<ElementType::F8E5M2>(bytes, symbolCounts, dataFlags);
  else
    countSymbolsOf<ElementType::F8E4M3FN>(bytes, symbolCounts, dataFlags);
}

ECF8_AVX512 void collectFlags(ElementType type, std::span<const uint8_t> bytes, uint32_t &dataFlags) {
  Extremes extremes;
  size_t i = 0;
  for (; i + 64 <= bytes.size(); i += 64)
    extremes.add(_mm512_loadu_si512(bytes.data() + i));
  dataFlags |= extremes.flags(type);
  SymbolCounts counts{};
  genericEncodeKernels().countSymbols(type, bytes.subspan(i), counts, dataFlags);
}

ECF8_AVX512 void reorderTile(const RowsView &rows, uint64_t paddedColumns, uint8_t padding, uint8_t *out) {
  for (uint64_t column = 0; column < paddedColumns; column += blockColumns) {
    unsigned count = unsigned(std::min<uint64_t>(paddedColumns - column, blockColumns) / 2);
    loadBlock(rows, column, count, _mm512_set1_epi8(char(padding)), out + column * laneCount);
  }
}

ECF8_AVX512 void encodeRest(ElementType type, const uint8_t *elements, uint64_t count, uint8_t *out) {
  if (type == ElementType::F8E5M2)
    for (uint64_t unit = 0; unit < count; ++unit, elements += 8 * stepElements, out += 192)
      storeRestE5M2(elements, out);
  else
    for (uint64_t unit = 0; unit < count; ++unit, elements += 2 * stepElements, out += 64)
      storeRestE4M3(elements, out);
}

/// What each lane of a tile has coded so far, in units of 2 bytes.
struct Lanes {
  __m512i words;            ///< bits of the word that is not full yet
  __m512i positions;        ///< how many, below 16
  __m512i slots, nextSlots; ///< where in the stream that word goes, and the next one
};

/// Codes of one step: those of each lane in 16 bits, and how many bits they are.
struct StepCodes {
  __m512i bits, lengths;
};

/// The codes of the two symbols of each lane, which have at most 16 bits.
template <ElementType type>
ECF8_AVX512_INLINE StepCodes codesOfStep(__m512i elements, __m512i bitsTable, __m512i lengthTable) {
  __m512i symbols = symbolsOf<type>(elements);
  __m512i bits = lookUp<type>(bitsTable, symbols), lengths = lookUp<type>(lengthTable, symbols);
  // The first symbol of a lane is in the low byte.
  const __m512i lowByte = _mm512_set1_epi16(0xFF);
  __m512i firstLength = _mm512_and_si512(lengths, lowByte);
  __m512i second = _mm512_sllv_epi16(_mm512_srli_epi16(bits, 8), firstLength);
  return {_mm512_ternarylogic_epi32(bits, lowByte, second, 0xEA), // (bits & lowByte) | second
          _mm512_maddubs_epi16(lengths, _mm512_set1_epi8(1))};
}

/// The codes of the pair of each lane.
ECF8_AVX512_INLINE StepCodes codesOfPairs(__m512i elements, const __m512i table[8]) {
  // The low 8 bits: bits 3 to 6 of the first element, then those of the second, which are bits 11 to 14 of both.
  __m512i pair = _mm512_ternarylogic_epi32(_mm512_set1_epi16(0x0F), _mm512_srli_epi16(elements, 3),
                                           _mm512_srli_epi16(elements, 7), 0xCA); // mask ? first : second
  __mmask32 bit6 = _mm512_test_epi16_mask(pair, _mm512_set1_epi16(0x40));
  __mmask32 bit7 = _mm512_test_epi16_mask(pair, _mm512_set1_epi16(0x80));
  __m512i entries[4];
  for (unsigned i = 0; i < 4; ++i) // by the low 6 bits
    entries[i] = _mm512_permutex2var_epi16(table[2 * i], pair, table[2 * i + 1]);
  __m512i low = _mm512_mask_mov_epi16(entries[0], bit6, entries[1]);
  __m512i high = _mm512_mask_mov_epi16(entries[2], bit6, entries[3]);
  __m512i entry = _mm512_mask_mov_epi16(low, bit7, high);
  return {_mm512_and_si512(entry, _mm512_set1_epi16(0xFFF)), _mm512_srli_epi16(entry, 12)};
}

/// Appends the codes of a step. The words that they fill go to the stream, in the order of the lanes; for each of them
/// the decoder fetches a word at this point, so a lane that fills one gets the next slot. [stream_c3]
ECF8_AVX512_INLINE uint32_t appendCodes(StepCodes codes, Lanes &lanes, uint32_t end, uint32_t spare, uint16_t *stream) {
  const __m512i sixteen = _mm512_set1_epi16(16);
  __m512i word = _mm512_or_si512(lanes.words, _mm512_sllv_epi16(codes.bits, lanes.positions));
  __m512i carried = _mm512_srlv_epi16(codes.bits, _mm512_sub_epi16(sixteen, lanes.positions));
  __m512i position = _mm512_add_epi16(lanes.positions, codes.lengths);
  __mmask32 full = _mm512_test_epi16_mask(position, sixteen);
  lanes.words = _mm512_mask_mov_epi16(word, full, carried);
  lanes.positions = _mm512_and_si512(position, _mm512_set1_epi16(15));

  // Full words and their slots as pairs of 2 bytes; behind them, a slot that nobody reads.
  __m512i fullWords = _mm512_maskz_compress_epi16(full, word);
  __m512i fullSlots = _mm512_mask_compress_epi16(_mm512_set1_epi16(short(spare)), full, lanes.slots);
  lanes.slots = _mm512_mask_mov_epi16(lanes.slots, full, lanes.nextSlots);
  const __m512i iota = _mm512_set_epi16(31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 16, 15, 14, 13, 12,
                                        11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
  lanes.nextSlots =
      _mm512_mask_expand_epi16(lanes.nextSlots, full, _mm512_add_epi16(iota, _mm512_set1_epi16(short(end))));
  unsigned count = unsigned(_mm_popcnt_u32(full));

  // Quarter q of these holds the words 8q to 8q + 3 and 8q + 4 to 8q + 7.
  alignas(64) uint64_t pairs[2][8];
  _mm512_store_si512(pairs[0], _mm512_unpacklo_epi16(fullSlots, fullWords));
  _mm512_store_si512(pairs[1], _mm512_unpackhi_epi16(fullSlots, fullWords));
  auto store = [stream](uint64_t two) __attribute__((always_inline)) {
    stream[uint16_t(two)] = uint16_t(two >> 16);
    stream[uint16_t(two >> 32)] = uint16_t(two >> 48);
  };
  // Always 16 of them: how many there are is hard to predict, but rarely more.
  for (unsigned i = 0; i < 4; ++i) {
    store(pairs[0][i]);
    store(pairs[1][i]);
  }
  if (count > 16)
    for (unsigned i = 4; i < 8; ++i) {
      store(pairs[0][i]);
      store(pairs[1][i]);
    }
  return end + count;
}

ECF8_AVX512_INLINE Lanes openLanes() {
  std::array<uint16_t, laneCount> slots;
  for (unsigned lane = 0; lane < laneCount; ++lane)
    slots[lane] = uint16_t(lane);
  __m512i first = _mm512_loadu_si512(slots.data());
  return {_mm512_setzero_si512(), _mm512_setzero_si512(), first, _mm512_add_epi16(first, _mm512_set1_epi16(laneCount))};
}

ECF8_AVX512_INLINE void closeLanes(const Lanes &lanes, uint32_t end, LaneEnds &ends) {
  _mm512_storeu_si512(ends.words.data(), lanes.words);
  _mm512_storeu_si512(ends.positions.data(), lanes.positions);
  _mm512_storeu_si512(ends.slots.data(), lanes.slots);
  _mm512_storeu_si512(ends.nextSlots.data(), lanes.nextSlots);
  ends.end = end;
}

template <ElementType type>
ECF8_AVX512 void encodeLanesOf(const CodeTable &codes, const uint8_t *elements, uint64_t steps, uint16_t *stream,
                               LaneEnds &ends) {
  __m512i bitsTable = makeTable<type>(codes.bits), lengthTable = makeTable<type>(codes.lengths);
  Lanes lanes = openLanes();
  uint32_t end = 2 * laneCount, spare = uint32_t(2 * laneCount + steps * laneCount);
  for (uint64_t step = 0; step < steps; ++step) {
    __m512i two = _mm512_loadu_si512(elements + step * stepElements);
    end = appendCodes(codesOfStep<type>(two, bitsTable, lengthTable), lanes, end, spare, stream);
  }
  closeLanes(lanes, end, ends);
}

ECF8_AVX512 void encodePairLanes(const PairTable &codes, const uint8_t *elements, uint64_t steps, uint16_t *stream,
                                 LaneEnds &ends) {
  __m512i table[8];
  for (unsigned i = 0; i < 8; ++i)
    table[i] = _mm512_loadu_si512(codes.data() + i * 32);
  Lanes lanes = openLanes();
  uint32_t end = 2 * laneCount, spare = uint32_t(2 * laneCount + steps * laneCount);
  for (uint64_t step = 0; step < steps; ++step)
    end =
        appendCodes(codesOfPairs(_mm512_loadu_si512(elements + step * stepElements), table), lanes, end, spare, stream);
  closeLanes(lanes, end, ends);
}

void encodeLanes(ElementType type, const CodeTable &codes, const uint8_t *elements, uint64_t steps, uint16_t *stream,
                 LaneEnds &ends) {
  if (type == ElementType::F8E5M2)
    encodeLanesOf<ElementType::F8E5M2>(codes, elements, steps, stream, ends);
  else
    encodeLanesOf<ElementType::F8E4M3FN>(codes, elements, steps, stream, ends);
}

} // namespace

const EncodeKernels &avx512EncodeKernels() {
  static constexpr EncodeKernels kernels = {countSymbols,      collectFlags,      countPairsAvx512, reorderTile,
                                            encodeRest,        encodeLanes,       encodePairLanes,  countEscapesAvx512,
                                            encodeUnitsAvx512, encodeGroupsAvx512};
  return kernels;
}

} // namespace ecf8
