// The reference decoder: written to be read next to docs/Format.md, and the oracle of the tests. Speed is not its aim;
// compiled models use generated decoders, and re-encoding uses `decodeUnchecked`.
#ifndef ECF8_CODEC_DECODER_H
#define ECF8_CODEC_DECODER_H

#include "ecf8/Codec/Reader.h"

namespace ecf8 {

/// Decodes all elements in row-major order, with up to `threads` threads. Checks also what only decoding shows: the
/// stream rules, padding, the content hash and the data fields. Allocates one byte per element, which a checked payload
/// bounds by 3 times its own size.
Result<std::vector<uint8_t>> decode(const Payload &payload, unsigned threads = 1);

/// Reads and decodes `bytes`.
Result<std::vector<uint8_t>> decode(std::span<const uint8_t> bytes);

/// Decodes the tile `tile` of strip `strip` to tile order: paddedWidth * 32 bytes, in order mma paddedWidth * 16,
/// padding elements included. Not for order row_major.
Result<std::vector<uint8_t>> decodeTile(const Payload &payload, uint64_t strip, uint64_t tile);

/// Decodes the rectangle of `rowCount` x `columnCount` elements that starts at (`row`, `column`) of the matrix view, in
/// row-major order, with up to `threads` threads. Any rectangle inside the matrix will do; only the tiles it touches
/// are decoded.
Result<std::vector<uint8_t>> decodeSlice(const Payload &payload, uint64_t row, uint64_t column, uint64_t rowCount,
                                         uint64_t columnCount, unsigned threads = 1);

/// Decodes all elements in row-major order without the checks of `decode`: a damaged payload gives wrong elements,
/// which their hash shows (contentHash), and nothing else happens. Much faster than `decode`.
std::vector<uint8_t> decodeUnchecked(const Payload &payload, unsigned threads = 1);

/// The same into `out`, which must have one byte per element. Saves the allocation and its zeros.
Status decodeUnchecked(const Payload &payload, std::span<uint8_t> out, unsigned threads = 1);

} // namespace ecf8

#endif // ECF8_CODEC_DECODER_H
