// Writes payloads of encoding planes. Private to the codec.
#ifndef ECF8_LIB_CODEC_PLANESENCODER_H
#define ECF8_LIB_CODEC_PLANESENCODER_H

#include "PayloadWriter.h"
#include "ecf8/Codec/Stats.h"

namespace ecf8 {

/// Encodes `bytes` with the ranks and layout of `header`, and fills in its sizes and offsets. The payload's header
/// and hashes are open: see finishPayload.
Result<std::vector<uint8_t>> encodePlanes(Header &header, std::span<const uint8_t> bytes, unsigned threads);

/// What the codes of such a payload would take.
CodeWords estimatePlanesWords(const Header &header, const TensorStats &stats);

} // namespace ecf8

#endif // ECF8_LIB_CODEC_PLANESENCODER_H
