// ldmatrix, stmatrix and mma.sync, by the fragment layouts of the PTX ISA, next to plain C++.
#include "SimtTest.h"

#include <array>
#include <cmath>

using namespace ecf8::test;

static const char *kTile = "@tile = internal addrspace(3) global [2048 x i8] undef, align 16\n";

/// The value of row r, column c of matrix m.
static uint16_t element(unsigned m, unsigned r, unsigned c) { return uint16_t(m << 12 | r << 6 | c); }

OP_TEST(Matrix, Load,
        {"ldmatrix.sync.aligned.m8n8.x1.b16", "ldmatrix.sync.aligned.m8n8.x2.b16", "ldmatrix.sync.aligned.m8n8.x4.b16",
         "ldmatrix.sync.aligned.m8n8.x1.trans.b16", "ldmatrix.sync.aligned.m8n8.x2.trans.b16",
         "ldmatrix.sync.aligned.m8n8.x4.trans.b16"}) {
  for (unsigned count : {1, 2, 4})
    for (bool isTransposed : {false, true})
      for (bool check : {false, true}) {
        std::string type = count == 1 ? "i32" : "{ i32";
        for (unsigned i = 1; i < count; ++i)
          type += ", i32";
        type += count == 1 ? "" : " }";
        // Each lane stores one row of 8 values at a place of its own; row i of matrix m is that of lane 8m + i.
        std::string code = R"(
  %scattered = mul i32 %tid, 48
  %row = getelementptr i8, ptr addrspace(3) @tile, i32 %scattered
  store <8 x i16> %values, ptr addrspace(3) %row
  call void @llvm.nvvm.bar.warp.sync(i32 -1)
  %all = call )" + type + " @llvm.nvvm.ldmatrix.sync.aligned.m8n8.x" +
                           std::to_string(count) + (isTransposed ? ".trans" : "") + ".b16.p3(ptr addrspace(3) %row)\n";
        Body body{{{"<8 x i16>", "values"}}, {}, code, kTile};
        for (unsigned i = 0; i < count; ++i) {
          std::string name = "r" + std::to_string(i);
          body.outputs.push_back({"i32", name});
          body.code += count == 1 ? "  %r0 = add i32 %all, 0\n"
                                  : "  %" + name + " = extractvalue " + type + " %all, " + std::to_string(i) + "\n";
        }
        std::vector<Cell> in;
        for (unsigned lane = 0; lane < 32; ++lane) {
          std::array<uint16_t, 8> row;
          for (unsigned c = 0; c < 8; ++c)
            row[c] = element(lane / 8, lane % 8, c);
          in.emplace_back(row);
        }
        std::vector<Cell> out = run(body, in, {.check = check});
        for (unsigned lane = 0; lane < 32; ++lane)
          for (unsigned m = 0; m < count; ++m) {
            unsigned r = lane / 4, c = lane % 4 * 2;
            uint32_t low = isTransposed ? element(m, c, r) : element(m, r, c);
            uint32_t high = isTransposed ? element(m, c + 1, r) : element(m, r, c + 1);
            EXPECT_EQ(out[lane * count + m].u32(), high << 16 | low) << "x" << count << " lane " << lane;
          }
      }
}

