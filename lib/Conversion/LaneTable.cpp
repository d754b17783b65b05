// The lane back ends that look symbols up in memory: 8 lanes of 32 bits by gathers (AVX2), or one lane at a time.
//
// One look-up with the low 11 bits of a window usually yields two symbols and the length of both codes. Where the two
// codes together are longer the entry says so, and the pair is looked up one symbol after the other.
#include "LaneBackend.h"

using namespace mlir;
using namespace mlir::ecf8;

namespace {

constexpr unsigned pairBits = 11;
constexpr int64_t pairEntries = int64_t(1) << pairBits;
constexpr int64_t laneCount = 32;
/// Entry of the pair table: symbol 0 | symbol 1 << 8 | length of both << 16, or this mark alone.
constexpr int64_t longPair = int64_t(1) << 31;

class TableLanes final : public LaneBackend {
public:
  TableLanes(const HuffmanSpec &spec, unsigned width) : spec(spec), width(width) {}

  unsigned tilesInLockstep() const override { return 1; }

  /// The pair table, then one entry per window of L bits for single symbols: symbol | length << 16; 4 bytes each.
  int64_t tableBytes() const override { return 4 * (pairEntries + singleEntries()); }

  void expandTables(LaneBuilder &b, const CodeTables &tables, Value buffer) const override {
    Type i32 = b.getI32Type();
    auto entryOf = [&](Value window) {
      Value at = b.andI(window, singleEntries() - 1);
      Value symbol = b.extend(memref::LoadOp::create(b, tables.symbols, ValueRange{at}), i32);
      Value length = b.extend(memref::LoadOp::create(b, tables.lengths, ValueRange{at}), i32);
      return std::make_pair(symbol, length);
    };
    auto store = [&](Value entry, Value at) {
      Value raw = vector::BroadcastOp::create(b, VectorType::get({1}, i32), entry);
      b.storeBytes(b.bitcast(raw, b.bytes(4)), buffer, b.mul(at, 4));
    };
    forRange(b, singleEntries(), [&](Value i) {
      auto [symbol, length] = entryOf(i);
      store(b.orI(symbol, b.shl(length, 16)), b.add(i, pairEntries));
    });
    forRange(b, pairEntries, [&](Value i) {
      auto [first, firstLength] = entryOf(i);
      auto [second, secondLength] = entryOf(b.shrU(i, b.toIndex(firstLength)));
      Value length = b.add(firstLength, secondLength);
      Value entry = b.orI(b.orI(first, b.shl(second, 8)), b.shl(length, 16));
      Value fits = b.compare(arith::CmpIPredicate::ule, length, pairBits);
      store(b.select(fits, entry, b.constant(i32, longPair)), i);
    });
  }

  void enterFunction(LaneBuilder &b, Value tableBuffer, unsigned tileCount) override {
    tables = tableBuffer;
    if (width == 1) {
      windowScratch.clear();
      for (unsigned tile = 0; tile < tileCount; ++tile)
        windowScratch.push_back(b.stackBuffer(2 * laneCount, b.getI32Type()));
      symbolScratch = b.stackBuffer(2 * laneCount, b.getI8Type());
      return;
    }
    tablePointer = LLVM::IntToPtrOp::create(
        b, LLVM::LLVMPointerType::get(b.getContext()),
        b.fromIndex(memref::ExtractAlignedPointerAsIndexOp::create(b, tableBuffer), b.getI64Type()));
    lanePatterns = lanePatternTable(b);
  }

  SmallVector<Value> openTile(LaneBuilder &b, const StreamView &stream, Value at, unsigned tile) override {
    Value second = b.minU(b.add(at, 2 * laneCount), stream.lastIndex);
    Value pointer = b.minU(b.add(second, 2 * laneCount), stream.lastIndex);
    if (width == 1) {
      forRange(b, laneCount, [&](Value lane) {
        Value offset = b.mul(lane, 2);
        Value low = b.extend(b.loadInteger(stream.payload, b.add(at, offset), b.getI16Type()), b.getI32Type());
        Value high = b.extend(b.loadInteger(stream.payload, b.add(second, offset), b.getI16Type()), b.getI32Type());
        Value window = b.orI(low, b.shl(high, 16));
        memref::StoreOp::create(b, window, windowScratch[tile], ValueRange{lane});
        memref::StoreOp::create(b, b.constant(b.getI32Type(), 0), windowScratch[tile],
                                ValueRange{b.add(lane, laneCount)});
      });
      return {pointer};
    }
    SmallVector<Value> state{pointer};
    VectorType lanes = laneType(b);
    for (unsigned group = 0; group < groups(); ++group) {
      auto load = [&](Value base) {
        Value raw = b.loadBytes(stream.payload, b.add(base, 2 * width * group), 2 * width);
        return b.extend(b.bitcast(raw, b.words(width)), lanes);
      };
      state.push_back(b.orI(load(at), b.shl(load(second), 16)));
      state.push_back(b.constant(lanes, 0));
    }
    return state;
  }

