// Huffman in order mma, with stream segments: what it codes, and the table that decoders index (docs/Format.md,
// sections 14 to 16).
#ifndef ECF8_CODEC_SEGMENTS_H
#define ECF8_CODEC_SEGMENTS_H

#include "ecf8/Codec/Reader.h"

#include <optional>

namespace ecf8 {

/// How a group of neighbouring columns is cut into a coded symbol and rests [group_c1].
struct GroupLayout {
  unsigned group;              ///< columns: 4, 2 or 1
  unsigned codedBits;          ///< of each element, those below its sign: 2 or 4
  unsigned rawExponentBits;    ///< exponent bits among the rest
  unsigned minCodeLengthLimit; ///< the limit L lies between these two
  unsigned maxCodeLengthLimit;
  unsigned defaultCodeLengthLimit; ///< what the encoder takes when not told otherwise

  unsigned symbolCount() const { return 1u << (group * codedBits); }
  /// Where the coded bits of an element start.
  unsigned codedShift() const { return 7 - codedBits; }
  /// The bits of an element that are stored as they are.
  uint8_t restMask() const { return uint8_t(~(((1u << codedBits) - 1) << codedShift())); }
};

/// Nothing for groups other than 4, 2 and 1.
std::optional<GroupLayout> getGroupLayout(ElementType type, unsigned group);

/// What is added to a quad before its bits are coded, modulo 2^32; decoders subtract it [group_c3].
uint32_t getOffsetAddend(ElementType type, int exponentOffset);

/// The table for decoders of `header`, that of a checked payload of huffman in order mma: 2^maxCodeLength entries, by
/// the next bits of a segment, the first bit lowest. Entry: the length of the code in bits 0 to 4, the coded bits at
/// their places [entry_c1]. Empty for any other header.
std::vector<uint32_t> buildSegmentTable(const Header &header);

/// Bytes of the longest stream of a tile of `payload`: what a decoder that stages whole streams needs room for. 0 where
/// nothing is coded.
uint64_t getLongestStreamBytes(const Payload &payload);

} // namespace ecf8

#endif // ECF8_CODEC_SEGMENTS_H
