// Decoding at the speed of a re-encoding, in portable C++: tables for codes, eight codes of two bits at a time. Checks
// no stream [stream_c6] [codes_c7]; every read and write stays inside buffers of the tile's size whatever the stream
// says.
#include "ecf8/Codec/Decoder.h"

#include "ParallelFor.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace ecf8 {
namespace {

constexpr unsigned stepElements = 2 * laneCount;

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

/// The bytes of one tile's stream, which lies inside the payload: the reader has checked the tile table.
std::span<const uint8_t> tileStream(const Payload &payload, uint64_t index) {
  uint64_t begin = payload.tileWordOffset(index), end = payload.tileWordOffset(index + 1);
  return payload.bytes.subspan(payload.header.codesOffset + begin * 2, (end - begin) * 2);
}

/// Decodes tiles of encoding raw. [raw_c2]
class RawTiles {
public:
  void decode(std::span<const uint8_t>, const uint8_t *data, std::span<uint8_t> elements) {
    std::copy_n(data, elements.size(), elements.begin());
  }
};

/// Decodes tiles of encoding huffman, one after the other.
class HuffmanTiles {
public:
  explicit HuffmanTiles(const Payload &payload) : type(payload.header.elementType) {
    entries.resize(size_t(1) << payload.header.maxCodeLength);
    for (uint32_t window = 0; window < entries.size(); ++window) {
      auto [symbol, bits] = payload.code.decodeSymbol(window);
      entries[window] = {uint8_t(symbol << payload.header.split().symbolShift), uint8_t(bits)};
    }
  }

  void decode(std::span<const uint8_t> stream, const uint8_t *rest, std::span<uint8_t> elements) {
    RestUnit unit = getRestUnit(type);
    for (size_t i = 0; i < elements.size(); i += unit.columns * laneCount, rest += unit.bytes)
      decodeRestUnit(type, rest, elements.data() + i);

    // As many words as lanes could take; what lies after the stored ones does not matter [stream_c4].
    size_t steps = elements.size() / stepElements;
    words.resize((steps + 2) * laneCount);
    for (size_t i = 0; i < std::min(words.size(), stream.size() / 2); ++i)
      words[i] = loadLittle<uint16_t>(stream.data() + i * 2);

    uint32_t windows[laneCount], positions[laneCount] = {};
    for (unsigned lane = 0; lane < laneCount; ++lane)
      windows[lane] = words[lane] | uint32_t(words[laneCount + lane]) << wordBits;
    const uint16_t *next = words.data() + 2 * laneCount;
    const uint32_t mask = uint32_t(entries.size() - 1);
    uint8_t *out = elements.data();
    for (size_t step = 0; step < steps; ++step, out += stepElements)
      for (unsigned lane = 0; lane < laneCount; ++lane) {
        uint32_t window = windows[lane] >> positions[lane];
        Entry first = entries[window & mask], second = entries[window >> first.bits & mask];
        out[lane * 2] |= first.symbol;
        out[lane * 2 + 1] |= second.symbol;
        uint32_t position = positions[lane] + first.bits + second.bits;
        // No branch: whether a lane takes a word is a coin toss.
        unsigned isUsedUp = position / wordBits;
        uint64_t longWindow = windows[lane] | uint64_t(*next) << (2 * wordBits);
        windows[lane] = uint32_t(longWindow >> (isUsedUp * wordBits));
        positions[lane] = position % wordBits;
        next += isUsedUp;
      }
  }

private:
  struct Entry {
    uint8_t symbol; ///< at its place in an element
    uint8_t bits;
  };
  ElementType type;
  std::vector<Entry> entries; ///< by the next maxCodeLength bits of a lane
  std::vector<uint16_t> words;
};

/// 0xFF in byte i for each bit i of a byte.
constexpr std::array<uint64_t, 256> byteMasks = [] {
  std::array<uint64_t, 256> masks{};
  for (unsigned byte = 0; byte < masks.size(); ++byte)
    for (unsigned bit = 0; bit < 8; ++bit)
      if (byte >> bit & 1)
        masks[byte] |= uint64_t(0xFF) << (8 * bit);
  return masks;
}();

/// Decodes tiles of encoding planes, one after the other.
class PlanesTiles {
public:
  explicit PlanesTiles(const Payload &payload)
      : payload(payload), type(payload.header.elementType), first(payload, 0), second(payload, ranksPerPlane) {}

