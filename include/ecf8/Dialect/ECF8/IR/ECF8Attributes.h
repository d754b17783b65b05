// The encodings of the ecf8 dialect and the interface that they implement.
#ifndef ECF8_DIALECT_ECF8_IR_ECF8ATTRIBUTES_H
#define ECF8_DIALECT_ECF8_IR_ECF8ATTRIBUTES_H

#include "mlir/IR/Attributes.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/OpImplementation.h"

#include "ecf8/Dialect/ECF8/IR/ECF8Enums.h.inc"

#include "ecf8/Dialect/ECF8/IR/ECF8AttrInterfaces.h.inc"

#define GET_ATTRDEF_CLASSES
#include "ecf8/Dialect/ECF8/IR/ECF8Attributes.h.inc"

#endif // ECF8_DIALECT_ECF8_IR_ECF8ATTRIBUTES_H
