// Encodes one tile: row-major elements -> tile order -> coded words and rest plane. Private to the codec.
#ifndef ECF8_LIB_CODEC_TILEENCODER_H
#define ECF8_LIB_CODEC_TILEENCODER_H

#include "ecf8/Codec/Huffman.h"

namespace ecf8 {

/// Writes `rows` x `columns` elements, the rows `rowStride` bytes apart, in tile order to `out` (paddedColumns * 32
/// bytes). Padding elements become `padding`. [tile_c2] [tile_c3]
void reorderTile(const uint8_t *source, uint64_t rowStride, uint64_t rows, uint64_t columns, uint64_t paddedColumns,
                 uint8_t padding, uint8_t *out);

/// Writes the rest plane of `elements` (tile order, paddedColumns * 32 bytes) to `out`. [rest_c1] [rest_c2]
void encodeRest(ElementType type, const uint8_t *elements, uint64_t paddedColumns, uint8_t *out);

/// Codes pairs of symbols: the two that one lane takes in a step.
class PairEncoder {
public:
  PairEncoder(const CanonicalCode &code, ElementType type);

  /// The words that a tile of `paddedColumns` columns may need while it is being written.
  static uint64_t maxWords(uint64_t paddedColumns) { return laneCount * (2 + paddedColumns / 2); }

  /// Writes the interleaved stream of `elements` (tile order) to `words`, which has room for maxWords(paddedColumns),
  /// and returns the number of words to store. [stream_c2] [stream_c3] [stream_c4]
  uint64_t encode(const uint8_t *elements, uint64_t paddedColumns, uint16_t *words) const;

private:
  template <unsigned shift, unsigned symbolBits>
  uint64_t encodeSteps(const uint8_t *elements, uint64_t paddedColumns, uint16_t *words) const;

  struct Pair {
    uint16_t bits = 0;
    uint16_t length = 0; ///< at most 16
  };
  std::vector<Pair> pairs; ///< by first symbol + second symbol * symbolCount
  ElementType type;
};

} // namespace ecf8

#endif // ECF8_LIB_CODEC_TILEENCODER_H
