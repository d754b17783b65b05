// Conversions next to plain C++: FP8 by search among all values, so that nothing is shared with the code under test.
#include "SimtTest.h"

#include <cmath>
#include <limits>

using namespace ecf8::test;

namespace {

struct Format {
  const char *name;
  int mantissaBits, bias;
  bool hasInfinity;

  float value(uint8_t code) const {
    int exponent = (code & 0x7f) >> mantissaBits, mantissa = code & ((1 << mantissaBits) - 1);
    int top = 0x7f >> mantissaBits;
    float result;
    if (hasInfinity && exponent == top)
      result = mantissa ? NAN : INFINITY;
    else if (!hasInfinity && (code & 0x7f) == 0x7f)
      result = NAN;
    else if (exponent == 0)
      result = float(mantissa) * std::pow(2.0f, float(1 - bias - mantissaBits));
    else
      result = (1 + float(mantissa) / float(1 << mantissaBits)) * std::pow(2.0f, float(exponent - bias));
    return code & 0x80 ? -result : result;
  }

  /// The nearest code, of two the even one; saturating.
  uint8_t code(float x) const {
    if (x != x)
      return 0x7f;
    uint8_t best = 0;
    double bestDistance = INFINITY;
    for (int c = 0; c < 128; ++c) {
      float v = value(uint8_t(c));
      if (v != v || std::isinf(v))
        continue;
      double distance = std::fabs(std::fmin(std::fabs(x), 1e6) - v);
      if (distance < bestDistance || (distance == bestDistance && !(c & 1))) {
        best = uint8_t(c);
        bestDistance = distance;
      }
    }
    return best | (std::signbit(x) ? 0x80 : 0);
  }
};

const Format kFormats[] = {{"e4m3", 3, 7, false}, {"e5m2", 2, 15, true}};

float relu(float x) { return x > 0 || x != x ? x : 0; }

uint32_t bits(float x) { return Cell(x).u32(); }

float fromHalf(uint16_t h) {
  int exponent = h >> 10 & 31, mantissa = h & 1023;
  float value = exponent == 31 ? (mantissa ? NAN : INFINITY)
                : exponent     ? std::ldexp(float(1024 + mantissa), exponent - 25)
                               : std::ldexp(float(mantissa), -24);
  return h & 0x8000 ? -value : value;
}

std::vector<float> interesting() {
  std::vector<float> values = {0,      -0.0f, INFINITY, -INFINITY, NAN,   448,   464,
                               464.1f, 480,   1e9f,     -1e9f,     57344, 61440, 61441};
  for (const Format &format : kFormats)
    for (int c = 0; c < 255; ++c) {
      float a = format.value(uint8_t(c)), b = format.value(uint8_t(c + 1));
      values.push_back(a);
      values.push_back((a + b) / 2);                    // ties
      values.push_back(std::nextafter((a + b) / 2, a)); // and next to them
      values.push_back(std::nextafter((a + b) / 2, b));
    }
  while (values.size() % 256)
    values.push_back(integer(unsigned(values.size()), 1000) / 7);
  return values;
}

} // namespace

OP_TEST(Conversion, Float8FromFloat,
        {"ff.to.e4m3x2.rn", "ff.to.e4m3x2.rn.relu", "ff.to.e5m2x2.rn", "ff.to.e5m2x2.rn.relu"}) {
  std::vector<float> values = interesting();
  for (const Format &format : kFormats)
    for (bool isRelu : {false, true}) {
      Body body{{{"float", "a"}, {"float", "b"}},
                {{"i16", "r"}},
                std::string("  %r = call i16 @llvm.nvvm.ff.to.") + format.name + "x2.rn" + (isRelu ? ".relu" : "") +
                    "(float %a, float %b)"};
      std::vector<Cell> in;
      for (size_t i = 0; i < values.size(); ++i) {
        in.emplace_back(values[i]);
        in.emplace_back(values[(i + 5) % values.size()]);
      }
      std::vector<Cell> out = run(body, in, {.threads = 256, .blocks = uint32_t(values.size() / 256)});
      for (size_t i = 0; i < values.size(); ++i) {
        float a = in[2 * i].f32(), b = in[2 * i + 1].f32();
        if (isRelu)
          a = relu(a), b = relu(b);
        ASSERT_EQ(out[i].as<uint16_t>(), format.code(a) << 8 | format.code(b))
            << format.name << " of " << a << ", " << b;
      }
    }
}

OP_TEST(Conversion, Float8FromHalf,
        {"f16x2.to.e4m3x2.rn", "f16x2.to.e4m3x2.rn.relu", "f16x2.to.e5m2x2.rn", "f16x2.to.e5m2x2.rn.relu"}) {
  for (const Format &format : kFormats)
    for (bool isRelu : {false, true}) {
      Body body{{{"<2 x half>", "a"}},
                {{"i16", "r"}},
                std::string("  %r = call i16 @llvm.nvvm.f16x2.to.") + format.name + "x2.rn" + (isRelu ? ".relu" : "") +
                    "(<2 x half> %a)"};
      std::vector<Cell> in;
      for (uint32_t i = 0; i < 4096; ++i)
        in.emplace_back((i * 16 + 7) << 16 | ((65535 - i * 16) & 0xffff));
      std::vector<Cell> out = run(body, in, {.threads = 1024, .blocks = 4});
      for (uint32_t i = 0; i < 4096; ++i) {
        float high = fromHalf(uint16_t(in[i].u32() >> 16)), low = fromHalf(uint16_t(in[i].u32()));
        if (isRelu)
          high = relu(high), low = relu(low);
        ASSERT_EQ(out[i].as<uint16_t>(), format.code(high) << 8 | format.code(low)) << high << " " << low;
      }
    }
}

