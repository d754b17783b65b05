// Ops of a warp: shuffles, votes, match, redux, elect.
#include "Block.h"
#include "OpTable.h"

#include <algorithm>

using namespace ecf8::simt;

//===--- shfl.sync: (mask, value, lane or delta, clamp and segment mask)
//------------------------------------------------===//

enum class Shuffle { Index, Up, Down, Butterfly };

/// PTX ISA, shfl.sync: the low five bits of c are the clamp, bits 8 to 12 the segment mask. With `kPredicate` the
/// second result says whether the source lane is in range.
template <Shuffle kMode, bool kPredicate> static void shuffle(WarpCall &call) {
  uint32_t values[32];
  call.forEach([&](unsigned lane) { values[lane] = call.slots[lane][1].u32(); });
  call.forEach([&](unsigned lane) {
    Slot *slots = call.slots[lane];
    int b = slots[2].u32() & 31, c = slots[3].u32();
    int clamp = c & 31, segment = c >> 8 & 31;
    int maxLane = (int(lane) & segment) | (clamp & ~segment);
    int minLane = int(lane) & segment;
    int source = kMode == Shuffle::Index  ? minLane | (b & ~segment)
                 : kMode == Shuffle::Up   ? int(lane) - b
                 : kMode == Shuffle::Down ? int(lane) + b
                                          : int(lane) ^ b;
    bool inRange = kMode == Shuffle::Up ? source >= maxLane : source <= maxLane;
    if (!inRange)
      source = int(lane);
    if (!call.has(source))
      fail(*call.contexts[lane], &call.site,
           "reads the value of lane " + std::to_string(source) + ", which does not take part");
    slots[0].set(values[source]);
    if (kPredicate)
      slots[1].set(uint8_t(inRange));
  });
}

//===--- vote.sync: (mask, predicate)
//-----------------------------------------------------------------------------------===//

enum class Vote { Ballot, All, Any, Uniform };

template <Vote kMode> static void vote(WarpCall &call) {
  uint32_t ballot = 0;
  call.forEach([&](unsigned lane) { ballot |= uint32_t(call.slots[lane][1].get<uint8_t>() & 1) << lane; });
  bool result = kMode == Vote::All   ? ballot == call.mask
                : kMode == Vote::Any ? ballot != 0
                                     : ballot == call.mask || ballot == 0;
  call.forEach([&](unsigned lane) {
    if (kMode == Vote::Ballot)
      call.slots[lane][0].set(ballot);
    else
      call.slots[lane][0].set(uint8_t(result));
  });
}

//===--- match.sync: (mask, value)
//--------------------------------------------------------------------------------------===//

template <typename T> static void matchAny(WarpCall &call) {
  T values[32];
  call.forEach([&](unsigned lane) { values[lane] = call.slots[lane][1].get<T>(); });
  call.forEach([&](unsigned lane) {
    uint32_t equal = 0;
    call.forEach([&](unsigned other) { equal |= uint32_t(values[other] == values[lane]) << other; });
    call.slots[lane][0].set(equal);
  });
}

template <typename T> static void matchAll(WarpCall &call) {
  T first = call.slots[__builtin_ctz(call.mask)][1].get<T>();
  bool equal = true;
  call.forEach([&](unsigned lane) { equal &= call.slots[lane][1].get<T>() == first; });
  call.forEach([&](unsigned lane) {
    call.slots[lane][0].set(equal ? call.mask : 0u);
    call.slots[lane][1].set(uint8_t(equal));
  });
}

//===--- redux.sync: (value, mask)
//--------------------------------------------------------------------------------------===//

template <typename T, typename Function> static void reduce(WarpCall &call, Function function) {
  bool isFirst = true;
  T result{};
  call.forEach([&](unsigned lane) {
    T value = call.slots[lane][0].get<T>();
    result = isFirst ? value : function(result, value);
    isFirst = false;
  });
  call.forEach([&](unsigned lane) { call.slots[lane][0].set(result); });
}

static void elect(WarpCall &call) {
  uint32_t leader = __builtin_ctz(call.mask);
  call.forEach([&](unsigned lane) {
    call.slots[lane][0].set(leader);
    call.slots[lane][1].set(uint8_t(lane == leader));
  });
}

