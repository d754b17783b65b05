// Calls of intrinsics, functions and inline assembly: what becomes of them outside of a GPU.
#ifndef ECF8_SIMT_CALLREWRITER_H
#define ECF8_SIMT_CALLREWRITER_H

#include "FunctionEmitter.h"

#include <map>

namespace ecf8::simt {

/// What is not known to the simulator, and where it is first used.
using Unknown = std::map<std::string, std::string>;

class CallRewriter {
public:
  CallRewriter(FunctionEmitter &emitter, RetargetedModule &result, Unknown &unknown)
      : emitter(emitter), builder(emitter.builder), result(result), unknown(unknown) {}

  /// Accesses of memory (llvm::MemIntrinsic) are not calls here.
  void rewrite(llvm::CallInst &call);

private:
  void rewriteIntrinsic(llvm::CallInst &call, llvm::StringRef name);
  void rewriteAssembly(llvm::CallInst &call, const llvm::InlineAsm &assembly);
  void callOp(llvm::CallInst &call, llvm::StringRef name, const Op &op);
  void replaceByResults(llvm::CallInst &call);
  void addUnknown(const std::string &what, const llvm::CallInst &call);

  FunctionEmitter &emitter;
  llvm::IRBuilder<> &builder;
  RetargetedModule &result;
  Unknown &unknown;
};

} // namespace ecf8::simt

#endif // ECF8_SIMT_CALLREWRITER_H
