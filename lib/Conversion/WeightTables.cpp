// Tables of bf16 values by FP8 magnitude.
#include "WeightTables.h"
#include "llvm/ADT/APFloat.h"

using namespace mlir;
using namespace mlir::ecf8;

static constexpr int64_t magnitudes = 128, tableBytes = 2 * magnitudes;

static APFloat valueOf(FloatType elementType, unsigned magnitude, const llvm::fltSemantics &semantics) {
  APFloat value(elementType.getFloatSemantics(), APInt(8, magnitude));
  bool losesInfo;
  value.convert(semantics, APFloat::rmNearestTiesToEven, &losesInfo);
  return value;
}

WeightTable mlir::ecf8::constantWeightTable(LaneBuilder &b, FloatType elementType) {
  SmallVector<uint8_t> low, high;
  for (unsigned magnitude = 0; magnitude < magnitudes; ++magnitude) {
    uint64_t bits = valueOf(elementType, magnitude, APFloat::BFloat()).bitcastToAPInt().getZExtValue();
    low.push_back(bits & 0xff);
    high.push_back(bits >> 8);
  }
  WeightTable table;
  for (unsigned part = 0; part < 2; ++part) {
    table.low[part] = b.byteVector(ArrayRef(low).slice(64 * part, 64));
    table.high[part] = b.byteVector(ArrayRef(high).slice(64 * part, 64));
  }
  return table;
}

Value mlir::ecf8::allocateTable(LaneBuilder &b, unsigned tableCount) {
  return b.stackBuffer(tableCount * tableBytes, b.getI8Type());
}

void mlir::ecf8::storeScaledTable(LaneBuilder &b, FloatType elementType, const ScaleOperands &scale, Value factor,
                                  Value buffer, unsigned index) {
  auto f32 = VectorType::get({kHalfStrip}, b.getF32Type()), bf16 = f32.clone(b.getBF16Type());
  factor = vector::BroadcastOp::create(b, f32, factor);
  SmallVector<int64_t> evenBytes, oddBytes;
  for (int64_t byte = 0; byte < 128; byte += 2) {
    evenBytes.push_back(byte);
    oddBytes.push_back(byte + 1);
  }
  for (int64_t part = 0; part < 2; ++part) {
    std::array<Value, 2> words; // 32 values each
    for (int64_t quarter = 0; quarter < 4; ++quarter) {
      SmallVector<APFloat> values;
      for (int64_t i = 0; i < kHalfStrip; ++i)
        values.push_back(valueOf(elementType, part * 64 + quarter * kHalfStrip + i, APFloat::IEEEsingle()));
      Value unscaled = arith::ConstantOp::create(b, DenseElementsAttr::get(f32, values));
      Value rounded = arith::TruncFOp::create(b, bf16, scale.apply(b, unscaled, factor));
      Value bytes = b.bitcast(arith::BitcastOp::create(b, b.words(kHalfStrip), rounded), b.bytes(32));
      SmallVector<int64_t> both = llvm::to_vector(llvm::seq<int64_t>(0, 64));
      words[quarter / 2] =
          quarter % 2 == 0 ? bytes : vector::ShuffleOp::create(b, words[quarter / 2], bytes, both).getResult();
    }
    int64_t at = index * tableBytes + part * 64;
    b.storeBytes(vector::ShuffleOp::create(b, words[0], words[1], evenBytes), buffer, b.index(at));
    b.storeBytes(vector::ShuffleOp::create(b, words[0], words[1], oddBytes), buffer, b.index(at + magnitudes));
  }
}

WeightTable mlir::ecf8::loadTable(LaneBuilder &b, Value buffer, unsigned index) {
  WeightTable table;
  for (int64_t part = 0; part < 2; ++part) {
    int64_t at = index * tableBytes + part * 64;
    table.low[part] = b.loadBytes(buffer, b.index(at), 64);
    table.high[part] = b.loadBytes(buffer, b.index(at + magnitudes), 64);
  }
  return table;
}

SplitStep mlir::ecf8::lookUp(LaneBuilder &b, const WeightTable &table, Value bytes) {
  // A look-up takes the lower seven bits of a byte.
  auto look = [&](const std::array<Value, 2> &half) -> Value {
    return b.intrinsic("llvm.x86.avx512.vpermi2var.qi.512", b.bytes(64), {half[0], bytes, half[1]});
  };
  return {look(table.low), arith::XOrIOp::create(b, look(table.high), b.andI(bytes, 0x80))};
}

Value mlir::ecf8::joinHalf(LaneBuilder &b, const SplitStep &step, unsigned half) {
  SmallVector<int64_t> order;
  for (int64_t lane = half * kHalfStrip; lane < (half + 1) * kHalfStrip; ++lane)
    order.append({2 * lane + 1, 64 + 2 * lane + 1, 2 * lane, 64 + 2 * lane});
  Value joined = vector::ShuffleOp::create(b, step.low, step.high, order);
  return b.bitcast(joined, VectorType::get({kHalfStrip}, b.getI32Type()));
}

Value mlir::ecf8::joinAsF32(LaneBuilder &b, const SplitStep &step, unsigned firstLane) {
  SmallVector<int64_t> order;
  SmallVector<bool> used;
  for (int64_t lane = firstLane; lane < firstLane + kHalfStrip / 2; ++lane)
    for (int64_t column : {1, 0}) {
      order.append({0, 0, 2 * lane + column, 64 + 2 * lane + column});
      used.append({false, false, true, true});
    }
  Value joined = vector::ShuffleOp::create(b, step.low, step.high, order);
  joined = b.select(b.maskVector(used), joined, b.constant(b.bytes(64), 0));
  return b.bitcast(joined, VectorType::get({kHalfStrip}, b.getF32Type()));
}
