// The encoder: row-major elements in, a payload out. The same input gives the same bytes whatever the threads.
#ifndef ECF8_CODEC_ENCODER_H
#define ECF8_CODEC_ENCODER_H

#include "ecf8/Codec/Stats.h"

namespace ecf8 {

/// The layout of the payload to write.
struct EncodeOptions {
  Encoding encoding = Encoding::Huffman;
  unsigned maxCodeLength = 8; ///< 7 or 8, with group 2 it is 12, in order mma as in `GroupLayout`; huffman only
  /// Not for order row_major: a positive multiple of 16, in order mma of 128; for planes and in order mma at most 1024.
  uint32_t tileColumns = 1024;
  Order order = Order::Rows32; ///< huffman: rows32 or mma; planes: rows32 only
  unsigned group = 1;          ///< elements of a coded symbol, 1 or 2, in order mma 1, 2 or 4; huffman only

  static EncodeOptions raw() { return {Encoding::Raw, 0, 0, Order::RowMajor}; }
  static EncodeOptions rawRows32(uint32_t tileColumns = 1024) { return {Encoding::Raw, 0, tileColumns, Order::Rows32}; }
  /// Raw for a tensor of shape `dims` that is to be multiplied from its tiles: in tiles of 32 rows for a matrix that
  /// fills one, and for matrices in three dimensions without padding; else row-major.
  static EncodeOptions rawFor(std::span<const uint64_t> dims);
  static EncodeOptions huffman(unsigned maxCodeLength = 8, uint32_t tileColumns = 1024) {
    return {Encoding::Huffman, maxCodeLength, tileColumns, Order::Rows32};
  }
  /// Huffman of group 2, for storage: smaller than group 1 for most tensors, slower to decode, not executed.
  static EncodeOptions huffmanPairs(uint32_t tileColumns = 1024) {
    return {Encoding::Huffman, 12, tileColumns, Order::Rows32, 2};
  }
  /// Raw in the order of a GPU's matrix units.
  static EncodeOptions rawMma(uint32_t tileColumns = 1024) { return {Encoding::Raw, 0, tileColumns, Order::Mma}; }
  /// Huffman in that order, of groups of 4: two exponent bits of each element are coded. For Hopper.
  static EncodeOptions quads(unsigned maxCodeLength = 11, uint32_t tileColumns = 1024) {
    return {Encoding::Huffman, maxCodeLength, tileColumns, Order::Mma, 4};
  }
  /// The same of groups of 2: smaller, with twice as many look-ups. For other GPUs.
  static EncodeOptions pairs(unsigned maxCodeLength = 12, uint32_t tileColumns = 1024) {
    return {Encoding::Huffman, maxCodeLength, tileColumns, Order::Mma, 2};
  }
  /// The same of single elements: with the smallest table, and four times as many look-ups.
  static EncodeOptions classic(unsigned maxCodeLength = 8, uint32_t tileColumns = 1024) {
    return {Encoding::Huffman, maxCodeLength, tileColumns, Order::Mma, 1};
  }
  static EncodeOptions planes(uint32_t tileColumns = 256) { return {Encoding::Planes, 0, tileColumns, Order::Rows32}; }
};

/// Fails with a message when the options name something that this version does not write.
Status checkEncodeOptions(const EncodeOptions &options);

/// Encodes `bytes`, the elements of a tensor of shape `dims` in row-major order, with up to `threads` threads.
Result<std::vector<uint8_t>> encode(const EncodeOptions &options, ElementType elementType,
                                    std::span<const uint64_t> dims, std::span<const uint8_t> bytes,
                                    unsigned threads = 1);

/// The same for a caller that already has the figures of exactly these bytes.
Result<std::vector<uint8_t>> encode(const EncodeOptions &options, const TensorStats &stats,
                                    std::span<const uint64_t> dims, std::span<const uint8_t> bytes,
                                    unsigned threads = 1);

/// What a payload would take. The true size lies in [minBytes, maxBytes]; the two are equal for raw, and far apart for
/// huffman of group 2 and in order mma, since the figures do not say which exponents are neighbours.
struct SizeEstimate {
  uint64_t minBytes = 0;
  uint64_t maxBytes = 0;
};
Result<SizeEstimate> estimatePayloadBytes(const EncodeOptions &options, const TensorStats &stats,
                                          std::span<const uint64_t> dims);

/// What `auto` stands for: the payload of `preferred`, or of row-major raw where that is not larger. The choice depends
/// on the true sizes, never on an estimate.
Result<std::vector<uint8_t>> encodeSmallest(const EncodeOptions &preferred, const TensorStats &stats,
                                            std::span<const uint64_t> dims, std::span<const uint8_t> bytes,
                                            unsigned threads = 1);

/// Huffman of group 1 with codes of up to 8 bits, or of group 2, whichever has fewer bits of codes and metadata; or
/// row-major raw where that is not larger.
Result<std::vector<uint8_t>> encodeForStorage(ElementType elementType, std::span<const uint64_t> dims,
                                              std::span<const uint8_t> bytes, unsigned threads = 1);

} // namespace ecf8

#endif // ECF8_CODEC_ENCODER_H
