// Decoding at the speed of a re-encoding: tables made once for a tensor, tiles decoded by the inner loops of the
// instruction set. Checks no stream [stream_c6] [codes_c7] [segments_c5].
#include "ecf8/Codec/Decoder.h"

#include "Kernels.h"
#include "MmaDecode.h"
#include "ecf8/Support/ParallelFor.h"

#include <algorithm>
#include <numeric>

namespace ecf8 {
namespace {

/// Elements that are worth a piece of work of their own, and those of a piece if there are enough for all threads.
constexpr uint64_t minPieceElements = uint64_t(1) << 16, pieceElements = uint64_t(1) << 20;
/// Kernels decode so many tiles at once.
constexpr uint64_t tilesAtOnce = 4;

/// Sets the symbols and lengths by 8 bits, and the pairs by 12 bits, of a code of group 1.
void setTables(const Payload &payload, bool withPairs, HuffmanTables &tables) {
  for (uint32_t window = 0; window < 256; ++window) {
    auto [symbol, bits] = payload.code.decodeSymbol(window);
    tables.symbols[window] = payload.header.split().elementOf(symbol, 0);
    tables.lengths[window] = uint8_t(bits);
  }
  if (!withPairs)
    return;
  tables.pairs.resize(size_t(1) << HuffmanTables::pairBits);
  for (uint32_t window = 0; window < tables.pairs.size(); ++window) {
    unsigned first = window & 0xFF, second = window >> tables.lengths[first] & 0xFF;
    unsigned length = tables.lengths[first] + tables.lengths[second];
    tables.pairs[window] = length > HuffmanTables::pairBits
                               ? HuffmanTables::isLong
                               : tables.symbols[first] | uint32_t(tables.symbols[second]) << 8 | length << 16;
  }
}

/// The entry of a table of pairs for a code of group 2.
uint32_t pairEntry(const ElementSplit &split, unsigned symbol, unsigned length) {
  return split.elementOf(symbol % split.symbolCount, 0) |
         uint32_t(split.elementOf(symbol / split.symbolCount, 0)) << 8 | length << 16;
}

/// Sets the pairs of a code of group 2, whose codes have at most 12 bits: code by code, since there are many windows.
void setPairs(const Payload &payload, HuffmanTables &tables) {
  const CanonicalCode &code = payload.code;
  const ElementSplit &split = payload.header.split();
  tables.pairs.assign(size_t(1) << HuffmanTables::pairBits, pairEntry(split, code.paddingSymbol(), 0));
  for (unsigned length = 1; length <= HuffmanTables::pairBits; ++length)
    for (unsigned i = 0; i < code.codesOf(length).count; ++i) {
      unsigned symbol = code.symbolAt(code.codesOf(length).firstIndex + i);
      for (size_t window = code.streamBits(symbol); window < tables.pairs.size(); window += size_t(1) << length)
        tables.pairs[window] = pairEntry(split, symbol, length);
    }
}

HuffmanTables makeTables(const Payload &payload, bool withPairs) {
  HuffmanTables tables = {.type = payload.header.elementType, .group = payload.header.group, .code = payload.code};
  if (tables.group == 2 && (withPairs || tables.type != ElementType::F8E4M3FN))
    setPairs(payload, tables);
  else if (tables.group == 1)
    setTables(payload, withPairs, tables);
  return tables;
}

SegmentTables makeSegmentTables(const Header &header) {
  return {*getGroupLayout(header.elementType, header.group), getOffsetAddend(header.elementType, header.exponentOffset),
          header.maxCodeLength, buildSegmentTable(header)};
}

PlanesTables makePlanesTables(const Payload &payload) {
  PlanesTables tables = {.type = payload.header.elementType, .symbols = {}};
  for (unsigned rank = 0; rank < rankCount; ++rank)
    tables.symbols[rank / ranksPerPlane][rank % ranksPerPlane] =
        payload.header.split().elementOf(payload.ranks.symbolOf(rank), 0);
  return tables;
}

/// Matrices from this size on are written around the caches: their first rows would be gone from them in the end
/// anyway.
constexpr uint64_t bypassBytes = uint64_t(4) << 20;

/// The tiles of `strips` strips from `firstStrip` on; their elements go to `out`, which is the first one's.
std::vector<TileSource> makeSources(const Payload &payload, uint64_t firstStrip, uint64_t strips, uint8_t *out) {
  const Header &header = payload.header;
  TileGrid grid = header.grid();
  std::vector<TileSource> sources;
  for (uint64_t strip = firstStrip; strip < firstStrip + strips; ++strip)
    for (uint64_t tile = 0; tile < grid.tilesPerStrip(); ++tile) {
      TileSource source = {};
      if (header.hasCodes()) { // inside the payload: the reader has checked the tile table
        uint64_t index = strip * grid.tilesPerStrip() + tile, begin = payload.tileOffset(index);
        source.streamOffset = header.codesOffset + begin;
        source.streamBytes = payload.tileOffset(index + 1) - begin;
      }
      source.last =
          payload.bytes.data() + header.restOffset + grid.columnsBefore(strip, tile) * header.storage().bytesPerColumn;
      source.steps = grid.paddedWidth(tile) / 2;
      source.rows = {out + (strip - firstStrip) * grid.paddedRows() * grid.shape.columns + tile * grid.tileColumns,
                     grid.shape.columns, grid.stripRows(strip), grid.tileWidth(tile),
                     header.elementCount() >= bypassBytes};
      sources.push_back(source);
    }
  return sources;
}

/// Calls decode(tiles) for all tiles, some strips at a time.
template <typename Decode>
void forEachPiece(const Payload &payload, std::span<uint8_t> out, unsigned threads, const Decode &decode) {
  TileGrid grid = payload.header.grid();
  uint64_t stripElements = grid.shape.columns * grid.paddedRows();
  auto divideUp = [](uint64_t a, uint64_t b) { return (a + b - 1) / b; };
  uint64_t threadElements = payload.header.elementCount() / (4 * std::max(threads, 1u));
  uint64_t wantedElements = std::clamp(threadElements, minPieceElements, pieceElements);
  uint64_t pieceStrips = std::max(divideUp(tilesAtOnce, grid.tilesPerStrip()), divideUp(wantedElements, stripElements));
  // A multiple of what is decoded at once, unless that leaves threads without work.
  uint64_t stripsAtOnce = tilesAtOnce / std::gcd(tilesAtOnce, grid.tilesPerStrip());
  if (uint64_t strips = divideUp(pieceStrips, stripsAtOnce) * stripsAtOnce; strips * stripElements <= threadElements)
    pieceStrips = strips;
  parallelFor((grid.strips() + pieceStrips - 1) / pieceStrips, threads, [&](uint64_t piece) {
    uint64_t first = piece * pieceStrips, strips = std::min(pieceStrips, grid.strips() - first);
    decode(makeSources(payload, first, strips, out.data() + first * stripElements));
  });
}

} // namespace

Status decodeUnchecked(const Payload &payload, std::span<uint8_t> out, unsigned threads) {
  const Header &header = payload.header;
  if (out.size() != header.elementCount())
    return Status(StatusCode::InvalidArgument, "expected room for " + std::to_string(header.elementCount()) +
                                                   " elements, got " + std::to_string(out.size()) + " bytes");
  if (out.empty())
    return Status::ok();
  if (header.order == Order::RowMajor) { // [raw_c1]
    std::copy_n(payload.bytes.data() + header.restOffset, out.size(), out.begin());
    return Status::ok();
  }
  const DecodeKernels &kernels = decodeKernels();
  switch (header.encoding) {
  case Encoding::Raw: { // [raw_c2] [mma_c4]
    auto scatter = header.order == Order::Mma ? scatterMmaTile : kernels.scatterTile;
    forEachPiece(payload, out, threads, [&](const std::vector<TileSource> &tiles) {
      for (const TileSource &tile : tiles)
        scatter(tile.last, tile.rows);
    });
    break;
  }
  case Encoding::Huffman: {
    if (header.order == Order::Mma) {
      SegmentTables tables = makeSegmentTables(header);
      forEachPiece(payload, out, threads, [&](const std::vector<TileSource> &tiles) {
        std::vector<uint8_t> scratch;
        for (const TileSource &tile : tiles)
          decodeSegments(tables, payload.bytes, tile, scratch);
      });
      break;
    }
    HuffmanTables tables = makeTables(payload, kernels.usesPairs);
    forEachPiece(payload, out, threads, [&](const std::vector<TileSource> &tiles) {
      std::vector<uint8_t> scratch;
      kernels.decodeHuffman(tables, payload.bytes, tiles, scratch);
    });
    break;
  }
  case Encoding::Planes: {
    PlanesTables tables = makePlanesTables(payload);
    forEachPiece(payload, out, threads, [&](const std::vector<TileSource> &tiles) {
      std::vector<uint8_t> scratch;
      kernels.decodePlanes(tables, payload.bytes, tiles, scratch);
    });
    break;
  }
  }
  return Status::ok();
}

std::vector<uint8_t> decodeUnchecked(const Payload &payload, unsigned threads) {
  std::vector<uint8_t> matrix(payload.header.elementCount());
  (void)decodeUnchecked(payload, matrix, threads); // the size is right
  return matrix;
}

} // namespace ecf8
