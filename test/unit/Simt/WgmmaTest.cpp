// wgmma: A in registers or through a descriptor, B through descriptors without and with swizzles, next to plain C++.
#include "SimtTest.h"

#include <cmath>
#include <functional>

using namespace ecf8::test;

namespace {

struct Type {
  const char *name;
  unsigned bytes;
  uint32_t code(float v) const {
    uint32_t word = Cell(v).u32();
    if (v == 0)
      return 0;
    uint32_t exponent = (word >> 23 & 255) - 127, sign = word >> 31, mantissa = word & 0x7fffff;
    std::string_view n = name;
    return n == "bf16"   ? word >> 16
           : n == "f16"  ? sign << 15 | (exponent + 15) << 10 | mantissa >> 13
           : n == "e4m3" ? sign << 7 | (exponent + 7) << 3 | mantissa >> 20
                         : sign << 7 | (exponent + 15) << 2 | mantissa >> 21;
  }
};

const Type kE4m3{"e4m3", 1}, kE5m2{"e5m2", 1}, kF16{"f16", 2}, kBf16{"bf16", 2};

struct Case {
  unsigned n = 16;
  Type a = kE4m3, b = kE4m3;
  unsigned swizzleBytes = 0; ///< 0, 32, 64 or 128
  bool isADescriptor = false, accumulates = true, isNegated = false;
  bool check = false;
};

float valueA(unsigned row, unsigned k) { return integer(row * 64 + k, 3); }
float valueB(unsigned k, unsigned column) { return integer(20000 + column * 64 + k, 3); }
float valueC(unsigned row, unsigned column) { return integer(60000 + row * 256 + column, 50); }

/// Where 16 bytes of a row lie in the canonical K-major layout of CUTLASS: an array of 16-byte units, row and half to
/// unit.
unsigned offsetOf(unsigned row, unsigned half, unsigned swizzleBytes) {
  if (swizzleBytes == 0) // ((8, n), 2) : ((1, 16), 8): here the halves of 8 rows lie together
    return (row % 8 + row / 8 * 16 + half * 8) * 16;
  unsigned perRow = swizzleBytes / 16;
  unsigned unit = row % 8 * perRow + row / 8 * 8 * perRow + half;
  // Swizzle<B, 4, 3>: in units of 16 bytes, the low B bits of the unit are xored with those 3 further up.
  return (unit ^ (unit >> 3 & (perRow - 1))) * 16;
}

uint64_t descriptor(unsigned swizzleBytes) {
  uint64_t leading = swizzleBytes == 0 ? 128 : 16, stride = swizzleBytes == 0 ? 256 : 8 * swizzleBytes;
  uint64_t mode = swizzleBytes == 128 ? 1 : swizzleBytes == 64 ? 2 : swizzleBytes == 32 ? 3 : 0;
  return leading >> 4 << 16 | stride >> 4 << 32 | mode << 62;
}

/// `count` comma-separated "text" with its number in front.
std::string repeat(unsigned count, const std::function<std::string(unsigned)> &text) {
  std::string result;
  for (unsigned i = 0; i < count; ++i)
    result += (i ? "," : "") + text(i);
  return result;
}

/// The shared bytes of a matrix of `rows` rows of 32 bytes.
void place(std::vector<unsigned char> &bytes, unsigned rows, const Type &type, unsigned swizzleBytes,
           const std::function<float(unsigned, unsigned)> &value) {
  for (unsigned row = 0; row < rows; ++row)
    for (unsigned k = 0; k < 32 / type.bytes; ++k) {
      uint32_t code = type.code(value(row, k));
      unsigned at = offsetOf(row, k * type.bytes / 16, swizzleBytes) + k * type.bytes % 16;
      std::memcpy(&bytes[at], &code, type.bytes);
    }
}

void multiply(const Case &c) {
  unsigned k = 32 / c.a.bytes, numD = c.n / 2;
  constexpr unsigned kAreaBytes = 32 << 10;
  // The first 32 KiB are B, then A.
  std::vector<unsigned char> image(2 * kAreaBytes);
  std::vector<unsigned char> imageA(kAreaBytes);
  place(image, c.n, c.b, c.swizzleBytes, [](unsigned row, unsigned kk) { return valueB(kk, row); });
  place(imageA, 64, c.a, c.swizzleBytes, valueA);
  std::copy(imageA.begin(), imageA.end(), image.begin() + kAreaBytes);

  Body body;
  body.globals = "@b = internal addrspace(3) global [32768 x i8] undef, align 1024\n"
                 "@a = internal addrspace(3) global [32768 x i8] undef, align 1024\n"
                 "@image = addrspace(1) global [65536 x i8] zeroinitializer, align 16\n";
  std::vector<Cell> in;
  for (unsigned i = 0; i < numD; ++i)
    body.inputs.push_back({"float", "c" + std::to_string(i)});
  for (unsigned i = 0; i < 4; ++i)
    body.inputs.push_back({"i32", "a" + std::to_string(i)});
  // 512 bytes of the image of each thread: 32 cells.
  for (unsigned i = 0; i < 32; ++i)
    body.inputs.push_back({"<4 x i32>", "image" + std::to_string(i)});
  for (unsigned t = 0; t < 128; ++t) {
    unsigned lane = t % 32, warp = t / 32;
    for (unsigned j = 0; j < numD; ++j)
      in.emplace_back(valueC(warp * 16 + lane / 4 + (j & 2 ? 8 : 0), j / 4 * 8 + lane % 4 * 2 + (j & 1)));
    for (unsigned r = 0; r < 4; ++r) {
      uint32_t word = 0;
      for (unsigned i = 0; i < 4 / c.a.bytes; ++i)
        word |=
            c.a.code(valueA(warp * 16 + lane / 4 + (r & 1 ? 8 : 0), lane % 4 * 4 / c.a.bytes + i + (r & 2 ? k / 2 : 0)))
            << 8 * c.a.bytes * i;
      in.emplace_back(word);
    }
    for (unsigned i = 0; i < 32; ++i) {
      Cell cell;
      std::memcpy(cell.bytes, &image[(t * 32 + i) * 16], 16);
      in.push_back(cell);
    }
  }
  std::string code = R"(
  %first512 = mul i32 %tid, 512
  %inA = icmp uge i32 %tid, 64
  %areaOffset = and i32 %first512, 32767
  %area = select i1 %inA, ptr addrspace(3) @a, ptr addrspace(3) @b
  %own = getelementptr i8, ptr addrspace(3) %area, i32 %areaOffset
)";
  for (unsigned i = 0; i < 32; ++i) {
    std::string n = std::to_string(i);
    code += "  %place" + n + " = getelementptr i8, ptr addrspace(3) %own, i32 " + std::to_string(16 * i) +
            "\n  store <4 x i32> %image" + n + ", ptr addrspace(3) %place" + n + "\n";
  }
  code += R"(
  call void @llvm.nvvm.fence.proxy.async.shared_cta()
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  %addressA = ptrtoint ptr addrspace(3) @a to i64
  %addressB = ptrtoint ptr addrspace(3) @b to i64
)";
  for (const char *name : {"A", "B"}) {
    std::string n = name;
    code += "  %low" + n + " = and i64 %address" + n + ", 262143\n  %field" + n + " = lshr i64 %low" + n +
            ", 4\n  %descriptor" + n + " = or i64 %field" + n + ", " +
            std::to_string(int64_t(descriptor(c.swizzleBytes))) + "\n";
  }
  code += "  call void @llvm.nvvm.wgmma.fence.sync.aligned()\n";
  std::string type = "{ " + repeat(numD, [](unsigned) { return std::string("float"); }) + " }";
  auto operand = [](unsigned i) { return "$" + std::to_string(i); };
  unsigned firstA = 2 * numD, numA = c.isADescriptor ? 1 : 4;
  std::string operandsA =
      c.isADescriptor ? operand(firstA) : "{" + repeat(4, [&](unsigned i) { return operand(firstA + i); }) + "}";
  std::string sign = c.isNegated ? "-1" : "1";
  std::string text = "{\\0A.reg .pred p;\\0Asetp.ne.b32 p, " + operand(firstA + numA + 1) +
                     ", 0;\\0Awgmma.mma_async.sync.aligned.m64n" + std::to_string(c.n) + "k" + std::to_string(k) +
                     ".f32." + c.a.name + "." + c.b.name + "\\0A{" + repeat(numD, operand) + "},\\0A" + operandsA +
                     ",\\0A" + operand(firstA + numA) + ",\\0Ap, " + sign + ", 1" +
                     (c.a.bytes == 1    ? ""
                      : c.isADescriptor ? ", 0, 0"
                                        : ", 0") +
                     ";\\0A}\\0A";
  std::string constraints = repeat(numD, [](unsigned) { return std::string("=f"); }) + "," +
                            repeat(numD, [](unsigned i) { return std::to_string(i); }) + "," +
                            (c.isADescriptor ? "l" : "r,r,r,r") + ",l,r";
  std::string arguments = repeat(numD, [](unsigned i) { return "float %c" + std::to_string(i); }) + ", " +
                          (c.isADescriptor ? "i64 %descriptorA" : "i32 %a0, i32 %a1, i32 %a2, i32 %a3") +
                          ", i64 %descriptorB, i32 " + (c.accumulates ? "1" : "0");
  code += "  %d = call " + type + " asm sideeffect \"" + text + "\", \"" + constraints + "\"(" + arguments + ")\n";
  code += "  call void @llvm.nvvm.wgmma.commit_group.sync.aligned()\n"
          "  call void @llvm.nvvm.wgmma.wait_group.sync.aligned(i64 0)\n";
  for (unsigned j = 0; j < numD; ++j) {
    std::string n = std::to_string(j);
    body.outputs.push_back({"float", "d" + n});
    code += "  %d" + n + " = extractvalue " + type + " %d, " + n + "\n";
  }
  body.code = code;
  std::vector<Cell> out = run(body, in, {.threads = 128, .check = c.check});
  for (unsigned t = 0; t < 128; ++t)
    for (unsigned j = 0; j < numD; ++j) {
      unsigned row = t / 32 * 16 + t % 32 / 4 + (j & 2 ? 8 : 0), column = j / 4 * 8 + t % 4 * 2 + (j & 1);
      float want = 0;
      for (unsigned kk = 0; kk < k; ++kk)
        want += valueA(row, kk) * valueB(kk, column);
      want = (c.isNegated ? -want : want) + (c.accumulates ? valueC(row, column) : 0);
      ASSERT_EQ(out[t * numD + j].f32(), want) << "n " << c.n << " " << c.a.name << " " << c.b.name << " swizzle "
                                               << c.swizzleBytes << " row " << row << " column " << column;
    }
}

} // namespace

