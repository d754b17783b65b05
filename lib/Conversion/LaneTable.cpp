// The lane back ends that look symbols up in memory: 8 lanes of 32 bits by gathers (AVX2), or one lane at a time.
// An entry holds the symbol and the length of the code at the low end of a window; no branch depends on the stream.
#include "LaneBackend.h"
#include "LaneRefill.h"

using namespace mlir;
using namespace mlir::ecf8;

namespace {

constexpr int64_t laneCount = 32;

class TableLanes final : public LaneBackend {
public:
  TableLanes(const HuffmanSpec &spec, unsigned width) : spec(spec), width(width) {}

  unsigned tilesInLockstep() const override { return 1; }

  /// 4 bytes per window of L bits: symbol | length << 16.
  int64_t tableBytes() const override { return 4 * entries(); }

  void expandTables(LaneBuilder &b, const CodeTables &tables, Value buffer) const override {
    Type i32 = b.getI32Type();
    b.forRange(b.index(entries()), [&](Value i) {
      Value symbol = b.extend(memref::LoadOp::create(b, tables.symbols, ValueRange{i}), i32);
      Value length = b.extend(memref::LoadOp::create(b, tables.lengths, ValueRange{i}), i32);
      Value entry = b.orI(symbol, b.shl(length, 16));
      Value raw = vector::BroadcastOp::create(b, VectorType::get({1}, i32), entry);
      b.storeBytes(b.bitcast(raw, b.bytes(4)), buffer, b.mul(i, 4));
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
    if (width == 8)
      return openLaneGroups(b, stream, at);
    Value second = b.minU(b.add(at, 2 * laneCount), stream.lastIndex);
    Value pointer = b.minU(b.add(second, 2 * laneCount), stream.lastIndex);
    b.forRange(b.index(laneCount), [&](Value lane) {
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

  Value decodeStep(LaneBuilder &b, const StreamView &stream, MutableArrayRef<Value> state,
                   const TileStep &place) override {
    return width == 1 ? decodeScalarStep(b, stream, state, place.tile) : decodeVectorStep(b, stream, state);
  }

private:
  int64_t entries() const { return int64_t(1) << spec.maxCodeLength; }
  unsigned groups() const { return laneCount / width; }
  VectorType laneType(LaneBuilder &b) const { return VectorType::get({width}, b.getI32Type()); }

  /// Looks up the two symbols at the low end of `window`; `entryAt` loads a table entry.
  /// Returns symbol 0 | symbol 1 << 8 | length of both codes << 16.
  template <typename EntryAt> Value lookUpPair(LaneBuilder &b, Value window, EntryAt entryAt) const {
    Value first = entryAt(b.andI(window, entries() - 1));
    Value second = entryAt(b.andI(b.shrU(window, b.shrU(first, 16)), entries() - 1));
    // Lengths add up in the high half; the second symbol moves up one byte.
    return b.add(first, b.add(b.andI(second, 0xff0000), b.shl(b.andI(second, 0xff), 8)));
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
      Value pair = lookUpPair(b, b.shrU(word, position),
                              [&](Value at) { return b.loadInteger(tables, b.mul(b.toIndex(at), 4), b.getI32Type()); });
      Value moved = b.add(position, b.shrU(pair, 16));
      Value spent = b.shrU(moved, 4); // 0 or 1
      Value next = b.extend(b.loadInteger(stream.payload, pointer, b.getI16Type()), i32);
      // In arithmetic, not as a select: a branch on the stream would be mispredicted every third time.
      Value kept = b.shrU(word, b.shl(spent, 4));
      Value taken = b.andI(b.shl(next, 16), b.sub(b.constant(i32, 0), spent));
      Value refilled = b.orI(kept, taken);
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
    SmallVector<Value> pairs;
    for (unsigned group = 0; group < groups(); ++group) {
      Value &word = state[1 + 2 * group], &position = state[2 + 2 * group];
      Value pair = lookUpPair(b, b.shrU(word, position), [&](Value at) {
        return b.intrinsic("llvm.x86.avx2.gather.d.d.256", lanes,
                           {zero, tablePointer, at, allLanes, b.constant(b.getI8Type(), 4)});
      });
      pairs.push_back(pair);
      refillGroup(b, stream, lanePatterns, word, position, state[0], b.add(position, b.shrU(pair, 16)));
    }
    Value all = concatenate(b, concatenate(b, pairs[0], pairs[1]), concatenate(b, pairs[2], pairs[3]));
    Value symbols = b.truncate(b.andI(all, 0xffff), b.words(laneCount));
    return b.bitcast(symbols, b.bytes(2 * laneCount));
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
