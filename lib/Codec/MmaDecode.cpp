// Lanes of order mma one after the other, step by step: the codes of neighbouring lanes do not wait for each other.
#include "MmaDecode.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace ecf8 {

void scatterMmaTile(const uint8_t *elements, const MutableRowsView &rows) {
  uint64_t wholeColumns = rows.columns / quadElements * quadElements;
  for (unsigned row = 0; row < rows.rows; ++row) {
    uint8_t *to = rows.data + row * rows.stride;
    for (uint64_t column = 0; column < wholeColumns; column += quadElements)
      std::memcpy(to + column, elements + mmaPosition(row, column), quadElements);
    if (wholeColumns < rows.columns)
      std::memcpy(to + wholeColumns, elements + mmaPosition(row, wholeColumns), rows.columns - wholeColumns);
  }
}

namespace {

/// The words of a lane's rest of one step as rests of its quads. [slots_c1] [slots_c2]
template <unsigned group> void loadRest(const uint8_t *lane, unsigned step, uint32_t (&rests)[laneStepQuads]) {
  constexpr unsigned stepWords = group == 4 ? 3 : 2;
  uint32_t words[3];
  for (unsigned i = 0; i < stepWords; ++i) {
    unsigned word = step * stepWords + i; // of the lane's in the block
    words[i] = loadLittle<uint32_t>(lane + word / 4 * slotBytes + word % 4 * 4);
  }
  if constexpr (group == 4) {
    for (unsigned i = 0; i < 3; ++i)
      rests[i] = words[i] & 0x9F9F9F9Fu;
    rests[3] = (words[0] >> 5 & 0x03030303u) | (words[1] >> 3 & 0x0C0C0C0Cu) | (words[2] >> 1 & 0x10101010u) |
               (words[2] << 1 & 0x80808080u);
  } else {
    for (unsigned i = 0; i < 2; ++i) {
      rests[2 * i] = words[i] & 0x87878787u;
      rests[2 * i + 1] = std::rotr(words[i], 4) & 0x87878787u;
    }
  }
}

template <unsigned group>
void decodeLanes(const SegmentTables &tables, std::span<const uint8_t> payload, const TileSource &tile,
                 const MutableRowsView &rows) {
  constexpr uint64_t blockBytes = (group == 4 ? 3 : 2) * slotBytes;
  const uint8_t *starts = payload.data() + tile.streamOffset; // the rest lies behind it, and is longer
  // Of a window of 8 bytes that does not leave the payload. [segments_c5]
  const uint64_t lastByte = payload.size() - tile.streamOffset - segmentStartsBytes - 8;
  uint64_t positions[laneCount];
  for (unsigned lane = 0; lane < laneCount; ++lane)
    positions[lane] = uint64_t(loadLittle<uint16_t>(starts + 2 * lane)) * segmentAlignmentBits;
  const uint8_t *bits = starts + segmentStartsBytes;
  const uint32_t mask = (1u << tables.maxCodeLength) - 1;
  uint64_t steps = tile.steps * 2 / mmaStepColumns;
  for (uint64_t step = 0; step < steps; ++step)
    for (unsigned lane = 0; lane < laneCount; ++lane) {
      uint32_t rests[laneStepQuads];
      loadRest<group>(tile.last + step / mmaBlockSteps * blockBytes + lane * 16, unsigned(step % mmaBlockSteps), rests);
      uint64_t position = positions[lane];
      for (unsigned i = 0; i < laneStepQuads; ++i) {
        uint64_t window = loadLittle<uint64_t>(bits + std::min(position / 8, lastByte)) >> (position % 8);
        uint32_t coded = 0;
        for (unsigned j = 0; j < quadElements / group; ++j) { // at most 32 bits in all
          uint32_t entry = tables.entries[window & mask];
          window >>= entry & 31;
          position += entry & 31;
          if constexpr (group == 4) // [entry_c1]
            coded = entry;
          else
            coded |= (entry >> 8 & ((1u << (8 * group)) - 1)) << (8 * group * j);
        }
        uint32_t quad = (coded ^ rests[i]) - tables.addend;
        storeLittle(rows.data + (lane / 4 + 8 * (i % 2)) * rows.stride + step * mmaStepColumns + lane % 4 * 4 +
                        i / 2 * 16,
                    quad);
      }
      positions[lane] = position;
    }
}

} // namespace

void decodeSegments(const SegmentTables &tables, std::span<const uint8_t> payload, const TileSource &tile,
                    std::vector<uint8_t> &scratch) {
  uint64_t paddedColumns = tile.steps * 2;
  bool isWhole = tile.rows.rows == mmaStripRows && tile.rows.columns == paddedColumns;
  MutableRowsView rows = tile.rows;
  if (!isWhole) {
    scratch.resize(std::max<size_t>(scratch.size(), paddedColumns * mmaStripRows));
    rows = {scratch.data(), paddedColumns, mmaStripRows, paddedColumns};
  }
  switch (tables.layout.group) {
  case 4:
    decodeLanes<4>(tables, payload, tile, rows);
    break;
  case 2:
    decodeLanes<2>(tables, payload, tile, rows);
    break;
  default:
    decodeLanes<1>(tables, payload, tile, rows);
  }
  if (!isWhole)
    for (unsigned row = 0; row < tile.rows.rows; ++row)
      std::memcpy(tile.rows.data + row * tile.rows.stride, rows.data + row * rows.stride, tile.rows.columns);
}

} // namespace ecf8
