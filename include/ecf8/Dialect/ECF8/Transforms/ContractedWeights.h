// Which weights contractions read, before it is known how they are encoded.
#ifndef ECF8_DIALECT_ECF8_TRANSFORMS_CONTRACTEDWEIGHTS_H
#define ECF8_DIALECT_ECF8_TRANSFORMS_CONTRACTEDWEIGHTS_H

#include "ecf8/Dialect/ECF8/IR/ECF8.h"
#include "mlir/IR/BuiltinOps.h"

namespace mlir::ecf8 {

/// Whether `weights`, FP8 tensors of one type that hold the same weight, are read by contractions alone that
/// `ecf8-fuse-decode` takes if the weight is stored in tiles of 32 rows, and by one at least. With `isTransposed` the
/// weight is stored with the last two dimensions of the tensors exchanged.
bool areContracted(ArrayRef<Value> weights, bool isTransposed = false);

/// The globals of FP8 tensors in `module` whose loads are so.
DenseSet<Operation *> findContractedGlobals(ModuleOp module);

} // namespace mlir::ecf8

#endif // ECF8_DIALECT_ECF8_TRANSFORMS_CONTRACTEDWEIGHTS_H