OP_TEST(Matrix, Store,
        {"stmatrix.sync.aligned.m8n8.x1.b16", "stmatrix.sync.aligned.m8n8.x2.b16", "stmatrix.sync.aligned.m8n8.x4.b16",
         "stmatrix.sync.aligned.m8n8.x1.trans.b16", "stmatrix.sync.aligned.m8n8.x2.trans.b16",
         "stmatrix.sync.aligned.m8n8.x4.trans.b16"}) {
  for (unsigned count : {1, 2, 4})
    for (bool isTransposed : {false, true}) {
      std::string arguments;
      Body body{{}, {{"<8 x i16>", "r"}}, "", kTile};
      for (unsigned m = 0; m < count; ++m) {
        body.inputs.push_back({"i32", "a" + std::to_string(m)});
        arguments += ", i32 %a" + std::to_string(m);
      }
      body.code = R"(
  %scattered = mul i32 %tid, 48
  %row = getelementptr i8, ptr addrspace(3) @tile, i32 %scattered
  store <8 x i16> zeroinitializer, ptr addrspace(3) %row
  call void @llvm.nvvm.bar.warp.sync(i32 -1)
  call void @llvm.nvvm.stmatrix.sync.aligned.m8n8.x)" +
                  std::to_string(count) + (isTransposed ? ".trans" : "") + ".b16.p3(ptr addrspace(3) %row" + arguments +
                  ")\n  call void @llvm.nvvm.bar.warp.sync(i32 -1)\n  %r = load <8 x i16>, ptr addrspace(3) %row\n";
      std::vector<Cell> in;
      for (unsigned lane = 0; lane < 32; ++lane)
        for (unsigned m = 0; m < count; ++m)
          in.emplace_back(uint32_t(element(m, lane / 4, lane % 4 * 2 + 1)) << 16 | element(m, lane / 4, lane % 4 * 2));
      std::vector<Cell> out = run(body, in, {.check = true});
      for (unsigned lane = 0; lane < 32; ++lane)
        for (unsigned c = 0; c < 8; ++c) {
          uint16_t want = lane / 8 >= count ? 0
                          : isTransposed    ? element(lane / 8, c, lane % 8)
                                            : element(lane / 8, lane % 8, c);
          EXPECT_EQ((out[lane].as<std::array<uint16_t, 8>>()[c]), want) << "x" << count << " lane " << lane;
        }
    }
}

namespace {

/// An element type of mma: its bits, and codes of small integers.
struct Type {
  const char *name;
  unsigned bits;
  uint32_t code(float v) const {
    if (v == 0)
      return 0;
    uint32_t word = Cell(v).u32();
    int exponent = int(word >> 23 & 255) - 127;
    uint32_t sign = word >> 31, mantissa = word & 0x7fffff;
    std::string_view n = name;
    if (n == "bf16")
      return word >> 16;
    if (n == "f16")
      return sign << 15 | uint32_t(exponent + 15) << 10 | mantissa >> 13;
    if (n == "e4m3")
      return sign << 7 | uint32_t(exponent + 7) << 3 | mantissa >> 20;
    return sign << 7 | uint32_t(exponent + 15) << 2 | mantissa >> 21;
  }
};

const Type kF16{"f16", 16}, kBf16{"bf16", 16}, kE4m3{"e4m3", 8}, kE5m2{"e5m2", 8};

/// One mma on integers, on which every order of summation gives the same.
void multiply(const std::string &intrinsic, const Type &typeA, const Type &typeB, const std::string &registerType) {
  unsigned k = 256 / typeA.bits, perRegister = 32 / typeA.bits;
  auto a = [](unsigned row, unsigned kk) { return integer(row * 64 + kk, 3); };
  auto b = [](unsigned kk, unsigned column) { return integer(5000 + kk * 8 + column, 3); };
  auto c = [](unsigned row, unsigned column) { return integer(9000 + row * 8 + column, 100); };
  Body body;
  std::string arguments;
  for (unsigned i = 0; i < 10; ++i) {
    std::string type = i < 6 ? registerType : "float";
    body.inputs.push_back({type, "a" + std::to_string(i)});
    arguments += (i ? ", " : "") + type + " %a" + std::to_string(i);
  }
  std::string result = "{ float, float, float, float }";
  body.code = "  %d = call " + result + " @llvm.nvvm." + intrinsic + "(" + arguments + ")\n";
  for (unsigned i = 0; i < 4; ++i) {
    body.outputs.push_back({"float", "d" + std::to_string(i)});
    body.code += "  %d" + std::to_string(i) + " = extractvalue " + result + " %d, " + std::to_string(i) + "\n";
  }
  std::vector<Cell> in;
  for (unsigned lane = 0; lane < 32; ++lane) {
    unsigned group = lane / 4, inGroup = lane % 4;
    for (unsigned r = 0; r < 4; ++r) {
      uint32_t word = 0;
      for (unsigned i = 0; i < perRegister; ++i)
        word |= typeA.code(a(group + (r & 1 ? 8 : 0), inGroup * perRegister + i + (r & 2 ? k / 2 : 0)))
                << i * typeA.bits;
      in.emplace_back(word);
    }
    for (unsigned r = 0; r < 2; ++r) {
      uint32_t word = 0;
      for (unsigned i = 0; i < perRegister; ++i)
        word |= typeB.code(b(inGroup * perRegister + i + (r ? k / 2 : 0), group)) << i * typeB.bits;
      in.emplace_back(word);
    }
    for (unsigned r = 0; r < 4; ++r)
      in.emplace_back(c(group + (r & 2 ? 8 : 0), inGroup * 2 + (r & 1)));
  }
  std::vector<Cell> out = run(body, in);
  for (unsigned lane = 0; lane < 32; ++lane)
    for (unsigned r = 0; r < 4; ++r) {
      unsigned row = lane / 4 + (r & 2 ? 8 : 0), column = lane % 4 * 2 + (r & 1);
      float want = c(row, column);
      for (unsigned kk = 0; kk < k; ++kk)
        want += a(row, kk) * b(kk, column);
      ASSERT_EQ(out[lane * 4 + r].f32(), want) << intrinsic << " row " << row << " column " << column;
    }
}

} // namespace

