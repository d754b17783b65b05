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

/// Decodes a tile whose first column is `firstColumn` of those that `writer` writes.
template <ElementType type>
ECF8_AVX512 void decodeTile(const PlanesTables &tables, const TileSource &tile, const uint8_t *escapes,
                            uint64_t firstColumn, RowsWriter &writer) {
  constexpr unsigned unitSteps = type == ElementType::F8E5M2 ? 8 : 4;
  PlaneVectors plane = makeVectors(tables.symbols[0]);
  const uint8_t *unit = tile.last;
  Block blocks[4];
  for (uint64_t begin = 0; begin < tile.steps; begin += blockSteps) {
    Block &block = blocks[begin / blockSteps % 4];
    unsigned count = unsigned(std::min<uint64_t>(blockSteps, tile.steps - begin));
    for (unsigned step = 0; step < count; step += unitSteps) {
      const uint8_t *masks = unit + (type == ElementType::F8E5M2 ? 192 : 128);
      for (unsigned i = 0; i < unitSteps; ++i, masks += 16) {
        __m512i symbols;
        escapes += decodePlane(plane, masks, _mm512_loadu_si512(escapes), symbols);
        if constexpr (type == ElementType::F8E5M2) // [units_c3]
          block.rows[step + i] = _mm512_or_si512(symbols, loadRestE5M2(unit, i));
        else // [units_c2]
          block.rows[step + i] = addRestE4M3(_mm512_loadu_si512(unit + i / 2 * 64), i % 2 != 0, symbols);
      }
      unit = masks;
      if (step / unitSteps % (8 / unitSteps) == 0)
        writer.writeNext();
    }
    for (unsigned step = count; step < blockSteps; ++step)
      block.rows[step] = _mm512_setzero_si512();
    writer.write(firstColumn + begin * 2, block);
  }
  writer.flush();
}

/// Whether the columns of `tile` come after those of `before` in the same rows, and these are whole blocks.
bool continues(const TileSource &before, const TileSource &tile) {
  return tile.rows.data == before.rows.data + before.rows.columns && tile.rows.rows == before.rows.rows &&
         before.rows.columns % blockColumns == 0 && before.rows.columns < before.rows.stride;
}

} // namespace

ECF8_AVX512 void decodePlanesAvx512(const PlanesTables &tables, std::span<const uint8_t> payload,
                                    std::span<const TileSource> tiles, std::vector<uint8_t> &scratch) {
  RowsWriter writer;
  uint64_t firstColumn = 0;
  for (size_t i = 0; i < tiles.size(); ++i) {
    const TileSource &tile = tiles[i];
    // Neighbouring tiles of whole blocks are written as if they were one.
    if (i == 0 || !continues(tiles[i - 1], tile)) {
      MutableRowsView rows = tile.rows;
      for (size_t next = i + 1; next < tiles.size() && continues(tiles[next - 1], tiles[next]); ++next)
        rows.columns += tiles[next].rows.columns;
      writer.open(rows);
      firstColumn = 0;
    }
    // Escapes are at most all elements; a read of the next ones may go 64 bytes beyond.
    size_t room = tile.steps * stepElements + 2 * stepElements;
    if (scratch.size() < 2 * room)
      scratch.resize(2 * room);
    decodeEscapes(tables, payload, tile, scratch.data(), scratch.data() + room);
    if (tables.type == ElementType::F8E5M2)
      decodeTile<ElementType::F8E5M2>(tables, tile, scratch.data(), firstColumn, writer);
    else
      decodeTile<ElementType::F8E4M3FN>(tables, tile, scratch.data(), firstColumn, writer);
    firstColumn += tile.rows.columns;
  }
  RowsWriter::finish();
}

} // namespace ecf8
