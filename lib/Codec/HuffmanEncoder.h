// Writes payloads of encoding huffman. Private to the codec.
#ifndef ECF8_LIB_CODEC_HUFFMANENCODER_H
#define ECF8_LIB_CODEC_HUFFMANENCODER_H

#include "PayloadWriter.h"
#include "ecf8/Codec/Stats.h"

namespace ecf8 {

/// Encodes `bytes`, whose figures are `stats`, with the code lengths and layout of `header`, whose sizes, offsets and
/// hashes are still open. For group 2 `pairCounts` may be what countPairs gives for `bytes`, to save the counting.
Result<std::vector<uint8_t>> encodeHuffman(Header header, const TensorStats &stats,
                                           std::span<const uint64_t> pairCounts, std::span<const uint8_t> bytes,
                                           unsigned threads);

/// What the codes of such a payload would take: for group 2 hardly more than nothing is known.
Result<CodeWords> estimateHuffmanWords(const Header &header, const TensorStats &stats);

/// How often each coded symbol of group 2 occurs; pairs of padding do not count. [huffman_c6] [huffman_c7]
std::vector<uint64_t> countPairs(ElementType type, const MatrixShape &shape, std::span<const uint8_t> bytes,
                                 unsigned threads);

/// What the codes of a payload of group 2 would take that has these pairs.
Result<CodeWords> countPairWords(const Header &header, std::span<const uint64_t> pairCounts);

} // namespace ecf8

#endif // ECF8_LIB_CODEC_HUFFMANENCODER_H
