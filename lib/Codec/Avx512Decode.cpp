// Decoding huffman for AVX-512: up to four tiles in lockstep, since one alone waits for its own code lengths.
#include "Avx512Decode.h"

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

/// The lanes of a tile, in units of 2 bytes. [stream_c2]
struct Lanes {
  __m512i first, second; ///< the words of the windows
  __m512i position;
  uint64_t next; ///< where in the payload the next word of the stream is
};

/// A tile that is being decoded.
struct TileState {
  Lanes lanes;
  RowsWriter writer;
};

ECF8_AVX512_INLINE Lanes openLanes(std::span<const uint8_t> payload, const TileSource &tile) {
  return {loadWithin(payload, tile.streamOffset), loadWithin(payload, tile.streamOffset + 64), _mm512_setzero_si512(),
          tile.streamOffset + 128};
}

/// The length of the code at the start of each lane's window, by its low byte.
ECF8_AVX512_INLINE __m512i codeLengths(const TableVectors &tables, __m512i windows) {
  return _mm512_maskz_permutex2var_epi8(0x5555555555555555, tables.lengths[0], windows, tables.lengths[1]);
}

/// The two symbols of each lane, and the refill. [stream_c3]
ECF8_AVX512_INLINE __m512i decodeStep(const TableVectors &tables, std::span<const uint8_t> payload, Lanes &lanes) {
  __m512i window = _mm512_shrdv_epi16(lanes.first, lanes.second, lanes.position);
  __m512i firstLength = codeLengths(tables, window);
  __m512i secondWindow = _mm512_srlv_epi16(window, firstLength);
  // Its upper bytes are not needed clean: of positions only the low 5 bits matter.
  __m512i secondLength = _mm512_permutex2var_epi8(tables.lengths[0], secondWindow, tables.lengths[1]);
  __m512i position = _mm512_add_epi16(lanes.position, _mm512_add_epi16(firstLength, secondLength));
  __mmask32 usedUp = _mm512_test_epi16_mask(position, _mm512_set1_epi16(16));
  lanes.first = _mm512_mask_mov_epi16(lanes.first, usedUp, lanes.second);
  lanes.second = _mm512_mask_expand_epi16(lanes.second, usedUp, loadWithin(payload, lanes.next));
  lanes.next += 2 * uint64_t(_mm_popcnt_u32(usedUp));
  lanes.position = _mm512_and_si512(position, _mm512_set1_epi16(15));

  // The low byte of the window and that of the second symbol above it.
  __m512i bits = _mm512_ternarylogic_epi32(window, _mm512_set1_epi16(0xFF), _mm512_slli_epi16(secondWindow, 8), 0xEA);
  __m512i low = _mm512_permutex2var_epi8(tables.symbols[0], bits, tables.symbols[1]);
  __m512i high = _mm512_permutex2var_epi8(tables.symbols[2], bits, tables.symbols[3]);
  return _mm512_mask_mov_epi8(low, _mm512_movepi8_mask(bits), high);
}

/// Decodes `count` steps, at most 32, of `tileCount` tiles from step `begin` on, and writes them to their rows.
template <ElementType type, unsigned tileCount>
ECF8_AVX512 void decodeBlock(const TableVectors &tables, std::span<const uint8_t> payload, const TileSource *tiles,
                             TileState *const *states, uint64_t begin, unsigned count) {
  Block blocks[tileCount];
  Lanes lanes[tileCount];
  const uint8_t *rests[tileCount];
  for (unsigned i = 0; i < tileCount; ++i) {
    lanes[i] = states[i]->lanes;
    rests[i] = tiles[i].last + (type == ElementType::F8E5M2 ? begin * 24 : begin * 32);
  }
  if constexpr (type == ElementType::F8E5M2) {
    for (unsigned step = 0; step < count; ++step)
      for (unsigned i = 0; i < tileCount; ++i)
        blocks[i].rows[step] =
            _mm512_or_si512(decodeStep(tables, payload, lanes[i]), loadRestE5M2(rests[i] + step / 8 * 192, step % 8));
  } else {
    for (unsigned step = 0; step < count; step += 2) {
      for (unsigned i = 0; i < tileCount; ++i)
        blocks[i].rows[step] = addRestE4M3(_mm512_loadu_si512(rests[i] + step * 32), /*isSecond=*/false,
                                           decodeStep(tables, payload, lanes[i]));
      for (unsigned i = 0; i < tileCount; ++i)
        blocks[i].rows[step + 1] = addRestE4M3(_mm512_loadu_si512(rests[i] + step * 32), /*isSecond=*/true,
                                               decodeStep(tables, payload, lanes[i]));
    }
  }
  for (unsigned i = 0; i < tileCount; ++i) {
    states[i]->lanes = lanes[i];
    for (unsigned step = count; step < blockSteps; ++step)
      blocks[i].rows[step] = _mm512_setzero_si512();
    states[i]->writer.write(begin * 2, blocks[i]);
  }
}

