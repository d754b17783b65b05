// From payload to payload: another encoding of the same tensor, or a slice of it.
#ifndef ECF8_CODEC_CONVERT_H
#define ECF8_CODEC_CONVERT_H

#include "ecf8/Codec/Encoder.h"
#include "ecf8/Codec/Reader.h"

namespace ecf8 {

/// Decodes `payload` and encodes it again; the content hash stays. Uses the reference decoder: about 0.05 GB/s.
Result<std::vector<uint8_t>> reencode(const Payload &payload, const EncodeOptions &options, unsigned threads = 1);

/// A rectangle of the matrix view, in elements.
struct Slice {
  uint64_t row = 0, column = 0, rows = 0, columns = 0;
};

/// The payload of a slice along tile borders, with the tiles' codes and rests copied as they are [slice_c1] [slice_c2].
/// Order rows32 only. Decodes the slice once, for the fields that describe its content.
Result<std::vector<uint8_t>> extractSlice(const Payload &payload, const Slice &slice);

} // namespace ecf8

#endif // ECF8_CODEC_CONVERT_H
