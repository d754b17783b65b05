// Generated contractions for GPUs: bytes compared with those of raw weights, and exact sums of integers with plain C++.
#include "../Codec/TestData.h"
#include "Kernels.h"

#include <bit>
#include <cmath>
#include <cstring>

using namespace ecf8;
using namespace ecf8::test;

namespace {

double valueOf(ElementType type, uint8_t byte) {
  const bool isE4M3 = type == ElementType::F8E4M3FN;
  const int mantissaBits = isE4M3 ? 3 : 2, bias = isE4M3 ? 7 : 15;
  int exponent = (byte & 0x7F) >> mantissaBits, mantissa = byte & ((1 << mantissaBits) - 1);
  double value = exponent ? std::ldexp((1 << mantissaBits) + mantissa, exponent - bias - mantissaBits)
                          : std::ldexp(mantissa, 1 - bias - mantissaBits);
  if (isE4M3 && (byte & 0x7F) == 0x7F)
    value = NAN;
  if (!isE4M3 && exponent == 31)
    value = mantissa ? NAN : INFINITY;
  return byte & 0x80 ? -value : value;
}

/// Appends an integer as a number of `type`: of f16 and bf16 those up to 1000, of FP8 those that fit.
void append(std::vector<uint8_t> &bytes, int value, const std::string &type) {
  uint32_t bits = std::bit_cast<uint32_t>(float(value));
  if (type == "bf16")
    bits >>= 16;
  else if (type == "f16")
    bits = value ? (bits >> 16 & 0x8000) | ((bits >> 23 & 255) - 127 + 15) << 10 | (bits >> 13 & 0x3FF) : 0;
  if (!type.starts_with("f8"))
    return bytes.insert(bytes.end(), {uint8_t(bits), uint8_t(bits >> 8)}), void();
  ElementType element = type == "f8E4M3FN" ? ElementType::F8E4M3FN : ElementType::F8E5M2;
  for (unsigned byte = 0; byte < 256; ++byte)
    if (valueOf(element, uint8_t(byte)) == value)
      return bytes.push_back(uint8_t(byte));
  ADD_FAILURE() << value << " is no number of " << type;
}

struct Case {
  Layout layout;
  std::string activations, architecture;
  Scaling scaling = {};
};

class Contract : public testing::TestWithParam<Case> {
protected:
  /// Weights of small integers: their products and sums are exact in f32.
  std::vector<uint8_t> integers(uint64_t count) {
    std::vector<uint8_t> result;
    std::vector<uint8_t> codes;
    for (unsigned byte = 0; byte < 256; ++byte)
      if (double value = valueOf(GetParam().layout.type, uint8_t(byte));
          std::fabs(value) <= 8 && value == std::round(value))
        codes.push_back(uint8_t(byte));
    Random random(3);
    while (result.size() < count)
      result.push_back(codes[random.below(codes.size())]);
    return result;
  }
};

TEST_P(Contract, IntegersAreExact) {
  const Case &test = GetParam();
  Kernels kernels(test.layout, test.activations, test.scaling, test.architecture);
  Random random(5);
  struct Sizes {
    Matrix shape;
    uint32_t count;
    unsigned columnBlocks, blocks;
  };
  for (const Sizes &sizes : {Sizes{{1, 1}, 1, 1, 1}, Sizes{{17, 129}, 3, 1, 2}, Sizes{{40, 1152}, 8, 1, 3},
                             Sizes{{33, 2080}, 13, 2, 2}, Sizes{{16, 520}, 70, 8, 1}, Sizes{{96, 264}, 21, 4, 5}}) {
    const Matrix shape = sizes.shape;
    std::vector<uint8_t> elements = integers(shape.rows * shape.columns);
    std::vector<int> values(sizes.count * shape.columns);
    std::vector<uint8_t> activations;
    for (int &value : values) {
      value = int(random.below(9)) - 4;
      append(activations, value, test.activations);
    }
    const Scaling &scaling = test.scaling;
    auto blocksOf = [](uint64_t size, uint64_t block) { return (size + block - 1) / block; };
    std::vector<float> scales(blocksOf(shape.rows, scaling.blockRows) * blocksOf(shape.columns, scaling.blockColumns));
    for (float &scale : scales)
      scale = float(1 << random.below(3));
    std::vector<float> got =
        kernels.contract(shape, elements, activations, sizes.count, scales, sizes.columnBlocks, sizes.blocks);
    for (uint64_t m = 0; m < sizes.count; ++m)
      for (uint64_t n = 0; n < shape.rows; ++n) {
        double sum = 1;
        for (uint64_t k = 0; k < shape.columns; ++k) {
          double scale = scaling.kind.empty()
                             ? 1
                             : scales[n / scaling.blockRows * blocksOf(shape.columns, scaling.blockColumns) +
                                      k / scaling.blockColumns];
          sum += valueOf(test.layout.type, elements[n * shape.columns + k]) * scale * values[m * shape.columns + k];
        }
        ASSERT_EQ(got[m * shape.rows + n], sum)
            << "row " << n << " for activations " << m << " of " << shape.rows << " x " << shape.columns;
      }
  }
}

TEST_P(Contract, AllWeightsGiveTheBytesOfRaw) {
  const Case &test = GetParam();
  Kernels kernels(test.layout, test.activations, test.scaling, test.architecture);
  Layout plain = test.layout;
  plain.codec = "raw";
  Kernels raw(plain, test.activations, test.scaling, test.architecture);
  const Matrix shape{50, 1300};
  const uint32_t count = 9;
  Random random(17);
  std::vector<uint8_t> elements(shape.rows * shape.columns);
  for (uint64_t i = 0; i < elements.size(); ++i) // the first rows have every value, NaN too; others none of these
    elements[i] = i < 4 * shape.columns ? uint8_t(i) : uint8_t((random.next() & 0x87) | (3 + random.below(9)) << 3);
  std::vector<uint8_t> activations;
  const bool isFP8 = test.activations.starts_with("f8");
  for (uint64_t i = 0; i < count * shape.columns; ++i)
    if (isFP8) // any finite number
      activations.push_back(uint8_t((random.next() & 0x80) | random.below(0x70)));
    else
      append(activations, int(random.below(2000)) - 1000, test.activations);
  std::vector<float> scales(shape.rows * shape.columns);
  for (float &scale : scales)
    scale = 0.001f * float(1 + random.below(1000));
  std::vector<float> a = kernels.contract(shape, elements, activations, count, scales, 2, 3);
  std::vector<float> b = raw.contract(shape, elements, activations, count, scales, 2, 2);
  ASSERT_EQ(a.size(), b.size());
  EXPECT_EQ(std::memcmp(a.data(), b.data(), a.size() * 4), 0);
  EXPECT_TRUE(std::isnan(a[0]));
  EXPECT_FALSE(std::isnan(a[shape.rows - 1]));
}

/// One column at a time, so that a result is one weight; kernels may differ for weights with NaN.
TEST_P(Contract, EveryFiniteValueIsExact) {
  const Case &test = GetParam();
  Kernels kernels(test.layout, test.activations, test.scaling, test.architecture);
  const Matrix shape{256, 8};
  std::vector<uint8_t> activations;
  for (uint64_t m = 0; m < shape.columns; ++m)
    for (uint64_t k = 0; k < shape.columns; ++k)
      append(activations, m == k, test.activations);
  std::vector<float> scales(shape.rows * shape.columns, 1);
  for (bool hasNaN : {false, true}) {
    std::vector<uint8_t> elements(shape.rows * shape.columns);
    for (uint64_t i = 0; i < elements.size(); ++i) {
      uint8_t byte = uint8_t(i / shape.columns * 7 + i % shape.columns * 32);
      elements[i] = std::isfinite(valueOf(test.layout.type, byte)) ? byte : 0;
    }
    if (hasNaN)
      elements[0] = 0xFF;
    std::vector<float> got = kernels.contract(shape, elements, activations, uint32_t(shape.columns), scales, 1, 2);
    for (uint64_t m = 0; m < shape.columns; ++m)
      for (uint64_t n = hasNaN; n < shape.rows; ++n) {
        uint8_t byte = elements[n * shape.columns + m];
        ASSERT_EQ(got[m * shape.rows + n], 1 + valueOf(test.layout.type, byte)) << int(byte) << ", " << hasNaN;
      }
    EXPECT_EQ(std::isnan(got[0]), hasNaN);
  }
}

std::string nameOf(const testing::TestParamInfo<Case> &info) {
  const Case &test = info.param;
  return test.layout.codec + "_" + test.layout.elementName() + "_" + std::to_string(test.layout.tileColumns) + "_" +
         test.activations + "_" + test.architecture + "_" + (test.scaling.kind.empty() ? "none" : test.scaling.kind) +
         (test.scaling.ofSums ? "_sums" : "");
}

constexpr ElementType e4m3 = ElementType::F8E4M3FN, e5m2 = ElementType::F8E5M2;
constexpr uint32_t wholeRow = 1 << 20;
INSTANTIATE_TEST_SUITE_P(Layouts, Contract,
                         testing::Values(Case{{"raw", e4m3}, "f16", "sm_90"}, Case{{"quads", e4m3}, "f16", "sm_90"},
                                         Case{{"quads", e4m3}, "bf16", "sm_90"}, Case{{"quads", e5m2}, "bf16", "sm_89"},
                                         Case{{"quads", e4m3}, "f16", "sm_80"}, Case{{"raw", e4m3}, "f16", "sm_80"},
                                         Case{{"quads", e4m3}, "bf16", "sm_80"},
                                         Case{{"quads", e4m3}, "bf16", "sm_80", {"blocks", false, 32, 128}},
                                         Case{{"quads", e5m2, 512}, "f16", "sm_80"},
                                         Case{{"pairs", e4m3}, "bf16", "sm_80"},
                                         Case{{"pairs", e4m3, 256}, "f16", "sm_89"},
                                         Case{{"classic", e5m2}, "f16", "sm_90"},
                                         Case{{"quads", e4m3}, "bf16", "sm_90", {"rows", false, 1, wholeRow}},
                                         Case{{"quads", e4m3}, "bf16", "sm_90", {"blocks", false, 32, 128}},
                                         Case{{"quads", e4m3}, "bf16", "sm_90", {"blocks", true, 32, 128}},
                                         Case{{"pairs", e4m3}, "f16", "sm_80", {"blocks", true, 32, 256}},
                                         Case{{"pairs", e4m3}, "f16", "sm_80", {"rows", true, 1, wholeRow}}),
                         nameOf);

INSTANTIATE_TEST_SUITE_P(
    W8A8, Contract,
    testing::Values(Case{{"raw", e4m3}, "f8E4M3FN", "sm_90a"}, Case{{"quads", e4m3}, "f8E4M3FN", "sm_90a"},
                    Case{{"quads", e4m3, 256, 9}, "f8E5M2", "sm_90a"}, Case{{"quads", e5m2}, "f8E4M3FN", "sm_90a"},
                    Case{{"classic", e4m3, 384, 7}, "f8E4M3FN", "sm_90a"},
                    Case{{"quads", e4m3}, "f8E4M3FN", "sm_90a", {"rows", true, 1, wholeRow}},
                    Case{{"quads", e4m3}, "f8E4M3FN", "sm_90a", {"blocks", true, 32, 128}},
                    Case{{"raw", e5m2}, "f8E5M2", "sm_89"}, Case{{"quads", e4m3}, "f8E4M3FN", "sm_90"},
                    Case{{"pairs", e4m3}, "f8E4M3FN", "sm_89"}, Case{{"pairs", e5m2, 512}, "f8E4M3FN", "sm_89"},
                    Case{{"pairs", e4m3}, "f8E5M2", "sm_100", {"rows", true, 1, wholeRow}},
                    Case{{"pairs", e4m3}, "f8E4M3FN", "sm_89", {"blocks", true, 64, 384}}),
    nameOf);

} // namespace
