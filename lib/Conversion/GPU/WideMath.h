// Functions of floats as arithmetic in f64, for devices without a library of functions.
#ifndef ECF8_LIB_CONVERSION_GPU_WIDEMATH_H
#define ECF8_LIB_CONVERSION_GPU_WIDEMATH_H

#include "mlir/IR/Value.h"

namespace mlir::ecf8 {

/// Writes the function that `op` is, of scalars of f64, f32, f16 or bf16, in front of it: in f64, with an error of a
/// few units in the last place, rounded once to the type of the result. Zeros, infinities and NaN are as in C99, Annex
/// F. What it is made of are `arith` ops and those `math` ops that GPUs have instructions for: absf, copysign, floor,
/// fma, sqrt. Null where there is no such function.
Value emitWideMath(Operation *op);

} // namespace mlir::ecf8

#endif // ECF8_LIB_CONVERSION_GPU_WIDEMATH_H
