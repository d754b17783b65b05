// The reference decoder. Read it next to docs/Format.md: each function is one of its sections.
#include "ecf8/Codec/Decoder.h"

#include "ContentCheck.h"
#include "TileDecoder.h"
#include "ecf8/Support/Hash.h"
#include "ecf8/Support/ParallelFor.h"

#include <algorithm>
#include <bit>

namespace ecf8 {

std::string tileName(uint64_t strip, uint64_t tile) {
  return "tile " + std::to_string(tile) + " of strip " + std::to_string(strip);
}

Status corruptTile(uint64_t strip, uint64_t tile, std::string expected, std::string got, const char *rule) {
  return Status(StatusCode::Corrupt, tileName(strip, tile) + ": expected " + std::move(expected) + ", got " +
                                         std::move(got) + " [" + rule + "]");
}

uint8_t decodeRest(ElementType type, const uint8_t *plane, uint64_t column, unsigned p) {
  if (type == ElementType::F8E4M3FN) { // [rest_c1]
    uint8_t byte = plane[column / 4 * 64 + p];
    bool isSecondStep = column / 2 % 2;
    return (isSecondStep ? std::rotr(byte, 4) : byte) & 0x87;
  }
  // [rest_c2]
  const uint8_t *group = plane + column / 16 * 192;
  unsigned step = column / 2 % 8;
  uint8_t mantissa = group[step / 4 * 64 + p] >> (step % 4 * 2) & 3;
  uint8_t sign = group[128 + p] >> step & 1;
  return uint8_t(sign << 7) | mantissa;
}

namespace {

/// The stored words of one tile's stream. Words beyond them read as zero.
struct TileStream {
  const uint8_t *codes;
  uint64_t storedWords;
  uint64_t nextWord = 0; ///< handed out so far, stored or not