OP_TEST(Conversion, HalfFromFloat8,
        {"e4m3x2.to.f16x2.rn", "e4m3x2.to.f16x2.rn.relu", "e5m2x2.to.f16x2.rn", "e5m2x2.to.f16x2.rn.relu"}) {
  for (const Format &format : kFormats)
    for (bool isRelu : {false, true}) {
      Body body{{{"i16", "a"}},
                {{"<2 x half>", "r"}},
                std::string("  %r = call <2 x half> @llvm.nvvm.") + format.name + "x2.to.f16x2.rn" +
                    (isRelu ? ".relu" : "") + "(i16 %a)"};
      std::vector<Cell> in;
      for (uint32_t i = 0; i < 256; ++i)
        in.emplace_back(uint16_t(i << 8 | (i * 3 + 1) % 256));
      std::vector<Cell> out = run(body, in, {.threads = 256});
      for (uint32_t i = 0; i < 256; ++i)
        for (unsigned half = 0; half < 2; ++half) {
          float want = format.value(uint8_t(in[i].as<uint16_t>() >> 8 * half));
          if (isRelu)
            want = relu(want);
          float got = fromHalf(uint16_t(out[i].u32() >> 16 * half));
          ASSERT_TRUE(bits(want) == bits(got) || (want != want && got != got))
              << format.name << ": " << want << " " << got;
        }
    }
}

OP_TEST(Conversion, Halves,
        {"ff2bf16x2.rn", "ff2bf16x2.rn.relu", "ff2f16x2.rn", "ff2f16x2.rn.relu", "f2bf16.rn", "f2bf16.rn.relu",
         "f2f16.rn", "f2f16.rn.relu"}) {
  for (bool isBf16 : {true, false})
    for (bool isRelu : {false, true}) {
      std::string type = isBf16 ? "bfloat" : "half", name = isBf16 ? "bf16" : "f16",
                  suffix = isRelu ? ".rn.relu" : ".rn";
      Body body{{{"float", "a"}, {"float", "b"}},
                {{"<2 x " + type + ">", "pair"}, {type, "one"}},
                "  %pair = call <2 x " + type + "> @llvm.nvvm.ff2" + name + "x2" + suffix + "(float %a, float %b)\n" +
                    "  %one = call " + type + " @llvm.nvvm.f2" + name + suffix + "(float %a)\n"};
      std::vector<Cell> in;
      for (unsigned i = 0; i < 512; ++i)
        in.emplace_back(i == 9 ? NAN : integer(i, 4000) / 3);
      std::vector<Cell> out = run(body, in, {.threads = 256});
      auto convert = [&](float x) -> uint16_t {
        if (isRelu)
          x = relu(x);
        if (x != x)
          return 0x7fff;
        if (!isBf16) {
          auto h = static_cast<_Float16>(x);
          uint16_t code;
          std::memcpy(&code, &h, 2);
          return code;
        }
        // The nearer neighbour, of two the even one.
        uint32_t down = bits(x) & 0xffff0000, up = down + 0x10000;
        auto value = [](uint32_t b) { return double(Cell(b).f32()); };
        double below = std::fabs(value(down) - x), above = std::fabs(value(up) - x);
        bool isDown = below < above || (below == above && !(down & 0x10000));
        return uint16_t((isDown ? down : up) >> 16);
      };
      for (unsigned t = 0; t < 256; ++t) {
        float a = in[2 * t].f32(), b = in[2 * t + 1].f32();
        ASSERT_EQ(out[2 * t].u32(), uint32_t(convert(a)) << 16 | convert(b)) << a << " " << b;
        ASSERT_EQ(out[2 * t + 1].as<uint16_t>(), convert(a)) << a;
      }
    }
}

OP_TEST(Conversion, Tf32, {"f2tf32.rna"}) {
  Body body{{{"float", "a"}}, {{"i32", "r"}}, "  %r = call i32 @llvm.nvvm.f2tf32.rna(float %a)"};
  std::vector<Cell> in = {1.0f, 1.0f + 0x1p-11f, 1.0f + 0x1p-12f, -1.0f - 0x1p-11f, INFINITY, 3.14159f};
  std::vector<Cell> out = run(body, in, {.threads = 6});
  const float want[] = {1.0f, 1.0f + 0x1p-10f, 1.0f, -1.0f - 0x1p-10f, INFINITY, 3.140625f};
  for (unsigned i = 0; i < 6; ++i)
    EXPECT_EQ(out[i].f32(), want[i]);
}
