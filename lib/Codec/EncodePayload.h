// The two halves of `encode`: the header, and the payload that it describes. Private to the codec.
#ifndef ECF8_LIB_CODEC_ENCODEPAYLOAD_H
#define ECF8_LIB_CODEC_ENCODEPAYLOAD_H

#include "ecf8/Codec/Encoder.h"

namespace ecf8 {

/// All header fields that follow from the options, the shape and the figures; sizes, offsets and hashes are open.
/// Huffman of group 2 and in order mma needs `codedCounts` (collectCodedStats) for its code.
Result<Header> makeHeader(const EncodeOptions &options, const TensorStats &stats, std::span<const uint64_t> dims,
                          std::span<const uint64_t> codedCounts = {});

/// What `encodeForStorage` prefers to raw: huffman of group 1 or 2.
Result<EncodeOptions> chooseForStorage(const TensorStats &stats, std::span<const uint64_t> pairCounts,
                                       std::span<const uint64_t> dims);

/// Encodes `bytes` with the code and layout of `header`, and fills in its sizes and offsets. The sections of the
/// payload are complete; its header and hashes are left to finishPayload. The code may be that of other bytes.
Result<std::vector<uint8_t>> encodePayload(Header &header, std::span<const uint8_t> bytes, unsigned threads);

} // namespace ecf8

#endif // ECF8_LIB_CODEC_ENCODEPAYLOAD_H
