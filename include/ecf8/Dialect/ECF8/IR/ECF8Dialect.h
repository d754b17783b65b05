// The ecf8 dialect.
#ifndef ECF8_DIALECT_ECF8_IR_ECF8DIALECT_H
#define ECF8_DIALECT_ECF8_IR_ECF8DIALECT_H

#include "mlir/IR/Dialect.h"

#include "ecf8/Dialect/ECF8/IR/ECF8Dialect.h.inc"

#endif // ECF8_DIALECT_ECF8_IR_ECF8DIALECT_H
