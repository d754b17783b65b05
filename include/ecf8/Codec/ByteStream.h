// Where streamed bytes come from and go to, and how much of them may be in memory.
#ifndef ECF8_CODEC_BYTESTREAM_H
#define ECF8_CODEC_BYTESTREAM_H

#include "ecf8/Codec/Format.h"

#include <cstdint>
#include <functional>
#include <span>

namespace ecf8 {

/// Bytes that are read by offset: those of a tensor in row-major order, or of a payload. Several threads may read at
/// once.
class ByteSource {
public:
  virtual ~ByteSource() = default;
  /// Fills `out` with the bytes from `offsetBytes` on, which the caller knows to exist.
  virtual Status read(uint64_t offsetBytes, std::span<uint8_t> out) const = 0;
};

/// Bytes that are written by offset, each once or more often, and can be read back. Several threads may write at once,
/// at different places.
class ByteSink : public ByteSource {
public:
  virtual Status write(uint64_t offsetBytes, std::span<const uint8_t> bytes) = 0;
};

/// Bytes in memory.
class MemorySource : public ByteSource {
public:
  explicit MemorySource(std::span<const uint8_t> bytes) : bytes(bytes) {}
  Status read(uint64_t offsetBytes, std::span<uint8_t> out) const override;

private:
  std::span<const uint8_t> bytes;
};

/// What a stream may use.
struct StreamLimits {
  unsigned threads = 1;
  /// Elements that one thread works on at a time: whole strips of 32 rows, at least one, of about this size.
  uint64_t windowBytes = uint64_t(1) << 20;
  /// Finished parts of a payload that may wait for their place, and elements of a small tensor between its two passes.
  /// What does not fit is computed, or read, a second time.
  uint64_t retainedBytes = uint64_t(256) << 20;
  /// What to count for the code of huffman, but for the symbols of single elements: those of `group` elements in
  /// `order`. Group 0: nothing. Needed by group 2 and, for each group on its own, by order mma.
  struct Counted {
    Order order = Order::Rows32;
    unsigned group = 2;
    bool operator==(const Counted &) const = default;
  } counted;
};

/// A tensor with more columns is encoded raw and row-major when it is streamed: a strip would take over 128 MiB.
inline constexpr uint64_t maxStreamedColumns = uint64_t(1) << 22;

/// Is called with all bytes of a tensor, one piece after the other, in row-major order.
using InOrderVisitor = std::function<void(std::span<const uint8_t>)>;

} // namespace ecf8

#endif // ECF8_CODEC_BYTESTREAM_H
