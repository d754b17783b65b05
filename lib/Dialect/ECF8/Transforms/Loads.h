// Where loads of globals go.
#ifndef ECF8_LIB_DIALECT_ECF8_TRANSFORMS_LOADS_H
#define ECF8_LIB_DIALECT_ECF8_TRANSFORMS_LOADS_H

#include "ecf8/Dialect/ECF8/IR/ECF8.h"

namespace mlir::ecf8 {

/// The place in an entry block behind the loads that it begins with, so that loads stand in the order of insertion.
inline Block::iterator getLoadInsertionPoint(Block &entry) {
  return llvm::find_if(entry, [](Operation &op) { return !isa<GlobalLoadOp>(op); });
}

} // namespace mlir::ecf8

#endif // ECF8_LIB_DIALECT_ECF8_TRANSFORMS_LOADS_H
