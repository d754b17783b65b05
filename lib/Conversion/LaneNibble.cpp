// The AVX2 lane back end: four groups of 8 lanes of 32 bits, codes looked up four bits at a time by byte shuffles.
//
// The low nibble of a window settles every code of up to four bits. A longer code's low nibble is its prefix, and its
// next nibble is looked up in a table of that prefix. Exponents of real weights have one or two such prefixes, and each
// costs instructions, so there is code for one and for two. A code with more of them takes the back end with gathers,
// which has no such limit: `applies` tells at run time.
#include "LaneBackend.h"
#include "LaneRefill.h"

using namespace mlir;
using namespace mlir::ecf8;

namespace {

constexpr unsigned width = 8, groups = 4;
/// The table buffer: for lengths and then for symbols a row of 16 bytes for short codes and one per prefix (two at
/// most); then the prefixes themselves, one byte each (0xff: none), and the number of prefixes.
constexpr unsigned maxPrefixCount = 2;
constexpr int64_t rowBytes = 16, fieldBytes = (1 + maxPrefixCount) * rowBytes;
constexpr int64_t prefixesAt = 2 * fieldBytes, countAt = prefixesAt + maxPrefixCount;

class NibbleLanes final : public LaneBackend {
public:
  NibbleLanes(const HuffmanSpec &spec, unsigned prefixCount) : spec(spec), prefixCount(prefixCount) {}

  unsigned tilesInLockstep() const override { return 1; }
  int64_t tableBytes() const override { return 128; }

  void expandTables(LaneBuilder &b, const CodeTables &tables, Value buffer) const override {
    Value none = b.constant(b.getI8Type(), -1);
    for (unsigned k = 0; k < prefixCount; ++k)
      memref::StoreOp::create(b, none, buffer, ValueRange{b.index(prefixesAt + k)});
    auto copyEntry = [&](Value window, Value at) {
      Value length = memref::LoadOp::create(b, tables.lengths, ValueRange{window});
      Value symbol = memref::LoadOp::create(b, tables.symbols, ValueRange{window});
      memref::StoreOp::create(b, length, buffer, ValueRange{at});
      memref::StoreOp::create(b, symbol, buffer, ValueRange{b.add(at, fieldBytes)});
    };
    auto nibbles = scf::ForOp::create(b, b.index(0), b.index(16), b.index(1), ValueRange{b.index(0)});
    {
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(nibbles.getBody());
      Value nibble = nibbles.getInductionVar(), found = nibbles.getRegionIterArg(0);
      copyEntry(nibble, nibble);
      Value length = memref::LoadOp::create(b, tables.lengths, ValueRange{nibble});
      Value isLong = b.compare(arith::CmpIPredicate::ugt, length, 4);
      Value hasRoom = b.compare(arith::CmpIPredicate::ult, found, prefixCount);
      auto branch = scf::IfOp::create(b, TypeRange{}, b.andI(isLong, hasRoom), /*withElseRegion=*/false);
      {
        OpBuilder::InsertionGuard inner(b);
        b.setInsertionPointToStart(branch.thenBlock());
        Value asByte = b.truncate(b.fromIndex(nibble, b.getI32Type()), b.getI8Type());
        memref::StoreOp::create(b, asByte, buffer, ValueRange{b.add(found, prefixesAt)});
        auto seconds = scf::ForOp::create(b, b.index(0), b.index(16), b.index(1));
        b.setInsertionPointToStart(seconds.getBody());
        Value second = seconds.getInductionVar();
        Value window = b.andI(b.orI(nibble, b.shl(second, 4)), (int64_t(1) << spec.maxCodeLength) - 1);
        copyEntry(window, b.add(b.mul(b.add(found, 1), rowBytes), second));
      }
      scf::YieldOp::create(b, b.add(found, b.select(isLong, b.index(1), b.index(0))));
    }
    Value count = b.truncate(b.fromIndex(nibbles.getResult(0), b.getI32Type()), b.getI8Type());
    memref::StoreOp::create(b, count, buffer, ValueRange{b.index(countAt)});
  }

  Value applies(LaneBuilder &b, Value tableBuffer) const override {
    Value count = memref::LoadOp::create(b, tableBuffer, ValueRange{b.index(countAt)});
    return b.compare(arith::CmpIPredicate::ule, count, prefixCount);
  }

  void enterFunction(LaneBuilder &b, Value tableBuffer, unsigned) override {
    auto row = [&](int64_t at) {
      Value one = b.loadBytes(tableBuffer, b.index(at), rowBytes);
      SmallVector<int64_t> twice;
      for (int64_t i = 0; i < 2 * rowBytes; ++i)
        twice.push_back(i % rowBytes);
      return Value(vector::ShuffleOp::create(b, one, one, twice));
    };
    for (unsigned k = 0; k <= prefixCount; ++k) {
      lengthRows[k] = row(k * rowBytes);
      symbolRows[k] = row(fieldBytes + k * rowBytes);
    }
    for (unsigned k = 0; k < prefixCount; ++k) {
      Value prefix = memref::LoadOp::create(b, tableBuffer, ValueRange{b.index(prefixesAt + k)});
      prefixes[k] = vector::BroadcastOp::create(b, b.bytes(32), prefix);
    }
    patterns = lanePatternTable(b);
  }

