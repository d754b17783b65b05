// What decoding huffman has in common for both groups for AVX-512: up to four tiles in lockstep, since one alone waits
// for its own code lengths. Private to the codec.
#ifndef ECF8_LIB_CODEC_AVX512HUFFMAN_H
#define ECF8_LIB_CODEC_AVX512HUFFMAN_H

#include "Avx512Decode.h"

namespace ecf8 {
namespace {

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

/// Moves each lane on to `position` of its window, of which only the low 4 bits matter, after the next word of those
/// that have `usedUp` their first one. [stream_c3]
ECF8_AVX512_INLINE void refill(std::span<const uint8_t> payload, __mmask32 usedUp, __m512i position, Lanes &lanes) {
  lanes.first = _mm512_mask_mov_epi16(lanes.first, usedUp, lanes.second);
  lanes.second = _mm512_mask_expand_epi16(lanes.second, usedUp, loadWithin(payload, lanes.next));
  lanes.next += 2 * uint64_t(_mm_popcnt_u32(usedUp));
  lanes.position = _mm512_and_si512(position, _mm512_set1_epi16(15));
}

// A Decoder below has a type Vectors, the tables of a tensor in registers, and two functions: decodeStep(tables,
// payload, lanes) takes the codes of a step from the lanes, with the refill, and gives something that
// getSymbols(tables, first, second, symbols) turns, for two steps, into the symbols at their places in the elements,
// all other bits undefined.

/// Writes some of the rows that wait, of each tile in every fourth iteration.
template <unsigned tileCount> ECF8_AVX512_INLINE void writeNext(TileState *const *states, unsigned iteration) {
  for (unsigned i = 0; i < tileCount; ++i)
    if ((iteration + i) % 4 == 0)
      states[i]->writer.writeNext();
}

/// Decodes `count` steps, at most 32, of `tileCount` tiles from step `begin` on into `blocks`, and begins to write them
/// to their rows; writes some of what waits from the blocks before.
template <ElementType type, typename Decoder, unsigned tileCount>
ECF8_AVX512 void decodeBlock(const typename Decoder::Vectors &tables, std::span<const uint8_t> payload,
                             const TileSource *tiles, TileState *const *states, uint64_t begin, unsigned count,
                             Block *blocks) {
  Lanes lanes[tileCount];
  const uint8_t *rests[tileCount];
  for (unsigned i = 0; i < tileCount; ++i) {
    lanes[i] = states[i]->lanes;
    rests[i] = tiles[i].last + (type == ElementType::F8E5M2 ? begin * 24 : begin * 32);
  }
  for (unsigned step = 0; step < count; step += 2) {
    __m512i first[tileCount], second[tileCount], symbols[2];
    for (unsigned i = 0; i < tileCount; ++i)
      first[i] = Decoder::decodeStep(tables, payload, lanes[i]);
    for (unsigned i = 0; i < tileCount; ++i)
      second[i] = Decoder::decodeStep(tables, payload, lanes[i]);
    for (unsigned i = 0; i < tileCount; ++i) {
      Decoder::getSymbols(tables, first[i], second[i], symbols);
      for (unsigned j = 0; j < 2; ++j)
        if constexpr (type == ElementType::F8E5M2)
          blocks[i].rows[step + j] = _mm512_or_si512(symbols[j], loadRestE5M2(rests[i] + step / 8 * 192, step % 8 + j));
        else
          blocks[i].rows[step + j] =
              addRestE4M3(_mm512_loadu_si512(rests[i] + step * 32), /*isSecond=*/j != 0, symbols[j]);
    }
    writeNext<tileCount>(states, step / 2);
  }
  for (unsigned i = 0; i < tileCount; ++i) {
    states[i]->lanes = lanes[i];
    for (unsigned step = count; step < blockSteps; ++step)
      blocks[i].rows[step] = _mm512_setzero_si512();
    states[i]->writer.write(begin * 2, blocks[i]);
  }
}

/// Decodes the steps [begin, end) of `tileCount` tiles.
template <ElementType type, typename Decoder, unsigned tileCount>
ECF8_AVX512 void decodeSteps(const typename Decoder::Vectors &tables, std::span<const uint8_t> payload,
                             const TileSource *tiles, TileState *const *states, uint64_t begin, uint64_t end) {
  Block blocks[4][tileCount];
  unsigned index = 0;
  for (uint64_t step = begin; step < end; step += blockSteps, index = (index + 1) % 4)
    decodeBlock<type, Decoder, tileCount>(tables, payload, tiles, states, step,
                                          unsigned(std::min<uint64_t>(blockSteps, end - step)), blocks[index]);
  for (unsigned i = 0; i < tileCount; ++i)
    states[i]->writer.flush();
}

/// Decodes `tileCount` tiles: together as far as all of them go, then the longer ones alone.
template <ElementType type, typename Decoder, unsigned tileCount>
ECF8_AVX512 void decodeTiles(const typename Decoder::Vectors &tables, std::span<const uint8_t> payload,
                             const TileSource *tiles) {
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
  decodeSteps<type, Decoder, tileCount>(tables, payload, tiles, pointers, 0, common);
  for (unsigned i = 0; i < tileCount; ++i)
    decodeSteps<type, Decoder, 1>(tables, payload, tiles + i, pointers + i, common, tiles[i].steps);
  RowsWriter::finish();
}

/// Decodes all of `tiles`.
template <ElementType type, typename Decoder>
ECF8_AVX512 void decodeAll(const typename Decoder::Vectors &tables, std::span<const uint8_t> payload,
                           std::span<const TileSource> tiles) {
  size_t i = 0;
  for (; i + 4 <= tiles.size(); i += 4)
    decodeTiles<type, Decoder, 4>(tables, payload, tiles.data() + i);
  switch (tiles.size() - i) {
  case 3:
    return decodeTiles<type, Decoder, 3>(tables, payload, tiles.data() + i);
  case 2:
    return decodeTiles<type, Decoder, 2>(tables, payload, tiles.data() + i);
  case 1:
    return decodeTiles<type, Decoder, 1>(tables, payload, tiles.data() + i);
  }
}

} // namespace
} // namespace ecf8

#endif // ECF8_LIB_CODEC_AVX512HUFFMAN_H
