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
      bytePrefix[k] = vector::BroadcastOp::create(b, b.bytes(32), prefix);
      lanePrefix[k] = vector::BroadcastOp::create(b, lanes(b), b.extend(prefix, b.getI32Type()));
    }
    patterns = lanePatternTable(b);
  }

  SmallVector<Value> openTile(LaneBuilder &b, const StreamView &stream, Value at, unsigned) override {
    return openLaneGroups(b, stream, at);
  }

  Value decodeStep(LaneBuilder &b, const StreamView &stream, MutableArrayRef<Value> state, unsigned) override {
    SmallVector<Value> pairs;
    Value &pointer = state[0];
    for (unsigned group = 0; group < groups; ++group) {
      Value &word = state[1 + 2 * group], &position = state[2 + 2 * group];
      Value window = b.shrU(word, position);
      Value firstLength = lengthOf(b, window);
      Value secondWindow = b.shrU(window, firstLength);
      Value secondLength = lengthOf(b, secondWindow);
      pairs.push_back(b.orI(b.andI(window, 0xff), b.shl(b.andI(secondWindow, 0xff), 8)));
      Value moved = b.add(position, b.add(firstLength, secondLength));
      refillGroup(b, stream, patterns, word, position, pointer, moved);
    }
    // The windows of 16 lanes fill a vector of 32 bytes: one look-up of symbols for both columns.
    SmallVector<Value> halves;
    for (unsigned half = 0; half < 2; ++half) {
      Value both = concatenate(b, pairs[2 * half], pairs[2 * half + 1]);
      Value windows = b.bitcast(b.truncate(both, b.words(16)), b.bytes(32));
      halves.push_back(symbolOf(b, windows));
    }
    return concatenate(b, halves[0], halves[1]);
  }

private:
  static VectorType lanes(LaneBuilder &b) { return VectorType::get({width}, b.getI32Type()); }

  static Value shuffle(LaneBuilder &b, Value row, Value indices) {
    return b.intrinsic("llvm.x86.avx2.pshuf.b", b.bytes(32), {row, indices});
  }

  /// The code length at the low end of each 32-bit window.
  Value lengthOf(LaneBuilder &b, Value window) const {
    Value low = b.andI(window, 15), high = b.andI(b.shrU(window, 4), 15);
    auto look = [&](unsigned k, Value nibble) {
      return b.bitcast(shuffle(b, lengthRows[k], b.bitcast(nibble, b.bytes(32))), lanes(b));
    };
    Value length = look(0, low);
    for (unsigned k = 0; k < prefixCount; ++k)
      length = b.select(b.compare(arith::CmpIPredicate::eq, low, lanePrefix[k]), look(k + 1, high), length);
    return b.andI(length, 15); // the other bytes of a lane looked up entry 0
  }

  /// The symbol at the low end of each 8-bit window.
  Value symbolOf(LaneBuilder &b, Value windows) const {
    Value low = b.andI(windows, 15);
    Value high = b.bitcast(b.andI(b.shrU(b.bitcast(windows, b.words(16)), 4), 0x0f0f), b.bytes(32));
    Value symbol = shuffle(b, symbolRows[0], low);
    for (unsigned k = 0; k < prefixCount; ++k)
      symbol = b.select(b.compare(arith::CmpIPredicate::eq, low, bytePrefix[k]), shuffle(b, symbolRows[k + 1], high),
                        symbol);
    return symbol;
  }

  HuffmanSpec spec;
  unsigned prefixCount;
  Value lengthRows[1 + maxPrefixCount], symbolRows[1 + maxPrefixCount];
  Value bytePrefix[maxPrefixCount], lanePrefix[maxPrefixCount], patterns;
};

} // namespace

std::unique_ptr<LaneBackend> mlir::ecf8::createNibbleLanes(const HuffmanSpec &spec, unsigned prefixCount) {
  return std::make_unique<NibbleLanes>(spec, prefixCount);
}
