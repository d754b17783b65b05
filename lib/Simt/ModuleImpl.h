// A loaded module: compiled kernels, and where its shared memory lies.
#ifndef ECF8_SIMT_MODULEIMPL_H
#define ECF8_SIMT_MODULEIMPL_H

#include "Retarget.h"

#include <llvm/ExecutionEngine/Orc/LLJIT.h>

#include <map>

namespace ecf8::simt {

struct KernelImpl {
  std::string name;
  const ModuleImpl *module = nullptr;
  void (*entry)(void *const *parameters) = nullptr;
  size_t numParameters = 0;
  uint32_t maxThreads = 0;   ///< 0: not declared
  uint32_t required[3] = {}; ///< block shape; 0: not declared
};

struct ModuleImpl {
  std::string name;
  bool check = false;
  RetargetedModule info;
  std::unique_ptr<llvm::orc::LLJIT> jit;
  std::map<std::string, std::unique_ptr<KernelImpl>, std::less<>> kernels;
  std::map<std::string, std::pair<void *, size_t>, std::less<>> globals;

  ~ModuleImpl();
  /// Where the dynamic area lies. Without one, the end of the static variables.
  uint32_t dynamicSharedOffset(uint32_t dynamicSharedBytes) const;
  /// [begin, end) of what is declared in shared memory.
  std::vector<std::pair<uint32_t, uint32_t>> sharedObjects(uint32_t dynamicSharedBytes) const;
};

} // namespace ecf8::simt

#endif // ECF8_SIMT_MODULEIMPL_H
