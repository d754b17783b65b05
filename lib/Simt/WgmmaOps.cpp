// Ops: wgmma. Each warp of a warpgroup computes its own 16 rows; B, and A where it is not in registers, come from
// shared memory through matrix descriptors.
#include "Memory.h"
#include "OpTable.h"
#include "SmallFloats.h"
#include "Wgmma.h"

#include <charconv>

using namespace ecf8::simt;

namespace {

enum class Element { E4M3, E5M2, F16, BF16 };

/// m64nNk32 for FP8, m64nNk16 for f16 and bf16: 32 bytes of k either way.
struct Shape {
  unsigned n = 0, k = 0;
  Element a = Element::E4M3, b = Element::E4M3;
  bool isValid = false;
};

constexpr unsigned kMaxN = 256, kRowBytes = 32;

bool parseElement(std::string_view text, Element &element) {
  const std::pair<std::string_view, Element> names[] = {
      {"e4m3", Element::E4M3}, {"e5m2", Element::E5M2}, {"f16", Element::F16}, {"bf16", Element::BF16}};
  for (auto [name, value] : names)
    if (text == name) {
      element = value;
      return true;
    }
  return false;
}

bool is8Bit(Element element) { return element == Element::E4M3 || element == Element::E5M2; }

/// Of `wgmma.mma_async.sync.aligned.m64n16k32.f32.e4m3.e4m3`.
Shape parseShape(std::string_view opcode) {
  Shape shape;
  std::vector<std::string_view> parts;
  for (size_t begin = 0; begin <= opcode.size();) {
    size_t end = std::min(opcode.find('.', begin), opcode.size());
    parts.push_back(opcode.substr(begin, end - begin));
    begin = end + 1;
  }
  if (parts.size() != 8 || parts[2] != "sync" || parts[3] != "aligned" || parts[5] != "f32")
    return shape;
  std::string_view size = parts[4];
  if (!size.starts_with("m64n"))
    return shape;
  const char *end = size.data() + size.size();
  auto [k, code] = std::from_chars(size.data() + 4, end, shape.n);
  if (code != std::errc() || k == end || *k != 'k' || std::from_chars(k + 1, end, shape.k).ptr != end)
    return shape;
  if (!parseElement(parts[6], shape.a) || !parseElement(parts[7], shape.b))
    return shape;
  bool isNarrow = is8Bit(shape.a) && is8Bit(shape.b);
  bool isWide = !is8Bit(shape.a) && shape.a == shape.b;
  shape.isValid =
      shape.n >= 8 && shape.n <= kMaxN && shape.n % 8 == 0 && (isNarrow || isWide) && shape.k == (isNarrow ? 32u : 16u);
  return shape;
}

float toF32(Element element, const unsigned char *bytes) {
  uint16_t half;
  std::memcpy(&half, bytes, is8Bit(element) ? 1 : 2);
  switch (element) {
  case Element::E4M3:
    return kF8Table<E4M3>[half & 0xff];
  case Element::E5M2:
    return kF8Table<E5M2>[half & 0xff];
  case Element::F16:
    return f16ToF32(half);
  case Element::BF16:
    return bf16ToF32(half);
  }
  return 0;
}

/// A matrix descriptor (PTX ISA, wgmma): K-major, rows of 32 bytes in groups of 8.
struct Descriptor {
  uint32_t start, leadingBytes, strideBytes;
  unsigned baseOffset, swizzle; ///< 0 none, 1 128 bytes, 2 64 bytes, 3 32 bytes

  explicit Descriptor(uint64_t bits)
      : start(bits << 4 & 0x3ffff), leadingBytes(bits >> 16 << 4 & 0x3ffff), strideBytes(bits >> 32 << 4 & 0x3ffff),
        baseOffset(bits >> 49 & 7), swizzle(bits >> 62) {}

