// Quads of huffman in order mma as coded symbols: what its encoder and its decoders share. Private to the codec.
#ifndef ECF8_LIB_CODEC_SEGMENTGROUPS_H
#define ECF8_LIB_CODEC_SEGMENTGROUPS_H

#include "ecf8/Codec/Huffman.h"
#include "ecf8/Codec/Segments.h"

namespace ecf8 {

inline constexpr unsigned quadElements = 4;
inline constexpr unsigned mmaStepColumns = 32;
inline constexpr unsigned mmaBlockSteps = mmaBlockColumns / mmaStepColumns;
inline constexpr unsigned mmaStepQuads = mmaStepColumns * mmaStripRows / quadElements; ///< of all lanes
inline constexpr unsigned laneStepQuads = mmaStepQuads / laneCount;                    ///< of one lane
inline constexpr uint64_t slotBytes = 512;

/// The stream of a tile [segments_c1] [segments_c3].
inline constexpr unsigned segmentStartsBytes = 2 * laneCount, segmentAlignmentBits = 4, firstSegmentBit = 8,
                          bytesAfterSegments = 12;
inline constexpr uint64_t segmentsBytes(uint64_t endBit) {
  return (segmentStartsBytes + (endBit + 7) / 8 + bytesAfterSegments + 15) / 16 * 16;
}

/// The symbol of group `index` of the coded word P of a quad [group_c2].
template <unsigned group> inline unsigned groupSymbol(uint32_t coded, unsigned index) {
  if constexpr (group == 4) // the pairs of bits meet in the top byte, and nothing else does
    return (coded >> 5 & 0x03030303u) * 0x01041040u >> 24;
  coded >>= index * group * 8;
  if constexpr (group == 2)
    return (coded >> 3 & 0x0F) | (coded >> 7 & 0xF0);
  return coded >> 3 & 0x0F;
}
inline unsigned groupSymbol(unsigned group, uint32_t coded, unsigned index) {
  return group == 4   ? groupSymbol<4>(coded, index)
         : group == 2 ? groupSymbol<2>(coded, index)
                      : groupSymbol<1>(coded, index);
}

/// The entry of decoders' tables for a symbol whose code has `length` bits [entry_c1].
uint32_t segmentEntry(const GroupLayout &layout, unsigned symbol, unsigned length);

/// The coded bits of a symbol, that of group `index`, at their places in the word P of a quad.
uint32_t codedBitsOf(const GroupLayout &layout, unsigned symbol, unsigned index);

/// The code lengths of huffman in order mma, and its code.
std::span<const uint8_t> segmentLengths(const Header &header);
Result<CanonicalCode> makeSegmentCode(const Header &header);

/// Chooses padding elements [group_c5].
class GroupPadding {
public:
  /// The fields of huffman in order mma of `header` must be valid.
  GroupPadding(const Header &header);

  /// The quad `quad` with padding in place of its elements from byte `first` on.
  uint32_t fill(uint32_t quad, unsigned first) const;

private:
  /// `quad` with the best padding in the bytes [first, (index + 1) * group) of group `index`.
  uint32_t fillGroup(uint32_t quad, unsigned index, unsigned first) const;

  GroupLayout layout;
  uint32_t addend;
  std::vector<uint8_t> lengths;
  uint32_t padding; ///< a quad of padding alone
};

} // namespace ecf8

#endif // ECF8_LIB_CODEC_SEGMENTGROUPS_H