  uint16_t word(uint64_t index) const { return index < storedWords ? loadLittle<uint16_t>(codes + index * 2) : 0; }
};

/// One lane: two words of the stream and a position in the first of them.
struct Lane {
  uint64_t firstWord = 0, secondWord = 0; ///< their indices in the tile's stream
  unsigned position = 0;                  ///< coded bits of the first word that are used up; below 16 between steps
};

/// The symbols of a tile, in tile order. [stream_c1] to [stream_c5]
Status decodeSymbols(const Payload &payload, uint64_t strip, uint64_t tile, std::vector<uint8_t> &symbols) {
  const Header &header = payload.header;
  TileGrid grid = header.grid();
  uint64_t index = strip * grid.tilesPerStrip() + tile;
  uint64_t begin = payload.tileOffset(index), end = payload.tileOffset(index + 1);
  TileStream stream = {payload.bytes.data() + header.codesOffset + begin, (end - begin) / 2};

  // The stream opens with word 0 of each lane and then word 1 of each lane. [stream_c2]
  std::array<Lane, laneCount> lanes;
  for (Lane &lane : lanes)
    lane.firstWord = stream.nextWord++;
  for (Lane &lane : lanes)
    lane.secondWord = stream.nextWord++;

  uint64_t neededWords = 0; // up to the last word that holds a coded bit
  for (uint64_t step = 0; step < grid.paddedWidth(tile) / 2; ++step) {
    for (unsigned l = 0; l < laneCount; ++l) {
      Lane &lane = lanes[l];
      uint32_t window = stream.word(lane.firstWord) | uint32_t(stream.word(lane.secondWord)) << wordBits;
      for (unsigned i = 0; i < 2; i += header.group) {
        auto [symbol, bits] = payload.code.decodeSymbol(window >> lane.position);
        lane.position += bits;
        for (unsigned j = 0; j < header.group; ++j, symbol /= header.split().symbolCount) // [huffman_c7]
          symbols[tilePosition(l, step * 2 + i + j)] = uint8_t(symbol % header.split().symbolCount);
      }
      if (lane.position > 0)
        neededWords = std::max(neededWords, (lane.position > wordBits ? lane.secondWord : lane.firstWord) + 1);
    }
    // Then, after each step, the next word of each lane whose first word is used up. [stream_c3]
    for (Lane &lane : lanes) {
      if (lane.position < wordBits)
        continue;
      lane.position -= wordBits;
      lane.firstWord = lane.secondWord;
      lane.secondWord = stream.nextWord++;
    }
  }

  if (stream.storedWords != neededWords)
    return corruptTile(strip, tile, "a stream of " + std::to_string(neededWords) + " words",
                       std::to_string(stream.storedWords), "stream_c4");
  for (unsigned l = 0; l < laneCount; ++l)
    if ((stream.word(lanes[l].firstWord) >> lanes[l].position) != 0 || stream.word(lanes[l].secondWord) != 0)
      return corruptTile(strip, tile, "zero bits after the last code of lane " + std::to_string(l), "bits that are set",
                         "stream_c5");
  return Status::ok();
}

Status decodeHuffmanTile(const Payload &payload, uint64_t strip, uint64_t tile, std::vector<uint8_t> &elements) {
  const Header &header = payload.header;
  if (Status status = decodeSymbols(payload, strip, tile, elements); !status.isOk())
    return status;
  const uint8_t *plane = payload.bytes.data() + header.restOffset +
                         header.grid().columnsBefore(strip, tile) * header.storage().bytesPerColumn;
  for (uint64_t i = 0; i < elements.size(); ++i) {
    uint8_t rest = decodeRest(header.elementType, plane, i / 64 * 2 + i % 2, unsigned(i % 64));
    elements[i] = header.split().elementOf(elements[i], rest);
  }
  return Status::ok();
}

/// The rule that a wrong padding element breaks.
const char *paddingRule(const Header &header, bool isSymbolWrong) {
  if (header.encoding == Encoding::Raw)
    return header.order == Order::Mma ? "mma_c4" : "raw_c2";
  if (!isSymbolWrong)
    return "rest_c3";
  return header.encoding == Encoding::Huffman ? "huffman_c6" : "planes_c7";
}

/// Padding elements have the padding symbol and the rest 0; not for huffman in order mma. [raw_c2] [mma_c4]
/// [huffman_c6] [planes_c7] [rest_c3]
Status checkPadding(const Payload &payload, uint64_t strip, uint64_t tile, const std::vector<uint8_t> &elements) {
  const Header &header = payload.header;
  TileGrid grid = header.grid();
  bool isMma = header.order == Order::Mma;
  for (unsigned i = 0; i < grid.paddedRows(); ++i) // lane by lane, which order mma has no rows for
    for (uint64_t column = 0; column < grid.paddedWidth(tile); ++column) {
      unsigned row = isMma ? i : laneToRow(i);
      bool isPadding = row >= grid.stripRows(strip) || column >= grid.tileWidth(tile);
      uint8_t element = elements[grid.position(row, column)], padding = payload.paddingElement(column);
      bool sharesPair = header.group == 2 && row < grid.stripRows(strip) && column == grid.tileWidth(tile);
      if (sharesPair && column % 2 == 1)
        padding = header.split().elementOf(header.split().symbolOf(elements[grid.position(row, column - 1)]), 0);
      if (!isPadding || element == padding)
        continue;
      bool isSymbolWrong = header.split().symbolOf(element) != header.split().symbolOf(padding);
      return corruptTile(strip, tile,
                         "padding element " + std::to_string(padding) + (isMma ? " in row " : " in lane ") +
                             std::to_string(i) + ", column " + std::to_string(column),
                         std::to_string(element), paddingRule(header, isSymbolWrong));
    }
  return Status::ok();
}

/// What only the decoded elements show.
ContentFigures figuresOf(const Header &header, std::span<const uint8_t> elements) {
  ContentFigures content;
  content.hash = hashBytes(elements);
  content.minExponent = elements.empty() ? 0 : maxSymbolCount;
  for (uint8_t element : elements) {
    content.dataFlags |= dataFlagsOf(header.elementType, element);
    content.minExponent = std::min(content.minExponent, header.split().symbolOf(element));
    content.maxExponent = std::max(content.maxExponent, header.split().symbolOf(element));
  }
  return content;
}

} // namespace

Result<std::vector<uint8_t>> decodeTile(const Payload &payload, uint64_t strip, uint64_t tile) {
  const Header &header = payload.header;
  if (header.order == Order::RowMajor)
    return Status(StatusCode::InvalidArgument, "expected a payload in tiles, got order row_major");
  TileGrid grid = header.grid();
  if (strip >= grid.strips() || tile >= grid.tilesPerStrip())
    return Status(StatusCode::InvalidArgument, "expected a tile of " + std::to_string(grid.strips()) + " strips of " +
                                                   std::to_string(grid.tilesPerStrip()) + " tiles, got " +
                                                   tileName(strip, tile));
  std::vector<uint8_t> elements(grid.paddedWidth(tile) * grid.paddedRows());
  Status status = Status::ok();
  switch (header.encoding) {
  case Encoding::Raw: // [raw_c2] [mma_c4]
    std::copy_n(payload.bytes.data() + header.restOffset +
                    grid.columnsBefore(strip, tile) * header.storage().bytesPerColumn,
                elements.size(), elements.begin());
    break;
  case Encoding::Huffman:
    if (header.order == Order::Mma) { // has checked its padding, too
      status = decodeSegmentsTile(payload, strip, tile, elements);
      return status.isOk() ? Result<std::vector<uint8_t>>(std::move(elements)) : status;
    }
    status = decodeHuffmanTile(payload, strip, tile, elements);
    break;
  case Encoding::Planes:
    status = decodePlanesTile(payload, strip, tile, elements);
    break;
  }
  if (!status.isOk())
    return status;
  if (status = checkPadding(payload, strip, tile, elements); !status.isOk())
    return status;
  return elements;
}

Result<std::vector<uint8_t>> decodeSlice(const Payload &payload, uint64_t row, uint64_t column, uint64_t rowCount,
                                         uint64_t columnCount, unsigned threads) {
  const Header &header = payload.header;
  const MatrixShape &shape = header.shape;
  if (row > shape.rows || rowCount > shape.rows - row || column > shape.columns || columnCount > shape.columns - column)
    return Status(StatusCode::InvalidArgument, "expected a slice inside " + std::to_string(shape.rows) + "x" +
                                                   std::to_string(shape.columns) + ", got " + std::to_string(rowCount) +
                                                   "x" + std::to_string(columnCount) + " at (" + std::to_string(row) +
                                                   ", " + std::to_string(column) + ")");
  std::vector<uint8_t> slice(rowCount * columnCount);
  if (slice.empty())
    return slice;
  if (header.order == Order::RowMajor) { // [raw_c1]
    const uint8_t *data = payload.bytes.data() + header.restOffset;
    for (uint64_t i = 0; i < rowCount; ++i)
      std::copy_n(data + (row + i) * shape.columns + column, columnCount, slice.begin() + i * columnCount);
    return slice;
  }
  TileGrid grid = header.grid();
  const unsigned stripRows = grid.paddedRows();
  uint64_t firstStrip = row / stripRows, endStrip = (row + rowCount - 1) / stripRows + 1;
  std::vector<Status> statuses(endStrip - firstStrip, Status::ok());
  parallelFor(statuses.size(), threads, [&](size_t i) {
    uint64_t strip = firstStrip + i;
    for (uint64_t tile = column / grid.tileColumns; tile * grid.tileColumns < column + columnCount; ++tile) {
      Result<std::vector<uint8_t>> elements = decodeTile(payload, strip, tile);
      if (!elements) {
        statuses[i] = elements.status();
        return;
      }
      uint64_t firstRow = std::max(row, strip * stripRows);
      uint64_t endRow = std::min(row + rowCount, strip * stripRows + grid.stripRows(strip));
      uint64_t firstColumn = std::max(column, tile * grid.tileColumns);
      uint64_t endColumn = std::min(column + columnCount, tile * grid.tileColumns + grid.tileWidth(tile));
      for (uint64_t r = firstRow; r < endRow; ++r)
        for (uint64_t c = firstColumn; c < endColumn; ++c)
          slice[(r - row) * columnCount + (c - column)] =
              (*elements)[grid.position(unsigned(r % stripRows), c - tile * grid.tileColumns)];
    }
  });
  for (const Status &status : statuses) // the first in order, whatever the threads
    if (!status.isOk())
      return status;
  return slice;
}

Result<std::vector<uint8_t>> decode(const Payload &payload, unsigned threads) {
  const MatrixShape &shape = payload.header.shape;
  Result<std::vector<uint8_t>> elements = decodeSlice(payload, 0, 0, shape.rows, shape.columns, threads);
  if (!elements)
    return elements;
  if (Status status = checkContent(payload.header, figuresOf(payload.header, *elements)); !status.isOk())
    return status;
  return elements;
}

Result<std::vector<uint8_t>> decode(std::span<const uint8_t> bytes) {
  Result<Payload> payload = readPayload(bytes);
  if (!payload)
    return payload.status();
  return decode(*payload);
}

} // namespace ecf8
