// What both kinds of arithmetic share.
#include "StepArithmetic.h"
#include "mlir/IR/TypeUtilities.h"

using namespace mlir;
using namespace mlir::ecf8;

Value mlir::ecf8::extendToF32(LaneBuilder &b, Value value) {
  Type f32 = b.getF32Type(), type = f32;
  if (auto vector = dyn_cast<VectorType>(value.getType()))
    type = vector.clone(f32);
  return value.getType() == type ? value : arith::ExtFOp::create(b, type, value).getResult();
}

Value mlir::ecf8::rowOfLane(LaneBuilder &b, Value lane) { return b.add(b.shrU(lane, 1), b.shl(b.andI(lane, 1), 4)); }

Value ScaleOperands::apply(LaneBuilder &b, Value vector, Value scales) const {
  if (divides)
    return arith::DivFOp::create(b, vector, scales);
  return arith::MulFOp::create(b, vector, scales);
}

void ScaleOperands::storeRowScales(LaneBuilder &b, Value strip, Value rows, Value buffer, Value at,
                                   int64_t copies) const {
  Value lastRow = b.sub(rows, b.index(1)), firstRow = b.mul(strip, kStripRows);
  b.forRange(b.index(kStripRows), [&](Value lane) {
    // Rows that the strip lacks take the last one's: their sums go nowhere.
    Value row = b.minU(b.add(firstRow, rowOfLane(b, lane)), lastRow);
    Value own = extendToF32(b, memref::LoadOp::create(b, scale, ValueRange{row, b.index(0)}));
    for (int64_t copy = 0; copy < copies; ++copy)
      memref::StoreOp::create(b, own, buffer, ValueRange{b.add(b.add(at, b.mul(lane, copies)), copy)});
  });
}

Value ScaleOperands::loadBlockScale(LaneBuilder &b, Value strip, Value column) const {
  Value row = arith::DivUIOp::create(b, b.mul(strip, kStripRows), blockRows);
  Value own = memref::LoadOp::create(b, scale, ValueRange{row, arith::DivUIOp::create(b, column, blockColumns)});
  return extendToF32(b, own);
}

void ScaleOperands::ifScaleChanges(LaneBuilder &b, Value column, Value blockColumn,
                                   llvm::function_ref<void()> body) const {
  Value first = b.compare(arith::CmpIPredicate::eq, blockColumn, 0);
  Value begins = b.compare(arith::CmpIPredicate::eq, arith::RemUIOp::create(b, column, blockColumns), 0);
  auto branch = scf::IfOp::create(b, TypeRange{}, b.orI(first, begins), /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(branch.thenBlock());
  body();
}
