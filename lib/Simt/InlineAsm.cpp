// Parses inline assembly and executes its statements.
#include "InlineAsm.h"
#include "Block.h"

#include <cctype>
#include <charconv>
#include <map>
#include <optional>

using namespace ecf8;
using namespace ecf8::simt;

static constexpr unsigned kMaxAsmRegisters = 32;

uint64_t AsmOperand::read(const AsmFrame &frame) const {
  uint64_t bits = 0;
  if (kind == Placeholder) {
    const Slot &slot = frame.slots[index];
    switch (frame.program.types[index]) {
    case 'b':
      bits = slot.bytes[0] & 1;
      break;
    case 'c':
      bits = slot.bytes[0];
      break;
    case 'h':
      bits = slot.get<uint16_t>();
      break;
    case 'l':
    case 'd':
    case 'n': // constants are stored in as many bytes as they have; the rest of the slot is zero
      bits = slot.u64();
      break;
    default:
      bits = slot.u32();
    }
  } else if (kind == Register) {
    bits = frame.registers[index];
  } else {
    return uint64_t(value);
  }
  if (isNegated)
    return !bits;
  return bits + uint64_t(value);
}

void AsmOperand::write(const AsmFrame &frame, uint64_t bits) const {
  if (kind == Register)
    frame.registers[index] = bits;
  else if (kind == Placeholder)
    frame.slots[index].set(bits);
}

bool AsmStatement::has(std::string_view modifier) const {
  for (size_t at = opcode.find('.'); at != std::string::npos; at = opcode.find('.', at + 1)) {
    std::string_view rest = std::string_view(opcode).substr(at + 1);
    if (rest.substr(0, rest.find('.')) == modifier)
      return true;
  }
  return false;
}

std::span<const AsmOperand> AsmStatement::group(unsigned index) const {
  unsigned begin = 0;
  for (unsigned i = 0; i < index; ++i)
    begin += groups[i];
  return std::span(operands).subspan(begin, groups[index]);
}

namespace {

class Parser {
public:
  Parser(std::string_view text, std::string_view constraints) : text(text), constraints(constraints) {}

  Result<AsmProgram> run() {
    if (!parseConstraints())
      return error();
    skipSpace();
    while (at < text.size()) {
      if (!parseStatement())
        return error();
      skipSpace();
    }
    for (size_t i = 0; i < program.statements.size(); ++i)
      if (!branches[i].empty()) {
        auto label = labels.find(branches[i]);
        if (label == labels.end()) {
          message = "no label '" + branches[i] + "'";
          return error();
        }
        program.statements[i].target = int(label->second);
      }
    return std::move(program);
  }

private:
  std::string_view text, constraints;
  size_t at = 0;
  std::string message;
  AsmProgram program;
  std::map<std::string, unsigned, std::less<>> registers;
  std::map<std::string, size_t, std::less<>> labels;
  std::vector<std::string> branches; ///< by statement: the label that it branches to

  Result<AsmProgram> error() {
    std::string shown(text.substr(0, 160));
    for (char &c : shown)
      if (isspace(static_cast<unsigned char>(c)))
        c = ' ';
    return Status(StatusCode::Unsupported, "inline assembly: " + message + " in '" + shown + "'");
  }

  bool fail(std::string what) {
    message = std::move(what);
    return false;
  }

  bool parseConstraints() {
    std::vector<std::pair<unsigned, unsigned>> ties;
    for (size_t begin = 0; begin < constraints.size();) {
      size_t end = std::min(constraints.find(',', begin), constraints.size());
      std::string_view part = constraints.substr(begin, end - begin);
      begin = end + 1;
      if (part.starts_with("~"))
        continue;
      bool isOutput = part.starts_with("=");
      if (isOutput)
        part.remove_prefix(1);
      if (part.starts_with("&"))
        part.remove_prefix(1);
      if (part.empty() || part.starts_with("*"))
        return fail("constraint that is not known: '" + std::string(constraints) + "'");
      if (isdigit(static_cast<unsigned char>(part[0]))) {
        unsigned output = 0;
        std::from_chars(part.data(), part.data() + part.size(), output);
        if (output >= program.types.size())
          return fail("constraint that is not known: '" + std::string(part) + "'");
        program.ties.push_back({output, unsigned(program.types.size())});
        program.types.push_back(program.types[output]);
        continue;
      }
      if (part.size() != 1 || !strchr("bchrlfdniN", part[0]))
        return fail("constraint that is not known: '" + std::string(part) + "'");
      program.types.push_back(part[0] == 'i' || part[0] == 'N' ? 'n' : part[0]);
      program.numOutputs += isOutput;
    }
    return true;
  }

