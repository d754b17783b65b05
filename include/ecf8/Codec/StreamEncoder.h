// The encoder for tensors that do not fit memory: two passes over strips of rows, the same bytes as `encode`.
#ifndef ECF8_CODEC_STREAMENCODER_H
#define ECF8_CODEC_STREAMENCODER_H

#include "ecf8/Codec/ByteStream.h"
#include "ecf8/Codec/Encoder.h"
#include "ecf8/Support/Hash.h"

#include <memory>

namespace ecf8 {

/// What the first pass has to count for an encoding with these options.
StreamLimits::Counted countedFor(const EncodeOptions &options);

/// One tensor on its way to a payload. The first pass, `scan`, counts; the second, `encode`, writes. Memory: a few
/// windows per thread, and `retainedBytes` (a small tensor takes up to half of that and is read once).
class StreamEncoder {
public:
  /// Reads the elements of a tensor of shape `dims` once and hands them to `visit`, if given. `elements` must outlive
  /// the encoder.
  static Result<StreamEncoder> scan(ElementType elementType, std::span<const uint64_t> dims, const ByteSource &elements,
                                    const StreamLimits &limits, const InOrderVisitor &visit = {});

  /// Of the whole tensor; without the figures by byte (byteCounts, the entropies).
  const TensorStats &stats() const { return total; }
  /// [content_c1]
  uint64_t contentHash() const { return hash; }
  /// Whether the elements are what the header of a payload says of them. [content_c1] [header_c15] [header_c16]
  Status checkContent(const Header &header) const;

  /// Writes the payload that `encode` gives to `sink`, from offset 0 on, and returns its size. Fails when elements are
  /// not those of the first pass. Encodings in strips need at most `maxStreamedColumns` columns.
  Result<uint64_t> encode(const EncodeOptions &options, ByteSink &sink) const;

  /// The same for `encodeSmallest`; tensors with too many columns become row-major raw, too. What was written beyond
  /// the returned size means nothing.
  Result<uint64_t> encodeSmallest(const EncodeOptions &preferred, ByteSink &sink) const;

  /// The same for `ecf8::encodeForStorage`.
  Result<uint64_t> encodeForStorage(ByteSink &sink) const;

private:
  /// What the first pass keeps of a window.
  struct Window {
    uint64_t contentHash = 0;
    std::unique_ptr<uint8_t[]> elements; ///< null: to be read again
  };

  /// A window as a payload of its own, without hashes, and what it was made from.
  struct EncodedWindow {
    Header header;
    std::vector<uint8_t> elements, payload;
    uint64_t codesBegin = 0; ///< where its codes go in those of the whole, in bytes
  };

  StreamEncoder(const ByteSource &elements, const StreamLimits &limits) : elements(&elements), limits(limits) {}
  /// That the first pass counted the coded symbols of huffman of `group` in `order`.
  Status checkCounted(Order order, unsigned group) const;
  uint64_t windowBegin(uint64_t window) const { return window * windowBytes; }
  uint64_t windowSize(uint64_t window) const;
  /// A window in the second pass: what was kept of the first, or read into `buffer`.
  Result<std::span<const uint8_t>> readAgain(uint64_t window, std::vector<uint8_t> &buffer) const;
  Status encodeWindow(const Header &whole, uint64_t window, EncodedWindow &out) const;
  // These write the sections of a payload, and `hasher` takes its bytes in order. [header_c6]
  Status writeRowMajor(const Header &header, ByteSink &sink, Hasher &hasher) const;
  Status writeStrips(Header &header, ByteSink &sink, Hasher &hasher) const;
  /// Fills up the tile table and the codes, which are written, and hashes all before the rest.
  Status hashCodes(const Header &header, ByteSink &sink, Hasher &hasher) const;
  /// Fills up the end, and writes the header.
  Status finish(const Header &header, ByteSink &sink, Hasher &hasher) const;

  const ByteSource *elements;
  StreamLimits limits;
  std::vector<uint64_t> dims;
  MatrixShape shape;
  uint64_t windowBytes = 1; ///< a multiple of a strip, if the columns allow that
  bool hasStrips = false;   ///< windows are whole strips
  std::vector<Window> windows;
  TensorStats total;
  std::vector<uint64_t> codedCounts; ///< as limits.counted says; none without strips
  uint64_t hash = 0;
};

} // namespace ecf8

#endif // ECF8_CODEC_STREAMENCODER_H