OP_TEST(Wgmma, Multiply,
        {"asm:wgmma.mma_async", "wgmma.fence.sync.aligned", "wgmma.commit_group.sync.aligned",
         "wgmma.wait_group.sync.aligned"}) {
  for (unsigned swizzle : {0, 32, 64, 128})
    for (bool isADescriptor : {false, true})
      for (bool check : {false, true})
        multiply({.swizzleBytes = swizzle, .isADescriptor = isADescriptor, .check = check});
  for (unsigned n : {8, 24, 64, 256})
    multiply({.n = n, .swizzleBytes = 128});
  for (const Type &a : {kE4m3, kE5m2})
    for (const Type &b : {kE4m3, kE5m2})
      multiply({.a = a, .b = b, .swizzleBytes = 32});
  for (const Type &type : {kF16, kBf16})
    for (bool isADescriptor : {false, true})
      multiply({.a = type, .b = type, .swizzleBytes = 64, .isADescriptor = isADescriptor});
  multiply({.accumulates = false});
  multiply({.isNegated = true});
}

static const char *kB = "@b = internal addrspace(3) global [4096 x i8] undef, align 1024\n";

/// B is written by all and multiplied; `fence` stands before and `behind` after that.
static std::string program(const std::string &fence, const std::string &behind, const std::string &base = "0") {
  std::string code = R"(
  %at = mul i32 %tid, 32
  %own = getelementptr i8, ptr addrspace(3) @b, i32 %at
  store <8 x i32> zeroinitializer, ptr addrspace(3) %own
)" + fence + R"(
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  %address = ptrtoint ptr addrspace(3) @b to i64
  %low = and i64 %address, 262143
  %field = lshr i64 %low, 4
  %descriptor0 = or i64 %field, )" +
                     std::to_string(int64_t(descriptor(0))) + "\n  %descriptor = or i64 %descriptor0, " + base + "\n";
  code += "  %d = call { float, float, float, float } asm sideeffect \"{ wgmma.fence.sync.aligned; "
          "wgmma.mma_async.sync.aligned.m64n8k32.f32.e4m3.e4m3 {$0,$1,$2,$3}, {$4,$4,$4,$4}, $5, 0, 1, 1; }\", "
          "\"=f,=f,=f,=f,r,l\"(i32 0, i64 %descriptor)\n";
  return code + behind;
}

