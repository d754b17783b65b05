// Integer and floating-point instructions next to plain C++.
#include "SimtTest.h"

#include <array>
#include <cmath>
#include <functional>
#include <limits>

using namespace ecf8::test;

/// Calls `intrinsic` on values of `type` and compares each result with `expected`.
template <typename T, typename... Arguments> struct Compare {
  static void check(const std::string &intrinsic, const std::string &type, const std::vector<Cell> &in,
                    const std::function<T(Arguments...)> &expected) {
    constexpr size_t kCount = sizeof...(Arguments);
    Body body;
    std::string arguments;
    for (size_t i = 0; i < kCount; ++i) {
      std::string name = "a" + std::to_string(i);
      body.inputs.push_back({type, name});
      arguments += (i ? ", " : "") + type + " %" + name;
    }
    body.outputs = {{type, "r"}};
    body.code = "  %r = call " + type + " @llvm.nvvm." + intrinsic + "(" + arguments + ")";
    size_t numThreads = in.size() / kCount;
    std::vector<Cell> out = run(body, in, {.threads = uint32_t(numThreads)});
    for (size_t t = 0; t < numThreads; ++t) {
      T want = [&]<size_t... I>(std::index_sequence<I...>) {
        return expected(in[t * kCount + I].template as<Arguments>()...);
      }(std::make_index_sequence<kCount>());
      T got = out[t].as<T>();
      bool bothNaN = want != want && got != got;
      EXPECT_TRUE(bothNaN || std::memcmp(&want, &got, sizeof want) == 0)
          << intrinsic << " of thread " << t << ": expected " << want << ", got " << got;
    }
  }
};

static std::vector<Cell> floats(size_t count) {
  const float special[] = {0.0f,
                           -0.0f,
                           1,
                           -1,
                           0.5f,
                           3,
                           1e-40f,
                           -1e-40f,
                           1e38f,
                           -2.5f,
                           100,
                           7.25f,
                           std::numeric_limits<float>::infinity(),
                           std::nanf(""),
                           6.1f,
                           -0.3f};
  std::vector<Cell> cells;
  for (size_t i = 0; i < count; ++i)
    cells.emplace_back(special[(i * 7 + i / 16 * 3) % 16]);
  return cells;
}

static std::vector<Cell> words(size_t count) {
  std::vector<Cell> cells;
  uint64_t state = 88172645463325252;
  for (size_t i = 0; i < count; ++i) {
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    cells.emplace_back(state);
  }
  return cells;
}

static float flush(float x) { return std::fpclassify(x) == FP_SUBNORMAL ? std::copysign(0.0f, x) : x; }

using Unary = std::function<float(float)>;
using Binary = std::function<float(float, float)>;

static void unary(const std::string &name, const Unary &f) {
  Compare<float, float>::check(name, "float", floats(32), f);
}
static void unaryFlushed(const std::string &name, const Unary &f) {
  unary(name, [&f](float x) { return flush(f(flush(x))); });
}
static void binary(const std::string &name, const Binary &f) {
  Compare<float, float, float>::check(name, "float", floats(256), f);
}
static void binaryFlushed(const std::string &name, const Binary &f) {
  binary(name, [&f](float a, float b) { return flush(f(flush(a), flush(b))); });
}

OP_TEST(Arithmetic, Functions,
        {"ex2.approx.f32", "ex2.approx.ftz.f32", "lg2.approx.f", "lg2.approx.ftz.f", "rcp.approx.ftz.f", "rcp.rn.f",
         "rcp.rn.ftz.f", "sqrt.approx.f", "sqrt.approx.ftz.f", "sqrt.rn.f", "rsqrt.approx.f", "rsqrt.approx.ftz.f",
         "sin.approx.f", "cos.approx.f", "saturate.f", "fabs.f32"}) {
  auto exp2 = [](float x) { return std::exp2(x); };
  auto log2 = [](float x) { return std::log2(x); };
  auto reciprocal = [](float x) { return 1 / x; };
  auto squareRoot = [](float x) { return std::sqrt(x); };
  auto inverseRoot = [](float x) { return float(1 / std::sqrt(double(x))); };
  unary("ex2.approx.f32", exp2);
  unaryFlushed("ex2.approx.ftz.f32", exp2);
  unary("lg2.approx.f", log2);
  unaryFlushed("lg2.approx.ftz.f", log2);
  unaryFlushed("rcp.approx.ftz.f", reciprocal);
  unary("rcp.rn.f", reciprocal);
  unaryFlushed("rcp.rn.ftz.f", reciprocal);
  unary("sqrt.approx.f", squareRoot);
  unaryFlushed("sqrt.approx.ftz.f", squareRoot);
  unary("sqrt.rn.f", squareRoot);
  unary("rsqrt.approx.f", inverseRoot);
  unaryFlushed("rsqrt.approx.ftz.f", inverseRoot);
  unary("sin.approx.f", [](float x) { return std::sin(x); });
  unary("cos.approx.f", [](float x) { return std::cos(x); });
  unary("saturate.f", [](float x) { return std::isnan(x) || x <= 0 ? 0.0f : x > 1 ? 1.0f : x; });
  unary("fabs.f32", [](float x) { return std::fabs(x); });
}

