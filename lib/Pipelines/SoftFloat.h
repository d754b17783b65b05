// The conversion that LLVM's x86 back end calls a function of libgcc for.
#ifndef ECF8_LIB_PIPELINES_SOFTFLOAT_H
#define ECF8_LIB_PIPELINES_SOFTFLOAT_H

#include "mlir/Support/LLVM.h"
#include "llvm/IR/Module.h"

namespace mlir::ecf8 {

/// Adds a hidden definition of `__truncdfhf2` (f64 to f16, to nearest, ties to even) to `module`, so that shared
/// objects need no compiler runtime library. For CPUs with F16C, which convert from f32 only; the linker drops it where
/// nothing calls it. Without F16C, `ecf8-expand-fp8` leaves no conversion of f16 to LLVM.
void addSoftFloatFunctions(llvm::Module &module);

} // namespace mlir::ecf8

#endif // ECF8_LIB_PIPELINES_SOFTFLOAT_H
