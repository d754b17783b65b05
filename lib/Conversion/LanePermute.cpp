// The AVX-512 lane back end: 32 lanes of 16 bits in one register, code tables looked up by byte permutes.
//
// A lane's window is a funnel shift over its current and its next word. The deepest leaves of a complete code are
// siblings of equal length, so a length needs only L - 1 bits of the window; a symbol needs all L.
#include "LaneBackend.h"

using namespace mlir;
using namespace mlir::ecf8;

namespace {

/// How far ahead memory is asked for the words of a tile; those of the strip's next tile lie behind them.
static constexpr int64_t wordsAheadBytes = 1024;

enum State { Current, Next, Position, Pointer, StateCount };

class PermuteLanes final : public LaneBackend {
public:
  PermuteLanes(const HuffmanSpec &spec, unsigned lockstep) : spec(spec), lockstep(lockstep) {}

  unsigned tilesInLockstep() const override { return lockstep; }

  int64_t tableBytes() const override { return 2 * entries(); }

  void expandTables(LaneBuilder &b, const CodeTables &tables, Value buffer) const override {
    for (int64_t at = 0; at < entries(); at += 64) {
      b.storeBytes(b.loadBytes(tables.symbols, b.index(at), 64), buffer, b.index(at));
      b.storeBytes(b.loadBytes(tables.lengths, b.index(at), 64), buffer, b.index(entries() + at));
    }
  }

  void enterFunction(LaneBuilder &b, Value tableBuffer, unsigned) override {
    symbolTable.clear();
    lengthTable.clear();
    for (int64_t at = 0; at < entries(); at += 64)
      symbolTable.push_back(b.loadBytes(tableBuffer, b.index(at), 64));
    for (int64_t at = 0; at < entries() / 2; at += 64)
      lengthTable.push_back(b.loadBytes(tableBuffer, b.index(entries() + at), 64));
  }

  SmallVector<Value> openTile(LaneBuilder &b, const StreamView &stream, Value at, unsigned) override {
    SmallVector<Value> state(StateCount);
    Value second = b.minU(b.add(at, 64), stream.lastIndex);
    state[Current] = b.bitcast(b.loadBytes(stream.payload, at, 64), b.words(32));
    state[Next] = b.bitcast(b.loadBytes(stream.payload, second, 64), b.words(32));
    state[Position] = b.constant(b.words(32), 0);
    state[Pointer] = b.minU(b.add(second, 64), stream.lastIndex);
    return state;
  }

  Value decodeStep(LaneBuilder &b, const StreamView &stream, MutableArrayRef<Value> state,
                   const TileStep &place) override {
    if (place.step % 2 == 0) // two steps use less than a cache line on average
      b.prefetch(stream.payload, b.add(state[Pointer], wordsAheadBytes));
    VectorType words = b.words(32), bytes = b.bytes(64);
    Value window = b.intrinsic("llvm.fshr", words, {state[Next], state[Current], state[Position]});
    Value firstLength = b.bitcast(b.select(oddBytes(b), b.constant(bytes, 0), lengthOf(b, window)), words);
    Value secondWindow = b.shrU(window, firstLength);
    Value secondLength = b.bitcast(lengthOf(b, secondWindow), words); // the high byte falls away with the mask below
    Value position = b.add(state[Position], b.add(firstLength, secondLength));

    // Refill: the lanes that used up their current word take the next words of the stream, in lane order.
    Value spent = b.compare(arith::CmpIPredicate::ne, b.andI(position, 16), 0);
    Value refill = b.bitcast(b.loadBytes(stream.payload, state[Pointer], 64), words);
    state[Current] = b.select(spent, state[Next], state[Current]);
    state[Next] = b.intrinsic("llvm.x86.avx512.mask.expand", words, {refill, state[Next], spent});
    state[Position] = b.andI(position, 15);
    Value spentBits = vector::BitCastOp::create(b, VectorType::get({1}, b.getI32Type()), spent);
    Value count = b.intrinsic("llvm.ctpop", b.getI32Type(),
                              vector::ExtractOp::create(b, spentBits, ArrayRef<int64_t>{0}).getResult());
    state[Pointer] = b.minU(b.add(state[Pointer], b.shl(b.toIndex(count), 1)), stream.lastIndex);

    Value indices = b.select(oddBytes(b), b.bitcast(b.shl(secondWindow, 8), bytes), b.bitcast(window, bytes));
    return look(b, symbolTable, indices);
  }

  Value unpackSecondStep(LaneBuilder &b, Value unit) const override { return unpackSecondStepAffine(b, unit); }

private:
  int64_t entries() const { return int64_t(1) << spec.maxCodeLength; }

  Value oddBytes(LaneBuilder &b) const {
    SmallVector<bool> mask(64);
    for (unsigned i = 1; i < 64; i += 2)
      mask[i] = true;
    return b.maskVector(mask);
  }

  /// The code length at the low end of each 16-bit window in the low bytes; the high bytes hold no meaning.
  Value lengthOf(LaneBuilder &b, Value window) const { return look(b, lengthTable, b.bitcast(window, b.bytes(64))); }

  /// Looks each byte of `indices` up in a table of 64, 128 or 256 entries; excess high bits are ignored.
  static Value look(LaneBuilder &b, ArrayRef<Value> table, Value indices) {
    VectorType bytes = b.bytes(64);
    if (table.size() == 1)
      return b.intrinsic("llvm.x86.avx512.permvar.qi.512", bytes, {table[0], indices});
    Value low = b.intrinsic("llvm.x86.avx512.vpermi2var.qi.512", bytes, {table[0], indices, table[1]});
    if (table.size() == 2)
      return low;
    Value high = b.intrinsic("llvm.x86.avx512.vpermi2var.qi.512", bytes, {table[2], indices, table[3]});
    return b.select(b.compare(arith::CmpIPredicate::slt, indices, 0), high, low);
  }

  HuffmanSpec spec;
  unsigned lockstep;
  SmallVector<Value> symbolTable, lengthTable;
};

} // namespace

std::unique_ptr<LaneBackend> mlir::ecf8::createPermuteLanes(const HuffmanSpec &spec, unsigned tilesInLockstep) {
  return std::make_unique<PermuteLanes>(spec, tilesInLockstep);
}
