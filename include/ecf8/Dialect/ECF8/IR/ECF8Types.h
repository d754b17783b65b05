// The types of the ecf8 dialect.
#ifndef ECF8_DIALECT_ECF8_IR_ECF8TYPES_H
#define ECF8_DIALECT_ECF8_IR_ECF8TYPES_H

#include "ecf8/Dialect/ECF8/IR/ECF8Attributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Types.h"

#define GET_TYPEDEF_CLASSES
#include "ecf8/Dialect/ECF8/IR/ECF8Types.h.inc"

namespace mlir::ecf8 {

/// No tensor has that many elements or bytes.
inline constexpr int64_t kCountLimit = int64_t{1} << 56;

/// Whether a tensor of `shape` has less than `kCountLimit` elements, so that no count of its elements or bytes
/// overflows. Dynamic and empty dimensions count as 1.
bool isCountable(ArrayRef<int64_t> shape);

} // namespace mlir::ecf8

#endif // ECF8_DIALECT_ECF8_IR_ECF8TYPES_H
