// Conversions between small floats and f32 or f64 as integer ops: exact, branch-free, the same for scalars and vectors.
#ifndef ECF8_LIB_CONVERSION_SMALLFLOAT_H
#define ECF8_LIB_CONVERSION_SMALLFLOAT_H

#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"

namespace mlir::ecf8 {

/// `value` (f8E4M3FN, f8E5M2, f8E8M0FNU, f16, bf16, or a vector of them) as `resultElement` (f16, bf16, f32 or f64),
/// exactly; but f8E8M0FNU, whose range f16 does not have, is rounded to it. A NaN keeps its sign and its payload and is
/// quiet, except that bf16 to f32 moves the bits only. The result does not depend on whether the CPU flushes
/// subnormals.
Value extendSmallFloat(ImplicitLocOpBuilder &builder, Value value, FloatType resultElement);

/// `value` (f32 or f64, or a vector of them) rounded to `resultElement` (f8E4M3FN, f8E5M2, f16 or bf16), to the nearest
/// with ties to even, as llvm::APFloat::convert does: what is too large becomes infinity, or NaN in f8E4M3FN, which has
/// no infinity; a NaN keeps its sign and the upper bits of its payload and is quiet.
Value roundToSmallFloat(ImplicitLocOpBuilder &builder, Value value, FloatType resultElement);

} // namespace mlir::ecf8

#endif // ECF8_LIB_CONVERSION_SMALLFLOAT_H
