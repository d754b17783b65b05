// Codes the symbols of one tile of encoding huffman. Private to the codec.
#ifndef ECF8_LIB_CODEC_TILEENCODER_H
#define ECF8_LIB_CODEC_TILEENCODER_H

#include "Kernels.h"

namespace ecf8 {

/// Writes the interleaved streams of tiles, one after the other. Holds scratch memory: one object per thread.
class TileEncoder {
public:
  /// `group`: elements of a coded symbol, 1 or 2.
  TileEncoder(const CanonicalCode &code, ElementType type, unsigned group);

  /// Codes the tile with the elements `rows`, writes its rest plane to `rest`, and returns how many words its stream
  /// stores. [stream_c2] [stream_c3] [stream_c4] [rest_c1] [rest_c2]
  uint64_t encode(const RowsView &rows, uint64_t paddedColumns, uint8_t *rest);

  /// The words that the last `encode` counted, valid until the next.
  const uint16_t *words() const { return stream.data(); }

private:
  /// Where a lane stands after its last element.
  struct LaneEnd {
    uint64_t filledWords;
    unsigned position; ///< coded bits in the word after them, below 16
  };
  /// Codes one lane: words[i] is its word i, filled in step fillSteps[i]. Counts the filled words by step in `fetches`.
  /// The elements of step s are elements[s * 64] and the next.
  template <unsigned shift, unsigned symbolBits>
  LaneEnd encodeLane(const uint8_t *elements, uint64_t steps, uint16_t *words, uint32_t *fillSteps);
  uint64_t encodeLaneByLane(uint64_t steps);
  /// Puts the padding of group 2 in place of that of group 1. [huffman_c6]
  void fillPairPadding(const RowsView &rows, uint64_t paddedColumns);
  /// The same with all lanes at once, from `elements`.
  uint64_t encodeWithKernel(const EncodeKernels &kernels, uint64_t steps);

  /// The codes of the two symbols of a step.
  struct Pair {
    uint16_t bits = 0;
    uint16_t length = 0; ///< at most 16
  };
  std::vector<Pair> pairs; ///< by first symbol + second symbol * symbolCount
  CodeTable codes;         ///< group 1 only
  PairTable pairCodes;     ///< group 2 of 16 symbols only
  ElementType type;
  unsigned group;
  std::array<uint8_t, 2> padding; ///< padding elements of even and odd columns [huffman_c6] [rest_c3]
  std::vector<uint8_t> elements;
  std::vector<uint16_t> laneWords, stream;
  std::vector<uint32_t> fillSteps;
  std::vector<uint64_t> fetches;
};

} // namespace ecf8

#endif // ECF8_LIB_CODEC_TILEENCODER_H
