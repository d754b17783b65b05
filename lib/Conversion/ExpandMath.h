// Which functions of libm the compiler writes out itself.
#ifndef ECF8_CONVERSION_EXPANDMATH_H
#define ECF8_CONVERSION_EXPANDMATH_H

#include "mlir/IR/Operation.h"

namespace mlir::ecf8 {

/// Whether `ecf8-expand-math` turns `op` into arithmetic: its element type and its kind are ones that it knows.
bool isExpandedMath(Operation *op);

} // namespace mlir::ecf8

#endif // ECF8_CONVERSION_EXPANDMATH_H
