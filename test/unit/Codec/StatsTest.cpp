// Figures of small tensors, worked out by hand.
#include "TestData.h"

#include <gtest/gtest.h>

#include <cmath>

using namespace ecf8;

namespace {

TEST(Stats, EveryByteHasFullEntropy) {
  std::vector<uint8_t> elements = test::makeElements(test::Distribution::EveryByte, ElementType::F8E4M3FN, 1 << 12);
  for (ElementType type : {ElementType::F8E4M3FN, ElementType::F8E5M2}) {
    TensorStats stats = collectStats(type, elements);
    EXPECT_DOUBLE_EQ(stats.byteEntropy, 8);
    EXPECT_DOUBLE_EQ(stats.exponentEntropy, type == ElementType::F8E5M2 ? 5 : 4);
    EXPECT_DOUBLE_EQ(stats.entropyBound(), 8);
    EXPECT_EQ(stats.maxExponent, type == ElementType::F8E5M2 ? 31 : 15);
  }
}

TEST(Stats, EntropyOfTwoSymbols) {
  // Exponents 7 (three of four) and 8.
  std::vector<uint8_t> elements = {7 << 3, 7 << 3 | 1, 0x80 | 7 << 3, 8 << 3};
  TensorStats stats = collectStats(ElementType::F8E4M3FN, elements);
  EXPECT_DOUBLE_EQ(stats.exponentEntropy, 0.75 * std::log2(4 / 3.0) + 0.25 * 2);
  EXPECT_DOUBLE_EQ(stats.byteEntropy, 2);
  EXPECT_EQ(stats.minExponent, 7);
  EXPECT_EQ(stats.maxExponent, 8);
  EXPECT_EQ(stats.dataFlags, 0u);
}

TEST(Stats, EmptyTensor) {
  TensorStats stats = collectStats(ElementType::F8E4M3FN, {});
  EXPECT_EQ(stats.exponentEntropy, 0);
  EXPECT_EQ(stats.byteEntropy, 0);
  EXPECT_EQ(stats.minExponent, 0);
  EXPECT_EQ(stats.maxExponent, 0);
}

TEST(Stats, DataFlagsOfEveryClass) {
  auto e4m3 = [](uint8_t element) { return dataFlagsOf(ElementType::F8E4M3FN, element); };
  auto e5m2 = [](uint8_t element) { return dataFlagsOf(ElementType::F8E5M2, element); };
  EXPECT_EQ(e4m3(0x00), 0u);
  EXPECT_EQ(e4m3(0x80), uint32_t(DataHasNegativeZero));
  EXPECT_EQ(e4m3(0x01), uint32_t(DataHasSubnormal));
  EXPECT_EQ(e4m3(0x87), uint32_t(DataHasSubnormal));
  EXPECT_EQ(e4m3(0x08), 0u);
  EXPECT_EQ(e4m3(0x7E), 0u);
  EXPECT_EQ(e4m3(0x7F), uint32_t(DataHasNaN));
  EXPECT_EQ(e4m3(0xFF), uint32_t(DataHasNaN));
  EXPECT_EQ(e5m2(0x80), uint32_t(DataHasNegativeZero));
  EXPECT_EQ(e5m2(0x83), uint32_t(DataHasSubnormal));
  EXPECT_EQ(e5m2(0x04), 0u);
  EXPECT_EQ(e5m2(0x7B), 0u);
  EXPECT_EQ(e5m2(0xFC), uint32_t(DataHasInfinity));
  EXPECT_EQ(e5m2(0x7D), uint32_t(DataHasNaN));
}

TEST(Stats, ThreadsDoNotMatter) {
  std::vector<uint8_t> elements = test::makeElements(test::Distribution::Uniform, ElementType::F8E5M2, (3 << 20) + 5);
  TensorStats one = collectStats(ElementType::F8E5M2, elements, 1),
              four = collectStats(ElementType::F8E5M2, elements, 4);
  EXPECT_EQ(one.byteCounts, four.byteCounts);
  EXPECT_EQ(one.byteEntropy, four.byteEntropy);
}

} // namespace
