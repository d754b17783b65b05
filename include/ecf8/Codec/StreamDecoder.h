// The decoder for payloads that do not fit memory: strip by strip, from a file.
#ifndef ECF8_CODEC_STREAMDECODER_H
#define ECF8_CODEC_STREAMDECODER_H

#include "ecf8/Codec/ByteStream.h"
#include "ecf8/Codec/Reader.h"

namespace ecf8 {

/// One payload, read by offset. Memory: a few windows per thread.
class StreamDecoder {
public:
  /// Reads the header and checks its rules. `payload` must outlive the decoder.
  static Result<StreamDecoder> open(const ByteSource &payload, uint64_t payloadBytes);

  const Header &header() const { return head.header; }

  /// Reads the payload once: its hash and the bytes between its sections. [header_c6] [layout_c3]
  Status checkBytes() const;

  /// Decodes `out.size()` elements from number `first` on, in row-major order. Only the strips that hold them are read.
  /// Checks the tile table [table_c1] [table_c2] [table_c3], not the content: see `decode`.
  Status read(uint64_t first, std::span<uint8_t> out) const;

  /// Is called with pieces of the tensor in any order, by several threads.
  using Writer = std::function<Status(uint64_t firstElement, std::span<const uint8_t>)>;

  /// Decodes all elements for `write` and `visit`, either of which may be empty, and checks them against the header.
  /// [content_c1] [header_c15] [header_c16]
  Status decode(const StreamLimits &limits, const Writer &write, const InOrderVisitor &visit = {}) const;

private:
  StreamDecoder(const ByteSource &source, Payload head) : source(&source), head(std::move(head)) {}
  /// Decodes whole strips to `out`, which has their size.
  Status decodeStrips(uint64_t firstStrip, uint64_t endStrip, std::span<uint8_t> out) const;
  Status checkZero(uint64_t begin, uint64_t end) const;

  const ByteSource *source;
  Payload head; ///< without bytes
};

} // namespace ecf8

#endif // ECF8_CODEC_STREAMDECODER_H
