// The state of a lane is three words of its stream, the position in the first (bits above the fifth do not count), and
// the address of the word after the third.
#include "SegmentLanes.h"

using namespace mlir;
using namespace mlir::ecf8;

namespace {
enum State { Word0, Word1, Word2, Position, Address };
// Of a tile's block of codes: where the lanes begin, in units of 4 bits, and then their bits.
constexpr int64_t kStartBytes = 2, kBitsOffset = 64, kStartUnitBits = 4;
/// The stream is read so many bits early: an index then stands in the window where an address needs it, times 4.
constexpr int64_t kEarlyBits = 2;
constexpr int64_t kQuadRest = 0x9F9F9F9F, kSymbolRest = 0x87878787;
} // namespace

Value SegmentLanes::readStream(Value address) { return b.load(b.i32(), b.at(area, address), 4); }

SmallVector<Value> SegmentLanes::open(Value blockAddress, Value lane) {
  if (!spec.hasCodes())
    return {};
  Value start = b.load(b.getI16Type(), b.at(area, b.add(blockAddress, b.mul(lane, kStartBytes))), 2);
  Value position = b.sub(b.mul(b.extend(start, b.i32()), kStartUnitBits), b.word(kEarlyBits));
  Value address = b.add(b.add(blockAddress, kBitsOffset), b.mul(b.shrU(position, 5), 4));
  SmallVector<Value> state(5);
  for (int64_t i = 0; i < 3; ++i)
    state[i] = readStream(b.add(address, 4 * i));
  state[Position] = position;
  state[Address] = b.add(address, 12);
  return state;
}

Value SegmentLanes::entryAt(Value window) {
  int64_t mask = ((int64_t(1) << spec.maxCodeLength) - 1) << kEarlyBits;
  return b.load(b.i32(), b.at(area, b.andI(window, mask)), 4);
}

std::pair<Value, Value> SegmentLanes::lookUpTwice(MutableArrayRef<Value> state) {
  Value window = b.funnelRight(state[Word0], state[Word1], state[Position]);
  Value first = entryAt(window);
  Value second = entryAt(b.funnelRight(window, b.word(0), first));
  // An entry has its length in the lower five bits and the symbol above: bit 5 of the sum differs from the sum of the
  // bits 5 exactly if the position has gone beyond the first word.
  Value next = b.add(b.add(state[Position], first), second);
  Value carry = b.andI(b.xorI(b.xorI(next, state[Position]), b.xorI(first, second)), 32);
  Value crosses = b.compare(arith::CmpIPredicate::ne, carry, 0);
  state[Position] = next;
  state[Word0] = b.select(crosses, state[Word1], state[Word0]);
  state[Word1] = b.select(crosses, state[Word2], state[Word1]);
  state[Address] = b.add(state[Address], b.shrU(carry, 3));
  state[Word2] = readStream(b.sub(state[Address], b.word(4)));
  return {first, second};
}

SmallVector<Value> SegmentLanes::decodeStep(ArrayRef<Value> words, int64_t step, MutableArrayRef<Value> state) {
  if (!spec.hasCodes())
    return SmallVector<Value>(words.slice(step * 4, 4));
  if (spec.group == 4) {
    Value a = words[3 * step], c = words[3 * step + 1], d = words[3 * step + 2];
    auto [e0, e1] = lookUpTwice(state);
    auto [e2, e3] = lookUpTwice(state);
    Value rest3 = b.orI(b.orI(b.andI(b.shrU(a, 5), 0x03030303), b.andI(b.shrU(c, 3), 0x0C0C0C0C)),
                        b.orI(b.andI(b.shrU(d, 1), 0x10101010), b.andI(b.shl(d, 1), 0x80808080)));
    SmallVector<Value> quads{b.xorI(e0, b.andI(a, kQuadRest)), b.xorI(e1, b.andI(c, kQuadRest)),
                             b.xorI(e2, b.andI(d, kQuadRest)), b.xorI(e3, rest3)};
    for (Value &quad : quads)
      quad = b.add(quad, offsetWord);
    return quads;
  }
  SmallVector<Value> quads;
  for (int64_t half = 0; half < 2; ++half) {
    Value stored = words[2 * step + half];
    for (Value rest : {stored, b.funnelRight(stored, stored, b.word(4))}) {
      Value symbols;
      auto [e0, e1] = lookUpTwice(state);
      if (spec.group == 2) {
        symbols = b.permute(e0, e1, 0x6521); // bytes 1 and 2 of each
      } else {
        auto [e2, e3] = lookUpTwice(state);
        symbols = b.permute(b.permute(e0, e1, 0x51), b.permute(e2, e3, 0x51), 0x5410); // byte 1 of each
      }
      quads.push_back(b.orI(symbols, b.andI(rest, kSymbolRest)));
    }
  }
  return quads;
}
