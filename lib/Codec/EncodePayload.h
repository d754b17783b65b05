// The two halves of `encode`: the header, and the payload that it describes. Private to the codec.
#ifndef ECF8_LIB_CODEC_ENCODEPAYLOAD_H
#define ECF8_LIB_CODEC_ENCODEPAYLOAD_H

#include "ecf8/Codec/Encoder.h"

namespace ecf8 {

/// All header fields that follow from the options, the shape and the figures; sizes, offsets and hashes are open.
/// Huffman of group 2 and in order mma needs `codedCounts` (countCoded) for its code.
Result<Header> makeHeader(const EncodeOptions &options, const TensorStats &stats, std::span<const uint64_t> dims,
                          std::span<const uint64_t> codedCounts = {});

/// What `encodeForStorage` prefers to raw: huffman of group 1 or 2.
Result<EncodeOptions> chooseForStorage(const TensorStats &stats, std::span<const uint64_t> pairCounts,
                                       std::span<const uint64_t> dims);

/// Encodes `bytes` with the code and layout of `header`. `stats` are the figures of these bytes, which the code may
/// come from, or not. `codedCounts`, if given, are those of these bytes.
Result<std::vector<uint8_t>> encodePayload(const Header &header, const TensorStats &stats,
                                           std::span<const uint8_t> bytes, unsigned threads,
                                           std::span<const uint64_t> codedCounts = {});

} // namespace ecf8

#endif // ECF8_LIB_CODEC_ENCODEPAYLOAD_H