static std::string assembly(const std::string &text) { return "  call void asm sideeffect \"" + text + "\", \"\"()\n"; }

OP_TEST(Wgmma, Waits, {"asm:wgmma.fence", "asm:wgmma.commit_group", "asm:wgmma.wait_group"}) {
  std::string fence = "  call void @llvm.nvvm.fence.proxy.async()\n";
  std::string commit = assembly("wgmma.commit_group.sync.aligned;"),
              wait = commit + assembly("wgmma.wait_group.sync.aligned 0;");
  std::string overwrite = "  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)\n"
                          "  store i32 1, ptr addrspace(3) %own\n  call void @llvm.nvvm.fence.proxy.async()\n";
  EXPECT_EQ(checkError(kB, program(fence, wait), {.threads = 128}), "");
  EXPECT_EQ(checkError(kB, program(fence, wait + overwrite), {.threads = 128}), "");
  auto expectBug = [](const std::string &code, const std::string &message) {
    std::string got = checkError(kB, code, {.threads = 128});
    EXPECT_NE(got.find(message), std::string::npos) << "expected '" << message << "' in '" << got << "'";
  };
  expectBug(program("", wait), "wrote without fence.proxy.async behind it");
  expectBug(program(fence, ""), "exits with wgmma that it has not waited for (wgmma.wait_group)");
  expectBug(program(fence, commit + assembly("wgmma.wait_group.sync.aligned 1;")),
            "exits with wgmma that it has not waited for");
  expectBug(program(fence, commit + overwrite + assembly("wgmma.wait_group.sync.aligned 0;")), "racing shared");
  expectBug(program(fence, wait, std::to_string(1ull << 49)), "descriptor of B: expected base offset 0, got 1");
  std::string perLane = program(fence, wait, "%lane2");
  expectBug("  %lane0 = zext i32 %tid to i64\n  %lane1 = and i64 %lane0, 1\n  %lane2 = shl i64 %lane1, 16\n" + perLane,
            "expected the same descriptor of B in all lanes of the warp");
  EXPECT_NE(checkError(kB, program(fence, wait), {.threads = 96}).find("expected a warpgroup of 128 threads"),
            std::string::npos);
}

TEST(Wgmma, Unknown) {
  auto error = [](const std::string &text) {
    return loadError("define ptx_kernel void @k() {\n" + assembly(text) + "  ret void\n}\n");
  };
  auto has = [](const std::string &text, const std::string &part) {
    EXPECT_NE(text.find(part), std::string::npos) << text;
  };
  has(error("wgmma.mma_async.sync.aligned.m64n8k32.f16.e4m3.e4m3 0;"), "expected m64nNk32.f32 of e4m3 and e5m2");
  has(error("wgmma.mma_async.sync.aligned.m64n12k32.f32.e4m3.e4m3 0;"), "expected m64nNk32.f32 of e4m3 and e5m2");
  has(error("wgmma.mma_async.sync.aligned.m64n8k32.f32.e4m3.e4m3 {0,0,0}, 0, 0, 1, 1, 1;"),
      "expected 4 registers of d, got 3");
  has(error("wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 {0,0,0,0}, 0, 0, 1, 1, 1, 0, 1;"),
      "expected K-major matrices");
  has(error("wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 {0,0,0,0}, {0,0}, 0, 1, 1, 1, 0;"),
      "expected 4 registers or a descriptor of a, got 2 operands");
}
