// Element distributions for the codec's tests: the same bytes on every machine.
#ifndef ECF8_TEST_UNIT_CODEC_TESTDATA_H
#define ECF8_TEST_UNIT_CODEC_TESTDATA_H

#include "ecf8/Codec/Encoder.h"
#include "ecf8/Codec/InstructionSet.h"

#include <bit>

namespace ecf8::test {

/// splitmix64 (Steele, Lea and Flood, 2014).
class Random {
public:
  explicit Random(uint64_t seed) : state(seed) {}
  uint64_t next() {
    uint64_t z = state += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  }
  uint64_t below(uint64_t limit) { return next() % limit; }

private:
  uint64_t state;
};

/// Uses an available instruction set as long as the object lives.
class UsedInstructionSet {
public:
  explicit UsedInstructionSet(InstructionSet set) { useInstructionSet(set); }
  ~UsedInstructionSet() { useInstructionSet(before); }
  UsedInstructionSet(const UsedInstructionSet &) = delete;
  UsedInstructionSet &operator=(const UsedInstructionSet &) = delete;

private:
  InstructionSet before = currentInstructionSet();
};

/// Elements whose exponents `offset` moves to the start of a class of quads, but for some on the other side of it: so
/// that quads take this offset.
inline std::vector<uint8_t> makeElementsForOffset(int offset, ElementType type, uint64_t count) {
  const ElementSplit &split = getElementSplit(type);
  unsigned width = split.symbolCount / 4; // exponents of a class
  unsigned first = unsigned(int(width) - offset), rare = first - 1;
  if (offset == -3 && width == 4) { // 1 would do as well, were it not for what it carries out of the exponents
    first = 11;
    rare = 15;
  }
  Random random(7);
  std::vector<uint8_t> elements(count);
  for (uint8_t &element : elements) {
    unsigned exponent = random.below(16) == 0 ? rare : first + unsigned(random.below(width));
    element = split.elementOf(exponent, uint8_t(random.next() & split.restMask));
  }
  return elements;
}

enum class Distribution {
  EveryByte,   ///< 0, 1, ... 255, 0, ...
  Uniform,     ///< any byte
  OneSymbol,   ///< one exponent, any rest
  TwoSymbols,  ///< two exponents, one of them rare
  Fibonacci,   ///< counts 1, 1, 2, 3, 5, ...: the deepest code there is, cut off by the length limit
  Geometric,   ///< each exponent half as often as the one above: like trained weights
  RareExtreme, ///< one exponent but for a single element
  Gaussian,    ///< exponents of normally distributed values
};
inline constexpr Distribution allDistributions[] = {
    Distribution::EveryByte, Distribution::Uniform,   Distribution::OneSymbol,   Distribution::TwoSymbols,
    Distribution::Fibonacci, Distribution::Geometric, Distribution::RareExtreme, Distribution::Gaussian};

inline std::vector<uint8_t> makeElements(Distribution distribution, ElementType type, uint64_t count,
                                         uint64_t seed = 1) {
  const ElementSplit &split = getElementSplit(type);
  Random random(seed);
  std::vector<uint8_t> elements(count);
  // Symbols by how often they came so far against the Fibonacci numbers, so that any count has the right shape.
  std::vector<unsigned> fibonacci;
  for (unsigned symbol = 0, now = 1, last = 0; symbol < split.symbolCount && fibonacci.size() < 100000; ++symbol) {
    fibonacci.insert(fibonacci.end(), now, split.symbolCount - 1 - symbol);
    last = std::exchange(now, now + last);
  }
  for (uint64_t i = 0; i < count; ++i) {
    unsigned symbol = 0;
    switch (distribution) {
    case Distribution::EveryByte:
      elements[i] = uint8_t(i);
      continue;
    case Distribution::Uniform:
      elements[i] = uint8_t(random.next());
      continue;
    case Distribution::OneSymbol:
      symbol = 7;
      break;
    case Distribution::TwoSymbols:
      symbol = random.below(10) == 0 ? 2 : 11;
      break;
    case Distribution::Fibonacci:
      symbol = fibonacci[i % fibonacci.size()];
      break;
    case Distribution::Geometric:
      symbol = split.symbolCount - 2;
      while (symbol > 0 && random.below(2))
        --symbol;
      break;
    case Distribution::RareExtreme:
      symbol = i == count / 2 ? split.symbolCount - 1 : 4;
      break;
    case Distribution::Gaussian: {
      int64_t sum = 0; // of 12 uniform numbers: close to normal, with a deviation of 2^16, and below 2^19
      for (unsigned term = 0; term < 12; ++term)
        sum += int64_t(random.below(1 << 16)) - (1 << 15);
      unsigned bits = unsigned(std::bit_width(uint64_t(sum < 0 ? -sum : sum)));
      symbol = bits + split.symbolCount - 2 < 20 ? 0 : bits + split.symbolCount - 2 - 20;
      break;
    }
    }
    elements[i] = split.elementOf(symbol, uint8_t(random.next()) & split.restMask);
  }
  return elements;
}

} // namespace ecf8::test

#endif // ECF8_TEST_UNIT_CODEC_TESTDATA_H
