// Emits what a rewritten function has in the place of a GPU's instructions: reads of its context, calls of the runtime.
#ifndef ECF8_SIMT_FUNCTIONEMITTER_H
#define ECF8_SIMT_FUNCTIONEMITTER_H

#include "Retarget.h"

#include <llvm/IR/IRBuilder.h>

namespace ecf8::simt {

/// "in decode, line 12", the line where there is debug information.
std::string describePlace(const llvm::Instruction &instruction);

class FunctionEmitter {
public:
  /// Call sites become part of `result`.
  FunctionEmitter(llvm::Function &function, RetargetedModule &result);

  llvm::Function &function;
  llvm::IRBuilder<> builder;

  llvm::Type *byteType() { return builder.getInt8Ty(); }

  /// The context of the running thread, and its block's shared memory; computed once, where the function begins.
  llvm::Value *context();
  llvm::Value *shared();

  CallSite &newSite(const llvm::Instruction &instruction, std::string what);

  /// Slots hold the arguments of a call of the runtime, then its results.
  void storeArgument(unsigned index, llvm::Value *value);
  llvm::Value *loadResults(llvm::Type *type);
  void callWithSlots(const void *target, CallSite &site);

  /// Calls `target` with the context, `site` and `arguments`.
  void callRuntime(const void *target, CallSite &site, llvm::ArrayRef<llvm::Value *> arguments = {});

  /// `call` is erased at the end, and what used it uses `value`, if there is one.
  void replace(llvm::CallInst &call, llvm::Value *value);

  /// To be called when all is emitted.
  void finish();

private:
  llvm::Constant *hostPointer(const void *pointer);
  llvm::Value *slot(unsigned index);
  llvm::Value *loadResult(unsigned index, llvm::Type *type);

  RetargetedModule &result;
  llvm::AllocaInst *slots;
  llvm::Value *contextAddress = nullptr, *sharedBase = nullptr;
  unsigned numSlots = 0;
  std::vector<llvm::Instruction *> dead;
};

} // namespace ecf8::simt

#endif // ECF8_SIMT_FUNCTIONEMITTER_H
