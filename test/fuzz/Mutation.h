// Random choices of the custom mutators. Linked into fuzzers only: LLVMFuzzerMutate comes with libFuzzer.
#ifndef ECF8_TEST_FUZZ_MUTATION_H
#define ECF8_TEST_FUZZ_MUTATION_H

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <random>

/// libFuzzer's own mutations, in place; returns the new size, at most `maxSize`.
extern "C" size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t maxSize);

/// What a mutator defines: a mutation of the input in place, of at most `maxSize` bytes; returns the new size.
extern "C" size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t maxSize, unsigned seed);

namespace ecf8::fuzz {

class Random {
public:
  explicit Random(unsigned seed) : engine(seed) {}
  /// A number in [0, limit).
  uint64_t below(uint64_t limit) { return std::uniform_int_distribution<uint64_t>(0, limit - 1)(engine); }
  bool oneIn(uint64_t n) { return below(n) == 0; }
  uint64_t bits() { return std::uniform_int_distribution<uint64_t>()(engine); }
  unsigned seed() { return unsigned(engine()); }

private:
  std::minstd_rand engine;
};

/// Mutates `bytes` as libFuzzer would; they become at most `maxSize` long.
template <typename Container> void mutateFreely(Container &bytes, size_t maxSize) {
  size_t size = bytes.size();
  bytes.resize(std::max(size, maxSize));
  bytes.resize(LLVMFuzzerMutate(reinterpret_cast<uint8_t *>(bytes.data()), size, maxSize));
}

/// Copies a finished mutation back to libFuzzer's buffer and returns its size; what does not fit is cut off.
template <typename Container> size_t finishMutation(const Container &bytes, uint8_t *data, size_t maxSize) {
  size_t size = std::min<size_t>(bytes.size(), maxSize);
  std::copy_n(reinterpret_cast<const uint8_t *>(bytes.data()), size, data);
  return size;
}

} // namespace ecf8::fuzz

#endif // ECF8_TEST_FUZZ_MUTATION_H
