// Everything of the ecf8 dialect.
#ifndef ECF8_DIALECT_ECF8_IR_ECF8_H
#define ECF8_DIALECT_ECF8_IR_ECF8_H

#include "ecf8/Dialect/ECF8/IR/ECF8Attributes.h"
#include "ecf8/Dialect/ECF8/IR/ECF8Dialect.h"
#include "ecf8/Dialect/ECF8/IR/ECF8Ops.h"
#include "ecf8/Dialect/ECF8/IR/ECF8Types.h"

#endif // ECF8_DIALECT_ECF8_IR_ECF8_H