static void activeMask(Context &context, const CallSite &site, Slot *slots) {
  slots[0].set(context.block->activeMask(context, site));
}

void ecf8::simt::addWarpOps(OpList &ops) {
  auto warp = [&ops](std::string_view name, WarpFunction function, int maskArgument) {
    ops.push_back({name, nullptr, function, maskArgument});
  };
  warp("shfl.sync.idx.i32", shuffle<Shuffle::Index, false>, 0);
  warp("shfl.sync.idx.f32", shuffle<Shuffle::Index, false>, 0);
  warp("shfl.sync.idx.i32p", shuffle<Shuffle::Index, true>, 0);
  warp("shfl.sync.idx.f32p", shuffle<Shuffle::Index, true>, 0);
  warp("shfl.sync.up.i32", shuffle<Shuffle::Up, false>, 0);
  warp("shfl.sync.up.f32", shuffle<Shuffle::Up, false>, 0);
  warp("shfl.sync.up.i32p", shuffle<Shuffle::Up, true>, 0);
  warp("shfl.sync.up.f32p", shuffle<Shuffle::Up, true>, 0);
  warp("shfl.sync.down.i32", shuffle<Shuffle::Down, false>, 0);
  warp("shfl.sync.down.f32", shuffle<Shuffle::Down, false>, 0);
  warp("shfl.sync.down.i32p", shuffle<Shuffle::Down, true>, 0);
  warp("shfl.sync.down.f32p", shuffle<Shuffle::Down, true>, 0);
  warp("shfl.sync.bfly.i32", shuffle<Shuffle::Butterfly, false>, 0);
  warp("shfl.sync.bfly.f32", shuffle<Shuffle::Butterfly, false>, 0);
  warp("shfl.sync.bfly.i32p", shuffle<Shuffle::Butterfly, true>, 0);
  warp("shfl.sync.bfly.f32p", shuffle<Shuffle::Butterfly, true>, 0);
  warp("vote.ballot.sync", vote<Vote::Ballot>, 0);
  warp("vote.all.sync", vote<Vote::All>, 0);
  warp("vote.any.sync", vote<Vote::Any>, 0);
  warp("vote.uni.sync", vote<Vote::Uniform>, 0);
  warp("match.any.sync.i32", matchAny<uint32_t>, 0);
  warp("match.any.sync.i64", matchAny<uint64_t>, 0);
  warp("match.all.sync.i32p", matchAll<uint32_t>, 0);
  warp("match.all.sync.i64p", matchAll<uint64_t>, 0);
  warp("redux.sync.add", [](WarpCall &c) { reduce<uint32_t>(c, [](uint32_t a, uint32_t b) { return a + b; }); }, 1);
  warp(
      "redux.sync.min", [](WarpCall &c) { reduce<int32_t>(c, [](int32_t a, int32_t b) { return std::min(a, b); }); },
      1);
  warp(
      "redux.sync.max", [](WarpCall &c) { reduce<int32_t>(c, [](int32_t a, int32_t b) { return std::max(a, b); }); },
      1);
  warp(
      "redux.sync.umin",
      [](WarpCall &c) { reduce<uint32_t>(c, [](uint32_t a, uint32_t b) { return std::min(a, b); }); }, 1);
  warp(
      "redux.sync.umax",
      [](WarpCall &c) { reduce<uint32_t>(c, [](uint32_t a, uint32_t b) { return std::max(a, b); }); }, 1);
  warp("redux.sync.and", [](WarpCall &c) { reduce<uint32_t>(c, [](uint32_t a, uint32_t b) { return a & b; }); }, 1);
  warp("redux.sync.or", [](WarpCall &c) { reduce<uint32_t>(c, [](uint32_t a, uint32_t b) { return a | b; }); }, 1);
  warp("redux.sync.xor", [](WarpCall &c) { reduce<uint32_t>(c, [](uint32_t a, uint32_t b) { return a ^ b; }); }, 1);
  warp("elect.sync", elect, 0);
  ops.push_back({"activemask", activeMask, nullptr});
}
