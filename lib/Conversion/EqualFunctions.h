// Functions with equal bodies: the layers of a model share their code.
#ifndef ECF8_LIB_CONVERSION_EQUALFUNCTIONS_H
#define ECF8_LIB_CONVERSION_EQUALFUNCTIONS_H

#include "mlir/IR/OperationSupport.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include <map>

namespace mlir::ecf8 {

/// Functions by what they do. Where in a program they come from makes no difference.
class EqualFunctions {
public:
  /// A function added before that is equal to `function`; or null, and `function` is added.
  Operation *findOrAdd(FunctionOpInterface function) {
    llvm::hash_code hash = 0;
    function.getFunctionBody().walk([&](Operation *op) {
      hash = llvm::hash_combine(hash, OperationEquivalence::computeHash(op, OperationEquivalence::ignoreHashValue,
                                                                        OperationEquivalence::ignoreHashValue,
                                                                        OperationEquivalence::IgnoreLocations));
    });
    SmallVector<FunctionOpInterface> &sameHash = functions[hash];
    for (FunctionOpInterface other : sameHash)
      if (OperationEquivalence::isRegionEquivalentTo(&function.getFunctionBody(), &other.getFunctionBody(),
                                                     OperationEquivalence::IgnoreLocations))
        return other;
    sameHash.push_back(function);
    return nullptr;
  }

private:
  std::map<size_t, SmallVector<FunctionOpInterface>> functions;
};

} // namespace mlir::ecf8

#endif // ECF8_LIB_CONVERSION_EQUALFUNCTIONS_H
