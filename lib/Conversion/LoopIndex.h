// The iterations of a parallel loop by one number, for loops whose body becomes a function or a kernel of its own.
#ifndef ECF8_LIB_CONVERSION_LOOPINDEX_H
#define ECF8_LIB_CONVERSION_LOOPINDEX_H

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

#include "llvm/ADT/SetVector.h"

namespace mlir::ecf8 {

struct IterationCounts {
  SmallVector<Value> counts; ///< of each dimension
  Value total;               ///< their product
};

/// Computes how many iterations each dimension of `loop` has, at least 0; what is constant is folded.
IterationCounts countIterations(ImplicitLocOpBuilder &builder, scf::ParallelOp loop);

/// What code outside of `loop` needs to run its iterations: the values from above that its body reads, and those that
/// `mapInductionVariables` does.
llvm::SetVector<Value> getCapturedValues(scf::ParallelOp loop, ArrayRef<Value> counts);

/// Takes iteration `linear` apart, last dimension fastest, and maps the induction variables of `loop` to their values.
/// `mapping` has the captured values.
void mapInductionVariables(ImplicitLocOpBuilder &builder, scf::ParallelOp loop, ArrayRef<Value> counts, Value linear,
                           IRMapping &mapping);

} // namespace mlir::ecf8

#endif // ECF8_LIB_CONVERSION_LOOPINDEX_H
