// Writes payloads of encoding huffman. Private to the codec.
#ifndef ECF8_LIB_CODEC_HUFFMANENCODER_H
#define ECF8_LIB_CODEC_HUFFMANENCODER_H

#include "PayloadWriter.h"
#include "ecf8/Codec/Stats.h"

namespace ecf8 {

/// Encodes `bytes`, whose figures are `stats`, with the code lengths and layout of `header`, whose sizes, offsets and
/// hashes are still open.
Result<std::vector<uint8_t>> encodeHuffman(Header header, const TensorStats &stats, std::span<const uint8_t> bytes,
                                           unsigned threads);

/// What the codes of such a payload would take.
Result<CodeWords> estimateHuffmanWords(const Header &header, const TensorStats &stats);

} // namespace ecf8

#endif // ECF8_LIB_CODEC_HUFFMANENCODER_H
