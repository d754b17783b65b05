// Streamed decoding. The sections of some strips, put together in memory, are a payload of their own.
#include "ecf8/Codec/StreamDecoder.h"

#include "ContentCheck.h"
#include "Kernels.h"
#include "OrderedFor.h"
#include "ecf8/Codec/Decoder.h"
#include "ecf8/Support/Hash.h"

#include <algorithm>
#include <memory>
#include <string>

namespace ecf8 {
namespace {

/// "expected X, got Y at byte N [rule]".
Status corrupt(const std::string &expected, const std::string &got, uint64_t offset, const char *rule) {
  return Status(StatusCode::Corrupt,
                "expected " + expected + ", got " + got + " at byte " + std::to_string(offset) + " [" + rule + "]");
}

} // namespace

Result<StreamDecoder> StreamDecoder::open(const ByteSource &payload, uint64_t payloadBytes) {
  std::vector<uint8_t> bytes(std::min(payloadBytes, payloadHeadBytes));
  if (Status status = payload.read(0, bytes); !status.isOk())
    return status;
  Result<Payload> head = readPayloadHeader(bytes, payloadBytes);
  if (!head)
    return head.status();
  return StreamDecoder(payload, head.take());
}

Status StreamDecoder::checkZero(uint64_t begin, uint64_t end) const {
  std::vector<uint8_t> bytes(end - begin);
  if (Status status = source->read(begin, bytes); !status.isOk())
    return status;
  for (uint64_t i = 0; i < bytes.size(); ++i)
    if (bytes[i] != 0)
      return corrupt("byte 0", std::to_string(bytes[i]), begin + i, "layout_c3");
  return Status::ok();
}

Status StreamDecoder::checkBytes() const {
  const Header &header = head.header;
  Hasher hasher;
  std::vector<uint8_t> buffer;
  constexpr uint64_t pieceBytes = uint64_t(1) << 20;
  for (uint64_t offset = header_offset::contentHash; offset < header.payloadBytes; offset += buffer.size()) {
    buffer.resize(std::min(header.payloadBytes - offset, pieceBytes));
    if (Status status = source->read(offset, buffer); !status.isOk())
      return status;
    hasher.update(buffer);
  }
  if (uint64_t hash = hasher.digest(); hash != header.payloadHash)
    return corrupt("payload checksum " + hashToHex(header.payloadHash), hashToHex(hash), header_offset::payloadHash,
                   "header_c6");
  SectionLayout layout = *computeLayout(header); // the reader has checked that there is one
  Status status = checkZero(header.restOffset + layout.restBytes, header.payloadBytes);
  if (status.isOk() && header.hasCodes()) {
    status = checkZero(header.tileTableOffset + (header.grid().tileCount() + 1) * 4, header.codesOffset);
    if (status.isOk())
      status = checkZero(header.codesOffset + header.codesBytes, header.restOffset);
  }
  return status;
}

Status StreamDecoder::decodeStrips(uint64_t firstStrip, uint64_t endStrip, std::span<uint8_t> out) const {
  const Header &whole = head.header;
  const TileGrid grid = whole.grid();
  const uint64_t columns = whole.shape.columns, firstRow = firstStrip * grid.paddedRows();
  Payload part = head;
  Header &header = part.header;
  header.rank = 2;
  header.shape = {std::min(endStrip * grid.paddedRows(), whole.shape.rows) - firstRow, columns};
  header.dims = {header.shape.rows, columns};

  std::vector<uint8_t> table;
  uint64_t firstTile = firstStrip * grid.tilesPerStrip(), tiles = (endStrip - firstStrip) * grid.tilesPerStrip();
  const unsigned unitBytes = whole.tableUnitBytes();
  const std::string unit = whole.order == Order::Mma ? "unit" : "word";
  const uint64_t units = whole.codesBytes / unitBytes;
  uint64_t firstUnit = 0;
  if (whole.hasCodes()) {
    table.resize((tiles + 1) * 4);
    uint64_t tableOffset = whole.tileTableOffset + firstTile * 4;
    if (Status status = source->read(tableOffset, table); !status.isOk())
      return status;
    auto entry = [&](uint64_t tile) { return loadLittle<uint32_t>(table.data() + tile * 4); };
    firstUnit = entry(0);
    if (firstTile == 0 && firstUnit != 0)
      return corrupt("first tile at " + unit + " 0", std::to_string(firstUnit), tableOffset, "table_c1");
    for (uint64_t tile = 1; tile <= tiles; ++tile)
      if (entry(tile) < entry(tile - 1))
        return corrupt("a " + unit + " offset of at least " + std::to_string(entry(tile - 1)),
                       std::to_string(entry(tile)), tableOffset + tile * 4, "table_c2");
    bool isLast = firstTile + tiles == grid.tileCount();
    if (isLast ? entry(tiles) != units : entry(tiles) > units)
      return corrupt("last " + unit + " offset " + std::to_string(units), std::to_string(entry(tiles)),
                     tableOffset + tiles * 4, "table_c3");
    header.codesBytes = (entry(tiles) - firstUnit) * unitBytes;
    for (uint64_t tile = 0; tile <= tiles; ++tile)
      storeLittle(table.data() + tile * 4, uint32_t(entry(tile) - firstUnit));
  }
  Result<SectionLayout> layout = computeLayout(header);
  if (!layout)
    return layout.status();
  header.lengthsOffset = layout->lengthsOffset;
  header.tileTableOffset = layout->tileTableOffset;
  header.codesOffset = layout->codesOffset;
  header.restOffset = layout->restOffset;
  header.payloadBytes = layout->payloadBytes;
  // Not a vector, which would fill it with zeros: only what lies between the sections has to be.
  auto buffer = std::make_unique_for_overwrite<uint8_t[]>(header.payloadBytes);
  std::span bytes(buffer.get(), header.payloadBytes);
  std::fill(bytes.begin(), bytes.begin() + std::ptrdiff_t(header.codesOffset), uint8_t(0));
  for (uint64_t end : {header.codesOffset + header.codesBytes, header.restOffset + layout->restBytes})
    std::fill_n(bytes.begin() + std::ptrdiff_t(end), std::min(sectionAlignment, header.payloadBytes - end), uint8_t(0));
  std::copy(table.begin(), table.end(), bytes.begin() + std::ptrdiff_t(header.tileTableOffset));
  if (Status status =
          source->read(whole.codesOffset + firstUnit * unitBytes, bytes.subspan(header.codesOffset, header.codesBytes));
      !status.isOk())
    return status;
  uint64_t restBegin = whole.restOffset + grid.columnsBefore(firstStrip, 0) * whole.storage().bytesPerColumn;
  if (Status status = source->read(restBegin, bytes.subspan(header.restOffset, layout->restBytes)); !status.isOk())
    return status;
  part.bytes = bytes;
  return decodeUnchecked(part, out);
}

Status StreamDecoder::read(uint64_t first, std::span<uint8_t> out) const {
  const Header &header = head.header;
  if (out.empty())
    return Status::ok();
  if (header.order == Order::RowMajor) // [raw_c1]
    return source->read(header.restOffset + first, out);
  uint64_t stripElements = header.shape.columns * header.grid().paddedRows();
  uint64_t firstStrip = first / stripElements, endStrip = (first + out.size() - 1) / stripElements + 1;
  uint64_t begin = firstStrip * stripElements, end = std::min(endStrip * stripElements, header.elementCount());
  if (begin == first && end == first + out.size())
    return decodeStrips(firstStrip, endStrip, out);
  std::vector<uint8_t> elements(end - begin);
  if (Status status = decodeStrips(firstStrip, endStrip, elements); !status.isOk())
    return status;
  std::copy_n(elements.begin() + std::ptrdiff_t(first - begin), out.size(), out.begin());
  return Status::ok();
}

Status StreamDecoder::decode(const StreamLimits &limits, const Writer &write, const InOrderVisitor &visit) const {
  const Header &header = head.header;
  uint64_t stepBytes =
      header.order == Order::RowMajor ? 1 : std::max<uint64_t>(header.shape.columns * header.grid().paddedRows(), 1);
  uint64_t windowBytes = stepBytes * std::max<uint64_t>(limits.windowBytes / stepBytes, 1);
  uint64_t elementCount = header.elementCount();
  struct Slot {
    std::vector<uint8_t> bytes;
    TensorStats stats;
  };
  Hasher hasher;
  ContentFigures content;
  content.minExponent = elementCount == 0 ? 0 : maxSymbolCount;
  Status status =
      orderedFor<Slot>((elementCount + windowBytes - 1) / windowBytes, limits.threads,
                       [&](size_t i, Slot &slot) {
                         slot.bytes.resize(std::min(windowBytes, elementCount - i * windowBytes));
                         if (Status status = read(i * windowBytes, slot.bytes); !status.isOk())
                           return status;
                         slot.stats = collectSymbolStats(header.elementType, slot.bytes, /*threads=*/1);
                         return Status::ok();
                       },
                       [&](size_t, Slot &slot) {
                         hasher.update(slot.bytes);
                         content.dataFlags |= slot.stats.dataFlags;
                         content.minExponent = std::min<unsigned>(content.minExponent, slot.stats.minExponent);
                         content.maxExponent = std::max<unsigned>(content.maxExponent, slot.stats.maxExponent);
                         if (visit)
                           visit(slot.bytes);
                         return Status::ok();
                       },
                       [&](size_t i, Slot &slot) { return write ? write(i * windowBytes, slot.bytes) : Status::ok(); });
  if (!status.isOk())
    return status;
  content.hash = hasher.digest();
  return checkContent(header, content);
}

} // namespace ecf8
