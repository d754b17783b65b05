// Coded symbols of huffman in order mma, and the table of its decoders.
#include "ecf8/Codec/Segments.h"

#include "SegmentGroups.h"

#include <algorithm>

namespace ecf8 {

std::optional<GroupLayout> getGroupLayout(ElementType type, unsigned group) {
  unsigned exponentBits = type == ElementType::F8E5M2 ? 5 : 4;
  switch (group) {
  case 4:
    return GroupLayout{4, 2, exponentBits - 2, 9, 12, 11};
  case 2:
    return GroupLayout{2, 4, exponentBits - 4, 8, 12, 12};
  case 1:
    return GroupLayout{1, 4, exponentBits - 4, 7, 8, 8};
  }
  return std::nullopt;
}

uint32_t getOffsetAddend(ElementType type, int exponentOffset) {
  return uint32_t(exponentOffset) * (0x01010101u << getElementSplit(type).symbolShift);
}

uint32_t codedBitsOf(const GroupLayout &layout, unsigned symbol, unsigned index) {
  uint32_t bits = 0;
  for (unsigned i = 0; i < layout.group; ++i)
    bits |= uint32_t(symbol >> (i * layout.codedBits) & ((1u << layout.codedBits) - 1))
            << (8 * (index * layout.group + i) + layout.codedShift());
  return bits;
}

uint32_t segmentEntry(const GroupLayout &layout, unsigned symbol, unsigned length) {
  uint32_t bits = codedBitsOf(layout, symbol, 0);
  return (layout.group == 4 ? bits : bits << 8) | length; // without a byte to spare for the length in a quad
}

std::span<const uint8_t> segmentLengths(const Header &header) {
  if (header.hasWideCode())
    return header.wideLengths;
  return std::span(header.codeLengths).first(header.codedSymbolCount());
}

Result<CanonicalCode> makeSegmentCode(const Header &header) {
  if (header.hasWideCode())
    return CanonicalCode::createWide(header.wideLengths, header.maxCodeLength);
  return CanonicalCode::create(header.codeLengths, header.codedSymbolCount(), header.maxCodeLength);
}

std::vector<uint32_t> buildSegmentTable(const Header &header) {
  std::optional<GroupLayout> layout = getGroupLayout(header.elementType, header.group);
  if (header.encoding != Encoding::Huffman || header.order != Order::Mma || !layout ||
      header.maxCodeLength > layout->maxCodeLengthLimit)
    return {};
  Result<CanonicalCode> code = makeSegmentCode(header);
  if (!code || code->usedSymbols() != layout->symbolCount())
    return {};
  std::vector<uint32_t> table(size_t(1) << header.maxCodeLength);
  for (unsigned symbol = 0; symbol < layout->symbolCount(); ++symbol) {
    unsigned length = code->streamLength(symbol);
    for (size_t window = code->streamBits(symbol); window < table.size(); window += size_t(1) << length)
      table[window] = segmentEntry(*layout, symbol, length);
  }
  return table;
}

uint64_t getLongestStreamBytes(const Payload &payload) {
  uint64_t longest = 0;
  if (payload.header.hasCodes())
    for (uint64_t tile = 0; tile < payload.header.grid().tileCount(); ++tile)
      longest = std::max(longest, payload.tileOffset(tile + 1) - payload.tileOffset(tile));
  return longest;
}

GroupPadding::GroupPadding(const Header &header)
    : layout(*getGroupLayout(header.elementType, header.group)),
      addend(getOffsetAddend(header.elementType, header.exponentOffset)),
      lengths(segmentLengths(header).begin(), segmentLengths(header).end()), padding(0) {
  for (unsigned index = 0; index < quadElements / layout.group; ++index)
    padding = fillGroup(padding, index, index * layout.group);
}

uint32_t GroupPadding::fillGroup(uint32_t quad, unsigned index, unsigned first) const {
  unsigned end = (index + 1) * layout.group, count = end - first;
  uint32_t mask = uint32_t((uint64_t(1) << (8 * end)) - (uint64_t(1) << (8 * first)));
  uint32_t best = 0;
  std::pair<unsigned, unsigned> bestKey = {~0u, 0}; // length, symbol
  for (unsigned bits = 0; bits < 1u << (count * layout.codedBits); ++bits) {
    // As a symbol whose first elements, those of the matrix, have no bits.
    uint32_t candidate =
        (quad & ~mask) | codedBitsOf(layout, bits << ((layout.group - count) * layout.codedBits), index);
    unsigned symbol = groupSymbol(layout.group, candidate + addend, index);
    if (std::pair key(unsigned(lengths[symbol]), symbol); key < bestKey) {
      bestKey = key;
      best = candidate;
    }
  }
  return best;
}

uint32_t GroupPadding::fill(uint32_t quad, unsigned first) const {
  if (first == 0)
    return padding;
  for (unsigned index = first / layout.group; index < quadElements / layout.group; ++index) {
    unsigned begin = index * layout.group;
    if (first > begin) {
      quad = fillGroup(quad, index, first);
    } else {
      uint32_t mask = uint32_t(((uint64_t(1) << (8 * layout.group)) - 1) << (8 * begin));
      quad = (quad & ~mask) | (padding & mask);
    }
  }
  return quad;
}

} // namespace ecf8
