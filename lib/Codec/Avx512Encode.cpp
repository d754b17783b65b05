// The inner loops of the encoders for AVX-512: figures, tile order, rests and the codes of huffman.
#include "Avx512.h"
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

template <ElementType type>
ECF8_AVX512 void countSymbolsOf(std::span<const uint8_t> bytes, SymbolCounts &symbolCounts, uint32_t &dataFlags) {
  constexpr unsigned symbols = type == ElementType::F8E5M2 ? 32 : 16;
  constexpr uint8_t infinity = 0x7C, leastNormal = type == ElementType::F8E5M2 ? 0x04 : 0x08;
  uint64_t counts[symbols] = {};
  __mmask64 nan = 0, infinite = 0, subnormal = 0, negativeZero = 0;
  for (size_t i = 0; i < bytes.size(); i += 64) {
    uint64_t valid = lowBits(bytes.size() - i);
    __m512i elements = _mm512_maskz_loadu_epi8(valid, bytes.data() + i);
    __m512i symbol = symbolsOf<type>(elements), magnitude = _mm512_and_si512(elements, _mm512_set1_epi8(0x7F));
    for (unsigned s = 0; s < symbols; ++s)
      counts[s] += uint64_t(_mm_popcnt_u64(_mm512_mask_cmpeq_epi8_mask(valid, symbol, _mm512_set1_epi8(char(s)))));
    if constexpr (type == ElementType::F8E5M2) {
      nan |= _mm512_cmpgt_epi8_mask(magnitude, _mm512_set1_epi8(infinity));
      infinite |= _mm512_cmpeq_epi8_mask(magnitude, _mm512_set1_epi8(infinity));
    } else {
      nan |= _mm512_cmpeq_epi8_mask(magnitude, _mm512_set1_epi8(0x7F));
    }
    // 1 to leastNormal - 1
    subnormal |=
        _mm512_cmplt_epu8_mask(_mm512_sub_epi8(magnitude, _mm512_set1_epi8(1)), _mm512_set1_epi8(leastNormal - 1));
    negativeZero |= _mm512_cmpeq_epi8_mask(elements, _mm512_set1_epi8(char(0x80)));
  }
  for (unsigned s = 0; s < symbols; ++s)
    symbolCounts[s] += counts[s];
  dataFlags |= (nan ? DataHasNaN : 0) | (infinite ? DataHasInfinity : 0) | (subnormal ? DataHasSubnormal : 0) |
               (negativeZero ? DataHasNegativeZero : 0);
}

void countSymbols(ElementType type, std::span<const uint8_t> bytes, SymbolCounts &symbolCounts, uint32_t &dataFlags) {
  if (type == ElementType::F8E5M2)
    countSymbolsOf<ElementType::F8E5M2>(bytes, symbolCounts, dataFlags);
  else
    countSymbolsOf<ElementType::F8E4M3FN>(bytes, symbolCounts, dataFlags);
}

ECF8_AVX512 void reorderTile(const RowsView &rows, uint64_t paddedColumns, uint8_t padding, uint8_t *out) {
  __m512i steps[32];
  for (uint64_t column = 0; column < paddedColumns; column += blockColumns) {
    loadBlock(rows, column, _mm512_set1_epi8(char(padding)), steps);
    uint64_t count = std::min<uint64_t>(paddedColumns - column, blockColumns) / 2;
    if (count == 32)
      for (unsigned step = 0; step < 32; ++step, out += stepElements)
        _mm512_storeu_si512(out, steps[step]);
    else
      for (unsigned step = 0; step < count; ++step, out += stepElements)
        _mm512_storeu_si512(out, steps[step]);
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

/// Codes the two symbols of each lane. The words that they fill go to the stream, in the order of the lanes; for each
/// of them the decoder fetches a word at this point, so a lane that fills one gets the next slot. [stream_c3]
template <ElementType type>
ECF8_AVX512_INLINE uint32_t codeStep(__m512i elements, __m512i bitsTable, __m512i lengthTable, Lanes &lanes,
                                     uint32_t end, uint32_t spare, uint16_t *stream) {
  __m512i symbols = symbolsOf<type>(elements);
  __m512i bits = lookUp<type>(bitsTable, symbols), lengths = lookUp<type>(lengthTable, symbols);
  const __m512i lowByte = _mm512_set1_epi16(0xFF), sixteen = _mm512_set1_epi16(16);
  // The first symbol of a lane is in the low byte. Two codes have at most 16 bits.
  __m512i firstLength = _mm512_and_si512(lengths, lowByte);
  __m512i second = _mm512_sllv_epi16(_mm512_srli_epi16(bits, 8), firstLength);
  __m512i pair = _mm512_ternarylogic_epi32(bits, lowByte, second, 0xEA); // (bits & lowByte) | second
  __m512i pairLength = _mm512_maddubs_epi16(lengths, _mm512_set1_epi8(1));

  __m512i word = _mm512_or_si512(lanes.words, _mm512_sllv_epi16(pair, lanes.positions));
  __m512i carried = _mm512_srlv_epi16(pair, _mm512_sub_epi16(sixteen, lanes.positions));
  __m512i position = _mm512_add_epi16(lanes.positions, pairLength);
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

template <ElementType type>
ECF8_AVX512 void encodeLanesOf(const CodeTable &codes, const uint8_t *elements, uint64_t steps, uint16_t *stream,
                               LaneEnds &ends) {
  __m512i bitsTable = makeTable<type>(codes.bits), lengthTable = makeTable<type>(codes.lengths);
  std::array<uint16_t, laneCount> firstSlots;
  for (unsigned lane = 0; lane < laneCount; ++lane)
    firstSlots[lane] = uint16_t(lane);
  Lanes lanes = {_mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_loadu_si512(firstSlots.data()), {}};
  lanes.nextSlots = _mm512_add_epi16(lanes.slots, _mm512_set1_epi16(laneCount));
  uint32_t end = 2 * laneCount, spare = uint32_t(2 * laneCount + steps * laneCount);
  for (uint64_t step = 0; step < steps; ++step)
    end = codeStep<type>(_mm512_loadu_si512(elements + step * stepElements), bitsTable, lengthTable, lanes, end, spare,
                         stream);
  _mm512_storeu_si512(ends.words.data(), lanes.words);
  _mm512_storeu_si512(ends.positions.data(), lanes.positions);
  _mm512_storeu_si512(ends.slots.data(), lanes.slots);
  _mm512_storeu_si512(ends.nextSlots.data(), lanes.nextSlots);
  ends.end = end;
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
  static constexpr EncodeKernels kernels = {countSymbols,       reorderTile,       encodeRest,        encodeLanes,
                                            countEscapesAvx512, encodeUnitsAvx512, encodeGroupsAvx512};
  return kernels;
}

} // namespace ecf8
