#include "ecf8/Codec/KernelPart.h"

#include "ecf8/Codec/Segments.h"

namespace ecf8 {

static uint32_t ceilDiv(uint64_t a, uint64_t b) { return uint32_t((a + b - 1) / b); }

KernelPart describePart(const Payload &payload, uint64_t row, uint64_t column, uint64_t rows, uint64_t columns) {
  const Header &header = payload.header;
  TileGrid grid = header.grid();
  const uint64_t strip = row / mmaStripRows, tile = column / grid.tileColumns;
  KernelPart part = {};
  part.planeOffset = header.restOffset + grid.columnsBefore(strip, tile) * header.storage().bytesPerColumn;
  if (header.hasCodes()) {
    part.codesOffset = header.codesOffset;
    part.tileTableOffset = header.tileTableOffset + 4 * (strip * grid.tilesPerStrip() + tile);
  }
  part.rows = uint32_t(rows);
  part.columns = uint32_t(columns);
  part.rowTiles = ceilDiv(rows, mmaStripRows);
  part.chunks = ceilDiv(columns, grid.tileColumns);
  part.stripTiles = uint32_t(grid.tilesPerStrip());
  part.stripGroups = uint32_t(grid.paddedColumns() / mmaBlockColumns);
  part.slotBytes = uint32_t(getLongestStreamBytes(payload));
  part.exponentOffset = header.exponentOffset;
  part.hasNaN = header.dataFlags & DataHasNaN;
  return part;
}

uint32_t getGroupReciprocal(uint32_t blockColumns) {
  uint32_t groups = ceilDiv(blockColumns, mmaBlockColumns);
  return ((uint32_t(1) << 31) - 1) / groups + 1;
}

KernelPart describeWhole(const Payload &payload) {
  return describePart(payload, 0, 0, payload.header.shape.rows, payload.header.shape.columns);
}

} // namespace ecf8
