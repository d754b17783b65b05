// Decoding planes for AVX-512: masks as they are in the payload, escapes by expansion.
#include "Avx512Decode.h"

namespace ecf8 {
namespace {

/// The symbols of a plane, each in all bytes of a register.
struct PlaneVectors {
  __m512i first, second, third;
};

ECF8_AVX512_INLINE PlaneVectors makeVectors(const PlaneSymbols &symbols) {
  return {_mm512_set1_epi8(char(symbols[0])), _mm512_set1_epi8(char(symbols[1])), _mm512_set1_epi8(char(symbols[2]))};
}

/// The symbols of 64 codes of two bits, where the escapes take theirs from `nextEscape` on. Returns how many they are.
ECF8_AVX512_INLINE unsigned decodePlane(const PlaneVectors &plane, const uint8_t *masks, __m512i nextEscapes,
                                        __m512i &symbols) {
  uint64_t low = loadLittle<uint64_t>(masks), high = loadLittle<uint64_t>(masks + 8), escaped = low & high;
  symbols = _mm512_mask_mov_epi8(plane.first, low, plane.second);
  symbols = _mm512_mask_mov_epi8(symbols, high, plane.third);
  symbols = _mm512_mask_expand_epi8(symbols, escaped, nextEscapes);
  return unsigned(_mm_popcnt_u64(escaped));
}

/// The symbols of 64 third codes from code `index` on, at their place in an element. [codes_c1]
ECF8_AVX512_INLINE __m512i decodeThird(ElementType type, std::span<const uint8_t> payload, uint64_t thirdOffset,
                                       uint64_t highOffset, uint64_t index) {
  __m256i packed = _mm512_castsi512_si256(loadWithin(payload, thirdOffset + index / 2));
  __m512i wide = _mm512_cvtepu8_epi16(packed);
  __m512i codes = _mm512_or_si512(wide, _mm512_slli_epi16(wide, 4));
  codes = _mm512_and_si512(codes, _mm512_set1_epi8(15));
  if (type != ElementType::F8E5M2)
    return _mm512_slli_epi16(codes, 3);
  __mmask64 high = uint64_t(_mm_cvtsi128_si64(_mm512_castsi512_si128(loadWithin(payload, highOffset + index / 8))));
  return _mm512_slli_epi16(_mm512_mask_or_epi32(codes, 0xFFFF, codes, _mm512_maskz_set1_epi8(high, 16)), 2);
}

/// Fills `escapes` with the symbols of the escapes of the first plane. Has room for all elements of the tile and two
/// registers more. [codes_c1] [codes_c7]
ECF8_AVX512 void decodeEscapes(const PlanesTables &tables, std::span<const uint8_t> payload, const TileSource &tile,
                               uint8_t *escapes, uint8_t *thirds) {
  if (tile.streamBytes < 4)
    return;
  const uint8_t *stream = payload.data() + tile.streamOffset;
  uint64_t groupCount = std::min<uint64_t>({loadLittle<uint16_t>(stream), (tile.streamBytes - 4) / 16, tile.steps});
  uint64_t thirdCount = std::min<uint64_t>(loadLittle<uint16_t>(stream + 2), groupCount * stepElements);
  uint64_t thirdOffset = tile.streamOffset + 4 + groupCount * 16;
  uint64_t highOffset = thirdOffset + (thirdCount + 1) / 2;
  for (uint64_t i = 0; i < thirdCount; i += 64)
    _mm512_storeu_si512(thirds + i, decodeThird(tables.type, payload, thirdOffset, highOffset, i));
  PlaneVectors plane = makeVectors(tables.symbols[1]);
  for (uint64_t group = 0; group < groupCount; ++group) {
    __m512i symbols;
    thirds += decodePlane(plane, stream + 4 + group * 16, _mm512_loadu_si512(thirds), symbols);
    _mm512_storeu_si512(escapes + group * stepElements, symbols);
  }
}

template <ElementType type>
ECF8_AVX512 void decodeTile(const PlanesTables &tables, const TileSource &tile, const uint8_t *escapes) {
  constexpr unsigned unitSteps = type == ElementType::F8E5M2 ? 8 : 4, restBytes = unitSteps * 32 / 4 * 3;
  PlaneVectors plane = makeVectors(tables.symbols[0]);
  const uint8_t *unit = tile.last;
  for (uint64_t begin = 0; begin < tile.steps; begin += 32) {
    __m512i steps[32];
    unsigned count = unsigned(std::min<uint64_t>(32, tile.steps - begin));
    for (unsigned step = 0; step < count; step += unitSteps) {
      const uint8_t *masks = unit + (type == ElementType::F8E5M2 ? restBytes : 128);
      for (unsigned i = 0; i < unitSteps; ++i, masks += 16) {
        __m512i symbols;
        escapes += decodePlane(plane, masks, _mm512_loadu_si512(escapes), symbols);
        if constexpr (type == ElementType::F8E5M2) // [units_c3]
          steps[step + i] = _mm512_or_si512(symbols, loadRestE5M2(unit, i));
        else // [units_c2]
          steps[step + i] = addRestE4M3(_mm512_loadu_si512(unit + i / 2 * 64), i % 2 != 0, symbols);
      }
      unit = masks;
    }
    for (unsigned step = count; step < 32; ++step)
      steps[step] = _mm512_setzero_si512();
    storeBlock(tile.rows, begin * 2, steps);
  }
}

} // namespace

ECF8_AVX512 void decodePlanesAvx512(const PlanesTables &tables, std::span<const uint8_t> payload,
                                    std::span<const TileSource> tiles, std::vector<uint8_t> &scratch) {
  for (const TileSource &tile : tiles) {
    // Escapes are at most all elements; a read of the next ones may go 64 bytes beyond.
    size_t room = tile.steps * stepElements + 2 * stepElements;
    if (scratch.size() < 2 * room)
      scratch.resize(2 * room);
    decodeEscapes(tables, payload, tile, scratch.data(), scratch.data() + room);
    if (tables.type == ElementType::F8E5M2)
      decodeTile<ElementType::F8E5M2>(tables, tile, scratch.data());
    else
      decodeTile<ElementType::F8E4M3FN>(tables, tile, scratch.data());
  }
}

} // namespace ecf8
