#include "TileFeed.h"

using namespace mlir;
using namespace mlir::ecf8;

SmallVector<Type> WeightArguments::getTypes(MLIRContext *context) {
  Type pointer = LLVM::LLVMPointerType::get(context, DeviceBuilder::globalSpace);
  SmallVector<Type> types(4, pointer);
  types.append(count - types.size(), IntegerType::get(context, 32));
  return types;
}

WeightArguments WeightArguments::of(ValueRange arguments) {
  ValueRange a = arguments;
  return {a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8], a[9], a[10], a[11], a[12]};
}

void TileFeed::enter(const WeightArguments &arguments, Value sharedArea, Value streamsAt) {
  weight = arguments;
  area = sharedArea;
  streams = streamsAt;
  Value thread = b.thread(), threads = b.threadCount();
  lane = b.andI(thread, DeviceSpec::warpSize - 1);
  warp = b.shrU(thread, 5);
  warps = b.shrU(threads, 5);
  firstWarp = warpsInStep == 1 ? warp : b.andI(warp, ~(warpsInStep - 1));
  place = warpsInStep == 1 ? b.word(0) : b.andI(warp, warpsInStep - 1);
  rowTiles = weight.rowTiles;
  chunks = weight.chunks;
  lanePlane = b.at(weight.plane, b.mul(lane, 16));
  if (!spec.hasCodes())
    return;
  // As a product and not as an argument of its own, which ptxas would add by another instruction, on the busiest pipe.
  if (spec.group == 4)
    offsetWord = b.mul(weight.exponentOffset, -int64_t(spec.isE4M3 ? 0x08080808 : 0x04040404));
  b.loop(b.mul(thread, 16), b.word(spec.tableBytes()), b.mul(threads, 16), {}, [&](Value at, ValueRange) {
    b.copyAsync16(b.at(area, at), b.at(weight.table, at));
    return SmallVector<Value>();
  });
  b.commitCopies();
}

Value TileFeed::hasNaN() { return b.compare(arith::CmpIPredicate::ne, weight.hasNaN, 0); }

Value TileFeed::ownJob(Value job) {
  return warpsInStep == 1 ? job : b.minS(b.add(job, place), b.sub(runEnd(job), b.word(1)));
}

Value TileFeed::tileOf(Value job) { return b.add(b.mul(rowTileOf(job), weight.stripTiles), chunkOf(job)); }

/// The first group of the job in the stored plane.
Value TileFeed::firstGroupOf(Value job) {
  return b.add(b.mul(rowTileOf(job), weight.stripGroups), b.mul(chunkOf(job), spec.groupsPerTile()));
}

Value TileFeed::groupsOf(Value chunk) {
  Value rest = b.sub(weight.columns, b.mul(chunk, spec.tileColumns));
  return b.ceilDivU(b.minS(rest, b.word(spec.tileColumns)), DeviceSpec::columnsPerGroup);
}

/// The warp's job after `job`, or lastJob.
Value TileFeed::nextJob(Value job) {
  Value next = b.add(job, warps), end = runEnd(job);
  Value inNextRun = b.add(end, firstWarp);
  // A warp for which one chunk has no job has none in the chunks behind.
  Value exists = b.andI(b.isLess(inNextRun, lastJob), b.isLess(firstWarp, rowTiles));
  return b.select(b.isLess(next, end), next, b.select(exists, inNextRun, lastJob));
}

void TileFeed::loadBlockRange(Position &position, Value job) {
  if (!spec.hasCodes())
    return;
  // As a product and not as an argument of its own, which ptxas would add by another instruction, on the busiest pipe.
  if (spec.group == 4)
    offsetWord = b.mul(weight.exponentOffset, -int64_t(spec.isE4M3 ? 0x08080808 : 0x04040404));
  // Of the last tile where there is no job: something that can be read.
  Value valid = b.minS(job, b.sub(lastJob, b.word(1)));
  Value entry = b.at(weight.tileTable, b.mul(b.wide(tileOf(valid)), 4));
  position.blockBegin = b.loadConstant(b.i32(), entry, 4);
  position.blockEnd = b.loadConstant(b.i32(), b.at(entry, 4), 4);
}

