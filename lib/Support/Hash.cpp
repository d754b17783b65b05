// XXH3-64 through the header-only form of xxHash.
#include "ecf8/Support/Hash.h"

#include "HashAvx2.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

using namespace ecf8;

static bool hasAvx2() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx2");
#else
  return false;
#endif
}

uint64_t ecf8::hashBytes(std::span<const uint8_t> bytes) {
  return hasAvx2() ? hashBytesAvx2(bytes.data(), bytes.size()) : XXH3_64bits(bytes.data(), bytes.size());
}

struct Hasher::State {
  XXH3_state_t xxh; // aligned to 64 by its declaration; operator new honours that
};

Hasher::Hasher() : state(std::make_unique<State>()) { XXH3_64bits_reset(&state->xxh); }
Hasher::Hasher(Hasher &&) noexcept = default;
Hasher &Hasher::operator=(Hasher &&) noexcept = default;
Hasher::~Hasher() = default;

void Hasher::update(std::span<const uint8_t> bytes) {
  if (bytes.empty())
    return;
  if (hasAvx2())
    updateHashAvx2(&state->xxh, bytes.data(), bytes.size());
  else
    XXH3_64bits_update(&state->xxh, bytes.data(), bytes.size());
}

uint64_t Hasher::digest() const { return XXH3_64bits_digest(&state->xxh); }

std::string ecf8::hashToHex(uint64_t hash) {
  std::string text(16, '0');
  for (unsigned digit = 0; digit < 16; ++digit)
    text[15 - digit] = "0123456789abcdef"[hash >> (4 * digit) & 15];
  return text;
}

std::optional<uint64_t> ecf8::hashFromHex(std::string_view text) {
  if (text.size() != 16)
    return std::nullopt;
  uint64_t hash = 0;
  for (char c : text) {
    unsigned digit;
    if (c >= '0' && c <= '9')
      digit = c - '0';
    else if (c >= 'a' && c <= 'f')
      digit = c - 'a' + 10;
    else if (c >= 'A' && c <= 'F')
      digit = c - 'A' + 10;
    else
      return std::nullopt;
    hash = hash << 4 | digit;
  }
  return hash;
}