OP_TEST(Arithmetic, TwoOperands,
        {"fmin.f", "fmin.ftz.f", "fmin.nan.f", "fmax.f", "fmax.ftz.f", "fmax.nan.f", "add.rn.f", "add.rn.ftz.f",
         "mul.rn.f", "mul.rn.ftz.f", "div.approx.f", "div.approx.ftz.f", "div.full", "div.full.ftz", "div.rn.f"}) {
  auto withNaN = [](Binary f) { return [f](float a, float b) { return a != a || b != b ? NAN : f(a, b); }; };
  // Of zeros of both signs either may come out.
  auto min = [](float a, float b) { return std::fmin(a, b); };
  auto max = [](float a, float b) { return std::fmax(a, b); };
  auto divide = [](float a, float b) { return a / b; };
  auto add = [](float a, float b) { return a + b; };
  auto multiply = [](float a, float b) { return a * b; };
  binary("fmin.f", min);
  binaryFlushed("fmin.ftz.f", min);
  binary("fmin.nan.f", withNaN(min));
  binary("fmax.f", max);
  binaryFlushed("fmax.ftz.f", max);
  binary("fmax.nan.f", withNaN(max));
  binary("add.rn.f", add);
  binaryFlushed("add.rn.ftz.f", add);
  binary("mul.rn.f", multiply);
  binaryFlushed("mul.rn.ftz.f", multiply);
  for (const char *name : {"div.approx.f", "div.full", "div.rn.f"})
    binary(name, divide);
  for (const char *name : {"div.approx.ftz.f", "div.full.ftz"})
    binaryFlushed(name, divide);
}

OP_TEST(Arithmetic, FusedMultiplyAdd, {"fma.rn.f", "fma.rn.d"}) {
  Compare<float, float, float, float>::check("fma.rn.f", "float", floats(3 * 96),
                                             [](float a, float b, float c) { return std::fma(a, b, c); });
  std::vector<Cell> in;
  for (unsigned i = 0; i < 3 * 64; ++i)
    in.emplace_back(double(integer(i, 1000)) / 3);
  Compare<double, double, double, double>::check("fma.rn.d", "double", in,
                                                 [](double a, double b, double c) { return std::fma(a, b, c); });
}

