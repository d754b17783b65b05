// Loads, stores, adds and scales the sums of a strip.
#include "StripSums.h"
#include "CanonicalNaN.h"

using namespace mlir;
using namespace mlir::ecf8;

static VectorType halfType(LaneBuilder &b) { return VectorType::get({kHalfStrip}, b.getF32Type()); }

Value mlir::ecf8::zeroSums(LaneBuilder &b) {
  return arith::ConstantOp::create(b, DenseElementsAttr::get(halfType(b), 0.0f));
}

Value mlir::ecf8::loadSums(LaneBuilder &b, Value sums, Value at) {
  return vector::LoadOp::create(b, halfType(b), sums, ValueRange{at});
}

void mlir::ecf8::clearSums(LaneBuilder &b, Value sums, Value at) {
  for (int64_t half = 0; half < 2; ++half)
    vector::StoreOp::create(b, zeroSums(b), sums, ValueRange{b.add(at, half * kHalfStrip)});
}

void mlir::ecf8::scaleSums(LaneBuilder &b, const SumScaling &scaling, Value sums, Value at,
                           const std::array<Value, 2> &scales) {
  for (int64_t half = 0; half < 2; ++half) {
    Value place = b.add(at, half * kHalfStrip);
    Value scaled = scaling.apply(b, loadSums(b, sums, place), scales[half]);
    vector::StoreOp::create(b, scaled, sums, ValueRange{place});
  }
}

void mlir::ecf8::moveSums(LaneBuilder &b, Value out, Value row, Value strip, Value weightRows, Value sums, Value at,
                          Transfer transfer) {
  const bool toOut = transfer != Transfer::Load;
  Value first = b.mul(strip, kStripRows), count = b.sub(weightRows, first);
  auto branch = scf::IfOp::create(b, TypeRange{}, b.compare(arith::CmpIPredicate::uge, count, kStripRows),
                                  /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(branch.thenBlock());
  {
    Value from = toOut ? sums : out, to = toOut ? out : sums;
    std::array<SmallVector<Value>, 2> source, target;
    for (int64_t half = 0; half < 2; ++half) {
      SmallVector<Value> outer{row, b.add(first, half * kHalfStrip)}, inner{b.add(at, half * kHalfStrip)};
      source[half] = toOut ? inner : outer;
      target[half] = toOut ? outer : inner;
    }
    Value low = vector::LoadOp::create(b, halfType(b), from, source[0]);
    Value high = vector::LoadOp::create(b, halfType(b), from, source[1]);
    for (int64_t half = 0; half < 2; ++half) {
      SmallVector<int64_t> order; // rowOfLane and its inverse
      for (int64_t i = 0; i < kHalfStrip; ++i)
        order.push_back(toOut ? 2 * i + half : half * kHalfStrip / 2 + i / 2 + i % 2 * kHalfStrip);
      Value moved = vector::ShuffleOp::create(b, low, high, order);
      if (transfer == Transfer::Add)
        moved = arith::AddFOp::create(b, vector::LoadOp::create(b, halfType(b), to, target[half]), moved);
      if (toOut)
        moved = canonicalizeNaN(b, moved);
      vector::StoreOp::create(b, moved, to, target[half]);
    }
  }
  b.setInsertionPointToStart(branch.elseBlock());
  b.forRange(count, [&](Value r) {
    Value lane = b.add(b.shl(b.andI(r, 15), 1), b.shrU(r, 4));
    SmallVector<Value> outer{row, b.add(first, r)}, inner{b.add(at, lane)};
    Value moved = memref::LoadOp::create(b, toOut ? sums : out, toOut ? inner : outer);
    if (transfer == Transfer::Add)
      moved = arith::AddFOp::create(b, memref::LoadOp::create(b, out, outer), moved);
    if (toOut)
      moved = canonicalizeNaN(b, moved);
    memref::StoreOp::create(b, moved, toOut ? out : sums, toOut ? outer : inner);
  });
}

void mlir::ecf8::finishSums(LaneBuilder &b, const ContractionOperands &operands, Value row, Value strip,
                            Value weightRows, Value sums, Value at) {
  Value first = b.mul(strip, kStripRows);
  Value any = memref::CastOp::create(b, MemRefType::get({ShapedType::kDynamic}, b.getF32Type()), sums);
  SmallVector<Value> arguments{operands.out};
  llvm::append_range(arguments, operands.extra);
  arguments.append({row, first, b.sub(weightRows, first), any, at});
  func::CallOp::create(b, operands.epilogue, arguments);
}
