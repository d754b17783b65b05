// The encoding planes, but for what instruction sets do differently: docs/Format.md, sections 10 to 12.
//
// A decoder for speed does not check a stream [codes_c7]. What keeps it inside its buffers whatever the bytes are: the
// two counts of a tile are limited, reads of the stream stay below its last index, and a group of 64 codes has at most
// 64 escapes, so a pointer into a buffer never passes the number of the tile's elements.
#include "LanePlanes.h"
#include "ecf8/Codec/Planes.h"

using namespace mlir;
using namespace mlir::ecf8;

/// How far ahead memory is asked for the codes, which lie behind each other tile after tile.
static constexpr int64_t codesAheadBytes = 2048;

static constexpr int64_t groupCodes = 64, maskBytes = 8, groupBytes = 2 * maskBytes;
/// Rank r is entry r + 1.
static constexpr int64_t rankTableBytes = 16;

int64_t PlanesLanes::tableBytes() const { return rankTableBytes; }

void PlanesLanes::expandTables(LaneBuilder &b, const CodeTables &tables, Value buffer) const {
  b.storeBytes(b.loadBytes(tables.symbols, b.index(0), rankTableBytes), buffer, b.index(0));
}

void PlanesLanes::enterFunction(LaneBuilder &b, Value tableBuffer, unsigned tileCount) {
  symbolOfRank.clear();
  for (int64_t rank = 0; rank < int64_t(::ecf8::rankCount); ++rank) {
    Value symbol = memref::LoadOp::create(b, tableBuffer, ValueRange{b.index(rank + 1)});
    symbolOfRank.push_back(vector::BroadcastOp::create(b, b.bytes(groupCodes), symbol));
  }
  // Whole groups, and room for a read of 64 bytes behind the last symbol.
  int64_t bufferBytes = maxCodes() + groupCodes;
  third = b.stackBuffer(bufferBytes, b.getI8Type());
  second.clear();
  for (unsigned tile = 0; tile < tileCount; ++tile)
    second.push_back(b.stackBuffer(bufferBytes, b.getI8Type()));
}

SmallVector<Value> PlanesLanes::openTile(LaneBuilder &b, const StreamView &stream, Value at, unsigned tile) {
  auto count = [&](int64_t offset, int64_t limit) {
    Value stored = b.loadInteger(stream.payload, b.add(at, offset), b.getI16Type());
    return b.minU(b.toIndex(stored), b.index(limit));
  };
  Value groups = count(0, maxCodes() / groupCodes), thirdCodes = count(2, maxCodes()); // codes_c7
  Value groupsAt = b.add(at, 4);
  expandThirdPlane(b, stream, b.add(groupsAt, b.mul(groups, groupBytes)), thirdCodes);
  expandSecondPlane(b, stream, groupsAt, groups, second[tile]);
  return {b.index(0)};
}

Value PlanesLanes::decodeStep(LaneBuilder &b, const StreamView &stream, MutableArrayRef<Value> state,
                              const TileStep &place) {
  Value masks = b.add(place.unit, spec.masksOffset + groupBytes * place.step);
  return decodeCodes(b, stream.payload, masks, /*firstRank=*/0, second[place.tile], state[0]);
}

/// Decodes the 64 codes whose masks stand at byte `at` of `masks`; escapes take their symbols from `buffer`.
Value PlanesLanes::decodeCodes(LaneBuilder &b, Value masks, Value at, unsigned firstRank, Value buffer,
                               Value &pointer) const {
  Value low = loadBits(b, masks, at), high = loadBits(b, masks, b.add(at, maskBytes));
  Value lowMask = toMask(b, b.loadInteger(masks, at, b.getI64Type()));
  Value highMask = toMask(b, b.loadInteger(masks, b.add(at, maskBytes), b.getI64Type()));
  Value symbols = b.select(lowMask, symbolOfRank[firstRank + 1], symbolOfRank[firstRank]);
  symbols = b.select(highMask, symbolOfRank[firstRank + 2], symbols);
  return fillEscapes(b, symbols, {b.andI(low, high), b.andI(lowMask, highMask)}, buffer, pointer);
}

/// Writes the symbols of the `count` third codes at byte `at` of the stream to `third`.
void PlanesLanes::expandThirdPlane(LaneBuilder &b, const StreamView &stream, Value at, Value count) const {
  Value highBits = b.add(at, b.ceilDivU(count, 2));
  auto loop = scf::ForOp::create(b, b.index(0), count, b.index(groupCodes));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  Value code = loop.getInductionVar();
  Value nibblesAt = b.minU(b.add(at, b.shrU(code, 1)), stream.lastIndex);
  Value wide = b.extend(b.loadBytes(stream.payload, nibblesAt, groupCodes / 2), b.words(groupCodes / 2));
  Value nibbles = b.andI(b.orI(wide, b.shl(wide, 4)), 0x0f0f);
  Value symbols = b.bitcast(b.shl(nibbles, spec.symbolShift), b.bytes(groupCodes));
  if (spec.symbolCount > 16) {
    Value bitsAt = b.minU(b.add(highBits, b.shrU(code, 3)), stream.lastIndex);
    Value mask = toMask(b, b.loadInteger(stream.payload, bitsAt, b.getI64Type()));
    Value bit = b.constant(b.bytes(groupCodes), int64_t(16) << spec.symbolShift);
    symbols = b.orI(symbols, b.select(mask, bit, b.constant(b.bytes(groupCodes), 0)));
  }
  b.storeBytes(symbols, third, code);
}

/// Writes the symbols of `groups` groups of second codes at byte `at` of the stream to `target`.
void PlanesLanes::expandSecondPlane(LaneBuilder &b, const StreamView &stream, Value at, Value groups,
                                    Value target) const {
  auto loop = scf::ForOp::create(b, b.index(0), groups, b.index(1), ValueRange{b.index(0)});
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  Value group = loop.getInductionVar(), pointer = loop.getRegionIterArg(0);
  Value masks = b.minU(b.add(at, b.mul(group, groupBytes)), stream.lastIndex);
  b.prefetch(stream.payload, b.add(masks, codesAheadBytes));
  Value symbols = decodeCodes(b, stream.payload, masks, ::ecf8::ranksPerPlane, third, pointer);
  b.storeBytes(symbols, target, b.mul(group, groupCodes));
  scf::YieldOp::create(b, pointer);
}

Value PlanesLanes::loadBits(LaneBuilder &b, Value buffer, Value at) const {
  return b.loadInteger(buffer, at, b.getI64Type());
}

Value PlanesLanes::toMask(LaneBuilder &b, Value bits) const {
  SmallVector<int64_t> byteOfLane;
  SmallVector<uint8_t> bitOfLane;
  for (int64_t lane = 0; lane < groupCodes; ++lane) {
    byteOfLane.push_back(lane / 8);
    bitOfLane.push_back(1 << (lane % 8));
  }
  Value one = vector::BroadcastOp::create(b, VectorType::get({1}, b.getI64Type()), bits);
  Value bytes = b.bitcast(one, b.bytes(maskBytes));
  Value spread = vector::ShuffleOp::create(b, bytes, bytes, byteOfLane);
  Value wanted = b.byteVector(bitOfLane);
  return b.compare(arith::CmpIPredicate::eq, b.andI(spread, wanted), wanted);
}
