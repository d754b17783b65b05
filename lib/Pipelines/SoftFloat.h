// The conversions that LLVM's x86 back end calls functions for where an instruction set has no instruction.
#ifndef ECF8_LIB_PIPELINES_SOFTFLOAT_H
#define ECF8_LIB_PIPELINES_SOFTFLOAT_H

#include "mlir/Support/LLVM.h"
#include "llvm/IR/Module.h"

namespace mlir::ecf8 {

/// Adds hidden definitions of the f16 and bf16 conversion functions of libgcc (`__truncsfhf2` and so on) to `module`,
/// so that shared objects need no compiler runtime library. Round to nearest even, as in hardware; the linker drops
/// those that nothing calls.
void addSoftFloatFunctions(llvm::Module &module);

} // namespace mlir::ecf8

#endif // ECF8_LIB_PIPELINES_SOFTFLOAT_H
