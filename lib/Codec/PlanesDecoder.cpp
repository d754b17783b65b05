// The reference decoder of encoding planes. Read it next to docs/Format.md, sections 10 to 12.
#include "TileDecoder.h"

#include <algorithm>

namespace ecf8 {
namespace {

/// Code `i` of 64 in the 16 bytes of `masks`: the low bits, then the high bits. [codes_c1] [units_c1]
unsigned codeOf(const uint8_t *masks, unsigned i) {
  auto bitOf = [i](const uint8_t *mask) { return mask[i / 8] >> (i % 8) & 1u; };
  return bitOf(masks) | bitOf(masks + 8) << 1;
}

class PlanesTileDecoder {
public:
  PlanesTileDecoder(const Payload &payload, uint64_t strip, uint64_t tile, std::vector<uint8_t> &elements)
      : payload(payload), type(payload.header.elementType), split(payload.header.split()), strip(strip), tile(tile),
        elements(elements) {}

  Status decode() {
    for (Status (PlanesTileDecoder::*part)() :
         {&PlanesTileDecoder::readSizes, &PlanesTileDecoder::decodeUnits, &PlanesTileDecoder::decodeGroups,
          &PlanesTileDecoder::decodeThird, &PlanesTileDecoder::checkUnusedBits})
      if (Status status = (this->*part)(); !status.isOk())
        return status;
    return Status::ok();
  }

private:
  Status readSizes();
  Status decodeUnits();
  Status decodeGroups();
  Status decodeThird();
  Status checkUnusedBits();

  Status corrupt(std::string expected, std::string got, const char *rule) const {
    return corruptTile(strip, tile, std::move(expected), std::move(got), rule);
  }
  /// Gives the element at `position` the symbol of `rank` and keeps its rest.
  Status setSymbolOfRank(uint64_t position, unsigned rank);

  const Payload &payload;
  const ElementType type;
  const ElementSplit &split;
  const uint64_t strip, tile;
  std::vector<uint8_t> &elements; ///< in tile order; rests until their symbol is known