/// Decodes the steps [begin, end) of `tileCount` tiles.
template <ElementType type, unsigned tileCount>
ECF8_AVX512 void decodeSteps(const TableVectors &tables, std::span<const uint8_t> payload, const TileSource *tiles,
                             TileState *const *states, uint64_t begin, uint64_t end) {
  for (uint64_t step = begin; step < end; step += blockSteps)
    decodeBlock<type, tileCount>(tables, payload, tiles, states, step,
                                 unsigned(std::min<uint64_t>(blockSteps, end - step)));
}

/// Decodes `tileCount` tiles: together as far as all of them go, then the longer ones alone.
template <ElementType type, unsigned tileCount>
ECF8_AVX512 void decodeTiles(const TableVectors &tables, std::span<const uint8_t> payload, const TileSource *tiles) {
  TileState states[tileCount];
  TileState *pointers[tileCount];
  uint64_t common = tiles[0].steps, longest = 0;
  for (unsigned i = 0; i < tileCount; ++i) {
    states[i].lanes = openLanes(payload, tiles[i]);
    states[i].writer.open(tiles[i].rows);
    pointers[i] = states + i;
    common = std::min(common, tiles[i].steps);
    longest = std::max(longest, tiles[i].steps);
  }
  if (common < longest)
    common = common / blockSteps * blockSteps; // so that only the last block of a tile is a part of one
  decodeSteps<type, tileCount>(tables, payload, tiles, pointers, 0, common);
  for (unsigned i = 0; i < tileCount; ++i)
    decodeSteps<type, 1>(tables, payload, tiles + i, pointers + i, common, tiles[i].steps);
  RowsWriter::finish();
}

template <ElementType type>
ECF8_AVX512 void decodeHuffmanOf(const HuffmanTables &tables, std::span<const uint8_t> payload,
                                 std::span<const TileSource> tiles) {
  TableVectors vectors = loadTables(tables);
  size_t i = 0;
  for (; i + 4 <= tiles.size(); i += 4)
    decodeTiles<type, 4>(vectors, payload, tiles.data() + i);
  switch (tiles.size() - i) {
  case 3:
    return decodeTiles<type, 3>(vectors, payload, tiles.data() + i);
  case 2:
    return decodeTiles<type, 2>(vectors, payload, tiles.data() + i);
  case 1:
    return decodeTiles<type, 1>(vectors, payload, tiles.data() + i);
  }
}

void decodeHuffman(const HuffmanTables &tables, std::span<const uint8_t> payload, std::span<const TileSource> tiles,
                   std::vector<uint8_t> &scratch) {
  if (tables.group == 2)
    return avx2DecodeKernels().decodeHuffman(tables, payload, tiles, scratch);
  if (tables.type == ElementType::F8E5M2)
    decodeHuffmanOf<ElementType::F8E5M2>(tables, payload, tiles);
  else
    decodeHuffmanOf<ElementType::F8E4M3FN>(tables, payload, tiles);
}

ECF8_AVX512 void scatterTile(const uint8_t *elements, const MutableRowsView &rows) {
  RowsWriter writer;
  writer.open(rows);
  for (uint64_t column = 0; column < rows.columns; column += blockColumns) {
    Block block;
    uint64_t count = std::min<uint64_t>(blockSteps, (rows.columns - column + 1) / 2);
    for (unsigned step = 0; step < blockSteps; ++step)
      block.rows[step] = step < count ? _mm512_loadu_si512(elements + column * laneCount + step * stepElements)
                                      : _mm512_setzero_si512();
    writer.write(column, block);
  }
  RowsWriter::finish();
}

} // namespace

const DecodeKernels &avx512DecodeKernels() {
  static constexpr DecodeKernels kernels = {/*usesPairs=*/false, scatterTile, decodeHuffman, decodePlanesAvx512};
  return kernels;
}

} // namespace ecf8
