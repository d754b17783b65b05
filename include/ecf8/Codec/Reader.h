// Reads and checks a payload: every rule of docs/Format.md that can be checked without decoding.
#ifndef ECF8_CODEC_READER_H
#define ECF8_CODEC_READER_H

#include "ecf8/Codec/Planes.h"

namespace ecf8 {

/// A payload that passed `readPayload`. Refers to the caller's bytes; they must outlive it and not change.
struct Payload {
  Header header;
  CanonicalCode code; ///< huffman only, else empty
  SymbolRanks ranks;  ///< planes only, else empty
  std::span<const uint8_t> bytes;

  /// Byte offset of tile `index` from the start of the codes; `index` may be the number of tiles. Only where the header
  /// has codes.
  uint64_t tileOffset(uint64_t index) const {
    return uint64_t(loadLittle<uint32_t>(bytes.data() + header.tileTableOffset + index * 4)) * header.tableUnitBytes();
  }
  /// What a padding element of column `column` of a tile decodes to, unless it shares its pair with an element of the
  /// matrix [raw_c2] [huffman_c6] [planes_c7] [rest_c3]. Not for huffman in order mma.
  uint8_t paddingElement(uint64_t column) const;
};

/// Checks `bytes`, which must be exactly one payload, against the header, layout, table and code rules. Each failure
/// names what was expected, what was found, the byte offset in the payload and the rule: "expected major version 1, got
/// 2 at byte 4 [header_c2]". Corrupt data gives StatusCode::Corrupt; what a later version or another build may
/// understand gives StatusCode::Unsupported. `verifyHash` also compares payloadHash, which reads all bytes.
Result<Payload> readPayload(std::span<const uint8_t> bytes, bool verifyHash = true);

/// What `readPayloadHeader` reads of a payload that has so many bytes: the header, and the code lengths of a wide code.
inline constexpr uint64_t payloadHeadBytes = wideHeaderBytes + maxCodedSymbolCount;

/// Checks the first `payloadHeadBytes` bytes, or all, of a payload of `payloadBytes` bytes: all rules that header and
/// code can break. The result has no bytes, only the header and what it says of the code.
Result<Payload> readPayloadHeader(std::span<const uint8_t> bytes, uint64_t payloadBytes);

} // namespace ecf8

#endif // ECF8_CODEC_READER_H
