// What all fuzz targets share: numbers drawn from the input, and checks that end the process.
#ifndef ECF8_TEST_FUZZ_FUZZINPUT_H
#define ECF8_TEST_FUZZ_FUZZINPUT_H

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <initializer_list>
#include <span>

/// A property that must hold for every input. Checked in all build types; a failure is a finding.
#define FUZZ_CHECK(condition)                                                                                          \
  do {                                                                                                                 \
    if (!(condition)) {                                                                                                \
      std::fprintf(stderr, "%s:%d: a property does not hold: %s\n", __FILE__, __LINE__, #condition);                   \
      std::abort();                                                                                                    \
    }                                                                                                                  \
  } while (false)

namespace ecf8::fuzz {

/// Draws from the first bytes of an input; past its end all draws are 0.
class FuzzInput {
public:
  explicit FuzzInput(std::span<const uint8_t> bytes) : bytes(bytes) {}

  /// A number of `byteCount` bytes, little endian.
  uint64_t number(unsigned byteCount) {
    uint64_t value = 0;
    for (unsigned i = 0; i < byteCount && !bytes.empty(); ++i, bytes = bytes.subspan(1))
      value |= uint64_t(bytes.front()) << (8 * i);
    return value;
  }
  /// A number in [0, limit), for limits up to 2^32.
  uint64_t below(uint64_t limit) { return number(limit <= 256 ? 1 : 4) % limit; }
  template <typename T> T oneOf(std::initializer_list<T> values) { return values.begin()[below(values.size())]; }

  /// What was not drawn.
  std::span<const uint8_t> rest() const { return bytes; }

private:
  std::span<const uint8_t> bytes;
};

} // namespace ecf8::fuzz

/// The entry point of each target (llvm.org/docs/LibFuzzer.html). Returns 0.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif // ECF8_TEST_FUZZ_FUZZINPUT_H
