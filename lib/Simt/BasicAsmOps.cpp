// Instructions of inline assembly that move and compare values, load and store.
#include "Memory.h"
#include "OpTable.h"

#include <algorithm>
#include <initializer_list>
#include <optional>

using namespace ecf8::simt;

namespace {

struct Type {
  char kind = 'b'; ///< b, u, s, f, or p for predicates
  unsigned bytes = 0;
};

std::optional<Type> parseType(std::string_view text) {
  if (text == "pred")
    return Type{'p', 1};
  if (text.size() < 2 || !strchr("busf", text[0]))
    return std::nullopt;
  std::string_view bits = text.substr(1);
  unsigned bytes = bits == "8" ? 1 : bits == "16" ? 2 : bits == "32" ? 4 : bits == "64" ? 8 : 0;
  if (!bytes)
    return std::nullopt;
  return Type{text[0], bytes};
}

std::string_view lastPart(std::string_view opcode) { return opcode.substr(opcode.rfind('.') + 1); }

Type typeOf(const AsmStatement &statement) { return parseType(lastPart(statement.opcode)).value_or(Type{}); }

uint64_t mask(uint64_t bits, unsigned bytes) { return bytes >= 8 ? bits : bits & ((uint64_t(1) << 8 * bytes) - 1); }

int64_t signedOf(uint64_t bits, Type type) {
  unsigned shift = 64 - 8 * type.bytes;
  return int64_t(bits << shift) >> shift;
}

std::string expectOperands(const AsmStatement &statement, size_t count) {
  if (statement.operands.size() == count)
    return "";
  return "expected " + std::to_string(count) + " operands, got " + std::to_string(statement.operands.size());
}

/// The parts of an opcode behind its first `numKnown`, without the type, are out of `allowed`, or begin with one of
/// them that ends in ':'.
std::string expectModifiers(const AsmStatement &statement, unsigned numKnown,
                            std::initializer_list<std::string_view> allowed) {
  std::string_view rest = statement.opcode;
  for (unsigned i = 0;; ++i) {
    size_t end = std::min(rest.find('.'), rest.size());
    std::string_view part = rest.substr(0, end);
    bool isType = end == rest.size();
    if (i >= numKnown && !isType) {
      bool isKnown = false;
      for (std::string_view one : allowed)
        isKnown |= one.ends_with(':') ? part.starts_with(one) : part == one;
      if (!isKnown)
        return "modifier '." + std::string(part) + "' that is not known";
    }
    if (isType)
      return "";
    rest.remove_prefix(end + 1);
  }
}

//===--- mov, setp, selp
//------------------------------------------------------------------------------------------------===//

std::string verifyMove(const AsmStatement &statement) {
  if (!parseType(lastPart(statement.opcode)))
    return "type that is not known";
  return expectOperands(statement, 2);
}

void move(AsmFrame &frame, const AsmStatement &statement) {
  statement.operands[0].write(frame, statement.operands[1].read(frame));
}

std::string verifyCompare(const AsmStatement &statement) {
  std::string_view opcode = statement.opcode;
  std::string_view comparison = opcode.substr(5, opcode.find('.', 5) - 5);
  bool isKnown = false;
  for (std::string_view one : {"eq", "ne", "lt", "le", "gt", "ge"})
    isKnown |= comparison == one;
  auto type = parseType(lastPart(opcode));
  if (!isKnown || !type || type->kind == 'f' || type->kind == 'p' || std::count(opcode.begin(), opcode.end(), '.') != 2)
    return "expected setp.{eq,ne,lt,le,gt,ge} of an integer type";
  return expectOperands(statement, 3);
}

void compare(AsmFrame &frame, const AsmStatement &statement) {
  Type type = typeOf(statement);
  uint64_t a = mask(statement.operands[1].read(frame), type.bytes),
           b = mask(statement.operands[2].read(frame), type.bytes);
  bool less = type.kind == 's' ? signedOf(a, type) < signedOf(b, type) : a < b;
  bool equal = a == b;
  std::string_view comparison = std::string_view(statement.opcode).substr(5, 2);
  bool result = comparison == "eq"   ? equal
                : comparison == "ne" ? !equal
                : comparison == "lt" ? less
                : comparison == "le" ? less || equal
                : comparison == "gt" ? !less && !equal
                                     : !less;
  statement.operands[0].write(frame, result);
}

std::string verifySelect(const AsmStatement &statement) { return expectOperands(statement, 4); }

void select(AsmFrame &frame, const AsmStatement &statement) {
  bool condition = statement.operands[3].read(frame);
  statement.operands[0].write(frame, statement.operands[condition ? 1 : 2].read(frame));
}

//===--- ld, st
//---------------------------------------------------------------------------------------------------------===//

/// Cache hints change nothing. Volatile and relaxed accesses may be those of a spin loop.
std::string verifyAccess(const AsmStatement &statement, unsigned addressGroup, unsigned valueGroup) {
  auto type = parseType(lastPart(statement.opcode));
  if (!type || type->kind == 'p')
    return "type that is not known";
  std::string problem =
      expectModifiers(statement, 2, {"nc",  "v2",  "v4",  "v8",       "ca",      "cg",      "cs",      "lu",
                                     "cv",  "wb",  "wt",  "volatile", "relaxed", "acquire", "release", "weak",
                                     "cta", "gpu", "sys", "cluster",  "L1::",    "L2::"});
  if (!problem.empty())
    return problem;
  if (statement.groups.size() != 2 || !statement.group(addressGroup)[0].isAddress)
    return "expected a value and an address";
  unsigned lanes = statement.has("v2") ? 2 : statement.has("v4") ? 4 : statement.has("v8") ? 8 : 1;
  if (statement.groups[valueGroup] != lanes)
    return "expected " + std::to_string(lanes) + " registers, got " + std::to_string(statement.groups[valueGroup]);
  return "";
}

std::string verifyLoad(const AsmStatement &statement) { return verifyAccess(statement, 1, 0); }
std::string verifyStore(const AsmStatement &statement) { return verifyAccess(statement, 0, 1); }

uint32_t orderOf(const AsmStatement &statement) {
  uint32_t kind = 0;
  if (statement.has("volatile") || statement.has("relaxed"))
    kind = kAtomic;
  if (statement.has("acquire"))
    kind = kAtomic | kAcquire;
  if (statement.has("release"))
    kind = kAtomic | kRelease;
  return kind;
}

void load(AsmFrame &frame, const AsmStatement &statement) {
  Type type = typeOf(statement);
  auto values = statement.group(0);
  auto *address = reinterpret_cast<const char *>(statement.group(1)[0].read(frame));
  unsigned bytes = type.bytes * values.size();
  uint32_t order = orderOf(statement);
  if (order)
    ecf8_simt_poll(&frame.context, &statement.site);
  requireAlignment(frame.context, statement.site, address, bytes, "address");
  checkAccess(frame.context, statement.site, address, bytes, kRead | order);
  for (const AsmOperand &value : values) {
    uint64_t bits = 0;
    std::memcpy(&bits, address, type.bytes);
    if (type.kind == 's')
      bits = uint64_t(signedOf(bits, type));
    value.write(frame, bits);
    address += type.bytes;
  }
}

void store(AsmFrame &frame, const AsmStatement &statement) {
  Type type = typeOf(statement);
  auto values = statement.group(1);
  auto *address = reinterpret_cast<char *>(statement.group(0)[0].read(frame));
  unsigned bytes = type.bytes * values.size();
  requireAlignment(frame.context, statement.site, address, bytes, "address");
  checkAccess(frame.context, statement.site, address, bytes, kWrite | orderOf(statement));
  for (const AsmOperand &value : values) {
    uint64_t bits = value.read(frame);
    std::memcpy(address, &bits, type.bytes);
    address += type.bytes;
  }
}

//===--- lop3, and what changes nothing
//---------------------------------------------------------------------------------===//

std::string verifyLogic(const AsmStatement &statement) {
  if (statement.operands.size() == 5 && statement.operands[4].kind != AsmOperand::Immediate)
    return "expected a constant table";
  return expectOperands(statement, 5);
}

/// Bit by bit, the table's bit at a * 4 + b * 2 + c.
void logic(AsmFrame &frame, const AsmStatement &statement) {
  uint64_t a = statement.operands[1].read(frame), b = statement.operands[2].read(frame);
  uint64_t c = statement.operands[3].read(frame), result = 0;
  for (unsigned i = 0; i < 8; ++i)
    if (statement.operands[4].value >> i & 1)
      result |= (i & 4 ? a : ~a) & (i & 2 ? b : ~b) & (i & 1 ? c : ~c);
  statement.operands[0].write(frame, uint32_t(result));
}

void nothing(AsmFrame &, const AsmStatement &) {}

} // namespace

