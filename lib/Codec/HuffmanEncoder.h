// Writes payloads of encoding huffman. Private to the codec.
#ifndef ECF8_LIB_CODEC_HUFFMANENCODER_H
#define ECF8_LIB_CODEC_HUFFMANENCODER_H

#include "PayloadWriter.h"
#include "ecf8/Codec/Stats.h"

namespace ecf8 {

/// What coded symbols to count before the encoding: those of huffman with symbols of `group` elements in `order`.
/// Group 1 in order rows32 needs no more than TensorStats has.
inline bool needsCodedCounts(Order order, unsigned group) { return order == Order::Mma || group == 2; }

/// The figures of collectSymbolStats, and how often each coded symbol of such an encoding occurs: in order rows32 pairs
/// without those of padding [huffman_c6] [huffman_c7], in order mma what countGroups gives for all offsets.
struct CodedStats {
  TensorStats symbols;
  std::vector<uint64_t> codedCounts; ///< none where nothing is to be counted
};
CodedStats collectCodedStats(Order order, unsigned group, ElementType type, const MatrixShape &shape,
                             std::span<const uint8_t> bytes, unsigned threads);

/// Encodes `bytes` with the code lengths and layout of `header`, and fills in its sizes and offsets. The payload's
/// header and hashes are open: see finishPayload.
Result<std::vector<uint8_t>> encodeHuffman(Header &header, std::span<const uint8_t> bytes, unsigned threads);

/// What the codes of such a payload would take: where coded symbols are counted, hardly more than nothing is known.
Result<CodeWords> estimateHuffmanWords(const Header &header, const TensorStats &stats);

/// What the codes of a payload of group 2 would take that has these pairs.
Result<CodeWords> countPairWords(const Header &header, std::span<const uint64_t> pairCounts);

} // namespace ecf8

#endif // ECF8_LIB_CODEC_HUFFMANENCODER_H
