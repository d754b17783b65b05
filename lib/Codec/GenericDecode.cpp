// The inner loops of the fast decoder in portable C++: tables for codes, eight codes of two bits at a time.
#include "DecodeTables.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace ecf8 {
namespace {

/// Writes the rest of 64 elements for each step of a unit, 2 steps for f8E4M3FN and 8 for f8E5M2. [rest_c1] [rest_c2]
void decodeRestUnit(ElementType type, const uint8_t *unit, uint8_t *elements) {
  if (type == ElementType::F8E4M3FN) {
    for (unsigned p = 0; p < stepElements; ++p) {
      elements[p] = unit[p] & 0x87;
      elements[stepElements + p] = uint8_t(unit[p] << 4 | unit[p] >> 4) & 0x87;
    }
    return;
  }
  for (unsigned step = 0; step < 8; ++step) {
    const uint8_t *mantissas = unit + step / 4 * stepElements, *signs = unit + 2 * stepElements;
    for (unsigned p = 0; p < stepElements; ++p)
      elements[step * stepElements + p] = uint8_t((mantissas[p] >> (step % 4 * 2) & 3) | (signs[p] >> step & 1) << 7);
  }
}

void scatterTile(const uint8_t *elements, const MutableRowsView &rows) {
  // In blocks of 256 columns (8 KiB of input), so that the strided loads stay in the first-level cache.
  constexpr uint64_t blockColumns = 256;
  for (uint64_t begin = 0; begin < rows.columns; begin += blockColumns) {
    uint64_t end = std::min(rows.columns, begin + blockColumns);
    for (unsigned row = 0; row < rows.rows; ++row) {
      const uint8_t *from = elements + rowToLane(row) * 2;
      uint8_t *to = rows.data + row * rows.stride;
      uint64_t column = begin;
      for (; column + 2 <= end; column += 2)
        std::memcpy(to + column, from + column * laneCount, 2);
      if (column < end)
        to[column] = from[column * laneCount];
    }
  }
}

/// Decodes one tile to tile order.
void decodeHuffmanTile(const HuffmanTables &tables, std::span<const uint8_t> stream, const uint8_t *rest,
                       std::span<uint8_t> elements) {
  RestUnit unit = getRestUnit(tables.type);
  for (size_t i = 0; i < elements.size(); i += unit.columns * laneCount, rest += unit.bytes)
    decodeRestUnit(tables.type, rest, elements.data() + i);

  // What lies after the stored words does not matter. [stream_c4]
  auto word = [&](size_t index) {
    return 2 * index < stream.size() ? loadLittle<uint16_t>(stream.data() + 2 * index) : 0;
  };
  uint32_t windows[laneCount], positions[laneCount] = {};
  for (unsigned lane = 0; lane < laneCount; ++lane)
    windows[lane] = uint32_t(word(lane)) | uint32_t(word(laneCount + lane)) << wordBits;
  size_t next = 2 * laneCount;
  uint8_t *out = elements.data();
  for (size_t step = 0; step < elements.size() / stepElements; ++step, out += stepElements)
    for (unsigned lane = 0; lane < laneCount; ++lane) {
      uint32_t pair = lookUpPair(tables, windows[lane] >> positions[lane]);
      out[lane * 2] |= uint8_t(pair);
      out[lane * 2 + 1] |= uint8_t(pair >> 8);
      uint32_t position = positions[lane] + (pair >> 16);
      // No branch: whether a lane takes a word is a coin toss.
      unsigned isUsedUp = position / wordBits;
      uint64_t longWindow = windows[lane] | uint64_t(word(next)) << (2 * wordBits);
      windows[lane] = uint32_t(longWindow >> (isUsedUp * wordBits));
      positions[lane] = position % wordBits;
      next += isUsedUp;
    }
}

void decodeHuffman(const HuffmanTables &tables, std::span<const uint8_t> payload, std::span<const TileSource> tiles,
                   std::vector<uint8_t> &scratch) {
  for (const TileSource &tile : tiles) {
    scratch.resize(std::max<size_t>(scratch.size(), tile.steps * stepElements));
    decodeHuffmanTile(tables, payload.subspan(tile.streamOffset, tile.streamBytes), tile.last,
                      std::span(scratch).first(tile.steps * stepElements));
    scatterTile(scratch.data(), tile.rows);
  }
}

/// The three symbols of a plane.
class Plane {
public:
  explicit Plane(const PlaneSymbols &symbols) {
    auto repeated = [&](unsigned code) { return symbols[code] * uint64_t(0x0101010101010101); };
    zero = repeated(0);
    low = zero ^ repeated(1);
    high = zero ^ repeated(2);
    both = zero ^ low ^ high;
  }