OP_TEST(Arithmetic, Integers,
        {"mulhi.i", "mulhi.ui", "mulhi.ll", "mulhi.ull", "mul24.i", "mul24.ui", "sad.i", "sad.ui"}) {
  Compare<int32_t, int32_t, int32_t>::check("mulhi.i", "i32", words(128),
                                            [](int32_t a, int32_t b) { return int32_t(int64_t(a) * b >> 32); });
  Compare<uint32_t, uint32_t, uint32_t>::check("mulhi.ui", "i32", words(128),
                                               [](uint32_t a, uint32_t b) { return uint32_t(uint64_t(a) * b >> 32); });
  Compare<int64_t, int64_t, int64_t>::check("mulhi.ll", "i64", words(128),
                                            [](int64_t a, int64_t b) { return int64_t(__int128(a) * b >> 64); });
  Compare<uint64_t, uint64_t, uint64_t>::check("mulhi.ull", "i64", words(128), [](uint64_t a, uint64_t b) {
    return uint64_t(static_cast<unsigned __int128>(a) * b >> 64);
  });
  auto signed24 = [](int32_t x) { return int64_t(x & 0x7fffff) - (x & 0x800000); };
  Compare<int32_t, int32_t, int32_t>::check("mul24.i", "i32", words(128),
                                            [&](int32_t a, int32_t b) { return int32_t(signed24(a) * signed24(b)); });
  Compare<uint32_t, uint32_t, uint32_t>::check("mul24.ui", "i32", words(128), [](uint32_t a, uint32_t b) {
    return uint32_t(uint64_t(a % (1 << 24)) * (b % (1 << 24)));
  });
  Compare<uint32_t, int32_t, int32_t, uint32_t>::check(
      "sad.i", "i32", words(192),
      [](int32_t a, int32_t b, uint32_t c) { return uint32_t(std::llabs(int64_t(a) - b)) + c; });
  Compare<uint32_t, uint32_t, uint32_t, uint32_t>::check(
      "sad.ui", "i32", words(192),
      [](uint32_t a, uint32_t b, uint32_t c) { return uint32_t(std::llabs(int64_t(a) - int64_t(b))) + c; });
}

template <typename A, typename B> static uint32_t dot(uint32_t a, uint32_t b, uint32_t c) {
  A as[4];
  B bs[4];
  std::memcpy(as, &a, 4);
  std::memcpy(bs, &b, 4);
  for (int i = 0; i < 4; ++i)
    c += as[i] * bs[i];
  return c;
}

OP_TEST(Arithmetic, DotProducts, {"idp4a.s.s", "idp4a.s.u", "idp4a.u.s", "idp4a.u.u"}) {
  Compare<uint32_t, uint32_t, uint32_t, uint32_t>::check("idp4a.s.s", "i32", words(192), dot<int8_t, int8_t>);
  Compare<uint32_t, uint32_t, uint32_t, uint32_t>::check("idp4a.s.u", "i32", words(192), dot<int8_t, uint8_t>);
  Compare<uint32_t, uint32_t, uint32_t, uint32_t>::check("idp4a.u.s", "i32", words(192), dot<uint8_t, int8_t>);
  Compare<uint32_t, uint32_t, uint32_t, uint32_t>::check("idp4a.u.u", "i32", words(192), dot<uint8_t, uint8_t>);
}

OP_TEST(Arithmetic, FunnelShifts, {"fshl.clamp.i32", "fshr.clamp.i32"}) {
  std::vector<Cell> in;
  for (unsigned t = 0; t < 64; ++t) {
    in.emplace_back(0x81234567u + t);
    in.emplace_back(0x89abcdefu);
    in.emplace_back(t);
  }
  auto both = [](uint32_t high, uint32_t low) { return uint64_t(high) << 32 | low; };
  Compare<uint32_t, uint32_t, uint32_t, uint32_t>::check(
      "fshl.clamp.i32", "i32", in, [&](uint32_t h, uint32_t l, uint32_t n) {
        return uint32_t((static_cast<unsigned __int128>(both(h, l)) << std::min(n, 32u)) >> 32);
      });
  Compare<uint32_t, uint32_t, uint32_t, uint32_t>::check(
      "fshr.clamp.i32", "i32", in,
      [&](uint32_t h, uint32_t l, uint32_t n) { return uint32_t(both(h, l) >> std::min(n, 32u)); });
}

