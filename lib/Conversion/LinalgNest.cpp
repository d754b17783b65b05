// Emits the loops around the blocks of a structured op: the parallel ones, and those of tails.
#include "LinalgBlock.h"

#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace mlir::ecf8;

namespace {

class NestEmitter : private BlockEmitter {
public:
  using BlockEmitter::BlockEmitter;

  void emit();

private:
  void emitRows();
  void emitLanes(int64_t rows);
  void emitLaneRange(Value begin, unsigned dim, ArrayRef<Piece> widths);
  void ifBlockFits(unsigned dim, int64_t extent, function_ref<void()> full, function_ref<void()> rest);
};

} // namespace

void NestEmitter::emit() {
  for (Range range : op.createLoopRanges(builder, op.getLoc()))
    sizes.push_back(getValueOrCreateConstantIndexOp(builder, op.getLoc(), range.size));
  if (plan.outerDims.empty() && !plan.isAlwaysLoop)
    return emitRows();

  SmallVector<Value> lower, upper, step;
  for (unsigned dim : plan.outerDims) {
    lower.push_back(index(0));
    upper.push_back(sizes[dim]);
    int64_t extent = dim == plan.laneDim ? plan.vectors * plan.lanes : dim == plan.rowDim ? plan.rows : 1;
    step.push_back(index(extent));
  }
  if (plan.outerDims.empty()) {
    lower.push_back(index(0));
    upper.push_back(index(1));
    step.push_back(index(1));
  }
  auto loop = scf::ParallelOp::create(builder, lower, upper, step);
  loop->setAttr("ecf8.grain", builder.getI64IntegerAttr(plan.grain));
  builder.setInsertionPointToStart(loop.getBody());
  for (auto [dim, variable] : llvm::zip(plan.outerDims, loop.getInductionVars()))
    variables[dim] = variable;
  emitRows();
}

/// Emits `full` where `extent` iterations of `dim` remain, and `rest` otherwise; only what can happen.
void NestEmitter::ifBlockFits(unsigned dim, int64_t extent, function_ref<void()> full, function_ref<void()> rest) {
  if (!ShapedType::isDynamic(staticSizes[dim]) && staticSizes[dim] % extent == 0)
    return full();
  Value end = addIndex(variables[dim], extent);
  Value fits = arith::CmpIOp::create(builder, arith::CmpIPredicate::sle, end, sizes[dim]);
  auto branch = scf::IfOp::create(builder, fits, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(branch.thenBlock());
  full();
  builder.setInsertionPointToStart(branch.elseBlock());
  rest();
}

void NestEmitter::emitRows() {
  if (!plan.rowDim || plan.rows == 1)
    return emitLanes(plan.rowDim ? 1 : plan.rows);
  unsigned dim = *plan.rowDim;
  ifBlockFits(
      dim, plan.rows, [&] { emitLanes(plan.rows); },
      [&] {
        if (int64_t size = staticSizes[dim]; !ShapedType::isDynamic(size))
          return emitLanes(size % plan.rows);
        // Half blocks, then single rows.
        Value begin = variables[dim];
        for (int64_t rows : {plan.rows / 2, int64_t(1)}) {
          if (rows == 0)
            continue;
          Value remaining = arith::SubIOp::create(builder, sizes[dim], begin);
          Value end = arith::AddIOp::create(builder, begin, roundedDown(remaining, rows));
          auto loop = scf::ForOp::create(builder, begin, end, index(rows));
          OpBuilder::InsertionGuard guard(builder);
          builder.setInsertionPointToStart(loop.getBody());
          variables[dim] = loop.getInductionVar();
          emitLanes(rows);
          begin = end;
          if (rows == 1)
            break;
        }
      });
}

void NestEmitter::emitLanes(int64_t rows) {
  if (!plan.laneDim || plan.lanes * plan.vectors == 1) {
    if (!lanesAreInner())
      return emitBlock({rows, 1, 1});
  }
  unsigned dim = *plan.laneDim;
  SmallVector<Piece> widths;
  if (plan.lanes > 1)
    widths.push_back({rows, 1, plan.lanes});
  if (plan.lanes > 4)
    widths.push_back({rows, 1, 4});
  widths.push_back({rows, 1, 1});
  if (lanesAreInner())
    return emitLaneRange(index(0), dim, widths);
  ifBlockFits(
      dim, plan.vectors * plan.lanes, [&] { emitBlock({rows, plan.vectors, plan.lanes}); },
      [&] { emitLaneRange(variables[dim], dim, widths); });
}

/// Covers laneDim from `begin` to its end with blocks of each of `widths` in turn, widest first.
void NestEmitter::emitLaneRange(Value begin, unsigned dim, ArrayRef<Piece> widths) {
  int64_t size = staticSizes[dim];
  Value saved = variables[dim];
  for (auto [position, width] : llvm::enumerate(widths)) {
    // Multiples of the previous, wider block are covered.
    int64_t left = ShapedType::isDynamic(size) ? size : position == 0 ? size : size % widths[position - 1].lanes;
    if (!ShapedType::isDynamic(size) && left < width.lanes)
      continue;
    Value end = sizes[dim];
    if (width.lanes > 1) {
      Value remaining = arith::SubIOp::create(builder, sizes[dim], begin);
      end = arith::AddIOp::create(builder, begin, roundedDown(remaining, width.lanes));
    }
    auto loop = scf::ForOp::create(builder, begin, end, index(width.lanes));
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(loop.getBody());
    variables[dim] = loop.getInductionVar();
    emitBlock(width);
    begin = end;
  }
  variables[dim] = saved;
}

void mlir::ecf8::emitNest(linalg::LinalgOp op, const NestPlan &plan, ArrayRef<Value> firstSums) {
  NestEmitter(op, plan, firstSums).emit();
  op->erase();
}