  void decode(std::span<const uint8_t> stream, const uint8_t *units, std::span<uint8_t> elements) {
    decodeEscapes(stream, elements.size());
    const uint8_t *nextEscape = escapes.data();
    size_t unitElements = payload.header.storage().columnGroup * laneCount;
    RestUnit rest = getRestUnit(type);
    for (size_t unit = 0; unit < elements.size(); unit += unitElements) {
      uint8_t *out = elements.data() + unit;
      for (size_t i = 0; i < unitElements; i += rest.columns * laneCount, units += rest.bytes) // [units_c2] [units_c3]
        decodeRestUnit(type, units, out + i);
      for (size_t i = 0; i < unitElements; i += stepElements, units += 16)
        for (uint64_t set = first.decode(units, out + i); set != 0; set &= set - 1)
          out[i + size_t(std::countr_zero(set))] |= *nextEscape++;
    }
  }

private:
  /// The three symbols of a plane, at their place in an element.
  class Plane {
  public:
    Plane(const Payload &payload, unsigned firstRank) {
      unsigned shift = payload.header.split().symbolShift;
      auto repeated = [&](unsigned rank) {
        return uint64_t(payload.ranks.symbolOf(firstRank + rank) << shift) * 0x0101010101010101;
      };
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

  /// Fills `escapes` with the symbols of the escapes of the first plane, at most `limit` of them. [codes_c1]
  void decodeEscapes(std::span<const uint8_t> stream, size_t limit) {
    escapes.assign(limit + 64, 0);
    if (stream.size() < 4)
      return;
    size_t groupCount = std::min<size_t>({loadLittle<uint16_t>(stream.data()), (stream.size() - 4) / 16, limit / 64});
    size_t thirdCount = loadLittle<uint16_t>(stream.data() + 2), next = 0;
    const uint8_t *groups = stream.data() + 4;
    std::span<const uint8_t> third = stream.subspan(4 + groupCount * 16), high = third;
    high = third.subspan(std::min(third.size(), (thirdCount + 1) / 2)); // f8E5M2 only
    for (size_t group = 0; group < groupCount; ++group) {
      uint8_t *out = escapes.data() + group * 64;
      for (uint64_t set = second.decode(groups + group * 16, out); set != 0; set &= set - 1, ++next) {
        unsigned symbol = next / 2 < third.size() ? third[next / 2] >> (next % 2 * 4) & 15u : 0;
        if (type == ElementType::F8E5M2 && next / 8 < high.size())
          symbol |= (high[next / 8] >> (next % 8) & 1u) << 4;
        out[std::countr_zero(set)] = payload.header.split().elementOf(symbol, 0);
      }
    }
  }

  const Payload &payload;
  ElementType type;
  Plane first, second;
  std::vector<uint8_t> escapes;
};

/// Copies the elements of a tile that are no padding to the rows they belong to, `rowStride` bytes apart. [tile_c2]
void scatterTile(const uint8_t *elements, uint64_t rows, uint64_t columns, uint64_t rowStride, uint8_t *out) {
  // In blocks of 256 columns (8 KiB of input), so that the strided loads stay in the first-level cache.
  constexpr uint64_t blockColumns = 256;
  for (uint64_t begin = 0; begin < columns; begin += blockColumns) {
    uint64_t end = std::min(columns, begin + blockColumns);
    for (unsigned row = 0; row < rows; ++row) {
      const uint8_t *from = elements + rowToLane(row) * 2;
      uint8_t *to = out + row * rowStride;
      uint64_t column = begin;
      for (; column + 2 <= end; column += 2)
        std::memcpy(to + column, from + column * laneCount, 2);
      if (column < end)
        to[column] = from[column * laneCount];
    }
  }
}

/// Decodes all tiles, those of a strip with one copy of `prototype`, and puts the elements in place.
template <typename Tiles>
void decodeStrips(const Payload &payload, const Tiles &prototype, unsigned threads, std::vector<uint8_t> &matrix) {
  const Header &header = payload.header;
  TileGrid grid = header.grid();
  parallelFor(grid.strips(), threads, [&](uint64_t strip) {
    Tiles tiles = prototype;
    std::vector<uint8_t> elements;
    for (uint64_t tile = 0; tile < grid.tilesPerStrip(); ++tile) {
      elements.resize(grid.paddedWidth(tile) * laneCount);
      std::span<const uint8_t> stream;
      if (header.hasCodes())
        stream = tileStream(payload, strip * grid.tilesPerStrip() + tile);
      tiles.decode(stream,
                   payload.bytes.data() + header.restOffset +
                       grid.columnsBefore(strip, tile) * header.storage().bytesPerColumn,
                   elements);
      scatterTile(elements.data(), grid.stripRows(strip), grid.tileWidth(tile), grid.shape.columns,
                  matrix.data() + strip * laneCount * grid.shape.columns + tile * grid.tileColumns);
    }
  });
}

} // namespace

std::vector<uint8_t> decodeUnchecked(const Payload &payload, unsigned threads) {
  const Header &header = payload.header;
  std::vector<uint8_t> matrix(header.elementCount());
  if (matrix.empty())
    return matrix;
  if (header.order == Order::RowMajor) { // [raw_c1]
    std::copy_n(payload.bytes.data() + header.restOffset, matrix.size(), matrix.begin());
    return matrix;
  }
  switch (header.encoding) {
  case Encoding::Raw:
    decodeStrips(payload, RawTiles(), threads, matrix);
    break;
  case Encoding::Huffman:
    decodeStrips(payload, HuffmanTiles(payload), threads, matrix);
    break;
  case Encoding::Planes:
    decodeStrips(payload, PlanesTiles(payload), threads, matrix);
    break;
  }
  return matrix;
}

} // namespace ecf8
