// The operations of the ecf8 dialect.
#ifndef ECF8_DIALECT_ECF8_IR_ECF8OPS_H
#define ECF8_DIALECT_ECF8_IR_ECF8OPS_H

#include "ecf8/Dialect/ECF8/IR/ECF8Dialect.h"
#include "ecf8/Dialect/ECF8/IR/ECF8Types.h"
#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/Dialect/Bufferization/IR/BufferizableOpInterface.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/ControlFlowInterfaces.h"
#include "mlir/Interfaces/DestinationStyleOpInterface.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#define GET_OP_CLASSES
#include "ecf8/Dialect/ECF8/IR/ECF8Ops.h.inc"

namespace mlir::ecf8 {

/// The bytes of a payload attribute, or an empty range where they are not stored (elided resource, splat).
llvm::ArrayRef<char> getPayloadBytes(ElementsAttr payload);

/// What a compressed value is called where it is a global: its key in the weights file, or its symbol. Else empty.
llvm::StringRef getWeightName(Value compressed);

} // namespace mlir::ecf8

#endif // ECF8_DIALECT_ECF8_IR_ECF8OPS_H