  Value decodeStep(LaneBuilder &b, const StreamView &stream, MutableArrayRef<Value> state, unsigned tile) override {
    return width == 1 ? decodeScalarStep(b, stream, state, tile) : decodeVectorStep(b, stream, state);
  }

private:
  int64_t singleEntries() const { return int64_t(1) << spec.maxCodeLength; }
  unsigned groups() const { return laneCount / width; }
  VectorType laneType(LaneBuilder &b) const { return VectorType::get({width}, b.getI32Type()); }

  template <typename Body> static void forRange(LaneBuilder &b, int64_t count, Body body) {
    auto loop = scf::ForOp::create(b, b.index(0), b.index(count), b.index(1));
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(loop.getBody());
    body(loop.getInductionVar());
  }

  /// Looks up two symbols at the low end of `window`. `entryAt` loads table entries, `any` reduces a mask to one bit.
  /// Returns the pair's entry with a true length.
  template <typename EntryAt, typename Any>
  Value lookUpPair(LaneBuilder &b, Value window, EntryAt entryAt, Any any) const {
    Type type = window.getType();
    Value quick = entryAt(b.andI(window, pairEntries - 1));
    Value isLong = b.compare(arith::CmpIPredicate::slt, quick, 0);
    auto branch = scf::IfOp::create(b, TypeRange{type}, any(isLong), /*withElseRegion=*/true);
    {
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(branch.thenBlock());
      auto single = [&](Value at) { return entryAt(b.add(b.andI(at, singleEntries() - 1), pairEntries)); };
      Value first = single(window);
      Value second = single(b.shrU(window, b.shrU(first, 16)));
      // Lengths add up in the high half; the second symbol moves up one byte.
      Value symbols = b.orI(b.andI(first, 0xff), b.shl(b.andI(second, 0xff), 8));
      Value lengths = b.andI(b.add(first, second), 0xff0000);
      scf::YieldOp::create(b, b.orI(symbols, lengths));
      b.setInsertionPointToStart(branch.elseBlock());
      scf::YieldOp::create(b, quick);
    }
    return branch.getResult(0);
  }

  Value decodeScalarStep(LaneBuilder &b, const StreamView &stream, MutableArrayRef<Value> state, unsigned tile) {
    Type i32 = b.getI32Type();
    auto loop = scf::ForOp::create(b, b.index(0), b.index(laneCount), b.index(1), ValueRange{state[0]});
    {
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(loop.getBody());
      Value lane = loop.getInductionVar(), pointer = loop.getRegionIterArg(0);
      Value positionAt = b.add(lane, laneCount);
      Value word = memref::LoadOp::create(b, windowScratch[tile], ValueRange{lane});
      Value position = memref::LoadOp::create(b, windowScratch[tile], ValueRange{positionAt});
      Value pair = lookUpPair(
          b, b.shrU(word, position),
          [&](Value at) { return b.loadInteger(tables, b.mul(b.toIndex(at), 4), b.getI32Type()); },
          [](Value mask) { return mask; });
      Value moved = b.add(position, b.shrU(pair, 16));
      Value spent = b.shrU(moved, 4); // 0 or 1
      Value next = b.extend(b.loadInteger(stream.payload, pointer, b.getI16Type()), i32);
      Value isSpent = b.compare(arith::CmpIPredicate::ne, spent, 0);
      Value refilled = b.select(isSpent, b.orI(b.shrU(word, 16), b.shl(next, 16)), word);
      memref::StoreOp::create(b, refilled, windowScratch[tile], ValueRange{lane});
      memref::StoreOp::create(b, b.andI(moved, 15), windowScratch[tile], ValueRange{positionAt});
      Value symbols = vector::BroadcastOp::create(b, b.words(1), b.truncate(pair, b.getI16Type()));
      b.storeBytes(b.bitcast(symbols, b.bytes(2)), symbolScratch, b.mul(lane, 2));
      Value advanced = b.minU(b.add(pointer, b.shl(b.toIndex(spent), 1)), stream.lastIndex);
      scf::YieldOp::create(b, advanced);
    }
    state[0] = loop.getResult(0);
    return b.loadBytes(symbolScratch, b.index(0), 2 * laneCount);
  }

