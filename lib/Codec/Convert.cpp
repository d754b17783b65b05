// Re-encoding and slices.
#include "ecf8/Codec/Convert.h"

#include "PayloadWriter.h"
#include "ecf8/Codec/Decoder.h"
#include "ecf8/Support/Hash.h"

#include <algorithm>
#include <string>

namespace ecf8 {
namespace {

/// [slice_c1]: `begin` and `end` lie on multiples of `step`; `end` may be the end of the matrix instead.
Status checkBorders(const char *what, uint64_t begin, uint64_t count, uint64_t size, uint64_t step) {
  if (begin > size || count > size - begin)
    return Status(StatusCode::InvalidArgument, std::string("expected a slice within ") + std::to_string(size) + " " +
                                                   what + ", got " + std::to_string(count) + " from " +
                                                   std::to_string(begin) + " on [slice_c1]");
  uint64_t end = begin + count;
  for (uint64_t border : {begin, end})
    if (border % step != 0 && border != size)
      return Status(StatusCode::InvalidArgument, std::string("expected a slice of ") + what + " along multiples of " +
                                                     std::to_string(step) + ", got a border at " +
                                                     std::to_string(border) + " [slice_c1]");
  return Status::ok();
}

/// The header of a slice with the content of `stats`, without its sizes, offsets and hashes.
Header makeSliceHeader(const Header &whole, const Slice &slice, const TensorStats &stats) {
  Header header = whole;
  header.rank = 2;
  header.dims = {slice.rows, slice.columns};
  header.shape = {slice.rows, slice.columns};
  header.dataFlags = stats.dataFlags;
  header.minExponent = stats.minExponent;
  header.maxExponent = stats.maxExponent;
  header.codesBytes = 0;
  if (header.elementCount() == 0 && header.order == Order::Rows32)
    header.codeLengths = {}, std::ranges::fill(header.wideLengths, 0); // [huffman_c5] [planes_c3]
  return header;
}

} // namespace

Result<std::vector<uint8_t>> reencode(const Payload &payload, const EncodeOptions &options, unsigned threads) {
  std::vector<uint8_t> elements = decodeUnchecked(payload, threads);
  if (hashBytes(elements) != payload.header.contentHash) {
    // The reference decoder knows what is wrong.
    Result<std::vector<uint8_t>> checked = decode(payload, threads);
    if (!checked)
      return checked;
    elements = checked.take();
  }
  return encode(options, payload.header.elementType, payload.header.getDims(), elements, threads);
}

Result<std::vector<uint8_t>> extractSlice(const Payload &payload, const Slice &slice) {
  const Header &whole = payload.header;
  if (whole.order == Order::RowMajor)
    return Status(StatusCode::InvalidArgument, "expected a payload in tiles, got order row_major");
  const unsigned stripRows = whole.grid().paddedRows();
  if (Status status = checkBorders("rows", slice.row, slice.rows, whole.shape.rows, stripRows); !status.isOk())
    return status;
  if (Status status = checkBorders("columns", slice.column, slice.columns, whole.shape.columns, whole.tileColumns);
      !status.isOk())
    return status;
  Result<std::vector<uint8_t>> elements = decodeSlice(payload, slice.row, slice.column, slice.rows, slice.columns);
  if (!elements)
    return elements;

  Header header = makeSliceHeader(whole, slice, collectStats(whole.elementType, *elements));
  TileGrid from = whole.grid(), to = header.grid();
  uint64_t strips = to.tileCount() == 0 ? 0 : to.strips();
  uint64_t firstStrip = slice.row / stripRows, firstTile = slice.column / whole.tileColumns;
  // The tiles of one strip of the slice are neighbours in the whole too: one run of codes and one of rests.
  auto codesOf = [&](uint64_t strip) {
    uint64_t first = (firstStrip + strip) * from.tilesPerStrip() + firstTile;
    return std::pair(payload.tileOffset(first), payload.tileOffset(first + to.tilesPerStrip()));
  };
  if (whole.hasCodes())
    for (uint64_t strip = 0; strip < strips; ++strip)
      header.codesBytes += codesOf(strip).second - codesOf(strip).first;

  Result<std::vector<uint8_t>> made = makePayload(header);
  if (!made)
    return made;
  std::vector<uint8_t> &out = *made;

  uint64_t bytesPerColumn = header.storage().bytesPerColumn;
  uint64_t written = 0; // bytes of codes
  for (uint64_t strip = 0; strip < strips; ++strip) {
    auto copyRange = [&](uint64_t source, uint64_t size, uint64_t target) {
      std::copy_n(payload.bytes.begin() + source, size, out.begin() + target);
    };
    copyRange(whole.restOffset + from.columnsBefore(firstStrip + strip, firstTile) * bytesPerColumn,
              to.paddedColumns() * bytesPerColumn, header.restOffset + to.columnsBefore(strip, 0) * bytesPerColumn);
    if (!header.hasCodes())
      continue;
    auto [begin, end] = codesOf(strip);
    copyRange(whole.codesOffset + begin, end - begin, header.codesOffset + written);
    for (uint64_t tile = 0; tile < to.tilesPerStrip(); ++tile) {
      uint64_t source = (firstStrip + strip) * from.tilesPerStrip() + firstTile + tile;
      uint64_t tileEnd = written + payload.tileOffset(source + 1) - begin;
      storeLittle(out.data() + header.tileTableOffset + (strip * to.tilesPerStrip() + tile + 1) * 4,
                  uint32_t(tileEnd / header.tableUnitBytes()));
    }
    written += end - begin;
  }
  finishPayload(header, *elements, out);
  return made;
}

} // namespace ecf8
