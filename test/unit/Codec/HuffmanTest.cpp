// Package-merge against brute force, canonical codes against their definition.
#include "TestData.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

using namespace ecf8;
using test::Random;

namespace {

uint64_t costOf(const SymbolCounts &counts, const CodeLengths &lengths) {
  uint64_t bits = 0;
  for (unsigned symbol = 0; symbol < maxSymbolCount; ++symbol)
    bits += counts[symbol] * lengths[symbol];
  return bits;
}

/// The least cost over all complete codes: `counts` from most to least frequent, so lengths never shrink.
uint64_t bestCost(std::span<const uint64_t> counts, unsigned length, unsigned limit, unsigned freeLeaves) {
  constexpr uint64_t impossible = std::numeric_limits<uint64_t>::max();
  if (counts.empty())
    return freeLeaves == 0 ? 0 : impossible;
  if (freeLeaves == 0 || length > limit)
    return impossible;
  uint64_t best = impossible, here = 0;
  for (size_t taken = 0; taken <= std::min<size_t>(freeLeaves, counts.size()); ++taken) {
    uint64_t below = bestCost(counts.subspan(taken), length + 1, limit,
                              std::min<unsigned>((freeLeaves - unsigned(taken)) * 2, 1u << 10));
    if (below != impossible)
      best = std::min(best, here + below);
    if (taken < counts.size())
      here += counts[taken] * length;
  }
  return best;
}

TEST(Huffman, LengthsAreOptimalUnderTheLimit) {
  Random random(7);
  for (unsigned round = 0; round < 200; ++round) {
    unsigned used = 2 + unsigned(random.below(8)), limit = 5 + unsigned(random.below(2));
    SymbolCounts counts{};
    std::vector<uint64_t> sorted;
    for (unsigned i = 0; i < used; ++i) {
      counts[i * 3] = 1 + random.below(uint64_t(1) << random.below(20));
      sorted.push_back(counts[i * 3]);
    }
    std::sort(sorted.rbegin(), sorted.rend());
    CodeLengths lengths = buildCodeLengths(counts, limit);
    EXPECT_EQ(costOf(counts, lengths), bestCost(sorted, 1, limit, 2)) << "round " << round;
    EXPECT_TRUE(CanonicalCode::create(lengths, 32, limit)) << "round " << round;
  }
}

TEST(Huffman, FibonacciCountsReachTheLimit) {
  SymbolCounts counts{};
  for (unsigned symbol = 0, now = 1, last = 0; symbol < 32; ++symbol) {
    counts[symbol] = now;
    last = std::exchange(now, now + last);
  }
  for (unsigned limit : {7u, 8u}) {
    CodeLengths lengths = buildCodeLengths(counts, limit);
    EXPECT_EQ(*std::max_element(lengths.begin(), lengths.end()), limit);
    EXPECT_LE(*std::min_element(lengths.begin(), lengths.end()), 2);
  }
}

TEST(Huffman, NoneAndOneSymbol) {
  EXPECT_EQ(buildCodeLengths({}, 8), CodeLengths{});
  SymbolCounts counts{};
  counts[9] = 1000;
  CodeLengths expected{};
  expected[9] = 1;
  EXPECT_EQ(buildCodeLengths(counts, 8), expected);
  Result<CanonicalCode> code = CanonicalCode::create(expected, 16, 8);
  ASSERT_TRUE(code);
  EXPECT_EQ(code->streamLength(9), 0u);
  EXPECT_EQ(code->paddingSymbol(), 9u);
  EXPECT_EQ(code->decodeSymbol(0xFFFFFFFF).symbol, 9u);
}

TEST(Huffman, CanonicalCodesCountUp) {
  // Lengths 2, 1, 3, 3 for the symbols 0, 5, 6, 10: canonical codes 10, 0, 110, 111.
  CodeLengths lengths{};
  lengths[0] = 2;
  lengths[5] = 1;
  lengths[6] = 3;
  lengths[10] = 3;
  Result<CanonicalCode> code = CanonicalCode::create(lengths, 16, 8);
  ASSERT_TRUE(code);
  EXPECT_EQ(code->streamBits(5), 0b0u);
  EXPECT_EQ(code->streamBits(0), 0b01u);
  EXPECT_EQ(code->streamBits(6), 0b011u);
  EXPECT_EQ(code->streamBits(10), 0b111u);
  EXPECT_EQ(code->paddingSymbol(), 5u);
}

TEST(Huffman, DecodesItsOwnCodes) {
  for (unsigned limit : {7u, 8u})
    for (test::Distribution distribution : test::allDistributions)
      for (ElementType type : {ElementType::F8E4M3FN, ElementType::F8E5M2}) {
        TensorStats stats = collectStats(type, test::makeElements(distribution, type, 5000));
        CodeLengths lengths = buildCodeLengths(stats.symbolCounts, limit);
        Result<CanonicalCode> code = CanonicalCode::create(lengths, getElementSplit(type).symbolCount, limit);
        ASSERT_TRUE(code) << code.status().message();
        for (unsigned symbol = 0; symbol < maxSymbolCount; ++symbol) {
          if (lengths[symbol] == 0)
            continue;
          for (uint32_t garbage : {0u, 0xFFFFFFFFu}) {
            CanonicalCode::Decoded decoded =
                code->decodeSymbol(code->streamBits(symbol) | garbage << code->streamLength(symbol));
            EXPECT_EQ(decoded.symbol, symbol);
            EXPECT_EQ(decoded.bits, code->streamLength(symbol));
          }
        }
      }
}

} // namespace
