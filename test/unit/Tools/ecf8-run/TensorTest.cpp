// Numbers in and out of elements, and the text form of tensors.
#include "Tensor.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

using namespace ecf8;
using namespace ecf8::run;

namespace {

constexpr DLDataType e4m3{kDLFloat8_e4m3fn, 8, 1}, e5m2{kDLFloat8_e5m2, 8, 1}, f16{kDLFloat, 16, 1},
    bf16{kDLBfloat, 16, 1}, f32{kDLFloat, 32, 1}, f64{kDLFloat, 64, 1}, i1{kDLBool, 8, 1}, i8{kDLInt, 8, 1},
    i64{kDLInt, 64, 1}, ui8{kDLUInt, 8, 1};

struct Spec {
  Spec(const char *name, DLDataType dtype, std::vector<int64_t> shape, bool isScalar = false)
      : shape(std::move(shape)) {
    spec = {name, dtype, isScalar ? ECF8_SCALAR_RANK : static_cast<int32_t>(this->shape.size()), this->shape.data()};
  }
  std::vector<int64_t> shape;
  EcfTensorSpec spec;
};

std::string parseError(const char *text, const Spec &spec) {
  Result<HostTensor> tensor = parseTensor(text, spec.spec);
  return tensor.isOk() ? "" : tensor.status().message();
}

/// The bits of one element.
uint64_t bits(const char *value, const char *name, DLDataType dtype) {
  Spec spec(name, dtype, {}, true);
  Result<HostTensor> tensor = parseTensor(std::string(name) + "=" + value, spec.spec);
  EXPECT_TRUE(tensor.isOk()) << tensor.status().message();
  uint64_t result = 0;
  if (tensor.isOk())
    std::memcpy(&result, tensor->bytes().data(), tensor->elementBytes());
  return result;
}

} // namespace

TEST(Tensor, SmallFloatsRound) {
  EXPECT_EQ(bits("448", "f8E4M3FN", e4m3), 0x7eu);
  EXPECT_EQ(bits("-448", "f8E4M3FN", e4m3), 0xfeu);
  EXPECT_EQ(bits("464", "f8E4M3FN", e4m3), 0x7eu); // a tie with the next step, 480, which would be NaN
  EXPECT_EQ(bits("1", "f8E4M3FN", e4m3), 0x38u);
  EXPECT_EQ(bits("1.0625", "f8E4M3FN", e4m3), 0x38u); // a tie goes to the even mantissa
  EXPECT_EQ(bits("1.1875", "f8E4M3FN", e4m3), 0x3au);
  EXPECT_EQ(bits("0.001953125", "f8E4M3FN", e4m3), 0x01u); // the smallest subnormal, 2^-9
  EXPECT_EQ(bits("0.0009765625", "f8E4M3FN", e4m3), 0x00u);
  EXPECT_EQ(bits("-0.0", "f8E4M3FN", e4m3), 0x80u);
  EXPECT_EQ(bits("nan", "f8E4M3FN", e4m3), 0x7fu);
  EXPECT_EQ(bits("1.9999", "f8E4M3FN", e4m3), 0x40u); // carries into the exponent
  EXPECT_EQ(bits("57344", "f8E5M2", e5m2), 0x7bu);
  EXPECT_EQ(bits("inf", "f8E5M2", e5m2), 0x7cu);
  EXPECT_EQ(bits("65504", "f16", f16), 0x7bffu);
  EXPECT_EQ(bits("0.1", "bf16", bf16), 0x3dcdu);
  EXPECT_EQ(bits("0.1", "f32", f32), 0x3dcccccdu);
  EXPECT_EQ(bits("0.1", "f64", f64), 0x3fb999999999999au);
}

// All codes of the small formats come back from their value.
TEST(Tensor, SmallFloatsRoundTrip) {
  struct {
    const char *name;
    DLDataType dtype;
  } types[] = {{"f8E4M3FN", e4m3}, {"f8E5M2", e5m2}, {"f16", f16}, {"bf16", bf16}};
  for (auto [name, dtype] : types)
    for (unsigned code = 0; code < (1u << dtype.bits); ++code) {
      uint8_t bytes[2] = {static_cast<uint8_t>(code), static_cast<uint8_t>(code >> 8)};
      if (!std::isnan(numberAt(bytes, dtype, 0)))
        ASSERT_EQ(bits(textAt(bytes, dtype, 0).c_str(), name, dtype), code) << name << " " << textAt(bytes, dtype, 0);
    }
}