  void skipSpace() {
    while (at < text.size()) {
      if (isspace(static_cast<unsigned char>(text[at])))
        ++at;
      else if (text.substr(at).starts_with("//"))
        at = std::min(text.find('\n', at), text.size());
      else if (text.substr(at).starts_with("/*"))
        at = std::min(text.find("*/", at), text.size() - 2) + 2;
      else
        break;
    }
  }

  bool accept(char c) {
    skipSpace();
    if (at == text.size() || text[at] != c)
      return false;
    ++at;
    return true;
  }

  static bool isWord(char c) { return isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '%'; }

  std::string word(std::string_view more = "") {
    skipSpace();
    size_t begin = at;
    while (at < text.size() && (isWord(text[at]) || more.find(text[at]) != std::string_view::npos))
      ++at;
    return std::string(text.substr(begin, at - begin));
  }

  /// LLVM makes names of labels unique with ${:uid}, which a program of its own does not need.
  bool skipUnique(std::string &name) {
    if (!name.ends_with("$") || !accept('{'))
      return false;
    name.pop_back();
    at = std::min(text.find('}', at), text.size() - 1) + 1;
    return true;
  }

  bool parseStatement() {
    if (accept('{') || accept('}') || accept(';')) // scopes: names are not used twice
      return true;
    AsmStatement statement;
    if (accept('@')) {
      statement.isPredicated = true;
      bool isNegated = accept('!');
      if (!parseOperand(statement.predicate))
        return false;
      statement.predicate.isNegated = isNegated;
    }
    statement.opcode = word(".:$");
    if (skipUnique(statement.opcode))
      statement.opcode += word(".:");
    if (statement.opcode.ends_with(":")) {
      statement.opcode.pop_back();
      labels[statement.opcode] = program.statements.size();
      return true;
    }
    if (accept(':')) {
      labels[statement.opcode] = program.statements.size();
      return true;
    }
    if (statement.opcode.empty())
      return fail("expected an instruction at '" + std::string(text.substr(at, 20)) + "'");
    if (statement.opcode.starts_with(".reg"))
      return parseRegisters();
    std::string branch;
    if (statement.opcode == "bra" || statement.opcode == "bra.uni") {
      branch = word("$");
      if (skipUnique(branch))
        branch += word();
    } else if (!parseOperands(statement)) {
      return false;
    }
    skipSpace();
    if (at < text.size() && !accept(';') && text[at] != '}')
      return fail("expected ';' after '" + statement.opcode + "'");
    if (branch.empty()) {
      statement.op = findAsmOp(statement.opcode);
      if (!statement.op)
        return fail("instruction '" + statement.opcode + "'");
      if (statement.op->verify)
        if (std::string problem = statement.op->verify(statement); !problem.empty())
          return fail("'" + statement.opcode + "': " + problem);
    }
    program.statements.push_back(std::move(statement));
    branches.push_back(std::move(branch));
    return true;
  }

  bool parseRegisters() {
    word(".");
    do {
      std::string name = word();
      if (name.empty())
        return fail("expected a register's name");
      registers.emplace(name, program.numRegisters++);
      if (program.numRegisters > kMaxAsmRegisters)
        return fail("more than " + std::to_string(kMaxAsmRegisters) + " registers");
    } while (accept(','));
    return accept(';') || fail("expected ';' after registers");
  }

  bool parseOperands(AsmStatement &statement) {
    skipSpace();
    if (at == text.size() || text[at] == ';' || text[at] == '}')
      return true;
    do {
      unsigned before = statement.operands.size();
      if (accept('{')) {
        do
          if (!parseOperand(statement.operands.emplace_back()))
            return false;
        while (accept(','));
        if (!accept('}'))
          return fail("expected '}' in operands of '" + statement.opcode + "'");
      } else {
        if (!parseOperand(statement.operands.emplace_back()))
          return false;
        if (accept('|') && !parseOperand(statement.operands.emplace_back())) // d|p
          return false;
      }
      statement.groups.push_back(statement.operands.size() - before);
    } while (accept(','));
    return true;
  }

