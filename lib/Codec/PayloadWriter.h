// What the encodings share when they write a payload: its tiles in tile order, its sections, its hashes. Private to the
// codec.
#ifndef ECF8_LIB_CODEC_PAYLOADWRITER_H
#define ECF8_LIB_CODEC_PAYLOADWRITER_H

#include "Kernels.h"

namespace ecf8 {

/// What the codes of a payload would take, in words of 2 bytes. The true number lies in [min, max].
struct CodeWords {
  uint64_t min = 0, max = 0;
};

/// Fails when the codes take more units than the tile table of `header` can count.
Status checkCodesBytes(const Header &header, uint64_t codesBytes);

/// Asks for large pages where that is possible: touching fresh small ones takes a third of the time of an encoding.
void adviseLargePages(void *memory, uint64_t size);

/// Room for so many bytes, with that advice.
std::vector<uint8_t> reserveBytes(uint64_t size);

/// Fills in the sizes and offsets of the sections that `header` describes.
Status placeSections(Header &header);

/// Lays out the sections that `header` describes, with zeros in them, and fills in the header's sizes and offsets.
Result<std::vector<uint8_t>> makePayload(Header &header);

/// Writes the header, the code lengths of a wide code, and both hashes.
void finishPayload(Header &header, std::span<const uint8_t> elements, std::vector<uint8_t> &payload);

/// The rows of a tile in the matrix `bytes`.
inline RowsView rowsOfTile(const TileGrid &grid, std::span<const uint8_t> bytes, uint64_t strip, uint64_t tile) {
  return {bytes.data() + strip * grid.paddedRows() * grid.shape.columns + tile * grid.tileColumns, grid.shape.columns,
          grid.stripRows(strip), grid.tileWidth(tile)};
}

/// Calls visit(tile, elements in tile order) for each tile of `strip` of order rows32; padding elements are `padding`.
template <typename Visit>
void forEachTile(const TileGrid &grid, std::span<const uint8_t> bytes, uint64_t strip, uint8_t padding,
                 const Visit &visit) {
  std::vector<uint8_t> elements;
  for (uint64_t tile = 0; tile < grid.tilesPerStrip(); ++tile) {
    elements.resize(grid.paddedWidth(tile) * laneCount);
    encodeKernels().reorderTile(rowsOfTile(grid, bytes, strip, tile), grid.paddedWidth(tile), padding, elements.data());
    visit(tile, std::span<const uint8_t>(elements));
  }
}

} // namespace ecf8

#endif // ECF8_LIB_CODEC_PAYLOADWRITER_H
