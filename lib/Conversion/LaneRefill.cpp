// Windows of 32 bits in AVX2 registers: opening a tile and refilling lanes from the interleaved stream.
#include "LaneRefill.h"

using namespace mlir;
using namespace mlir::ecf8;

static constexpr int64_t width = 8, laneCount = 32;

Value mlir::ecf8::lanePatternTable(LaneBuilder &b) {
  constexpr llvm::StringLiteral name = "ecf8_lane_patterns";
  auto module = b.getBlock()->getParentOp()->getParentOfType<ModuleOp>();
  auto type = MemRefType::get({257 * width}, b.getI8Type());
  if (!module.lookupSymbol(name)) {
    SmallVector<uint8_t> rows;
    for (unsigned mask = 0; mask < 256; ++mask)
      for (unsigned lane = 0; lane < width; ++lane)
        rows.push_back(llvm::popcount(mask & ((1u << lane) - 1)));
    rows.append(width, 0);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(module.getBody());
    auto values = DenseElementsAttr::get(RankedTensorType::get(type.getShape(), b.getI8Type()), ArrayRef(rows));
    memref::GlobalOp::create(b, name, b.getStringAttr("private"), type, values, /*constant=*/true,
                             b.getI64IntegerAttr(64));
  }
  return memref::GetGlobalOp::create(b, type, name);
}

SmallVector<Value> mlir::ecf8::openLaneGroups(LaneBuilder &b, const StreamView &stream, Value at) {
  Value second = b.minU(b.add(at, 2 * laneCount), stream.lastIndex);
  SmallVector<Value> state{b.minU(b.add(second, 2 * laneCount), stream.lastIndex)};
  auto lanes = VectorType::get({width}, b.getI32Type());
  for (int64_t group = 0; group < laneCount / width; ++group) {
    auto load = [&](Value base) {
      Value raw = b.loadBytes(stream.payload, b.add(base, 2 * width * group), 2 * width);
      return b.extend(b.bitcast(raw, b.words(width)), lanes);
    };
    state.push_back(b.orI(load(at), b.shl(load(second), 16)));
    state.push_back(b.constant(lanes, 0));
  }
  return state;
}

void mlir::ecf8::refillGroup(LaneBuilder &b, const StreamView &stream, Value patterns, Value &word, Value &position,
                             Value &pointer, Value moved) {
  auto lanes = cast<VectorType>(word.getType());
  Value spent = b.compare(arith::CmpIPredicate::ne, b.andI(moved, 16), 0);
  Value spentBits = vector::ExtractOp::create(
      b, vector::BitCastOp::create(b, VectorType::get({1}, b.getI8Type()), spent).getResult(), ArrayRef<int64_t>{0});
  Value pattern = b.loadBytes(patterns, b.mul(b.toIndex(spentBits), width), width);
  Value raw = b.extend(b.bitcast(b.loadBytes(stream.payload, pointer, 2 * width), b.words(width)), lanes);
  Value next = b.intrinsic("llvm.x86.avx2.permd", lanes, {raw, b.extend(pattern, lanes)});
  word = b.select(spent, b.orI(b.shrU(word, 16), b.shl(next, 16)), word);
  position = b.andI(moved, 15);
  Value count = b.intrinsic("llvm.ctpop", b.getI32Type(), b.extend(spentBits, b.getI32Type()));
  pointer = b.minU(b.add(pointer, b.shl(b.toIndex(count), 1)), stream.lastIndex);
}

Value mlir::ecf8::concatenate(LaneBuilder &b, Value low, Value high) {
  int64_t size = cast<VectorType>(low.getType()).getNumElements();
  SmallVector<int64_t> order;
  for (int64_t i = 0; i < 2 * size; ++i)
    order.push_back(i);
  return vector::ShuffleOp::create(b, low, high, order);
}