  bool parseOperand(AsmOperand &operand) {
    if (accept('[')) {
      if (!parseOperand(operand))
        return false;
      operand.isAddress = true;
      skipSpace();
      if (accept('+')) {
        AsmOperand offset;
        if (!parseOperand(offset) || offset.kind != AsmOperand::Immediate)
          return fail("expected a constant offset");
        operand.value += offset.value;
      }
      return accept(']') || fail("expected ']'");
    }
    if (accept('!')) {
      operand.isNegated = true;
      return parseOperand(operand);
    }
    if (accept('$')) {
      std::string number;
      if (accept('{')) {
        number = word(":"); // with a modifier of the printer
        number.resize(std::min(number.find(':'), number.size()));
        if (!accept('}'))
          return fail("expected '}'");
      } else {
        number = word();
      }
      operand.kind = AsmOperand::Placeholder;
      auto [end, code] = std::from_chars(number.data(), number.data() + number.size(), operand.index);
      if (code != std::errc() || operand.index >= program.types.size())
        return fail("operand '$" + number + "' that is not there");
      return true;
    }
    bool isMinus = accept('-');
    std::string name = word();
    if (name == "_")
      return true; // a result that nobody wants
    if (!name.empty() && isdigit(static_cast<unsigned char>(name[0])))
      return parseNumber(operand, name, isMinus);
    auto found = registers.find(name);
    if (found == registers.end())
      return fail("operand '" + name + "' that is not known");
    operand.kind = AsmOperand::Register;
    operand.index = found->second;
    return true;
  }

  bool parseNumber(AsmOperand &operand, std::string_view name, bool isMinus) {
    operand.kind = AsmOperand::Immediate;
    int base = 10;
    if (name.starts_with("0f") || name.starts_with("0F") || name.starts_with("0x") || name.starts_with("0X")) {
      name.remove_prefix(2);
      base = 16;
    }
    if (name.ends_with("U") || name.ends_with("u"))
      name.remove_suffix(1);
    uint64_t number = 0;
    auto [end, code] = std::from_chars(name.data(), name.data() + name.size(), number, base);
    if (code != std::errc() || end != name.data() + name.size())
      return fail("expected a number, got '" + std::string(name) + "'");
    operand.value = isMinus ? -int64_t(number) : int64_t(number);
    return true;
  }
};

} // namespace

Result<AsmProgram> ecf8::simt::parseAsm(std::string_view text, std::string_view constraints) {
  return Parser(text, constraints).run();
}

void ecf8::simt::ecf8_simt_asm(Context *context, const CallSite *site, Slot *slots) {
  const AsmProgram &program = *site->program;
  uint64_t registers[kMaxAsmRegisters] = {};
  AsmFrame frame{*context, program, slots, registers};
  for (auto [output, input] : program.ties)
    slots[output] = slots[input];
  for (size_t next = 0; next < program.statements.size();) {
    const AsmStatement &statement = program.statements[next++];
    if (statement.isPredicated && !statement.predicate.read(frame))
      continue;
    if (statement.op) {
      frame.statement = &statement;
      statement.op->run(frame, statement);
    } else {
      if (size_t(statement.target) < next) // backwards: a loop that waits for something
        ecf8_simt_poll(context, site);
      next = size_t(statement.target);
    }
  }
}

void ecf8::simt::runCollective(AsmFrame &frame, const AsmStatement &statement) {
  frame.context.block->collective(frame.context, statement.site, reinterpret_cast<Slot *>(&frame), ~0u, true);
}

void ecf8::simt::runIntrinsic(AsmFrame &frame, const AsmStatement &statement) {
  const AsmOp &op = *statement.op;
  Slot slots[8] = {};
  for (unsigned i = 0; i < op.numArguments; ++i) {
    size_t operand = op.numResults + i;
    slots[i].set(operand < statement.operands.size() ? statement.operands[operand].read(frame) : uint64_t(1));
  }
  if (statement.siteOp.thread)
    statement.siteOp.thread(frame.context, statement.site, slots);
  else
    ecf8_simt_warp_op(&frame.context, &statement.site, slots);
  for (unsigned i = 0; i < op.numResults; ++i)
    statement.operands[i].write(frame, slots[i].u64());
}

std::string ecf8::simt::verifyIntrinsic(const AsmStatement &statement) {
  const AsmOp &op = *statement.op;
  size_t most = op.numResults + op.numArguments, least = most - (op.numArguments > 1), got = statement.operands.size();
  if (got > most || got < least)
    return "expected " + std::to_string(most) + " operands, got " + std::to_string(got);
  return "";
}