  SmallVector<Value> openTile(LaneBuilder &b, const StreamView &stream, Value at, unsigned) override {
    return openLaneGroups(b, stream, at);
  }

  Value decodeStep(LaneBuilder &b, const StreamView &stream, MutableArrayRef<Value> state, const TileStep &) override {
    Value &pointer = state[0];
    Value windows[groups];
    for (unsigned group = 0; group < groups; ++group)
      windows[group] = b.shrU(state[1 + 2 * group], state[2 + 2 * group]);
    auto [firstLengths, firstSymbols] = look(b, pack(b, windows));
    SmallVector<Value> shifts = unpack(b, firstLengths);
    for (unsigned group = 0; group < groups; ++group)
      windows[group] = b.shrU(windows[group], shifts[group]);
    auto [secondLengths, secondSymbols] = look(b, pack(b, windows));

    SmallVector<Value> used = unpack(b, b.add(firstLengths, secondLengths));
    for (unsigned group = 0; group < groups; ++group) {
      Value &word = state[1 + 2 * group], &position = state[2 + 2 * group];
      refillGroup(b, stream, patterns, word, position, pointer, b.add(position, used[group]));
    }
    // From byte 4 * lane + group of each column to the order of the step: lane by lane, both columns.
    SmallVector<int64_t> order;
    for (int64_t i = 0; i < 64; ++i)
      order.push_back(32 * (i % 2) + 4 * (i / 2 % width) + i / 2 / width);
    return vector::ShuffleOp::create(b, firstSymbols, secondSymbols, order);
  }

private:
  /// The low bytes of the windows of all groups: byte 4 * lane + group.
  Value pack(LaneBuilder &b, ArrayRef<Value> windows) const {
    VectorType words = b.words(16), bytes = b.bytes(32);
    auto pair = [&](Value low, Value high) { // 16 bits of each
      SmallVector<int64_t> order;
      for (int64_t i = 0; i < 16; ++i)
        order.push_back(i + 16 * (i % 2));
      return Value(vector::ShuffleOp::create(b, b.bitcast(low, words), b.bitcast(b.shl(high, 16), words), order));
    };
    Value even = pair(windows[0], windows[2]), odd = pair(windows[1], windows[3]);
    return b.bitcast(b.orI(b.andI(even, 0xff), b.shl(odd, 8)), bytes);
  }

  /// The bytes of `packed` as lanes of 32 bits, group by group.
  SmallVector<Value> unpack(LaneBuilder &b, Value packed) const {
    auto lanes = VectorType::get({width}, b.getI32Type());
    Value wide = b.bitcast(packed, b.words(16));
    Value even = b.bitcast(b.andI(wide, 0xff), lanes), odd = b.bitcast(b.shrU(wide, 8), lanes);
    return {b.andI(even, 0xffff), b.andI(odd, 0xffff), b.shrU(even, 16), b.shrU(odd, 16)};
  }

  /// The lengths and the symbols of the codes at the low ends of 32 windows of 8 bits.
  std::pair<Value, Value> look(LaneBuilder &b, Value windows) const {
    auto shuffle = [&](Value row, Value indices) {
      return b.intrinsic("llvm.x86.avx2.pshuf.b", b.bytes(32), {row, indices});
    };
    Value low = b.andI(windows, 15);
    Value high = b.bitcast(b.andI(b.shrU(b.bitcast(windows, b.words(16)), 4), 0x0f0f), b.bytes(32));
    Value length = shuffle(lengthRows[0], low), symbol = shuffle(symbolRows[0], low);
    for (unsigned k = 0; k < prefixCount; ++k) {
      Value isLong = b.compare(arith::CmpIPredicate::eq, low, prefixes[k]);
      length = b.select(isLong, shuffle(lengthRows[k + 1], high), length);
      symbol = b.select(isLong, shuffle(symbolRows[k + 1], high), symbol);
    }
    return {length, symbol};
  }

  HuffmanSpec spec;
  unsigned prefixCount;
  Value lengthRows[1 + maxPrefixCount], symbolRows[1 + maxPrefixCount];
  Value prefixes[maxPrefixCount], patterns;
};

} // namespace

std::unique_ptr<LaneBackend> mlir::ecf8::createNibbleLanes(const HuffmanSpec &spec, unsigned prefixCount) {
  return std::make_unique<NibbleLanes>(spec, prefixCount);
}
