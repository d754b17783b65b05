// The inner loops of the encoder.
#include "TileEncoder.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace ecf8 {

void reorderTile(const uint8_t *source, uint64_t rowStride, uint64_t rows, uint64_t columns, uint64_t paddedColumns,
                 uint8_t padding, uint8_t *out) {
  if (rows < laneCount || columns < paddedColumns)
    std::memset(out, padding, paddedColumns * laneCount);
  // In blocks of 256 columns (8 KiB of output), so that the strided stores stay in the first-level cache.
  constexpr uint64_t blockColumns = 256;
  for (uint64_t begin = 0; begin < columns; begin += blockColumns) {
    uint64_t end = std::min(columns, begin + blockColumns);
    for (unsigned row = 0; row < rows; ++row) {
      const uint8_t *from = source + row * rowStride;
      uint8_t *to = out + rowToLane(row) * 2;
      uint64_t column = begin;
      for (; column + 2 <= end; column += 2)
        std::memcpy(to + column * laneCount, from + column, 2);
      if (column < end)
        to[column * laneCount] = from[column];
    }
  }
}

void encodeRest(ElementType type, const uint8_t *elements, uint64_t paddedColumns, uint8_t *out) {
  constexpr unsigned stepBytes = 2 * laneCount;
  if (type == ElementType::F8E4M3FN) {
    for (uint64_t column = 0; column < paddedColumns; column += 4, elements += 2 * stepBytes, out += stepBytes)
      for (unsigned p = 0; p < stepBytes; ++p) {
        uint8_t first = elements[p] & 0x87, second = elements[stepBytes + p] & 0x87;
        out[p] = uint8_t(first | second << 4 | second >> 4);
      }
    return;
  }
  for (uint64_t column = 0; column < paddedColumns; column += 16, elements += 8 * stepBytes, out += 3 * stepBytes)
    for (unsigned p = 0; p < stepBytes; ++p) {
      uint8_t mantissas[2] = {0, 0}, signs = 0;
      for (unsigned step = 0; step < 8; ++step) {
        uint8_t element = elements[step * stepBytes + p];
        mantissas[step / 4] |= uint8_t((element & 3) << (step % 4 * 2));
        signs |= uint8_t(element >> 7 << step);
      }
      out[p] = mantissas[0];
      out[stepBytes + p] = mantissas[1];
      out[2 * stepBytes + p] = signs;
    }
}

PairEncoder::PairEncoder(const CanonicalCode &code, ElementType type) : type(type) {
  unsigned symbols = getElementSplit(type).symbolCount;
  pairs.resize(symbols * symbols);
  for (unsigned first = 0; first < symbols; ++first)
    for (unsigned second = 0; second < symbols; ++second) {
      unsigned length = code.streamLength(first);
      pairs[first + second * symbols] = {uint16_t(code.streamBits(first) | code.streamBits(second) << length),
                                         uint16_t(length + code.streamLength(second))};
    }
}

template <unsigned shift, unsigned symbolBits>
uint64_t PairEncoder::encodeSteps(const uint8_t *elements, uint64_t paddedColumns, uint16_t *words) const {
  // A lane holds the two words that its decoder would hold: `slots` are their places in the stream. The decoder fetches
  // the next word of a lane when it has used up the first, so that is when the encoder reserves its place.
  uint32_t pending[laneCount] = {}, position[laneCount] = {};
  uint64_t slots[laneCount][2];
  for (unsigned lane = 0; lane < laneCount; ++lane) {
    slots[lane][0] = lane;
    slots[lane][1] = laneCount + lane;
  }
  uint64_t next = 2 * laneCount;
  constexpr unsigned mask = (1u << symbolBits) - 1;
  for (uint64_t step = 0; step < paddedColumns / 2; ++step, elements += 2 * laneCount)
    for (unsigned lane = 0; lane < laneCount; ++lane) {
      unsigned first = elements[2 * lane] >> shift & mask, second = elements[2 * lane + 1] >> shift & mask;
      Pair pair = pairs[first | second << symbolBits];
      uint32_t bits = pending[lane] | uint32_t(pair.bits) << position[lane];
      unsigned end = position[lane] + pair.length;
      // Without branches: whether a word fills up is a coin toss that a predictor loses.
      unsigned isFull = end / wordBits;
      words[slots[lane][0]] = uint16_t(bits);
      slots[lane][0] = isFull ? slots[lane][1] : slots[lane][0];
      slots[lane][1] = isFull ? next : slots[lane][1];
      next += isFull;
      pending[lane] = bits >> (isFull * wordBits);
      position[lane] = end % wordBits;
    }

  // The words without a coded bit are the second of each lane and the first of those that stand at position 0.
  std::vector<uint64_t> emptySlots;
  for (unsigned lane = 0; lane < laneCount; ++lane) {
    words[slots[lane][0]] = uint16_t(pending[lane]);
    words[slots[lane][1]] = 0;
    emptySlots.push_back(slots[lane][1]);
    if (position[lane] == 0)
      emptySlots.push_back(slots[lane][0]);
  }
  std::sort(emptySlots.rbegin(), emptySlots.rend());
  for (uint64_t slot : emptySlots)
    if (slot + 1 == next)
      --next;
  return next;
}

uint64_t PairEncoder::encode(const uint8_t *elements, uint64_t paddedColumns, uint16_t *words) const {
  return type == ElementType::F8E5M2 ? encodeSteps<2, 5>(elements, paddedColumns, words)
                                     : encodeSteps<3, 4>(elements, paddedColumns, words);
}

} // namespace ecf8
