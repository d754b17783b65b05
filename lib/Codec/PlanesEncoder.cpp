// Encoding planes, in two passes over the elements: the first counts the escapes of each tile, which gives the place of
// its stream; the second writes every tile where it belongs. So the bytes do not depend on the number of threads.
#include "PlanesEncoder.h"

#include "ParallelFor.h"
#include "ecf8/Codec/Planes.h"

#include <algorithm>
#include <bit>

namespace ecf8 {
namespace {

constexpr unsigned stepElements = 2 * laneCount;

/// Codes of two bits of 64 elements: bit i of both is the code of element i [units_c1].
struct Masks {
  uint64_t low = 0, high = 0;

  uint64_t escapes() const { return low & high; }
  void store(uint8_t *out) const {
    storeLittle(out, low);
    storeLittle(out + 8, high);
  }
};

/// Bit 0 of each byte of `word`, from the lowest byte on.
uint64_t gatherLowBits(uint64_t word) {
  // The product moves bit 8i to bit 56 + i; no two of its terms meet.
  return (word & 0x0101010101010101) * 0x0102040810204080 >> 56;
}

/// The number of escapes of a tile.
struct EscapeCounts {
  uint64_t first = 0, second = 0;
};

/// Knows the ranks of one tensor.
class PlanesCoder {
public:
  PlanesCoder(const SymbolRanks &ranks, ElementType type) : type(type), split(getElementSplit(type)) {
    symbolMask = uint8_t((split.symbolCount - 1) << split.symbolShift);
    symbols.fill(noSymbol);
    for (unsigned rank = 0; rank < ranks.usedRanks(); ++rank)
      symbols[rank] = uint8_t(ranks.symbolOf(rank) << split.symbolShift);
    for (unsigned element = 0; element < escapesOf.size(); ++element) {
      auto end = symbols.begin() + ranks.usedRanks();
      auto rank = std::find(symbols.begin(), end, element & symbolMask) - symbols.begin();
      bool isRanked = rank < ranks.usedRanks();
      escapesOf[element] = isRanked ? rank >= ranksPerPlane : 1 | 1 << 16;
    }
  }

  /// A padding element [planes_c7] [rest_c3].
  uint8_t paddingElement() const { return symbols[0]; }

  EscapeCounts countEscapes(const uint8_t *source, uint64_t rowStride, uint64_t rows, uint64_t columns) const;

  /// Writes the stream and the units of a tile, given in tile order with its padding, over zeros.
  void encodeTile(std::span<const uint8_t> elements, uint8_t *stream, uint8_t *units);

private:
  /// Stands in for the symbol of a rank that is not given: no element under symbolMask equals it.
  static constexpr uint8_t noSymbol = 0xFF;

  Masks codePlane(const uint8_t *elements, unsigned firstRank) const;
  /// Writes the units and collects the escapes of the first plane.
  void encodeUnits(std::span<const uint8_t> elements, uint8_t *units);
  /// Writes the groups and collects the escapes of the second plane. `firstEscapes` gains up to 63 bytes.
  void encodeGroups(uint8_t *groups);
  void encodeThird(uint8_t *out) const;

