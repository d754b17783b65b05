// Rewrites a module for the NVPTX backend into one for this machine.
#ifndef ECF8_SIMT_RETARGET_H
#define ECF8_SIMT_RETARGET_H

#include "InlineAsm.h"
#include "Runtime.h"

#include <llvm/IR/Module.h>

#include <deque>
#include <set>

namespace ecf8::simt {

struct SharedVariable {
  std::string name;
  uint32_t offset, sizeBytes; ///< in the block's shared memory
};

struct RetargetedKernel {
  std::string name, entry; ///< entry: the symbol of `void(void *const *parameters)`
  size_t numParameters;
  uint32_t maxThreads;
  uint32_t required[3];
};

struct RetargetedModule {
  std::vector<RetargetedKernel> kernels;
  std::vector<SharedVariable> shared;
  uint32_t staticSharedBytes = 0;
  uint32_t dynamicAlignment = 0; ///< 0: no dynamic area
  std::deque<CallSite> sites;    ///< compiled code holds their addresses
  std::deque<AsmProgram> programs;
  std::set<std::string> ops;
  std::vector<std::string> globals; ///< symbols of variables that are not shared
};

/// Rewrites `module` in place. Errors name everything that is not known here.
Result<RetargetedModule> retarget(llvm::Module &module, const llvm::DataLayout &layout, bool check);

/// Adds the function that loads a kernel's parameters from memory and calls it; the kernel becomes an ordinary
/// function.
RetargetedKernel addEntry(llvm::Function &kernel);

/// Functions of the C library and of libdevice that compiled code may call: name and address, null for others.
void *findLibraryFunction(std::string_view name);

} // namespace ecf8::simt

#endif // ECF8_SIMT_RETARGET_H
