// Epilogues of generated contractions for GPUs: what kernels make of finished sums, next to plain C++.
#include "../Codec/TestData.h"
#include "Kernels.h"

#include <cmath>

using namespace ecf8;
using namespace ecf8::test;

namespace {

struct Case {
  Layout layout;
  std::string activations, architecture;
  Scaling scaling = {};
};

class Epilogue : public testing::TestWithParam<Case> {
protected:
  static constexpr Matrix shape{40, 1152}; // two chunks
  static constexpr uint32_t count = 11;

  void SetUp() override {
    Random random(7);
    // 1.0 and -2.0 in E4M3, 1.0 as activations in all types: sums are whole numbers.
    for (uint64_t i = 0; i < shape.rows * shape.columns; ++i)
      elements.push_back(random.below(2) ? 0x38 : 0xC0);
    for (uint64_t i = 0; i < count * shape.columns; ++i) {
      const std::string &type = GetParam().activations;
      if (type == "f16")
        activations.insert(activations.end(), {0x00, 0x3C});
      else if (type == "bf16")
        activations.insert(activations.end(), {0x80, 0x3F});
      else
        activations.push_back(0x38);
    }
    auto fill = [&](std::vector<float> &values, uint64_t size) {
      for (uint64_t i = 0; i < size; ++i)
        values.push_back(float(int(random.below(9)) - 4) / 4);
    };
    fill(extras.ofActivations, count);
    fill(extras.ofWeights, shape.rows);
    fill(extras.ofBoth, count * shape.rows);
    fill(extras.ofAll, 1);
  }

  float sumOf(uint64_t row) const {
    float sum = 0;
    for (uint64_t k = 0; k < shape.columns; ++k)
      sum += elements[row * shape.columns + k] == 0x38 ? 1 : -2;
    return sum * (GetParam().scaling.kind.empty() ? 1.0f : 0.5f);
  }

  std::vector<float> run(const std::string &body) {
    const Case &test = GetParam();
    Kernels kernels(test.layout, test.activations, test.scaling, test.architecture,
                    "func.func private @epilogue(%sum: f32, %m: f32, %n: f32, %mn: f32, %one: f32) -> f32 {\n" + body +
                        "}\n");
    std::vector<float> scales(shape.rows * shape.columns, 0.5f);
    return kernels.contract(shape, elements, activations, count, scales, 2, 3, extras);
  }

  std::vector<uint8_t> elements, activations;
  Kernels::Extras extras;
};

TEST_P(Epilogue, ScalesOfTokensAndChannelsAndAResidual) {
  std::vector<float> got = run(R"(
    %0 = arith.mulf %sum, %m : f32
    %1 = arith.mulf %0, %n : f32
    %2 = arith.addf %1, %mn : f32
    %3 = arith.maximumf %2, %one : f32
    return %3 : f32
  )");
  for (uint64_t m = 0; m < count; ++m)
    for (uint64_t n = 0; n < shape.rows; ++n) {
      float value = sumOf(n) * extras.ofActivations[m] * extras.ofWeights[n] + extras.ofBoth[m * shape.rows + n];
      ASSERT_EQ(got[m * shape.rows + n], std::fmax(value, extras.ofAll[0])) << m << ", " << n;
    }
}

TEST_P(Epilogue, FunctionsAreWrittenOut) {
  std::vector<float> got = run(R"(
    %c = arith.constant 1.0e-3 : f32
    %0 = arith.mulf %sum, %c : f32
    %1 = math.exp %0 : f32
    %2 = math.tanh %1 : f32
    %3 = math.sqrt %2 : f32
    return %3 : f32
  )");
  for (uint64_t m = 0; m < count; ++m)
    for (uint64_t n = 0; n < shape.rows; ++n)
      ASSERT_NEAR(got[m * shape.rows + n], std::sqrt(std::tanh(std::exp(sumOf(n) * 1.0e-3f))), 1e-6) << m << ", " << n;
}

std::string nameOf(const testing::TestParamInfo<Case> &info) {
  const Case &test = info.param;
  return test.layout.codec + "_" + test.activations + "_" + test.architecture + (test.scaling.ofSums ? "_sums" : "");
}

INSTANTIATE_TEST_SUITE_P(Kernels, Epilogue,
                         testing::Values(Case{{"quads"}, "f16", "sm_90"}, Case{{"pairs"}, "bf16", "sm_80"},
                                         Case{{"quads"}, "f8E4M3FN", "sm_90a"}, Case{{"pairs"}, "f8E4M3FN", "sm_89"},
                                         Case{{"quads"}, "f8E4M3FN", "sm_90a", {"blocks", true, 32, 128}},
                                         Case{{"raw"}, "f8E4M3FN", "sm_89", {"rows", true, 1, 1 << 20}}),
                         nameOf);

} // namespace
