// Registration of the dialect's bytecode encoding.
#ifndef ECF8_LIB_DIALECT_ECF8_IR_ECF8BYTECODEINTERFACE_H
#define ECF8_LIB_DIALECT_ECF8_IR_ECF8BYTECODEINTERFACE_H

namespace mlir::ecf8 {

class ECF8Dialect;

/// Adds the versioned bytecode encoding of attributes and types to `dialect`.
void addBytecodeInterface(ECF8Dialect &dialect);

} // namespace mlir::ecf8

#endif // ECF8_LIB_DIALECT_ECF8_IR_ECF8BYTECODEINTERFACE_H