/// Begins to copy the codes of the job whose range `position` holds.
void TileFeed::issueCopies(const Position &position, Value stage, Value exists) {
  if (!spec.hasCodes())
    return;
  // As a product and not as an argument of its own, which ptxas would add by another instruction, on the busiest pipe.
  if (spec.group == 4)
    offsetWord = b.mul(weight.exponentOffset, -int64_t(spec.isE4M3 ? 0x08080808 : 0x04040404));
  b.when(exists, [&] {
    Value bytes = b.mul(b.sub(position.blockEnd, position.blockBegin), 16);
    Value source = b.at(weight.codes, b.mul(b.wide(position.blockBegin), 16));
    Value slot = b.add(streams, b.mul(b.add(b.mul(warp, 2), stage), weight.slotBytes));
    b.loop(b.mul(lane, 16), bytes, b.word(16 * DeviceSpec::warpSize), {}, [&](Value at, ValueRange) {
      b.copyAsync16(b.at(area, b.add(slot, at)), b.at(source, at));
      return SmallVector<Value>();
    });
  });
  b.commitCopies();
}

SmallVector<Value> TileFeed::loadGroup(Value group) {
  SmallVector<Value> words;
  Value mine = b.at(lanePlane, b.mul(b.wide(group), spec.bytesPerGroup()));
  for (int64_t slot = 0; slot * 4 < spec.wordsPerGroup(); ++slot) {
    Value vector = b.loadConstant(b.vectorOf(4, b.i32()), b.at(mine, int32_t(512 * slot)), 16);
    for (int64_t i = 0; i < 4; ++i)
      words.push_back(b.element(vector, i));
  }
  return words;
}

SmallVector<Value> TileFeed::Position::pack() const {
  SmallVector<Value> values{job, stage};
  if (blockBegin)
    values.append({blockBegin, blockEnd});
  values.append(words);
  return values;
}

TileFeed::Position TileFeed::Position::unpack(const TileFeed &feed, ValueRange values) {
  Position position{values[0], values[1], {}, {}, {}};
  if (feed.spec.hasCodes()) {
    position.blockBegin = values[2];
    position.blockEnd = values[3];
  }
  ValueRange words = values.drop_front(feed.spec.hasCodes() ? 4 : 2);
  position.words.append(words.begin(), words.end());
  return position;
}

TileFeed::Position TileFeed::begin(Value firstJob, Value last, llvm::function_ref<void()> meanwhile) {
  lastJob = last;
  // The first run may be too short for this warp.
  Value mine = b.add(firstJob, firstWarp), end = runEnd(firstJob), inNextRun = b.add(end, firstWarp);
  Value exists = b.andI(b.isLess(inNextRun, lastJob), b.isLess(firstWarp, rowTiles));
  Position position;
  position.job = b.select(b.isLess(mine, end), mine, b.select(exists, inNextRun, lastJob));
  position.stage = b.word(0);
  // Loads first, and what waits for them last.
  loadBlockRange(position, position.job);
  Value valid = b.minS(position.job, b.sub(lastJob, b.word(1)));
  Value groups = groupsOf(chunkOf(valid));
  Value first = firstGroupOf(valid);
  position.words = loadGroup(first);
  position.words.append(loadGroup(b.add(first, b.minS(b.word(1), b.sub(groups, b.word(1))))));
  meanwhile();
  issueCopies(position, position.stage, b.isLess(position.job, lastJob));
  loadBlockRange(position, nextJob(position.job));
  if (spec.hasCodes())
    b.waitForCopies(1); // the table
  b.blockBarrier();
  return position;
}

std::pair<Value, Value> TileFeed::jobsOfBlock() {
  // The first blocks take one more where the jobs do not divide evenly.
  Value jobs = jobCount(), blocks = b.blockCount(), block = b.block();
  Value each = b.divU(jobs, blocks), rest = b.sub(jobs, b.mul(each, blocks));
  Value first = b.add(b.mul(each, block), b.minS(block, rest));
  Value isLonger = b.isLess(block, rest);
  return {first, b.add(first, b.select(isLonger, b.add(each, 1), each))};
}

