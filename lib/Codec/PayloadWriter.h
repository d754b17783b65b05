// What the encodings share when they write a payload: its tiles in tile order, its sections, its hashes. Private to the
// codec.
#ifndef ECF8_LIB_CODEC_PAYLOADWRITER_H
#define ECF8_LIB_CODEC_PAYLOADWRITER_H

#include "ecf8/Codec/Format.h"

namespace ecf8 {

/// Writes `rows` x `columns` elements, the rows `rowStride` bytes apart, in tile order to `out` (paddedColumns * 32
/// bytes). Padding elements become `padding`. [tile_c2] [tile_c3]
void reorderTile(const uint8_t *source, uint64_t rowStride, uint64_t rows, uint64_t columns, uint64_t paddedColumns,
                 uint8_t padding, uint8_t *out);

/// Writes the rest of one unit's elements, given in tile order, to `out`. [rest_c1] [rest_c2]
void encodeRestUnit(ElementType type, const uint8_t *elements, uint8_t *out);

/// What the codes of a payload would take, in words of 2 bytes. The true number lies in [min, max].
struct CodeWords {
  uint64_t min = 0, max = 0;
};

/// Fails when there are more words than the tile table can count.
Status checkCodeWords(uint64_t words);

/// Lays out the sections that `header` describes, with zeros in them, and fills in the header's sizes and offsets.
Result<std::vector<uint8_t>> makePayload(Header &header);

/// Writes the header and both hashes.
void finishPayload(Header &header, std::span<const uint8_t> elements, std::vector<uint8_t> &payload);

/// Calls visit(tile, elements in tile order) for each tile of `strip`; padding elements are `padding`.
template <typename Visit>
void forEachTile(const TileGrid &grid, std::span<const uint8_t> bytes, uint64_t strip, uint8_t padding,
                 const Visit &visit) {
  std::vector<uint8_t> elements;
  for (uint64_t tile = 0; tile < grid.tilesPerStrip(); ++tile) {
    const uint8_t *source = bytes.data() + strip * laneCount * grid.shape.columns + tile * grid.tileColumns;
    elements.resize(grid.paddedWidth(tile) * laneCount);
    reorderTile(source, grid.shape.columns, grid.stripRows(strip), grid.tileWidth(tile), grid.paddedWidth(tile),
                padding, elements.data());
    visit(tile, std::span<const uint8_t>(elements));
  }
}

} // namespace ecf8

#endif // ECF8_LIB_CODEC_PAYLOADWRITER_H