  Value decodeVectorStep(LaneBuilder &b, const StreamView &stream, MutableArrayRef<Value> state) {
    VectorType lanes = laneType(b);
    Value allLanes = b.constant(lanes, -1), zero = b.constant(lanes, 0);
    Value pointer = state[0];
    Value all;
    for (unsigned group = 0; group < groups(); ++group) {
      Value &word = state[1 + 2 * group], &position = state[2 + 2 * group];
      Value pair = lookUpPair(
          b, b.shrU(word, position),
          [&](Value at) {
            return b.intrinsic("llvm.x86.avx2.gather.d.d.256", lanes,
                               {zero, tablePointer, at, allLanes, b.constant(b.getI8Type(), 4)});
          },
          [&](Value mask) { return b.compare(arith::CmpIPredicate::ne, maskBits(b, mask), 0); });
      Value moved = b.add(position, b.shrU(pair, 16));
      Value spent = b.compare(arith::CmpIPredicate::ne, b.andI(moved, 16), 0);
      Value spentBits = maskBits(b, spent);
      Value pattern = b.loadBytes(lanePatterns, b.mul(b.toIndex(spentBits), width), width);
      Value raw = b.extend(b.bitcast(b.loadBytes(stream.payload, pointer, 2 * width), b.words(width)), lanes);
      Value next = b.intrinsic("llvm.x86.avx2.permd", lanes, {raw, b.extend(pattern, lanes)});
      word = b.select(spent, b.orI(b.shrU(word, 16), b.shl(next, 16)), word);
      position = b.andI(moved, 15);
      Value count = b.intrinsic("llvm.ctpop", b.getI32Type(), b.extend(spentBits, b.getI32Type()));
      pointer = b.minU(b.add(pointer, b.shl(b.toIndex(count), 1)), stream.lastIndex);
      all = group == 0 ? pair : concatenate(b, all, pair);
    }
    state[0] = pointer;
    Value symbols = b.truncate(b.andI(all, 0xffff), b.words(laneCount));
    return b.bitcast(symbols, b.bytes(2 * laneCount));
  }

  static Value maskBits(LaneBuilder &b, Value mask) {
    int64_t bits = cast<VectorType>(mask.getType()).getNumElements();
    Value one = vector::BitCastOp::create(b, VectorType::get({1}, b.getIntegerType(bits)), mask);
    return vector::ExtractOp::create(b, one, ArrayRef<int64_t>{0});
  }

  static Value concatenate(LaneBuilder &b, Value low, Value high) {
    int64_t lowSize = cast<VectorType>(low.getType()).getNumElements();
    int64_t highSize = cast<VectorType>(high.getType()).getNumElements();
    SmallVector<int64_t> order;
    if (lowSize == highSize) {
      for (int64_t i = 0; i < lowSize + highSize; ++i)
        order.push_back(i);
      return vector::ShuffleOp::create(b, low, high, order);
    }
    // Shuffles take operands of one type per side: widen the shorter side first.
    SmallVector<int64_t> widen;
    for (int64_t i = 0; i < lowSize; ++i)
      widen.push_back(std::min(i, highSize - 1));
    Value wide = vector::ShuffleOp::create(b, high, high, widen);
    for (int64_t i = 0; i < lowSize + highSize; ++i)
      order.push_back(i);
    return vector::ShuffleOp::create(b, low, wide, order);
  }

  /// 256 rows of 8 bytes: row m sends the words of the stream to the lanes whose bit is set in m, in order.
  Value lanePatternTable(LaneBuilder &b) const {
    SmallVector<uint8_t> rows;
    for (unsigned mask = 0; mask < 256; ++mask)
      for (unsigned lane = 0; lane < 8; ++lane)
        rows.push_back(llvm::popcount(mask & ((1u << lane) - 1)));
    auto module = b.getBlock()->getParentOp()->getParentOfType<ModuleOp>();
    constexpr StringLiteral name = "ecf8_lane_patterns";
    auto type = MemRefType::get({256 * 8}, b.getI8Type());
    if (!module.lookupSymbol(name)) {
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(module.getBody());
      auto values = DenseElementsAttr::get(RankedTensorType::get(type.getShape(), b.getI8Type()), ArrayRef(rows));
      memref::GlobalOp::create(b, name, b.getStringAttr("private"), type, values, /*constant=*/true,
                               b.getI64IntegerAttr(64));
    }
    return memref::GetGlobalOp::create(b, type, name);
  }

  HuffmanSpec spec;
  unsigned width;
  Value tables, tablePointer, lanePatterns, symbolScratch;
  SmallVector<Value> windowScratch;
};

} // namespace

std::unique_ptr<LaneBackend> mlir::ecf8::createTableLanes(const HuffmanSpec &spec, unsigned width) {
  return std::make_unique<TableLanes>(spec, width);
}