SmallVector<Value> TileFeed::forJobsBefore(Value end, ValueRange packed, llvm::function_ref<void(Position &)> body) {
  auto loop = scf::WhileOp::create(
      b, packed.getTypes(), packed,
      [&](OpBuilder &, Location, ValueRange values) { scf::ConditionOp::create(b, b.isLess(values[0], end), values); },
      [&](OpBuilder &, Location, ValueRange values) {
        Position position = Position::unpack(*this, values);
        body(position);
        scf::YieldOp::create(b, position.pack());
      });
  return SmallVector<Value>(loop.getResults());
}

SmallVector<Value> TileFeed::decodeTile(Position &position, ArrayRef<Value> carried, UseGroup use) {
  Value groups = groupsOf(chunkOf(position.job));
  Value next = nextJob(position.job), hasNext = b.isLess(next, lastJob);
  SegmentLanes lanes(b, spec, area, offsetWord);
  SmallVector<Value> state;
  if (spec.hasCodes()) {
    Value slot = b.add(streams, b.mul(b.add(b.mul(warp, 2), position.stage), weight.slotBytes));
    b.warpBarrier(); // all lanes are done with the other slot
    issueCopies(position, b.xorI(position.stage, b.word(1)), hasNext);
    b.waitForCopies(1);
    b.warpBarrier(); // what other lanes have copied is there
    loadBlockRange(position, nextJob(next));
    state = lanes.open(slot, lane);
  }
  Value following = b.select(hasNext, next, position.job);
  Value here = firstGroupOf(position.job), after = firstGroupOf(following);
  Value secondAfter = b.add(after, b.minS(b.word(1), b.sub(groupsOf(chunkOf(following)), b.word(1))));
  unsigned half = spec.wordsPerGroup();

  // One group from `words`, which then get those of two groups further on: even groups use one half, odd ones the
  // other.
  auto oneGroup = [&](Value group, MutableArrayRef<Value> words, MutableArrayRef<Value> laneState, ValueRange values,
                      int64_t parity) {
    SmallVector<SmallVector<Value>> quads;
    for (int64_t step = 0; step < DeviceSpec::stepsPerGroup; ++step)
      quads.push_back(lanes.decodeStep(words, step, laneState));
    SmallVector<Value> result = use(group, quads, values);
    Value ahead = b.add(group, 2), isHere = b.isLess(ahead, groups);
    Value index = b.select(isHere, b.add(here, ahead), parity == 0 ? after : secondAfter);
    llvm::copy(loadGroup(index), words.begin());
    return result;
  };
  unsigned stateSize = state.size();
  auto split = [&](ValueRange all, SmallVector<Value> &laneState, SmallVector<Value> &words, SmallVector<Value> &rest) {
    laneState.assign(all.begin(), all.begin() + stateSize);
    words.assign(all.begin() + stateSize, all.begin() + stateSize + 2 * half);
    rest.assign(all.begin() + stateSize + 2 * half, all.end());
  };
  auto join = [](ArrayRef<Value> laneState, ArrayRef<Value> words, ArrayRef<Value> rest) {
    SmallVector<Value> all(laneState);
    all.append(words.begin(), words.end());
    all.append(rest.begin(), rest.end());
    return all;
  };
  Value pairs = b.andI(groups, ~int64_t(1));
  SmallVector<Value> all =
      b.loop(b.word(0), pairs, b.word(2), join(state, position.words, carried), [&](Value group, ValueRange values) {
        SmallVector<Value> laneState, words, rest;
        split(values, laneState, words, rest);
        MutableArrayRef<Value> both(words);
        rest = oneGroup(group, both.take_front(half), laneState, rest, 0);
        rest = oneGroup(b.add(group, 1), both.drop_front(half), laneState, rest, 1);
        return join(laneState, words, rest);
      });
  Value isOdd = b.isLess(pairs, groups);
  all = b.choose(
      isOdd, ValueRange(all).getTypes(),
      [&] {
        SmallVector<Value> laneState, words, rest;
        split(all, laneState, words, rest);
        rest = oneGroup(pairs, MutableArrayRef<Value>(words).take_front(half), laneState, rest, 0);
        return join(laneState, words, rest);
      },
      [&] { return all; });
  SmallVector<Value> laneState, rest;
  split(all, laneState, position.words, rest);
  position.job = next;
  position.stage = b.xorI(position.stage, b.word(1));
  return rest;
}
