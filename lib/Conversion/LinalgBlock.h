// The code of one block of a loop nest (LinalgNest.h), in vectors or scalars.
#ifndef ECF8_LIB_CONVERSION_LINALGBLOCK_H
#define ECF8_LIB_CONVERSION_LINALGBLOCK_H

#include "LinalgNest.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

namespace mlir::ecf8 {

/// Emits blocks; the loops around them are those of whoever derives from it.
class BlockEmitter {
public:
  BlockEmitter(linalg::LinalgOp op, const NestPlan &plan, ArrayRef<Value> firstSums)
      : op(op), plan(plan), firstSums(firstSums), builder(op.getLoc(), op.getOperation()),
        staticSizes(op.getStaticLoopRanges()), variables(staticSizes.size()) {}

protected:
  /// Code for part of a block: `rows` rows from variables[rowDim] on and `vectors` vectors of `lanes` from
  /// variables[laneDim] on.
  struct Piece {
    int64_t rows, vectors, lanes;
    int64_t size() const { return rows * vectors; }
  };

  void emitBlock(Piece block);

  Value index(int64_t value) { return arith::ConstantIndexOp::create(builder, value); }
  Value addIndex(Value value, int64_t amount) {
    return amount == 0 ? value : Value(arith::AddIOp::create(builder, value, index(amount)));
  }
  /// The greatest multiple of `unit` up to `value`.
  Value roundedDown(Value value, int64_t unit) {
    return arith::MulIOp::create(builder, arith::DivUIOp::create(builder, value, index(unit)), index(unit));
  }
  bool lanesAreInner() const { return plan.laneDim && llvm::is_contained(plan.innerDims, *plan.laneDim); }

  linalg::LinalgOp op;
  const NestPlan &plan;
  ArrayRef<Value> firstSums;
  ImplicitLocOpBuilder builder;
  SmallVector<int64_t> staticSizes;
  SmallVector<Value> sizes;     ///< of each loop dimension; to be set before a block is emitted
  SmallVector<Value> variables; ///< of each loop dimension, as far as its loop is open

private:
  bool hasReductions() { return op.getNumReductionLoops() > 0; }

  SmallVector<Value> emitInnerLoops(Piece block, ArrayRef<unsigned> dims, SmallVector<Value> accumulators,
                                    SmallVector<Value> &loaded);
  SmallVector<Value> emitTransposedBlocks(Piece block, SmallVector<Value> accumulators, ArrayRef<Value> loaded,
                                          Value end);
  SmallVector<Value> emitBody(Piece block, ArrayRef<Value> accumulators, ArrayRef<Value> loaded);
  SmallVector<Value> cloneBody(Piece block, int64_t row, int64_t vector, ArrayRef<Value> arguments);

  /// The slot of an operand's value for one row and vector; operands that do not vary share a slot.
  size_t slot(Piece block, OpOperand &operand, int64_t row, int64_t vector);
  void loadInputs(Piece block, SmallVector<Value> &loaded, bool beforeInnerLoops);
  Value load(Piece block, OpOperand &operand, int64_t row, int64_t vector);
  void store(Piece block, OpOperand &operand, int64_t row, int64_t vector, Value value);
  SmallVector<Value> indices(OpOperand &operand, int64_t row, int64_t laneOffset);
  Value broadcast(Value scalar, int64_t lanes);
};

} // namespace mlir::ecf8

#endif // ECF8_LIB_CONVERSION_LINALGBLOCK_H