void ecf8::simt::addBasicAsmOps(AsmOpList &ops) {
  auto intrinsic = [&ops](std::string_view name, std::string_view same, unsigned results, unsigned arguments) {
    ops.push_back({name, runIntrinsic, verifyIntrinsic, nullptr, same, results, arguments});
  };
  ops.push_back({"asm:mov", move, verifyMove});
  ops.push_back({"asm:setp", compare, verifyCompare});
  ops.push_back({"asm:selp", select, verifySelect});
  ops.push_back({"asm:ld.global", load, verifyLoad});
  ops.push_back({"asm:ld.shared", load, verifyLoad});
  ops.push_back({"asm:st.global", store, verifyStore});
  ops.push_back({"asm:st.shared", store, verifyStore});
  ops.push_back({"asm:lop3.b32", logic, verifyLogic});
  for (std::string_view name : {"asm:prefetch", "asm:griddepcontrol", "asm:setmaxnreg"})
    ops.push_back({name, nothing});
  intrinsic("asm:prmt.b32", "prmt", 1, 3);
  intrinsic("asm:ex2.approx.ftz.f32", "ex2.approx.ftz.f32", 1, 1);
  intrinsic("asm:cvt.rn.f16x2.e4m3x2", "e4m3x2.to.f16x2.rn", 1, 1);
  intrinsic("asm:cvt.rn.f16x2.e5m2x2", "e5m2x2.to.f16x2.rn", 1, 1);
  intrinsic("asm:cvt.rn.satfinite.e4m3x2.f32", "ff.to.e4m3x2.rn", 1, 2);
  intrinsic("asm:cvt.rn.satfinite.e5m2x2.f32", "ff.to.e5m2x2.rn", 1, 2);
  intrinsic("asm:nanosleep.u32", "nanosleep", 0, 1);
  intrinsic("asm:elect.sync", "elect.sync", 2, 1);
  intrinsic("asm:bar.warp.sync", "bar.warp.sync", 0, 1);
}
