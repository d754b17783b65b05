// Encoding planes, in two passes over the elements: the first counts the escapes of each tile, which gives the place of
// its stream; the second writes every tile where it belongs. So the bytes do not depend on the number of threads.
#include "PlanesEncoder.h"

#include "ecf8/Codec/Planes.h"
#include "ecf8/Support/ParallelFor.h"

#include <algorithm>

namespace ecf8 {
namespace {

/// Knows the ranks of one tensor.
class PlanesCoder {
public:
  PlanesCoder(const SymbolRanks &ranks, ElementType type) : type(type), split(getElementSplit(type)) {
    for (unsigned plane = 0; plane < 2; ++plane)
      for (unsigned code = 0; code < ranksPerPlane; ++code) {
        unsigned rank = plane * ranksPerPlane + code;
        bool isUsed = rank < ranks.usedRanks();
        symbols[plane][code] = isUsed ? split.elementOf(ranks.symbolOf(rank), 0) : noSymbol;
      }
    escapesOf.fill(3);
    for (unsigned rank = 0; rank < ranks.usedRanks(); ++rank)
      escapesOf[ranks.symbolOf(rank)] = rank < ranksPerPlane ? 0 : 1;
  }

  /// A padding element [planes_c7] [rest_c3].
  uint8_t paddingElement() const { return symbols[0][0] == noSymbol ? 0 : symbols[0][0]; }

  EscapeCounts countEscapes(const RowsView &rows) const { return encodeKernels().countEscapes(type, escapesOf, rows); }

  /// Writes the stream and the units of a tile, given in tile order with its padding, over zeros.
  void encodeTile(std::span<const uint8_t> elements, uint8_t *stream, uint8_t *units);

private:
  /// Writes the units and collects the escapes of the first plane.
  void encodeUnits(std::span<const uint8_t> elements, uint8_t *units);
  /// Writes the groups and collects the escapes of the second plane. `firstEscapes` gains up to 63 bytes.
  void encodeGroups(uint8_t *groups);
  void encodeThird(uint8_t *out) const;

  ElementType type;
  ElementSplit split;
  std::array<PlaneSymbols, 2> symbols;
  std::array<uint8_t, maxSymbolCount> escapesOf;    ///< by symbol: 1 for an escape of the first plane, 3 of both
  std::vector<uint8_t> firstEscapes, secondEscapes; ///< of the tile at hand
};

void PlanesCoder::encodeUnits(std::span<const uint8_t> elements, uint8_t *units) {
  unsigned unitElements = getTileStorage(type, Encoding::Planes).columnGroup * laneCount;
  firstEscapes.resize(elements.size() + stepElements);
  uint8_t *end = encodeKernels().encodeUnits(type, symbols[0], elements.data(), elements.size() / unitElements, units,
                                             firstEscapes.data());
  firstEscapes.resize(size_t(end - firstEscapes.data()));
}

void PlanesCoder::encodeGroups(uint8_t *groups) {
  size_t count = firstEscapes.size(), groupCount = (count + stepElements - 1) / stepElements;
  // The last group is filled up with the symbol of rank 3, whose code is 0.
  firstEscapes.resize(groupCount * stepElements, symbols[1][0]);
  secondEscapes.resize(firstEscapes.size() + stepElements);
  uint8_t *end =
      encodeKernels().encodeGroups(type, symbols[1], firstEscapes.data(), groupCount, groups, secondEscapes.data());
  if (symbols[1][0] == noSymbol && count % stepElements != 0) { // without one, the fill was escaped: undo it [codes_c4]
    end -= firstEscapes.size() - count;
    uint64_t valid = (uint64_t(1) << count % stepElements) - 1;
    for (uint8_t *mask : {groups + groupCount * 16 - 16, groups + groupCount * 16 - 8})
      storeLittle(mask, loadLittle<uint64_t>(mask) & valid);
  }
  secondEscapes.resize(size_t(end - secondEscapes.data()));
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

Result<std::vector<uint8_t>> encodePlanes(Header &header, std::span<const uint8_t> bytes, unsigned threads) {
  Result<SymbolRanks> ranks = SymbolRanks::create(header.codeLengths, header.split().symbolCount);
  if (!ranks)
    return ranks.status();
  const PlanesCoder prototype(*ranks, header.elementType);
  TileGrid grid = header.grid();
  uint64_t tilesPerStrip = grid.tilesPerStrip(), strips = grid.tileCount() == 0 ? 0 : grid.strips();

  std::vector<uint64_t> tileEnd(grid.tileCount() + 1); // in words; entry i + 1 belongs to tile i, as in the table
  parallelFor(strips, threads, [&](uint64_t strip) {
    for (uint64_t tile = 0; tile < tilesPerStrip; ++tile) {
      EscapeCounts counts = prototype.countEscapes(rowsOfTile(grid, bytes, strip, tile));
      tileEnd[strip * tilesPerStrip + tile + 1] = planesTileWords(header.elementType, counts.first, counts.second);
    }
  });
  for (uint64_t tile = 1; tile < tileEnd.size(); ++tile)
    tileEnd[tile] += tileEnd[tile - 1];
  if (Status status = checkCodesBytes(header, tileEnd.back() * 2); !status.isOk())
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
