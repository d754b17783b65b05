// The inner loops of the encoders in portable C++.
#include "Kernels.h"

#include <bit>
#include <cstring>

namespace ecf8 {
namespace {

void countSymbols(ElementType type, std::span<const uint8_t> bytes, SymbolCounts &symbolCounts, uint32_t &dataFlags) {
  std::array<uint64_t, 256> byteCounts{};
  addByteCounts(bytes, byteCounts);
  for (unsigned value = 0; value < byteCounts.size(); ++value)
    if (byteCounts[value] != 0) {
      symbolCounts[getElementSplit(type).symbolOf(uint8_t(value))] += byteCounts[value];
      dataFlags |= dataFlagsOf(type, uint8_t(value));
    }
}

void countPairs(ElementType type, std::span<const uint8_t> elements, std::span<uint32_t> tables) {
  // Four pairs at a time, each with a table of its own, so that equal ones do not wait for each other.
  const ElementSplit &split = getElementSplit(type);
  const size_t pairCount = tables.size() / 4;
  uint32_t *table[4];
  for (size_t i = 0; i < 4; ++i)
    table[i] = tables.data() + i * pairCount;
  const unsigned symbolBits = unsigned(std::bit_width(split.symbolCount) - 1);
  const uint64_t firstMask = (split.symbolCount - 1) * uint64_t(0x0001000100010001),
                 secondMask = firstMask << symbolBits;
  size_t i = 0;
  for (; i + 8 <= elements.size(); i += 8) {
    uint64_t symbols = loadLittle<uint64_t>(elements.data() + i) >> split.symbolShift;
    uint64_t pairs = (symbols & firstMask) | (symbols >> (8 - symbolBits) & secondMask);
    for (size_t pair = 0; pair < 4; ++pair)
      ++table[pair][pairs >> (16 * pair) & 0xFFFF];
  }
  for (; i < elements.size(); i += 2)
    ++table[0][split.symbolOf(elements[i]) | split.symbolOf(elements[i + 1]) << symbolBits];
}

void reorderTile(const RowsView &rows, uint64_t paddedColumns, uint8_t padding, uint8_t *out) {
  if (rows.rows < laneCount || rows.columns < paddedColumns)
    std::memset(out, padding, paddedColumns * laneCount);
  // In blocks of 256 columns (8 KiB of output), so that the strided stores stay in the first-level cache.
  constexpr uint64_t blockColumns = 256;
  for (uint64_t begin = 0; begin < rows.columns; begin += blockColumns) {
    uint64_t end = std::min(rows.columns, begin + blockColumns);
    for (unsigned row = 0; row < rows.rows; ++row) {
      const uint8_t *from = rows.data + row * rows.stride;
      uint8_t *to = out + rowToLane(row) * 2;
      uint64_t column = begin;
      for (; column + 2 <= end; column += 2)
        std::memcpy(to + column * laneCount, from + column, 2);
      if (column < end)
        to[column * laneCount] = from[column];
    }
  }
}

/// The rest of one unit. [rest_c1] [rest_c2]
void encodeRestUnit(ElementType type, const uint8_t *elements, uint8_t *out) {
  if (type == ElementType::F8E4M3FN) {
    for (unsigned p = 0; p < stepElements; ++p) {
      uint8_t first = elements[p] & 0x87, second = elements[stepElements + p] & 0x87;
      out[p] = uint8_t(first | second << 4 | second >> 4);
    }
    return;
  }
  for (unsigned p = 0; p < stepElements; ++p) {
    uint8_t mantissas[2] = {0, 0}, signs = 0;
    for (unsigned step = 0; step < 8; ++step) {
      uint8_t element = elements[step * stepElements + p];
      mantissas[step / 4] |= uint8_t((element & 3) << (step % 4 * 2));
      signs |= uint8_t(element >> 7 << step);
    }
    out[p] = mantissas[0];
    out[stepElements + p] = mantissas[1];
    out[2 * stepElements + p] = signs;
  }
}

void encodeRest(ElementType type, const uint8_t *elements, uint64_t count, uint8_t *out) {
  RestUnit unit = getRestUnit(type);
  for (uint64_t i = 0; i < count; ++i, elements += unit.columns * laneCount, out += unit.bytes)
    encodeRestUnit(type, elements, out);
}

EscapeCounts countEscapes(ElementType type, const std::array<uint8_t, maxSymbolCount> &table, const RowsView &rows) {
  // By element: 1 for an escape of the first plane, 1 << 16 more for one of the second. A tile has at most 32 * 1024
  // elements, so neither half of a sum overflows. Two sums, so that one does not wait for the other.
  std::array<uint32_t, 256> escapesOf;
  for (unsigned element = 0; element < escapesOf.size(); ++element) {
    unsigned escapes = table[getElementSplit(type).symbolOf(uint8_t(element))];
    escapesOf[element] = (escapes & 1) | (escapes >> 1 & 1) << 16;
  }
  uint32_t sums[2] = {0, 0};
  for (uint64_t row = 0; row < rows.rows; ++row) {
    const uint8_t *source = rows.data + row * rows.stride;
    for (uint64_t column = 0; column + 2 <= rows.columns; column += 2) {
      sums[0] += escapesOf[source[column]];
      sums[1] += escapesOf[source[column + 1]];
    }
    if (rows.columns % 2 != 0)
      sums[0] += escapesOf[source[rows.columns - 1]];
  }
  uint32_t sum = sums[0] + sums[1];
  return {sum & 0xFFFF, sum >> 16};
}

/// Bit 0 of each byte of `word`, from the lowest byte on.
uint64_t gatherLowBits(uint64_t word) {
  // The product moves bit 8i to bit 56 + i; no two of its terms meet.
  return (word & 0x0101010101010101) * 0x0102040810204080 >> 56;
}

/// Writes the masks of 64 elements, and copies those that go to the next plane to `escapes`; returns their end.
/// [units_c1]
uint8_t *codePlane(uint8_t symbolMask, const PlaneSymbols &symbols, const uint8_t *elements, uint8_t *out,
                   uint8_t *escapes) {
  // Byte by byte first, in a form that compilers turn into vectors: codes 1 and 3 have the low bit, 2 and 3 the high
  // one.
  const uint8_t first = symbols[0], second = symbols[1], third = symbols[2];
  uint8_t lowBytes[stepElements], highBytes[stepElements];
  for (unsigned i = 0; i < stepElements; ++i) {
    uint8_t symbol = elements[i] & symbolMask;
    lowBytes[i] = uint8_t((symbol != first) & (symbol != third));
    highBytes[i] = uint8_t((symbol != first) & (symbol != second));
  }
  uint64_t low = 0, high = 0;
  for (unsigned i = 0; i < stepElements; i += 8) {
    low |= gatherLowBits(loadLittle<uint64_t>(lowBytes + i)) << i;
    high |= gatherLowBits(loadLittle<uint64_t>(highBytes + i)) << i;
  }
  storeLittle(out, low);
  storeLittle(out + 8, high);
  for (uint64_t escaped = low & high; escaped != 0; escaped &= escaped - 1)
    *escapes++ = elements[std::countr_zero(escaped)];
  return escapes;
}

uint8_t symbolMaskOf(ElementType type) {
  const ElementSplit &split = getElementSplit(type);
  return uint8_t((split.symbolCount - 1) << split.symbolShift);
}

uint8_t *encodeUnits(ElementType type, const PlaneSymbols &symbols, const uint8_t *elements, uint64_t count,
                     uint8_t *out, uint8_t *escapes) {
  unsigned unitElements = getTileStorage(type, Encoding::Planes).columnGroup * laneCount;
  RestUnit rest = getRestUnit(type);
  uint8_t symbolMask = symbolMaskOf(type);
  for (uint64_t unit = 0; unit < count; ++unit, elements += unitElements) {
    for (unsigned i = 0; i < unitElements; i += rest.columns * laneCount, out += rest.bytes)
      encodeRestUnit(type, elements + i, out);
    for (unsigned i = 0; i < unitElements; i += stepElements, out += 16)
      escapes = codePlane(symbolMask, symbols, elements + i, out, escapes);
  }
  return escapes;
}

uint8_t *encodeGroups(ElementType type, const PlaneSymbols &symbols, const uint8_t *elements, uint64_t count,
                      uint8_t *out, uint8_t *escapes) {
  uint8_t symbolMask = symbolMaskOf(type);
  for (uint64_t group = 0; group < count; ++group, elements += stepElements, out += 16)
    escapes = codePlane(symbolMask, symbols, elements, out, escapes);
  return escapes;
}

} // namespace

const EncodeKernels &genericEncodeKernels() {
  static constexpr EncodeKernels kernels = {countSymbols,
                                            /*collectFlags=*/nullptr,
                                            countPairs,
                                            reorderTile,
                                            encodeRest,
                                            /*encodeLanes=*/nullptr,
                                            /*encodePairLanes=*/nullptr,
                                            countEscapes,
                                            encodeUnits,
                                            encodeGroups};
  return kernels;
}

} // namespace ecf8