  ElementType type;
  ElementSplit split;
  uint8_t symbolMask;                     ///< of the symbol's bits in an element
  std::array<uint8_t, rankCount> symbols; ///< by rank, at their place in an element
  std::array<uint32_t, 256> escapesOf{};  ///< 1 for an escape of the first plane, 1 << 16 more for one of the second
  std::vector<uint8_t> firstEscapes, secondEscapes; ///< of the tile at hand
};

EscapeCounts PlanesCoder::countEscapes(const uint8_t *source, uint64_t rowStride, uint64_t rows,
                                       uint64_t columns) const {
  // A tile has at most 32 * 1024 elements, so neither half of a sum overflows. Two sums, so that one does not wait for
  // the other.
  uint32_t sums[2] = {0, 0};
  for (uint64_t row = 0; row < rows; ++row, source += rowStride) {
    for (uint64_t column = 0; column + 2 <= columns; column += 2) {
      sums[0] += escapesOf[source[column]];
      sums[1] += escapesOf[source[column + 1]];
    }
    if (columns % 2 != 0)
      sums[0] += escapesOf[source[columns - 1]];
  }
  uint32_t sum = sums[0] + sums[1];
  return {sum & 0xFFFF, sum >> 16};
}

Masks PlanesCoder::codePlane(const uint8_t *elements, unsigned firstRank) const {
  const uint8_t first = symbols[firstRank], second = symbols[firstRank + 1], third = symbols[firstRank + 2];
  // Byte by byte first, in a form that compilers turn into vectors: codes 1 and 3 have the low bit, 2 and 3 the high
  // one.
  uint8_t low[stepElements], high[stepElements];
  for (unsigned i = 0; i < stepElements; ++i) {
    uint8_t symbol = elements[i] & symbolMask;
    low[i] = uint8_t((symbol != first) & (symbol != third));
    high[i] = uint8_t((symbol != first) & (symbol != second));
  }
  Masks masks;
  for (unsigned i = 0; i < stepElements; i += 8) {
    masks.low |= gatherLowBits(loadLittle<uint64_t>(low + i)) << i;
    masks.high |= gatherLowBits(loadLittle<uint64_t>(high + i)) << i;
  }
  return masks;
}

/// Copies the elements that `masks` sends to the next plane to `out` and returns the end.
uint8_t *collectEscapes(const uint8_t *elements, Masks masks, uint8_t *out) {
  for (uint64_t escapes = masks.escapes(); escapes != 0; escapes &= escapes - 1)
    *out++ = elements[std::countr_zero(escapes)];
  return out;
}

void PlanesCoder::encodeUnits(std::span<const uint8_t> elements, uint8_t *units) {
  unsigned unitElements = getTileStorage(type, Encoding::Planes).columnGroup * laneCount;
  RestUnit rest = getRestUnit(type);
  firstEscapes.resize(elements.size());
  uint8_t *escapes = firstEscapes.data();
  for (size_t unit = 0; unit < elements.size(); unit += unitElements) {
    const uint8_t *inUnit = elements.data() + unit;
    for (unsigned i = 0; i < unitElements; i += rest.columns * laneCount, units += rest.bytes)
      encodeRestUnit(type, inUnit + i, units);
    for (unsigned i = 0; i < unitElements; i += stepElements, units += 16) {
      Masks masks = codePlane(inUnit + i, /*firstRank=*/0);
      masks.store(units);
      escapes = collectEscapes(inUnit + i, masks, escapes);
    }
  }
  firstEscapes.resize(size_t(escapes - firstEscapes.data()));
}

void PlanesCoder::encodeGroups(uint8_t *groups) {
  size_t count = firstEscapes.size();
  firstEscapes.resize((count + 63) / 64 * 64);
  secondEscapes.resize(firstEscapes.size());
  uint8_t *escapes = secondEscapes.data();
  for (size_t begin = 0; begin < count; begin += 64, groups += 16) {
    Masks masks = codePlane(firstEscapes.data() + begin, /*firstRank=*/ranksPerPlane);
    if (count - begin < 64) { // [codes_c4]
      uint64_t valid = (uint64_t(1) << (count - begin)) - 1;
      masks = {masks.low & valid, masks.high & valid};
    }
    masks.store(groups);
    escapes = collectEscapes(firstEscapes.data() + begin, masks, escapes);
  }
  secondEscapes.resize(size_t(escapes - secondEscapes.data()));
}

void PlanesCoder::encodeThird(uint8_t *out) const {
  size_t count = secondEscapes.size();
  uint8_t *high = out + (count + 1) / 2; // f8E5M2 only
  for (size_t i = 0; i < count; ++i) {
    unsigned symbol = split.symbolOf(secondEscapes[i]);
    out[i / 2] |= uint8_t((symbol & 15) << (i % 2 * 4));
    if (type == ElementType::F8E5M2)
      high[i / 8] |= uint8_t(symbol >> 4 << (i % 8));
  }
}

void PlanesCoder::encodeTile(std::span<const uint8_t> elements, uint8_t *stream, uint8_t *units) {
  encodeUnits(elements, units);
  size_t groupCount = (firstEscapes.size() + 63) / 64;
  encodeGroups(stream + 4);
  encodeThird(stream + 4 + groupCount * 16);
  storeLittle(stream, uint16_t(groupCount));
  storeLittle(stream + 2, uint16_t(secondEscapes.size()));
}

} // namespace

Result<std::vector<uint8_t>> encodePlanes(Header header, std::span<const uint8_t> bytes, unsigned threads) {
  Result<SymbolRanks> ranks = SymbolRanks::create(header.codeLengths, header.split().symbolCount);
  if (!ranks)
    return ranks.status();
  const PlanesCoder prototype(*ranks, header.elementType);
  TileGrid grid = header.grid();
  uint64_t tilesPerStrip = grid.tilesPerStrip(), strips = grid.tileCount() == 0 ? 0 : grid.strips();

  std::vector<uint64_t> tileEnd(grid.tileCount() + 1); // in words; entry i + 1 belongs to tile i, as in the table
  parallelFor(strips, threads, [&](uint64_t strip) {
    const uint8_t *source = bytes.data() + strip * laneCount * grid.shape.columns;
    for (uint64_t tile = 0; tile < tilesPerStrip; ++tile) {
      EscapeCounts counts = prototype.countEscapes(source + tile * grid.tileColumns, grid.shape.columns,
                                                   grid.stripRows(strip), grid.tileWidth(tile));
      tileEnd[strip * tilesPerStrip + tile + 1] = planesTileWords(header.elementType, counts.first, counts.second);
    }
  });
  for (uint64_t tile = 1; tile < tileEnd.size(); ++tile)
    tileEnd[tile] += tileEnd[tile - 1];
  if (Status status = checkCodeWords(tileEnd.back()); !status.isOk())
    return status;
  header.codesBytes = tileEnd.back() * 2;
  Result<std::vector<uint8_t>> payload = makePayload(header);
  if (!payload)
    return payload;

  for (uint64_t tile = 0; tile < tileEnd.size(); ++tile)
    storeLittle(payload->data() + header.tileTableOffset + tile * 4, uint32_t(tileEnd[tile]));
  parallelFor(strips, threads, [&](uint64_t strip) {
    PlanesCoder coder = prototype;
    forEachTile(grid, bytes, strip, coder.paddingElement(), [&](uint64_t tile, std::span<const uint8_t> elements) {
      coder.encodeTile(elements, payload->data() + header.codesOffset + tileEnd[strip * tilesPerStrip + tile] * 2,
                       payload->data() + header.restOffset +
                           grid.columnsBefore(strip, tile) * header.storage().bytesPerColumn);
    });
  });
  finishPayload(header, bytes, *payload);
  return payload;
}

CodeWords estimatePlanesWords(const Header &header, const TensorStats &stats) {
  EscapeCounts all;
  for (unsigned symbol = 0; symbol < maxSymbolCount; ++symbol) {
    unsigned nibble = header.codeLengths[symbol];
    if (nibble == 0 || nibble > ranksPerPlane)
      all.first += stats.symbolCounts[symbol];
    if (nibble == 0)
      all.second += stats.symbolCounts[symbol];
  }
  uint64_t tiles = header.grid().tileCount();
  if (tiles == 0)
    return {};
  // As if all escapes were in one tile; the others have their two words.
  uint64_t min = planesTileWords(header.elementType, all.first, all.second) + (tiles - 1) * 2;
  // Each further tile rounds a group up, and the bytes of its third codes: at most 8 words and 2 words more.
  auto furtherTiles = [&](uint64_t escapes) { return escapes == 0 ? 0 : std::min(tiles, escapes) - 1; };
  return {min, min + furtherTiles(all.first) * 8 + furtherTiles(all.second) * 2};
}

} // namespace ecf8
