// Accesses of memory: the runtime hears of those that it checks, and of those that loops may wait for.
#ifndef ECF8_SIMT_ACCESSREWRITER_H
#define ECF8_SIMT_ACCESSREWRITER_H

#include "FunctionEmitter.h"

#include <llvm/IR/IntrinsicInst.h>

namespace ecf8::simt {

class AccessRewriter {
public:
  /// To be made before the function changes: messages quote its accesses. `check`: Module::Options.
  AccessRewriter(FunctionEmitter &emitter, bool check);

  /// For any instruction but calls.
  void rewrite(llvm::Instruction &instruction);
  void rewrite(llvm::MemIntrinsic &memory);

private:
  void check(llvm::Instruction &instruction, llvm::Value *pointer, llvm::Value *sizeBytes, uint32_t kind);

  FunctionEmitter &emitter;
  llvm::IRBuilder<> &builder;
  bool checks;
  llvm::DenseMap<const llvm::Instruction *, std::string> texts;
};

} // namespace ecf8::simt

#endif // ECF8_SIMT_ACCESSREWRITER_H
