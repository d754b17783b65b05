// Where loads of globals go.
#ifndef ECF8_LIB_DIALECT_ECF8_TRANSFORMS_LOADS_H
#define ECF8_LIB_DIALECT_ECF8_TRANSFORMS_LOADS_H

#include "ecf8/Dialect/ECF8/IR/ECF8.h"
#include "mlir/IR/SymbolTable.h"

namespace mlir::ecf8 {

/// The place in an entry block behind the loads that it begins with, so that loads stand in the order of insertion.
inline Block::iterator getLoadInsertionPoint(Block &entry) {
  return llvm::find_if(entry, [](Operation &op) { return !isa<GlobalLoadOp>(op); });
}

/// The loads of `global` with its own type, or nothing where anything else uses it.
inline std::optional<SmallVector<GlobalLoadOp>> getLoadsIfAlone(GlobalOp global, const SymbolUserMap &users) {
  SmallVector<GlobalLoadOp> loads;
  for (Operation *user : users.getUsers(global)) {
    auto load = dyn_cast<GlobalLoadOp>(user);
    if (!load || load.getType() != global.getType())
      return std::nullopt;
    loads.push_back(load);
  }
  return loads;
}

} // namespace mlir::ecf8

#endif // ECF8_LIB_DIALECT_ECF8_TRANSFORMS_LOADS_H
