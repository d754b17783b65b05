// Inline assembly of kernels: parsed into statements, which are executed one by one. A statement is looked up in the op
// table like an intrinsic, so what counts is the instruction, not how the text around it is written.
#ifndef ECF8_SIMT_INLINEASM_H
#define ECF8_SIMT_INLINEASM_H

#include "Runtime.h"

#include <deque>
#include <span>
#include <vector>

namespace ecf8::simt {

struct AsmStatement;

/// The values of one execution of a program by one thread.
struct AsmFrame {
  Context &context;
  const AsmProgram &program;
  Slot *slots;                             ///< by placeholder number: outputs, then inputs
  uint64_t *registers;                     ///< those that the text declares
  const AsmStatement *statement = nullptr; ///< the one that is executed
};

struct AsmOperand {
  enum Kind : uint8_t { Placeholder, Register, Immediate, Sink } kind = Sink;
  bool isAddress = false; ///< in brackets
  bool isNegated = false; ///< `!p`
  unsigned index = 0;     ///< of placeholder or register
  int64_t value = 0;      ///< of an immediate; of an address, what is added to it

  uint64_t read(const AsmFrame &frame) const;
  void write(const AsmFrame &frame, uint64_t bits) const;
};

/// Executes a statement. `site` is the statement's own.
using AsmFunction = void (*)(AsmFrame &frame, const AsmStatement &statement);

/// An instruction of inline assembly. Names match from the start, and what follows are modifiers that change nothing
/// here, such as cache hints: `ld.global.nc` matches `ld.global.nc.L1::no_allocate.v4.u32`.
struct AsmOp {
  std::string_view name; ///< with `asm:` in front
  AsmFunction run = nullptr;
  /// Checks number and kind of operands and the modifiers; an empty text is fine.
  std::string (*verify)(const AsmStatement &statement) = nullptr;
  /// What the lanes of a warp do together, for `run` = runCollective.
  WarpFunction warp = nullptr;
  /// For `run` = runIntrinsic: the op that does the same. The first operands are its results, the others its arguments.
  std::string_view intrinsic = {};
  unsigned numResults = 0, numArguments = 0;
};

/// The lanes meet; the last one calls the op's `warp`, for which the slots are the lanes' AsmFrames.
void runCollective(AsmFrame &frame, const AsmStatement &statement);
/// Calls an op of the table. An argument that is left away at the end is 1, such as the count of an arrival.
void runIntrinsic(AsmFrame &frame, const AsmStatement &statement);
std::string verifyIntrinsic(const AsmStatement &statement);

struct AsmStatement {
  std::string opcode;
  std::vector<AsmOperand> operands; ///< those of lists in braces one after another
  std::vector<unsigned> groups;     ///< number of operands in each: 1, or that of a list
  const AsmOp *op = nullptr;
  bool isPredicated = false;
  AsmOperand predicate;
  int target = -1; ///< of a branch: index of a statement
  CallSite site;
  Op siteOp; ///< what `site.op` points to

  bool has(std::string_view modifier) const; ///< `.modifier` in the opcode
  /// The operands of one group.
  std::span<const AsmOperand> group(unsigned index) const;
};

struct AsmProgram {
  std::vector<char> types; ///< by placeholder: the letter of its constraint
  unsigned numOutputs = 0;
  std::vector<std::pair<unsigned, unsigned>> ties; ///< output, and the placeholder that holds its first value
  unsigned numRegisters = 0;
  std::deque<AsmStatement> statements;
};

/// Parses text and constraints as LLVM holds them. Errors say which instruction or operand is not known.
Result<AsmProgram> parseAsm(std::string_view text, std::string_view constraints);

/// Null for unknown instructions.
const AsmOp *findAsmOp(std::string_view opcode);

} // namespace ecf8::simt

#endif // ECF8_SIMT_INLINEASM_H
