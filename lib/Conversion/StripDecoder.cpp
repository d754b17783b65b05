// The decode loop of the order `rows32`.
#include "StripDecoder.h"

using namespace mlir;
using namespace mlir::ecf8;

/// How far ahead memory is asked for the stored plane, whose units lie behind each other tile after tile.
static constexpr int64_t planeAheadBytes = 4096;

/// Ends the body of `loop` with `values`; a loop that carries nothing has its terminator already.
static void yield(LaneBuilder &b, ValueRange values) {
  if (!values.empty())
    scf::YieldOp::create(b, values);
}

void StripDecoder::enterFunction(const PayloadLayout &payloadLayout, const MatrixSlice &matrixSlice, Value tables) {
  layout = payloadLayout;
  slice = matrixSlice;
  if (lanes)
    lanes->enterFunction(b, tables, stripsPerGroup());
  sink.enterFunction(b, slice, stripsPerGroup());
}

void StripDecoder::decodeGroup(Value group) {
  Value firstStrip = b.mul(group, stripsPerGroup());
  Value stripEnd = b.minU(b.add(firstStrip, stripsPerGroup()), b.ceilDivU(slice.rows, 32));
  if (stripsPerGroup() == 1)
    return decodeStrips(firstStrip, 1);
  Value whole = b.compare(arith::CmpIPredicate::eq, b.sub(stripEnd, firstStrip), stripsPerGroup());
  auto branch = scf::IfOp::create(b, TypeRange{}, whole, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(branch.thenBlock());
  decodeStrips(firstStrip, stripsPerGroup());
  b.setInsertionPointToStart(branch.elseBlock());
  b.forRange(firstStrip, stripEnd, 1, [&](Value own) { decodeStrips(own, 1); });
}

/// Decodes `count` strips of the slice, the first of which is `strip`, in lockstep.
void StripDecoder::decodeStrips(Value strip, unsigned count) {
  int64_t tileColumns = spec.encoding.getTileColumnCount();
  Value firstTile = b.divU(slice.column, tileColumns);
  Value endTile = b.ceilDivU(b.add(slice.column, slice.columns), tileColumns);
  SmallVector<Value> carried = sink.openStrips(b, strip, count);
  auto tiles = scf::ForOp::create(b, firstTile, endTile, b.index(1), carried);
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(tiles.getBody());
    carried.assign(tiles.getRegionIterArgs().begin(), tiles.getRegionIterArgs().end());
    decodeTiles(strip, tiles.getInductionVar(), count, carried);
    yield(b, carried);
  }
  sink.closeStrips(b, strip, count, tiles.getResults());
}

