// What GPU kernels are called with for a part of a payload in order mma (docs/guides/gpu.md, "Kernels in a program of
// your own").
#ifndef ECF8_CODEC_KERNELPART_H
#define ECF8_CODEC_KERNELPART_H

#include "ecf8/Codec/Reader.h"

namespace ecf8 {

/// Offsets are bytes from the beginning of the payload. The table of the code is buildSegmentTable's (Segments.h).
struct KernelPart {
  uint64_t planeOffset;     ///< the stored plane of the part's first tile
  uint64_t codesOffset;     ///< section codes; 0 for raw, as the next
  uint64_t tileTableOffset; ///< entry of the part's first tile
  uint32_t rows, columns;
  uint32_t rowTiles, chunks;        ///< tiles above and beside each other that the part has
  uint32_t stripTiles, stripGroups; ///< tiles and groups of 128 columns of the whole payload's columns
  uint32_t slotBytes;               ///< getLongestStreamBytes (Segments.h)
  int32_t exponentOffset;           ///< of the header
  uint32_t hasNaN;                  ///< not zero where an element may be NaN
};

/// The `rows` x `columns` of a checked payload in order mma from `row` and `column` on, which begin a tile: multiples
/// of 16 and of the payload's tile columns.
KernelPart describePart(const Payload &payload, uint64_t row, uint64_t column, uint64_t rows, uint64_t columns);

/// What a contraction with scales of blocks of so many columns, a multiple of 128, is called with:
/// ceil(2^31 / groups of 128 columns), by which it divides numbers of groups.
uint32_t getGroupReciprocal(uint32_t blockColumns);

/// All of it.
KernelPart describeWhole(const Payload &payload);

} // namespace ecf8

#endif // ECF8_CODEC_KERNELPART_H
