// From payload to payload: another encoding of the same tensor, or a slice of it.
#ifndef ECF8_CODEC_CONVERT_H
#define ECF8_CODEC_CONVERT_H

#include "ecf8/Codec/Encoder.h"
#include "ecf8/Codec/Reader.h"

namespace ecf8 {

/// Encodes the elements of `payload` anew, from any encoding to any other, with up to `threads` threads. The result is
/// what `encode` makes of the elements; the content hash stays [content_c1]. Fails with the message of `decode` when
/// the elements do not have that hash. Damage that leaves the elements as they are (in padding) is not seen.
Result<std::vector<uint8_t>> reencode(const Payload &payload, const EncodeOptions &options, unsigned threads = 1);

/// A rectangle of the matrix view, in elements.
struct Slice {
  uint64_t row = 0, column = 0, rows = 0, columns = 0;
};

/// The payload of a slice along tile borders, with the tiles' codes and rests copied as they are [slice_c1] [slice_c2].
/// Not for order row_major. Decodes the slice once, for the fields that describe its content.
Result<std::vector<uint8_t>> extractSlice(const Payload &payload, const Slice &slice);

} // namespace ecf8

#endif // ECF8_CODEC_CONVERT_H