void StripDecoder::decodeTiles(Value strip, Value tile, unsigned count, SmallVectorImpl<Value> &sinkCarried) {
  int64_t tileColumns = spec.encoding.getTileColumnCount();
  Value tileColumn = b.mul(tile, tileColumns);
  Value wanted = b.minU(b.sub(b.add(slice.column, slice.columns), tileColumn), b.index(tileColumns));
  Value padded = b.mul(b.ceilDivU(wanted, spec.columnsPerUnit()), spec.columnsPerUnit());
  Value payloadStrip = b.add(b.divU(slice.row, 32), strip);
  Value tilePlaneAt = b.mul(tileColumn, spec.planeBytesPerColumn());
  PlanePlace plane{layout.payload, b.add(b.add(layout.plane, b.mul(payloadStrip, layout.planePerStrip)), tilePlaneAt),
                   layout.planePerStrip, spec.planeBytesPerColumn()};
  TilePlace place{strip, count, tileColumn, wanted, plane};

  // The loops carry the sink's values and then the states of the tiles.
  SmallVector<Value> carried(sinkCarried.begin(), sinkCarried.end());
  size_t fromSink = carried.size(), perTile = 0;
  SmallVector<Value> planeAt;
  StreamView stream{layout.payload, layout.lastIndex};
  for (unsigned t = 0; t < count; ++t) {
    Value s = b.add(payloadStrip, t);
    planeAt.push_back(b.add(plane.at, b.mul(layout.planePerStrip, t)));
    sink.openTile(b, place, t, s);
    if (!lanes)
      continue;
    Value entry = b.add(b.mul(s, layout.tilesPerStrip), tile);
    Value word = b.loadInteger(layout.payload, b.add(layout.tileTable, b.mul(entry, 4)), b.getI32Type());
    Value at = b.minU(b.add(layout.codes, b.shl(b.toIndex(word), 1)), layout.lastIndex);
    SmallVector<Value> state = lanes->openTile(b, stream, at, t);
    perTile = state.size();
    carried.append(state);
  }

  auto blocks = scf::ForOp::create(b, b.index(0), padded, b.index(kBlockColumns), carried);
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(blocks.getBody());
    Value blockColumn = blocks.getInductionVar();
    Value blockEnd = b.minU(b.add(blockColumn, kBlockColumns), padded);
    sink.openBlock(b, place, blockColumn);
    auto units =
        scf::ForOp::create(b, blockColumn, blockEnd, b.index(spec.columnsPerUnit()), blocks.getRegionIterArgs());
    {
      OpBuilder::InsertionGuard inner(b);
      b.setInsertionPointToStart(units.getBody());
      Value unitColumn = units.getInductionVar();
      SmallVector<Value> values(units.getRegionIterArgs());
      MutableArrayRef<Value> state(values);
      SmallVector<Value> unitAt;
      for (unsigned t = 0; t < count; ++t)
        unitAt.push_back(b.add(planeAt[t], b.mul(unitColumn, spec.planeBytesPerColumn())));
      for (int64_t step = 0; step < spec.stepsPerUnit(); ++step)
        for (unsigned t = 0; t < count; ++t) {
          int64_t lineAt = 64 * step; // a unit has at most a cache line for each step
          if (lineAt < spec.planeBytesPerColumn() * spec.columnsPerUnit())
            b.prefetch(layout.payload, b.add(unitAt[t], planeAheadBytes + lineAt));
          Value bytes = loadPlane(unitAt[t], step); // not before its use: registers are scarce
          if (lanes)
            bytes =
                b.orI(lanes->decodeStep(b, stream, state.slice(fromSink + t * perTile, perTile), {t, unitAt[t], step}),
                      bytes);
          sink.takeStep(b, {t, blockColumn, unitColumn, step}, bytes, state.take_front(fromSink));
        }
      yield(b, values);
    }
    SmallVector<Value> values(units.getResults());
    sink.closeBlock(b, place, blockColumn, MutableArrayRef(values).take_front(fromSink));
    yield(b, values);
  }
  sinkCarried.assign(blocks.getResults().begin(), blocks.getResults().begin() + fromSink);
}

/// The stored bits of one step of the unit at byte `at`: vector<64xi8>, bits in their place in the element.
Value StripDecoder::loadPlane(Value at, int64_t step) {
  VectorType bytes = b.bytes(64), words = b.words(32);
  ::ecf8::RestUnit rest = ::ecf8::getRestUnit(spec.codecType());
  int64_t restSteps = rest.columns / 2, restAt = step / restSteps * rest.bytes;
  auto load = [&](int64_t offset) { return b.loadBytes(layout.payload, b.add(at, restAt + offset), 64); };
  if (isa<RawAttr>(spec.encoding))
    return b.loadBytes(layout.payload, b.add(at, 64 * step), 64);
  step %= restSteps;
  if (spec.isE4M3()) {
    Value unit = load(0);
    if (step == 0)
      return b.andI(unit, 0x87);
    return lanes->unpackSecondStep(b, unit);
  }
  Value signs = b.bitcast(load(128), words), mantissas = b.bitcast(load(64 * (step / 4)), words);
  Value mantissa = b.andI(b.shrU(mantissas, 2 * (step % 4)), 0x0303);
  return b.bitcast(b.orI(mantissa, b.andI(b.shl(signs, 7 - step), 0x8080)), bytes);
}