TEST(Tensor, Forms) {
  Spec matrix("f32", f32, {-1, 2});
  Result<HostTensor> splat = parseTensor("3x2xf32=0.5", matrix.spec);
  ASSERT_TRUE(splat.isOk());
  EXPECT_EQ(splat->shape, (std::vector<int64_t>{3, 2}));
  for (size_t i = 0; i < 6; ++i)
    EXPECT_EQ(numberAt(splat->bytes(), f32, i), 0.5);
  Result<HostTensor> list = parseTensor("1x2xf32=-1,+2e3", matrix.spec);
  ASSERT_TRUE(list.isOk()) << list.status().message();
  EXPECT_EQ(numberAt(list->bytes(), f32, 0), -1.0);
  EXPECT_EQ(numberAt(list->bytes(), f32, 1), 2000.0);
  EXPECT_TRUE(parseTensor("0x2xf32=1", matrix.spec).isOk());
  EXPECT_EQ(bits("true", "i1", i1), 1u);
  EXPECT_EQ(bits("-128", "i8", i8), 0x80u);
  EXPECT_EQ(bits("255", "ui8", ui8), 0xffu);
  EXPECT_EQ(bits("-9223372036854775808", "i64", i64), 1ull << 63);

  Result<HostTensor> random = parseTensor("100x2xf32=random:7", matrix.spec);
  Result<HostTensor> again = parseTensor("100x2xf32=random:7", matrix.spec);
  ASSERT_TRUE(random.isOk() && again.isOk());
  EXPECT_EQ(std::memcmp(random->bytes().data(), again->bytes().data(), 800), 0);
  double low = 1, high = -1;
  for (size_t i = 0; i < 200; ++i) {
    low = std::min(low, numberAt(random->bytes(), f32, i));
    high = std::max(high, numberAt(random->bytes(), f32, i));
  }
  EXPECT_TRUE(low >= -1 && low < -0.9 && high <= 1 && high > 0.9) << low << " " << high;
}

TEST(Tensor, Refusals) {
  Spec matrix("f32", f32, {-1, 2}), integer("i8", i8, {}, true);
  EXPECT_EQ(parseError("x.npy", matrix), "expected @file.npy or SHAPExDTYPE=VALUES such as 4x16xf32=0.5, got 'x.npy'");
  EXPECT_EQ(parseError("3x3xf32=0", matrix), "expected ?x2xf32, got 3x3xf32");
  EXPECT_EQ(parseError("2xf32=0", matrix), "expected ?x2xf32, got 2xf32");
  EXPECT_EQ(parseError("3x2xf64=0", matrix), "expected ?x2xf32, got 3x2xf64");
  EXPECT_EQ(parseError("3,2xf32=0", matrix),
            "expected sizes and a dtype separated by 'x', such as 4x16xf32, got '3,2xf32'");
  EXPECT_EQ(parseError("1x2xf32=1,2,3", matrix), "expected 1 or 2 values for 1x2xf32, got 3");
  EXPECT_EQ(parseError("1x2xf32=1,z", matrix), "value 1: expected a number, got 'z'");
  EXPECT_EQ(parseError("1x2xf32=", matrix), "value 0: expected a number, got ''");
  EXPECT_EQ(parseError("1x2xf32=1e39", matrix), "value 0: expected a number in the range of f32, got '1e39'");
  EXPECT_EQ(parseError("i8=128", integer), "value 0: expected a number in the range of i8, got '128'");
  EXPECT_EQ(parseError("i8=1.5", integer), "value 0: expected a number, got '1.5'");
  EXPECT_EQ(parseError("f8E4M3FN=465", Spec("f8E4M3FN", e4m3, {}, true)),
            "value 0: expected a number in the range of f8E4M3FN, got '465'");
  EXPECT_EQ(parseError("1x2xf32=random:x", matrix), "expected a seed of 0 or more after 'random:', got 'x'");
  EXPECT_EQ(parseError("4611686018427387904x2xf32=0", matrix), "expected less than 2^56 elements");
}

TEST(Tensor, Prints) {
  float values[] = {1, 0.1f, -2.5e-20f};
  int64_t shape[] = {3};
  DLTensor tensor = {values, {kDLCPU, 0}, 1, f32, shape, nullptr, 0};
  EXPECT_EQ(printTensor(tensor, "f32", 8), "3xf32=1,0.1,-2.5e-20");
  EXPECT_EQ(printTensor(tensor, "f32", 1), "3xf32=1,... (3 values; --output=@file.npy writes all)");
}
