// Fast decoding of order mma, in portable C++. Checks no stream [segments_c5]. Private to the codec.
#ifndef ECF8_LIB_CODEC_MMADECODE_H
#define ECF8_LIB_CODEC_MMADECODE_H

#include "Kernels.h"
#include "SegmentGroups.h"

namespace ecf8 {

/// Copies the elements of a tile in tile order that are no padding to their rows. [mma_c2]
void scatterMmaTile(const uint8_t *elements, const MutableRowsView &rows);

/// What a tensor's tiles of huffman in order mma have in common.
struct SegmentTables {
  GroupLayout layout;
  uint32_t addend; ///< [group_c3]
  unsigned maxCodeLength;
  std::vector<uint32_t> entries; ///< buildSegmentTable
};

/// Decodes one tile. `payload` is the whole one; `scratch` may be grown.
void decodeSegments(const SegmentTables &tables, std::span<const uint8_t> payload, const TileSource &tile,
                    std::vector<uint8_t> &scratch);

} // namespace ecf8

#endif // ECF8_LIB_CODEC_MMADECODE_H