  /// Adds the symbols of 64 codes to `elements`, none for escapes. Returns the escapes as a mask.
  uint64_t decode(const uint8_t *masks, uint8_t *elements) const {
    for (unsigned i = 0; i < 8; ++i, elements += 8) {
      uint64_t lowMask = byteMasks[masks[i]], highMask = byteMasks[masks[8 + i]];
      uint64_t symbols = zero ^ (lowMask & low) ^ (highMask & high) ^ (lowMask & highMask & both);
      storeLittle(elements, loadLittle<uint64_t>(elements) | symbols);
    }
    return loadLittle<uint64_t>(masks) & loadLittle<uint64_t>(masks + 8);
  }

private:
  // The symbol of code 0, and what the low bit, the high bit and both together change of it, in each byte.
  uint64_t zero, low, high, both;
};

/// Decodes one tile to tile order; `escapes` has room for all its elements.
void decodePlanesTile(const PlanesTables &tables, std::span<const uint8_t> stream, const uint8_t *units,
                      std::span<uint8_t> elements, std::span<uint8_t> escapes) {
  const Plane first(tables.symbols[0]), second(tables.symbols[1]);
  EscapeStream parts(tables.type, stream, elements.size());
  std::fill(escapes.begin(), escapes.end(), 0);
  size_t next = 0;
  for (size_t group = 0; group < parts.groupCount; ++group) {
    uint8_t *out = escapes.data() + group * stepElements;
    for (uint64_t set = second.decode(parts.groups + group * 16, out); set != 0; set &= set - 1, ++next)
      out[std::countr_zero(set)] = parts.thirdSymbol(next);
  }

  const uint8_t *nextEscape = escapes.data();
  size_t unitElements = getTileStorage(tables.type, Encoding::Planes).columnGroup * laneCount;
  RestUnit rest = getRestUnit(tables.type);
  for (size_t unit = 0; unit < elements.size(); unit += unitElements) {
    uint8_t *out = elements.data() + unit;
    for (size_t i = 0; i < unitElements; i += rest.columns * laneCount, units += rest.bytes) // [units_c2] [units_c3]
      decodeRestUnit(tables.type, units, out + i);
    for (size_t i = 0; i < unitElements; i += stepElements, units += 16)
      for (uint64_t set = first.decode(units, out + i); set != 0; set &= set - 1)
        out[i + size_t(std::countr_zero(set))] |= *nextEscape++;
  }
}

void decodePlanes(const PlanesTables &tables, std::span<const uint8_t> payload, std::span<const TileSource> tiles,
                  std::vector<uint8_t> &scratch) {
  for (const TileSource &tile : tiles) {
    size_t count = tile.steps * stepElements;
    scratch.resize(std::max(scratch.size(), 2 * count));
    std::span<uint8_t> elements = std::span(scratch).first(count), escapes = std::span(scratch).subspan(count, count);
    decodePlanesTile(tables, payload.subspan(tile.streamOffset, tile.streamBytes), tile.last, elements, escapes);
    scatterTile(elements.data(), tile.rows);
  }
}

} // namespace

const DecodeKernels &genericDecodeKernels() {
  static constexpr DecodeKernels kernels = {/*usesPairs=*/true, scatterTile, decodeHuffman, decodePlanes};
  return kernels;
}

} // namespace ecf8