  /// Offset in shared memory of 16 bytes of a row: half 0 or 1. Without swizzle, 8 rows of 16 bytes lie together, and
  /// the halves `leadingBytes` apart; with one, rows lie 32, 64 or 128 bytes apart, and address bits 4.. are xored
  /// with 7...
  uint32_t offset(unsigned row, unsigned half) const {
    uint32_t group = row / 8 * strideBytes;
    if (swizzle == 0)
      return start + row % 8 * 16 + group + half * leadingBytes;
    unsigned bits = 4 - swizzle; // 3, 2, 1 for 128, 64, 32 bytes
    uint32_t at = start + row % 8 * (16u << bits) + group + half * 16;
    return at ^ (at >> 3 & (((1u << bits) - 1) << 4));
  }
};

/// Rows of 32 bytes of a matrix in shared memory.
void readRows(WarpCall &call, const Descriptor &matrix, unsigned firstRow, unsigned numRows, unsigned char *rows,
              const char *name) {
  Context &context = call.caller;
  if (matrix.baseOffset)
    fail(context, &call.site,
         std::string("descriptor of ") + name + ": expected base offset 0, got " + std::to_string(matrix.baseOffset));
  for (unsigned row = 0; row < numRows; ++row)
    for (unsigned half = 0; half < 2; ++half) {
      uint32_t offset = matrix.offset(firstRow + row, half) & 0x3ffff;
      const char *address = call.block.shared() + offset;
      requireShared(context, call.site, address, 16, name);
      if (call.block.checks()) {
        call.block.checker().asyncRead(context, &call.site, address, 16);
        call.block.wgmma().open[call.warp].push_back({address, &call.site});
      }
      std::memcpy(rows + row * kRowBytes + half * 16, address, 16);
    }
}

/// The value that all lanes agree on.
uint64_t uniform(WarpCall &call, const AsmOperand &operand, const char *what) {
  uint64_t first = operand.read(*reinterpret_cast<AsmFrame *>(call.slots[0]));
  for (unsigned lane = 1; lane < 32; ++lane)
    if (operand.read(*reinterpret_cast<AsmFrame *>(call.slots[lane])) != first)
      fail(*call.contexts[lane], &call.site, std::string("expected the same ") + what + " in all lanes of the warp");
  return first;
}

uint32_t bitsOf(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

float floatOf(uint64_t bits) {
  auto low = uint32_t(bits);
  float value;
  std::memcpy(&value, &low, sizeof value);
  return value;
}

void multiply(WarpCall &call) {
  auto frame = [&call](unsigned lane) -> AsmFrame & { return *reinterpret_cast<AsmFrame *>(call.slots[lane]); };
  const AsmStatement &statement = *frame(0).statement;
  Shape shape = parseShape(statement.opcode);
  if ((call.warp / 4 + 1) * 128 > call.block.numThreads())
    fail(call.caller, &call.site, "expected a warpgroup of 128 threads, the block ends before");
  auto d = statement.group(0), a = statement.group(1);
  unsigned elementBytes = kRowBytes / shape.k, warpInGroup = call.warp % 4;
  Descriptor matrixB(uniform(call, statement.group(2)[0], "descriptor of B"));
  bool accumulates = uniform(call, statement.group(3)[0], "scale-d") != 0;
  float sign = float(statement.group(4)[0].value) * float(statement.group(5)[0].value);

  alignas(32) unsigned char rowsA[16 * kRowBytes], rowsB[kMaxN * kRowBytes];
  readRows(call, matrixB, 0, shape.n, rowsB, "B");
  if (a.size() == 1) {
    readRows(call, Descriptor(uniform(call, a[0], "descriptor of A")), warpInGroup * 16, 16, rowsA, "A");
  } else {
    for (unsigned lane = 0; lane < 32; ++lane)
      for (unsigned r = 0; r < 4; ++r) { // rows alternate, then the upper half of k
        auto bits = uint32_t(a[r].read(frame(lane)));
        std::memcpy(rowsA + (lane / 4 + r % 2 * 8) * kRowBytes + r / 2 * 16 + lane % 4 * 4, &bits, 4);
      }
  }
  alignas(32) float b[32][kMaxN], sums[kMaxN];
  for (unsigned n = 0; n < shape.n; ++n)
    for (unsigned k = 0; k < shape.k; ++k)
      b[k][n] = toF32(shape.b, rowsB + n * kRowBytes + k * elementBytes);
  for (unsigned row = 0; row < 16; ++row) {
    // Columns 8j + 2t and 8j + 2t + 1 of a row lie in lane (row % 8) * 4 + t.
    for (unsigned n = 0; n < shape.n; ++n) {
      unsigned lane = row % 8 * 4 + n % 8 / 2, index = n / 8 * 4 + row / 8 * 2 + n % 2;
      sums[n] = accumulates ? floatOf(d[index].read(frame(lane))) : 0;
    }
    for (unsigned k = 0; k < shape.k; ++k) {
      float value = sign * toF32(shape.a, rowsA + row * kRowBytes + k * elementBytes);
      for (unsigned n = 0; n < shape.n; ++n)
        sums[n] += value * b[k][n];
    }
    for (unsigned n = 0; n < shape.n; ++n) {
      unsigned lane = row % 8 * 4 + n % 8 / 2, index = n / 8 * 4 + row / 8 * 2 + n % 2;
      d[index].write(frame(lane), bitsOf(sums[n]));
    }
  }
}

std::string verify(const AsmStatement &statement) {
  Shape shape = parseShape(statement.opcode);
  if (!shape.isValid)
    return "expected m64nNk32.f32 of e4m3 and e5m2, or m64nNk16.f32 of f16 or bf16, with N from 8 to 256 in steps of 8";
  size_t numGroups = statement.groups.size();
  if (numGroups < 6 || numGroups > 8)
    return "expected d, a, b, scale-d, scale-a, scale-b and for 16-bit types transpositions, got " +
           std::to_string(numGroups) + " operands";
  if (statement.groups[0] != shape.n / 2)
    return "expected " + std::to_string(shape.n / 2) + " registers of d, got " + std::to_string(statement.groups[0]);
  if (statement.groups[1] != 1 && statement.groups[1] != 4)
    return "expected 4 registers or a descriptor of a, got " + std::to_string(statement.groups[1]) + " operands";
  for (unsigned i = 4; i < numGroups; ++i)
    if (statement.group(i)[0].kind != AsmOperand::Immediate)
      return "expected constants for scales and transpositions";
  for (unsigned i = 6; i < numGroups; ++i)
    if (statement.group(i)[0].value != 0)
      return "expected K-major matrices (transposition 0)";
  return "";
}

void nothing(WarpCall &) {}

void commit(WarpCall &call) { call.block.wgmma().commit(call.warp); }

void wait(WarpCall &call, size_t numPending) {
  // Shared memory is read until now: whoever overwrote it meanwhile raced with the multiplication.
  auto &groups = call.block.wgmma().groups[call.warp];
  while (groups.size() > numPending) {
    if (call.block.checks())
      for (auto [address, site] : groups.front())
        call.block.checker().asyncRead(call.caller, site, address, 16);
    groups.pop_front();
  }
}

void waitOp(WarpCall &call) { wait(call, size_t(call.slots[0][0].u64())); }

void waitAsmOp(WarpCall &call) {
  wait(call, size_t(reinterpret_cast<AsmFrame *>(call.slots[0])->statement->operands[0].value));
}

std::string verifyWait(const AsmStatement &statement) {
  return statement.operands.size() == 1 && statement.operands[0].kind == AsmOperand::Immediate ? ""
                                                                                               : "expected a constant";
}

} // namespace

void ecf8::simt::addWgmmaOps(OpList &ops) {
  ops.push_back({"wgmma.fence.sync.aligned", nullptr, nothing});
  ops.push_back({"wgmma.commit_group.sync.aligned", nullptr, commit});
  ops.push_back({"wgmma.wait_group.sync.aligned", nullptr, waitOp});
}

void ecf8::simt::addWgmmaAsmOps(AsmOpList &ops) {
  ops.push_back({"asm:wgmma.mma_async", runCollective, verify, multiply});
  ops.push_back({"asm:wgmma.fence", runCollective, nullptr, nothing});
  ops.push_back({"asm:wgmma.commit_group", runCollective, nullptr, commit});
  ops.push_back({"asm:wgmma.wait_group", runCollective, verifyWait, waitAsmOp});
}