OP_TEST(Arithmetic, Permutation, {"prmt", "prmt.f4e", "prmt.b4e", "prmt.rc8", "prmt.ecl", "prmt.ecr", "prmt.rc16"}) {
  Compare<uint32_t, uint32_t, uint32_t, uint32_t>::check(
      "prmt", "i32", words(192), [](uint32_t a, uint32_t b, uint32_t s) {
        uint8_t bytes[8], result[4];
        std::memcpy(bytes, &a, 4);
        std::memcpy(bytes + 4, &b, 4);
        for (int i = 0; i < 4; ++i, s >>= 4)
          result[i] = s & 8 ? (bytes[s & 7] >> 7) * 255 : bytes[s & 7];
        uint32_t word;
        std::memcpy(&word, result, 4);
        return word;
      });
  // Bytes 0 to 7 of {b, a}; the table of the PTX ISA, lowest byte first.
  const uint32_t a = 0x03020100, b = 0x07060504;
  const std::pair<const char *, std::array<uint32_t, 4>> twoSources[] = {
      {"prmt.f4e", {0x03020100, 0x04030201, 0x05040302, 0x06050403}},
      {"prmt.b4e", {0x05060700, 0x06070001, 0x07000102, 0x00010203}}};
  std::vector<Cell> in;
  for (uint32_t mode = 0; mode < 4; ++mode)
    for (uint32_t value : {a, b, mode})
      in.emplace_back(value);
  for (const auto &[name, table] : twoSources)
    Compare<uint32_t, uint32_t, uint32_t, uint32_t>::check(
        name, "i32", in, [&table](uint32_t, uint32_t, uint32_t mode) { return table[mode]; });
  const std::pair<const char *, std::array<uint32_t, 4>> oneSource[] = {
      {"prmt.rc8", {0x00000000, 0x01010101, 0x02020202, 0x03030303}},
      {"prmt.ecl", {0x03020100, 0x03020101, 0x03020202, 0x03030303}},
      {"prmt.ecr", {0x00000000, 0x01010100, 0x02020100, 0x03020100}},
      {"prmt.rc16", {0x01000100, 0x03020302, 0x01000100, 0x03020302}}};
  in.clear();
  for (uint32_t mode = 0; mode < 4; ++mode)
    for (uint32_t value : {a, mode})
      in.emplace_back(value);
  for (const auto &[name, table] : oneSource)
    Compare<uint32_t, uint32_t, uint32_t>::check(name, "i32", in,
                                                 [&table](uint32_t, uint32_t mode) { return table[mode]; });
}

OP_TEST(Arithmetic, HalvesOfDoubles, {"lohi.i2d", "d2i.lo", "d2i.hi"}) {
  Body body{{{"double", "x"}},
            {{"double", "r"}, {"i32", "hi"}},
            "  %lo = call i32 @llvm.nvvm.d2i.lo(double %x)\n  %hi = call i32 @llvm.nvvm.d2i.hi(double %x)\n"
            "  %r = call double @llvm.nvvm.lohi.i2d(i32 %lo, i32 %hi)\n"};
  std::vector<Cell> in, out;
  for (unsigned t = 0; t < 32; ++t)
    in.emplace_back(1.0 / (t + 1));
  out = run(body, in);
  for (unsigned t = 0; t < 32; ++t) {
    EXPECT_EQ(out[2 * t].as<double>(), 1.0 / (t + 1));
    EXPECT_EQ(out[2 * t + 1].u32(), in[t].as<uint64_t>() >> 32);
  }
}

// What LLVM itself lowers, on types that need help on this machine.
TEST(Arithmetic, PlainInstructions) {
  Body body{{{"i32", "a"}, {"i32", "b"}, {"float", "x"}, {"double", "y"}},
            {{"i32", "f"}, {"i32", "p"}, {"bfloat", "bf"}, {"bfloat", "bd"}, {"half", "h"}, {"float", "e"}},
            R"(
  %f = call i32 @llvm.fshr.i32(i32 %a, i32 %b, i32 7)
  %p = call i32 @llvm.ctpop.i32(i32 %a)
  %bf = fptrunc float %x to bfloat
  %bd = fptrunc double %y to bfloat
  %h = fptrunc double %y to half
  %e = call float @__nv_expf(float %x)
)"};
  std::vector<Cell> in = {Cell(0x12345678u), Cell(0x9abcdef0u), Cell(1.00390625f + 0.0001f),
                          Cell(1.0 + 0x1p-8 + 0x1p-40)};
  std::vector<Cell> out = run(body, in, {.threads = 1});
  EXPECT_EQ(out[0].u32(), 0x9abcdef0u >> 7 | 0x12345678u << 25);
  EXPECT_EQ(out[1].u32(), unsigned(__builtin_popcount(0x12345678u)));
  EXPECT_EQ(out[2].as<uint16_t>(), 0x3f81);
  EXPECT_EQ(out[3].as<uint16_t>(), 0x3f81) << "a double just above the middle of two bf16 values";
  EXPECT_EQ(out[4].as<uint16_t>(), 0x3c04);
  EXPECT_EQ(out[5].f32(), std::exp(in[2].f32()));
}
