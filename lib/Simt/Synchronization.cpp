// Where the threads of a block meet: collectives of a warp, and barriers.
#include "Block.h"

using namespace ecf8::simt;

//===------------------------------------------------------------------------------------------------------------------===//
// Collectives of a warp
//===------------------------------------------------------------------------------------------------------------------===//

void Block::collective(Context &context, const CallSite &site, Slot *slots, uint32_t mask, bool aligned) {
  Warp &warp = warps[context.warpId];
  if (aligned && warp.exists != ~0u)
    fail(context, &site,
         "all 32 lanes of the warp must execute it, and this warp has " +
             std::to_string(__builtin_popcount(warp.exists)));
  if (!(mask & context.laneMaskEq))
    fail(context, &site, "the member mask does not name the lane " + std::to_string(context.laneId) + " itself");
  Collective *found = nullptr;
  for (unsigned i = 0; i < warp.numOpen && !found; ++i)
    if (warp.open[i].mask == mask)
      found = &warp.open[i];
  if (!found) {
    found = &warp.open[warp.numOpen++];
    *found = {mask, 0, &site};
  } else if (aligned ? found->site != &site : found->site->op != site.op) {
    fail(context, &site,
         "divergence: other lanes of the warp wait with the same members at " + found->site->what +
             (found->site->where.empty() ? "" : " (" + found->site->where + ")"));
  }
  context.site = &site;
  context.slots = slots;
  context.waitMask = mask;
  found->arrived |= context.laneMaskEq;
  uint32_t members = aligned ? mask : mask & warp.live;
  if (found->arrived == members) {
    completeCollective(context, context.warpId, *found);
    // This thread goes on by itself, without a turn of the scheduler.
    warp.ready &= ~context.laneMaskEq;
    if (!warp.ready)
      readyWarps &= ~(1u << context.warpId);
    context.wait = Wait::None;
    return;
  }
  context.wait = Wait::Collective;
  switchAway(context);
}

void Block::completeCollective(Context &context, unsigned warpIndex, Collective &collective) {
  Warp &warp = warps[warpIndex];
  WarpCall call{*this, *collective.site, warpIndex, collective.arrived, {}, {}, context};
  call.forEach([&](unsigned lane) {
    call.contexts[lane] = contexts[warpIndex * 32 + lane];
    call.slots[lane] = call.contexts[lane]->slots;
  });
  uint32_t lanes = collective.arrived;
  collective = warp.open[--warp.numOpen];
  ++progress;
  call.site.op->warp(call);
  makeReady(warpIndex, lanes);
}

/// Gives lanes that wait for activemask, where nobody else of their warp can run, the set of those at the same place.
bool Block::resolveActiveMasks(unsigned firstWarp, unsigned endWarp) {
  bool any = false;
  for (unsigned w = firstWarp; w < endWarp; ++w) {
    Warp &warp = warps[w];
    while (warp.activeMask) {
      const CallSite *site = contexts[w * 32 + __builtin_ctz(warp.activeMask)]->site;
      uint32_t group = 0;
      for (uint32_t rest = warp.activeMask; rest; rest &= rest - 1)
        if (contexts[w * 32 + __builtin_ctz(rest)]->site == site)
          group |= rest & -rest;
      for (uint32_t rest = group; rest; rest &= rest - 1)
        contexts[w * 32 + __builtin_ctz(rest)]->waitMask = group;
      warp.activeMask &= ~group;
      makeReady(w, group);
      any = true;
    }
  }
  return any;
}

uint32_t Block::activeMask(Context &context, const CallSite &site) {
  Warp &warp = warps[context.warpId];
  context.site = &site;
  context.wait = Wait::ActiveMask;
  warp.activeMask |= context.laneMaskEq;
  switchAway(context);
  return context.waitMask;
}

//===------------------------------------------------------------------------------------------------------------------===//
// Barriers of the block
//===------------------------------------------------------------------------------------------------------------------===//

void Block::barrier(Context &context, const CallSite &site, const BarrierArgs &args) {
  if (args.id >= kMaxBarriers)
    fail(context, &site, "expected a barrier below 16, got " + std::to_string(args.id));
  if (args.count != NamedBarrier::kAll && (args.count == 0 || args.count % 32))
    fail(context, &site, "expected a thread count that is a multiple of 32, got " + std::to_string(args.count));
  NamedBarrier &barrier = barriers[args.id];
  uint32_t lane = context.laneMaskEq;
  unsigned w = context.warpId;
  if (barrier.arrived == 0) {
    barrier.expected = args.count;
    barrier.reduceAll = true, barrier.reduceAny = false, barrier.reduceCount = 0;
  } else if (barrier.expected != args.count) {
    auto count = [](uint32_t n) { return n == NamedBarrier::kAll ? std::string("all") : std::to_string(n); };
    fail(context, &site,
         "barrier " + std::to_string(args.id) + " was begun for " + count(barrier.expected) +
             " threads, and this thread says " + count(args.count));
  }
  if (barrier.seen[w] & lane)
    fail(context, &site, "barrier " + std::to_string(args.id) + ": this thread has arrived already");
  if (args.aligned && barrier.seen[w] && barrier.site[w] != &site)
    fail(context, &site,
         "divergence: other lanes of the warp are at another barrier, " + barrier.site[w]->what +
             (barrier.site[w]->where.empty() ? "" : " (" + barrier.site[w]->where + ")"));
  barrier.site[w] = &site;
  barrier.seen[w] |= lane;
  ++barrier.arrived;
  barrier.reduceAll &= args.predicate;
  barrier.reduceAny |= args.predicate;
  barrier.reduceCount += args.predicate;
  if (isChecking && barrier.expected != NamedBarrier::kAll)
    blockChecker.release(context, barrier.clock);
  if (args.wait)
    barrier.waiting[w] |= lane;
  context.site = &site;
  uint32_t expected = args.count == NamedBarrier::kAll ? liveThreads : args.count;
  if (barrier.arrived == expected) {
    completeBarrier(barrier);
    if (!args.wait)
      return;
    warps[w].ready &= ~lane;
    if (!warps[w].ready)
      readyWarps &= ~(1u << w);
    return;
  }
  if (!args.wait)
    return;
  context.wait = Wait::Barrier;
  switchAway(context);
}

void Block::completeBarrier(NamedBarrier &barrier) {
  if (isChecking) {
    if (barrier.expected == NamedBarrier::kAll)
      blockChecker.blockBarrier();
    else
      for (unsigned w = 0; w < numWarps; ++w)
        for (uint32_t rest = barrier.waiting[w]; rest; rest &= rest - 1)
          blockChecker.acquire(*contexts[w * 32 + __builtin_ctz(rest)], barrier.clock);
  }
  for (unsigned w = 0; w < numWarps; ++w) {
    makeReady(w, barrier.waiting[w]);
    barrier.waiting[w] = barrier.seen[w] = 0;
  }
  barrier.arrived = 0;
  barrier.doneAll = barrier.reduceAll;
  barrier.doneAny = barrier.reduceAny;
  barrier.doneCount = barrier.reduceCount;
  barrier.clock.clear();
  ++progress;
}
