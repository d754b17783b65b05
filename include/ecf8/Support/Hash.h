// XXH3-64, the checksum of payloads and bundles (github.com/Cyan4973/xxHash, seed 0).
#ifndef ECF8_SUPPORT_HASH_H
#define ECF8_SUPPORT_HASH_H

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace ecf8 {

/// XXH3-64 of `bytes`.
uint64_t hashBytes(std::span<const uint8_t> bytes);

/// XXH3-64 of a sequence of pieces: equal to `hashBytes` of their concatenation.
class Hasher {
public:
  Hasher();
  Hasher(Hasher &&) noexcept;
  Hasher &operator=(Hasher &&) noexcept;
  ~Hasher();
  void update(std::span<const uint8_t> bytes);
  /// The hash of everything so far; more may follow.
  uint64_t digest() const;

private:
  struct State;
  std::unique_ptr<State> state;
};

/// 16 lower-case hexadecimal digits, most significant first.
std::string hashToHex(uint64_t hash);
/// The inverse: exactly 16 hexadecimal digits, else nothing.
std::optional<uint64_t> hashFromHex(std::string_view text);

} // namespace ecf8

#endif // ECF8_SUPPORT_HASH_H
