// Shared variables of a module: places in the shared memory of a block.
#ifndef ECF8_SIMT_SHAREDVARIABLES_H
#define ECF8_SIMT_SHAREDVARIABLES_H

#include "FunctionEmitter.h"

namespace ecf8::simt {

class SharedVariables {
public:
  /// Gives each shared variable of `module` its place, and says so in `result`.
  Status place(llvm::Module &module, RetargetedModule &result);
  /// Computes the addresses that the function uses.
  void replaceUses(FunctionEmitter &emitter) const;
  /// To be called when no function uses them any more.
  void erase();

private:
  struct Variable {
    llvm::GlobalVariable *variable;
    uint32_t offset;
  };
  std::vector<Variable> variables;
};

} // namespace ecf8::simt

#endif // ECF8_SIMT_SHAREDVARIABLES_H
