// Comparison of outputs, and the percentiles of --benchmark.
#include "Compare.h"
#include "Report.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

using namespace ecf8;
using namespace ecf8::run;

namespace {

constexpr DLDataType f32{kDLFloat, 32, 1};

std::string difference(std::vector<float> actual, const std::vector<float> &expected, Tolerance tolerance = {},
                       std::vector<int64_t> shape = {2, 2}) {
  Result<HostTensor> want = HostTensor::create(f32, {2, 2});
  std::memcpy(want->bytes().data(), expected.data(), 16);
  DLTensor got = {actual.data(), {kDLCPU, 0}, static_cast<int32_t>(shape.size()), f32, shape.data(), nullptr, 0};
  return compare(got, *want, "f32", tolerance);
}

} // namespace

TEST(Compare, Bytes) {
  float nan = std::nanf("");
  EXPECT_EQ(difference({1, 2, nan, 4}, {1, 2, nan, 4}), "");
  EXPECT_EQ(
      difference({1, 2.5, 3, 5}, {1, 2, 3, 4}),
      "2 of 4 elements differ; first at [0, 1]: expected 2 (0x40000000), got 2.5 (0x40200000); largest difference 1 "
      "at [1, 1]");
  // Equal as numbers, but not the same bytes.
  EXPECT_EQ(
      difference({-0.0f, 2, 3, 4}, {0.0f, 2, 3, 4}),
      "1 of 4 elements differ; first at [0, 0]: expected 0 (0x00000000), got -0 (0x80000000); largest difference 0 "
      "at [0, 0]");
  EXPECT_EQ(
      difference({nan, 2, 3, 4}, {1, 2, 3, 4}),
      "1 of 4 elements differ; first at [0, 0]: expected 1 (0x3f800000), got nan (0x7fc00000); no difference is a "
      "number");
  EXPECT_EQ(difference({1, 2, 3, 4}, {1, 2, 3, 4}, {}, {4}), "expected 2x2xf32, got 4xf32");
}

TEST(Compare, Tolerances) {
  float nan = std::nanf(""), infinity = INFINITY;
  EXPECT_EQ(difference({1.5, 2, -nan, infinity}, {1, 2, nan, infinity}, {.absolute = 0.5}), "");
  EXPECT_NE(difference({1.6f, 2, 3, 4}, {1, 2, 3, 4}, {.absolute = 0.5}), "");
  EXPECT_EQ(difference({1, 2, 3, 440}, {1, 2, 3, 400}, {.relative = 0.1}), "");
  EXPECT_NE(difference({1, 2, 3, 441}, {1, 2, 3, 400}, {.relative = 0.1}), "");
  EXPECT_NE(difference({nan, 2, 3, 4}, {1, 2, 3, 4}, {.absolute = 1e30}), "");
  EXPECT_NE(difference({infinity, 2, 3, 4}, {1, 2, 3, 4}, {.absolute = 1e30}), "");
}

TEST(Report, Percentiles) {
  std::vector<double> values;
  for (int i = 200; i >= 1; --i)
    values.push_back(i);
  Timing timing = summarize(values);
  EXPECT_EQ(timing.minimum, 1);
  EXPECT_EQ(timing.median, 100);
  EXPECT_EQ(timing.p99, 198);
  timing = summarize({3});
  EXPECT_EQ(timing.minimum, 3);
  EXPECT_EQ(timing.median, 3);
  EXPECT_EQ(timing.p99, 3);
}
