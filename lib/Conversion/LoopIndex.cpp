// Counts the iterations of parallel loops, and computes induction variables from a linear index.
#include "LoopIndex.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Transforms/RegionUtils.h"

using namespace mlir;
using namespace mlir::ecf8;

IterationCounts mlir::ecf8::countIterations(ImplicitLocOpBuilder &builder, scf::ParallelOp loop) {
  IterationCounts result;
  result.total = arith::ConstantIndexOp::create(builder, 1);
  for (auto [lower, upper, step] : llvm::zip(loop.getLowerBound(), loop.getUpperBound(), loop.getStep())) {
    // Folded here: a constant count is made again in the body.
    Value span = builder.createOrFold<arith::SubIOp>(upper, lower);
    Value zero = arith::ConstantIndexOp::create(builder, 0);
    Value positive = builder.createOrFold<arith::MaxSIOp>(span, zero);
    result.counts.push_back(builder.createOrFold<arith::CeilDivSIOp>(positive, step));
    result.total = builder.createOrFold<arith::MulIOp>(result.total, result.counts.back());
  }
  return result;
}

llvm::SetVector<Value> mlir::ecf8::getCapturedValues(scf::ParallelOp loop, ArrayRef<Value> counts) {
  llvm::SetVector<Value> captured;
  getUsedValuesDefinedAbove(loop.getRegion(), captured);
  captured.insert_range(loop.getLowerBound());
  captured.insert_range(loop.getStep());
  captured.insert_range(counts.drop_front()); // the slowest dimension is what the others leave
  return captured;
}

void mlir::ecf8::mapInductionVariables(ImplicitLocOpBuilder &builder, scf::ParallelOp loop, ArrayRef<Value> counts,
                                       Value linear, IRMapping &mapping) {
  for (size_t dimension = counts.size(); dimension-- > 0;) {
    Value position = linear;
    if (dimension > 0) {
      Value count = mapping.lookup(counts[dimension]);
      position = arith::RemUIOp::create(builder, linear, count);
      linear = arith::DivUIOp::create(builder, linear, count);
    }
    Value scaled = arith::MulIOp::create(builder, position, mapping.lookup(loop.getStep()[dimension]));
    Value variable = arith::AddIOp::create(builder, scaled, mapping.lookup(loop.getLowerBound()[dimension]));
    mapping.map(loop.getInductionVars()[dimension], variable);
  }
}
