// Decoding huffman of group 1 for AVX-512.
#include "Avx512Huffman.h"

namespace ecf8 {
namespace {

/// The tables of a tensor in registers.
struct TableVectors {
  __m512i lengths[2]; ///< by 7 bits: the deepest leaves of a complete code are siblings, so bit 8 tells nothing more
  __m512i symbols[4]; ///< by 8 bits
};

ECF8_AVX512_INLINE TableVectors loadTables(const HuffmanTables &tables) {
  TableVectors vectors;
  for (unsigned i = 0; i < 2; ++i)
    vectors.lengths[i] = _mm512_loadu_si512(tables.lengths.data() + i * 64);
  for (unsigned i = 0; i < 4; ++i)
    vectors.symbols[i] = _mm512_loadu_si512(tables.symbols.data() + i * 64);
  return vectors;
}

/// The length of the code at the start of each lane's window, by its low byte.
ECF8_AVX512_INLINE __m512i codeLengths(const TableVectors &tables, __m512i windows) {
  return _mm512_maskz_permutex2var_epi8(0x5555555555555555, tables.lengths[0], windows, tables.lengths[1]);
}

struct SymbolDecoder {
  using Vectors = TableVectors;

  /// Of each lane, the next eight bits of both codes. [stream_c3]
  ECF8_AVX512 __attribute__((always_inline)) static __m512i decodeStep(const TableVectors &tables,
                                                                       std::span<const uint8_t> payload, Lanes &lanes) {
    __m512i window = _mm512_shrdv_epi16(lanes.first, lanes.second, lanes.position);
    __m512i firstLength = codeLengths(tables, window);
    __m512i secondWindow = _mm512_srlv_epi16(window, firstLength);
    // Its upper bytes are not needed clean: of positions only the low 5 bits matter, and bit 4 says that a word is used
    // up.
    __m512i secondLength = _mm512_permutex2var_epi8(tables.lengths[0], secondWindow, tables.lengths[1]);
    __m512i position = _mm512_add_epi16(lanes.position, _mm512_add_epi16(firstLength, secondLength));
    refill(payload, _mm512_test_epi16_mask(position, _mm512_set1_epi16(16)), position, lanes);

    // The low byte of the window and that of the second symbol above it.
    return _mm512_ternarylogic_epi32(window, _mm512_set1_epi16(0xFF), _mm512_slli_epi16(secondWindow, 8), 0xEA);
  }

  ECF8_AVX512 __attribute__((always_inline)) static void getSymbols(const TableVectors &tables, __m512i first,
                                                                    __m512i second, __m512i symbols[2]) {
    symbols[0] = getSymbols(tables, first);
    symbols[1] = getSymbols(tables, second);
  }

private:
  ECF8_AVX512 __attribute__((always_inline)) static __m512i getSymbols(const TableVectors &tables, __m512i bits) {
    __m512i low = _mm512_permutex2var_epi8(tables.symbols[0], bits, tables.symbols[1]);
    __m512i high = _mm512_permutex2var_epi8(tables.symbols[2], bits, tables.symbols[3]);
    return _mm512_mask_mov_epi8(low, _mm512_movepi8_mask(bits), high);
  }
};

ECF8_AVX512 void decodeHuffman(const HuffmanTables &tables, std::span<const uint8_t> payload,
                               std::span<const TileSource> tiles, std::vector<uint8_t> &scratch) {
  if (tables.group == 2)
    return tables.type == ElementType::F8E4M3FN ? decodePairsAvx512(tables, payload, tiles)
                                                : avx2DecodeKernels().decodeHuffman(tables, payload, tiles, scratch);
  if (tables.type == ElementType::F8E5M2)
    decodeAll<ElementType::F8E5M2, SymbolDecoder>(loadTables(tables), payload, tiles);
  else
    decodeAll<ElementType::F8E4M3FN, SymbolDecoder>(loadTables(tables), payload, tiles);
}

ECF8_AVX512 void scatterTile(const uint8_t *elements, const MutableRowsView &rows) {
  RowsWriter writer;
  writer.open(rows);
  Block blocks[2];
  for (uint64_t column = 0; column < rows.columns; column += blockColumns) {
    Block &block = blocks[column / blockColumns % 2];
    uint64_t count = std::min<uint64_t>(blockSteps, (rows.columns - column + 1) / 2);
    for (unsigned step = 0; step < blockSteps; ++step)
      block.rows[step] = step < count ? _mm512_loadu_si512(elements + column * laneCount + step * stepElements)
                                      : _mm512_setzero_si512();
    writer.write(column, block);
    if (column / blockColumns % 2 != 0)
      writer.flush();
  }
  writer.flush();
  RowsWriter::finish();
}

} // namespace

const DecodeKernels &avx512DecodeKernels() {
  static constexpr DecodeKernels kernels = {/*usesPairs=*/false, scatterTile, decodeHuffman, decodePlanesAvx512};
  return kernels;
}

} // namespace ecf8