OP_TEST(Matrix, Multiply16, {"mma.m16n8k16.row.col.f32.f32", "mma.m16n8k16.row.col.bf16"}) {
  multiply("mma.m16n8k16.row.col.f32.f32", kF16, kF16, "<2 x half>");
  multiply("mma.m16n8k16.row.col.bf16", kBf16, kBf16, "i32");
}

OP_TEST(Matrix, Multiply8,
        {"mma.m16n8k32.row.col.f32.e4m3.e4m3.f32", "mma.m16n8k32.row.col.f32.e4m3.e5m2.f32",
         "mma.m16n8k32.row.col.f32.e5m2.e4m3.f32", "mma.m16n8k32.row.col.f32.e5m2.e5m2.f32"}) {
  for (const Type &a : {kE4m3, kE5m2})
    for (const Type &b : {kE4m3, kE5m2})
      multiply(std::string("mma.m16n8k32.row.col.f32.") + a.name + "." + b.name + ".f32", a, b, "i32");
}

// The documented order: the accumulator first, then ascending k, each sum rounded to f32.
TEST(Matrix, OrderOfSummation) {
  Body body;
  std::string arguments;
  for (unsigned i = 0; i < 10; ++i) {
    std::string type = i < 6 ? "i32" : "float";
    body.inputs.push_back({type, "a" + std::to_string(i)});
    arguments += (i ? ", " : "") + type + " %a" + std::to_string(i);
  }
  body.code = "  %d = call { float, float, float, float } @llvm.nvvm.mma.m16n8k16.row.col.bf16(" + arguments +
              ")\n  %r = extractvalue { float, float, float, float } %d, 0\n";
  body.outputs = {{"float", "r"}};
  // Row 0: 2^24, 1, 1, -2^24, 0...: ascending in f32, the ones are lost.
  std::vector<Cell> in(320, Cell(0u));
  auto bf16 = [](float x) { return Cell(x).u32() >> 16; };
  in[0] = bf16(1) << 16 | bf16(0x1p24f);   // lane 0: k 0, 1
  in[10] = bf16(-0x1p24f) << 16 | bf16(1); // lane 1: k 2, 3
  for (unsigned lane = 0; lane < 4; ++lane)
    in[lane * 10 + 4] = bf16(1) << 16 | bf16(1); // b
  std::vector<Cell> out = run(body, in);
  EXPECT_EQ(out[0].f32(), 0.0f);
  in[6] = 0.5f; // the accumulator is there first, and lost, too
  EXPECT_EQ(run(body, in)[0].f32(), 0.0f);
}
