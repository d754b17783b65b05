// The reference decoder of huffman in order mma. Read it next to docs/Format.md, sections 13 to 16.
#include "SegmentGroups.h"
#include "TileDecoder.h"

#include <bit>

namespace ecf8 {
namespace {

/// The stored bytes of one tile's stream. Those beyond them read as zero.
struct SegmentStream {
  const uint8_t *codes;
  uint64_t storedBytes;

  uint8_t byte(uint64_t index) const { return index < storedBytes ? codes[index] : 0; }
  bool bit(uint64_t index) const { return byte(segmentStartsBytes + index / 8) >> (index % 8) & 1; }
  /// The bits from `firstBit` on, 24 at least.
  uint32_t window(uint64_t firstBit) const {
    uint32_t bits = 0;
    for (unsigned i = 0; i < 4; ++i)
      bits |= uint32_t(byte(segmentStartsBytes + firstBit / 8 + i)) << (8 * i);
    return bits >> (firstBit % 8);
  }
  /// Whether all bits in [begin, end) are 0.
  bool isZero(uint64_t begin, uint64_t end) const {
    for (; begin < end; ++begin)
      if (bit(begin))
        return false;
    return true;
  }
};

/// The rest of quad `i` of step `step`, from the 16-byte parts of `lane` in the slots of the step's block. [slots_c1]
/// [slots_c2]
uint32_t decodeRestQuad(const GroupLayout &layout, const uint8_t *slots, unsigned lane, unsigned step, unsigned i) {
  auto word = [&](unsigned index) {
    return loadLittle<uint32_t>(slots + index / 4 * slotBytes + lane * 16 + index % 4 * 4);
  };
  uint32_t mask = layout.restMask() * 0x01010101u;
  if (layout.group != 4) {
    uint32_t two = word(2 * step + i / 2);
    return (i % 2 == 0 ? two : std::rotr(two, 4)) & mask;
  }
  if (i < 3)
    return word(3 * step + i) & mask;
  uint32_t a = word(3 * step), b = word(3 * step + 1), d = word(3 * step + 2);
  return (a >> 5 & 0x03030303u) | (b >> 3 & 0x0C0C0C0Cu) | (d >> 1 & 0x10101010u) | (d << 1 & 0x80808080u);
}

/// A tile on its way from its stream and slots to elements.
class TileReader {
public:
  TileReader(const Payload &payload, uint64_t strip, uint64_t tile)
      : payload(payload), header(payload.header), layout(*getGroupLayout(header.elementType, header.group)),
        strip(strip), tile(tile) {
    TileGrid grid = header.grid();
    uint64_t index = strip * grid.tilesPerStrip() + tile, begin = payload.tileOffset(index);
    stream = {payload.bytes.data() + header.codesOffset + begin, payload.tileOffset(index + 1) - begin};
    slots =
        payload.bytes.data() + header.restOffset + grid.columnsBefore(strip, tile) * header.storage().bytesPerColumn;
  }

  /// Each lane's quads, in tile order.
  Status read(std::vector<uint8_t> &elements) {
    uint64_t steps = header.grid().paddedWidth(tile) / mmaStepColumns;
    for (unsigned lane = 0; lane < laneCount; ++lane) {
      uint64_t start = stream.byte(2 * lane) | uint64_t(stream.byte(2 * lane + 1)) << 8;
      if (start * segmentAlignmentBits != position)
        return corruptTile(
            strip, tile, "the segment of lane " + std::to_string(lane) + " to start at bit " + std::to_string(position),
            std::to_string(start * segmentAlignmentBits), "segments_c1");
      for (uint64_t step = 0; step < steps; ++step)
        for (unsigned i = 0; i < laneStepQuads; ++i)
          storeLittle(elements.data() + step * slotBytes + lane * 16 + i * 4, readQuad(lane, step, i));
      if (Status status = skipToSegment(lane); !status.isOk())
        return status;
    }
    return checkEnd();
  }

private:
  uint32_t readQuad(unsigned lane, uint64_t step, unsigned i) {
    uint32_t coded = 0;
    for (unsigned index = 0; index < quadElements / layout.group; ++index) {
      auto [symbol, bits] = payload.code.decodeSymbol(stream.window(position));
      position += bits;
      // The length is part of what the rest of a quad was combined with. [slots_c1]
      coded |= layout.group == 4 ? segmentEntry(layout, symbol, bits) : codedBitsOf(layout, symbol, index);
    }
    const uint8_t *block = slots + step / mmaBlockSteps * mmaBlockColumns * header.storage().bytesPerColumn;
    coded ^= decodeRestQuad(layout, block, lane, unsigned(step % mmaBlockSteps), i);
    return coded - getOffsetAddend(header.elementType, header.exponentOffset); // [group_c3]
  }

  /// Goes on to the next multiple of 4 bits. [segments_c2] [segments_c4]
  Status skipToSegment(unsigned lane) {
    uint64_t end = (position + segmentAlignmentBits - 1) / segmentAlignmentBits * segmentAlignmentBits;
    if (!stream.isZero(position, end))
      return corruptTile(strip, tile, "zero bits after the last code of lane " + std::to_string(lane),
                         "bits that are set", "segments_c4");
    position = end;
    return Status::ok();
  }

  Status checkEnd() const {
    uint64_t bytes = segmentsBytes(position);
    if (stream.storedBytes != bytes)
      return corruptTile(strip, tile, "a stream of " + std::to_string(bytes) + " bytes",
                         std::to_string(stream.storedBytes), "segments_c3");
    if (!stream.isZero(0, firstSegmentBit) || !stream.isZero(position, (bytes - segmentStartsBytes) * 8))
      return corruptTile(strip, tile, "zero bits before the first and after the last segment", "bits that are set",
                         "segments_c4");
    return Status::ok();
  }

  const Payload &payload;
  const Header &header;
  GroupLayout layout;
  uint64_t strip, tile;
  SegmentStream stream;
  const uint8_t *slots;
  uint64_t position = firstSegmentBit;
};

/// [group_c5]
Status checkGroupPadding(const Payload &payload, uint64_t strip, uint64_t tile, const std::vector<uint8_t> &elements) {
  TileGrid grid = payload.header.grid();
  const GroupPadding padding(payload.header);
  for (unsigned row = 0; row < mmaStripRows; ++row)
    for (uint64_t column = 0; column < grid.paddedWidth(tile); column += quadElements) {
      uint64_t end = row < grid.stripRows(strip) ? grid.tileWidth(tile) : 0; // of the elements of the matrix
      if (column + quadElements <= end)
        continue;
      uint32_t quad = loadLittle<uint32_t>(elements.data() + mmaPosition(row, column));
      uint32_t expected = padding.fill(quad, end > column ? unsigned(end - column) : 0);
      if (quad == expected)
        continue;
      for (unsigned i = 0; i < quadElements; ++i)
        if (uint8_t byte = uint8_t(quad >> (8 * i)), wanted = uint8_t(expected >> (8 * i)); byte != wanted)
          return corruptTile(strip, tile,
                             "padding element " + std::to_string(wanted) + " in row " + std::to_string(row) +
                                 ", column " + std::to_string(column + i),
                             std::to_string(byte), "group_c5");
    }
  return Status::ok();
}

} // namespace

Status decodeSegmentsTile(const Payload &payload, uint64_t strip, uint64_t tile, std::vector<uint8_t> &elements) {
  if (Status status = TileReader(payload, strip, tile).read(elements); !status.isOk())
    return status;
  return checkGroupPadding(payload, strip, tile, elements);
}

} // namespace ecf8
