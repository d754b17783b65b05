// The table of GPU architectures. Shared memory: CUDA C++ Programming Guide, "Compute Capabilities", maximum per block.
#include "ecf8/Conversion/Architectures.h"
#include "llvm/ADT/STLExtras.h"

using namespace mlir::ecf8;

static constexpr Architecture kArchitectures[] = {
    {"sm_80", "+ptx80", false, false, false, 163 * 1024, true},
    {"sm_89", "+ptx84", true, true, false, 99 * 1024, true},
    {"sm_90", "+ptx84", true, true, false, 227 * 1024, true},
    {"sm_90a", "+ptx84", true, true, true, 227 * 1024, false},
    {"sm_100", "+ptx86", true, true, false, 227 * 1024, true},
};

llvm::ArrayRef<Architecture> mlir::ecf8::getArchitectures() { return kArchitectures; }

const Architecture *mlir::ecf8::findArchitecture(llvm::StringRef name) {
  const Architecture *found = llvm::find_if(kArchitectures, [&](const Architecture &a) { return a.name == name; });
  return found == std::end(kArchitectures) ? nullptr : found;
}