  // The parts of the stream. [codes_c1]
  uint64_t groupCount = 0, thirdCount = 0;
  const uint8_t *groups = nullptr, *third = nullptr, *thirdHigh = nullptr, *end = nullptr;
  // Positions of the escapes of the first and of the second plane, in tile order.
  std::vector<uint64_t> firstEscapes, secondEscapes;
};

Status PlanesTileDecoder::readSizes() {
  uint64_t index = strip * payload.header.grid().tilesPerStrip() + tile;
  uint64_t begin = payload.tileOffset(index) / 2, words = payload.tileOffset(index + 1) / 2 - begin;
  if (words < 2)
    return corrupt("a stream of at least 2 words", std::to_string(words), "codes_c2");
  const uint8_t *stream = payload.bytes.data() + payload.header.codesOffset + begin * 2;
  groupCount = loadLittle<uint16_t>(stream);
  thirdCount = loadLittle<uint16_t>(stream + 2);
  groups = stream + 4;
  third = groups + groupCount * 16;
  thirdHigh = third + (thirdCount + 1) / 2;
  end = stream + words * 2;
  uint64_t needed = planesTileWords(type, groupCount * 64, thirdCount);
  if (words != needed)
    return corrupt("a stream of " + std::to_string(needed) + " words", std::to_string(words), "codes_c2");
  return Status::ok();
}

Status PlanesTileDecoder::setSymbolOfRank(uint64_t position, unsigned rank) {
  if (rank >= payload.ranks.usedRanks())
    return corrupt("a code of one of " + std::to_string(payload.ranks.usedRanks()) + " ranks at position " +
                       std::to_string(position),
                   "rank " + std::to_string(rank), "planes_c5");
  elements[position] = split.elementOf(payload.ranks.symbolOf(rank), elements[position]);
  return Status::ok();
}

Status PlanesTileDecoder::decodeUnits() {
  const Header &header = payload.header;
  TileStorage storage = header.storage();
  const uint8_t *units =
      payload.bytes.data() + header.restOffset + header.grid().columnsBefore(strip, tile) * storage.bytesPerColumn;
  uint64_t unitBytes = uint64_t(storage.columnGroup) * storage.bytesPerColumn;
  // A unit is its rest and then 16 bytes of masks for each step of 2 columns. [units_c2] [units_c3]
  RestUnit restUnit = getRestUnit(type);
  uint64_t restBytes = storage.columnGroup / restUnit.columns * restUnit.bytes;
  for (uint64_t position = 0; position < elements.size(); ++position) {
    uint64_t column = position / 64 * 2 + position % 2, inUnit = column % storage.columnGroup;
    unsigned p = unsigned(position % 64);
    const uint8_t *unit = units + column / storage.columnGroup * unitBytes;
    elements[position] = decodeRest(type, unit, inUnit, p);
    unsigned code = codeOf(unit + restBytes + inUnit / 2 * 16, p); // [planes_c4]
    if (code == escapeCode)
      firstEscapes.push_back(position);
    else if (Status status = setSymbolOfRank(position, code); !status.isOk())
      return status;
  }
  uint64_t neededGroups = (firstEscapes.size() + 63) / 64;
  if (groupCount != neededGroups)
    return corrupt(std::to_string(neededGroups) + " groups for " + std::to_string(firstEscapes.size()) + " escapes",
                   std::to_string(groupCount), "codes_c3");
  return Status::ok();
}

Status PlanesTileDecoder::decodeGroups() {
  for (uint64_t i = 0; i < groupCount * 64; ++i) {
    unsigned code = codeOf(groups + i / 64 * 16, unsigned(i % 64)); // [planes_c4]
    if (i >= firstEscapes.size()) {
      if (code != 0)
        return corrupt("code 0 after the " + std::to_string(firstEscapes.size()) + " escapes of the first plane",
                       std::to_string(code), "codes_c4");
      continue;
    }
    if (code == escapeCode)
      secondEscapes.push_back(firstEscapes[i]);
    else if (Status status = setSymbolOfRank(firstEscapes[i], ranksPerPlane + code); !status.isOk())
      return status;
  }
  if (thirdCount != secondEscapes.size())
    return corrupt(std::to_string(secondEscapes.size()) + " third codes", std::to_string(thirdCount), "codes_c5");
  return Status::ok();
}

Status PlanesTileDecoder::decodeThird() {
  for (uint64_t i = 0; i < thirdCount; ++i) {
    unsigned symbol = third[i / 2] >> (i % 2 * 4) & 15;
    if (type == ElementType::F8E5M2)
      symbol |= (thirdHigh[i / 8] >> (i % 8) & 1u) << 4;
    if (payload.ranks.hasRank(symbol))
      return corrupt("a symbol without a rank in third code " + std::to_string(i), "symbol " + std::to_string(symbol),
                     "planes_c6");
    uint8_t &element = elements[secondEscapes[i]];
    element = split.elementOf(symbol, element);
  }
  return Status::ok();
}

/// The unused bits of the last byte of both parts, and the byte that makes the number of bytes even. [codes_c6]
Status PlanesTileDecoder::checkUnusedBits() {
  unsigned unused = thirdCount % 2 != 0 ? third[thirdCount / 2] >> 4 : 0;
  const uint8_t *last = thirdHigh;
  if (type == ElementType::F8E5M2) {
    last += (thirdCount + 7) / 8;
    if (thirdCount % 8 != 0)
      unused |= unsigned(thirdHigh[thirdCount / 8] >> (thirdCount % 8));
  }
  if (last < end)
    unused |= *last;
  if (unused != 0)
    return corrupt("zero bits after the last third code", "bits that are set", "codes_c6");
  return Status::ok();
}

} // namespace

Status decodePlanesTile(const Payload &payload, uint64_t strip, uint64_t tile, std::vector<uint8_t> &elements) {
  return PlanesTileDecoder(payload, strip, tile, elements).decode();
}

} // namespace ecf8
