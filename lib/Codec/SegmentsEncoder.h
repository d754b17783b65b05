// Codes the tiles of huffman in order mma. Private to the codec.
#ifndef ECF8_LIB_CODEC_SEGMENTSENCODER_H
#define ECF8_LIB_CODEC_SEGMENTSENCODER_H

#include "Kernels.h"
#include "SegmentGroups.h"

namespace ecf8 {

/// Writes the streams of tiles, one after the other. Holds scratch memory: one object per thread.
class SegmentsEncoder {
public:
  SegmentsEncoder(const Header &header, const CanonicalCode &code);

  /// Codes the tile with the elements `rows`, writes its slots to `rest`, and returns how many bytes its stream takes.
  uint64_t encode(const RowsView &rows, uint64_t paddedColumns, uint8_t *rest);

  /// The bytes that the last `encode` counted, valid until the next.
  const uint8_t *words() const { return stream.data(); }

private:
  struct Code {
    uint16_t bits, length;
  };
  template <unsigned group> uint64_t encodeQuads(uint8_t *rest);

  GroupLayout layout;
  uint32_t addend;
  GroupPadding padding;
  std::vector<Code> codes;       ///< by symbol
  std::vector<uint32_t> entries; ///< the same
  std::vector<uint32_t> quads;   ///< of the tile, in tile order
  std::vector<uint8_t> stream;
};

/// Puts the elements `rows` of a tile in tile order; padding elements become those of `padding`, 0 without.
void gatherQuads(const RowsView &rows, uint64_t paddedColumns, const GroupPadding *padding,
                 std::vector<uint32_t> &quads);

/// How often each coded symbol occurs for each of `offsets`, one after the other; groups with padding do not count.
/// [encoder_c3]
std::vector<uint64_t> countGroups(ElementType type, unsigned group, std::span<const int> offsets,
                                  const MatrixShape &shape, std::span<const uint8_t> bytes, unsigned threads);

/// The offsets that the encoder tries, the best among equals first: 0 alone but for quads. [encoder_c3]
std::span<const int> exponentOffsets(unsigned group);

/// Chooses the offset and the code lengths for what `countGroups` gives for `exponentOffsets`. [encoder_c3]
void setSegmentCode(std::span<const uint64_t> counts, Header &header);

} // namespace ecf8

#endif // ECF8_LIB_CODEC_SEGMENTSENCODER_H
