// What the portable inner loops of the fast decoder share with those for AVX2. Private to the codec.
#ifndef ECF8_LIB_CODEC_DECODETABLES_H
#define ECF8_LIB_CODEC_DECODETABLES_H

#include "Kernels.h"

#include <algorithm>

namespace ecf8 {

/// The entry of `tables.pairs` for a window of 16 bits and more, made on the spot where it has none.
static inline uint32_t lookUpPair(const HuffmanTables &tables, uint32_t window) {
  uint32_t pair = tables.pairs[window & ((1u << HuffmanTables::pairBits) - 1)];
  if (pair != HuffmanTables::isLong) [[likely]]
    return pair;
  unsigned first = window & 0xFF, firstLength = tables.lengths[first];
  unsigned second = window >> firstLength & 0xFF;
  return uint32_t(tables.symbols[first] | tables.symbols[second] << 8 | (firstLength + tables.lengths[second]) << 16);
}

/// 0xFF in byte i for each bit i of a byte.
inline constexpr std::array<uint64_t, 256> byteMasks = [] {
  std::array<uint64_t, 256> masks{};
  for (unsigned byte = 0; byte < masks.size(); ++byte)
    for (unsigned bit = 0; bit < 8; ++bit)
      if (byte >> bit & 1)
        masks[byte] |= uint64_t(0xFF) << (8 * bit);
  return masks;
}();

/// The parts of the stream of a tile of planes, as far as they lie inside it. [codes_c1] [codes_c7]
struct EscapeStream {
  EscapeStream(ElementType type, std::span<const uint8_t> stream, size_t elementCount) : type(type) {
    if (stream.size() < 4)
      return;
    groupCount =
        std::min<size_t>({loadLittle<uint16_t>(stream.data()), (stream.size() - 4) / 16, elementCount / stepElements});
    groups = stream.data() + 4;
    thirdCount = loadLittle<uint16_t>(stream.data() + 2);
    third = stream.subspan(4 + groupCount * 16);
    high = third.subspan(std::min(third.size(), (thirdCount + 1) / 2)); // f8E5M2 only
  }

  /// The symbol of third code `index`, at its place in an element.
  uint8_t thirdSymbol(size_t index) const {
    unsigned symbol = index / 2 < third.size() ? third[index / 2] >> (index % 2 * 4) & 15u : 0;
    if (type == ElementType::F8E5M2 && index / 8 < high.size())
      symbol |= (high[index / 8] >> (index % 8) & 1u) << 4;
    return getElementSplit(type).elementOf(symbol, 0);
  }

  ElementType type;
  size_t groupCount = 0, thirdCount = 0;
  const uint8_t *groups = nullptr;
  std::span<const uint8_t> third, high;
};

} // namespace ecf8

#endif // ECF8_LIB_CODEC_DECODETABLES_H
