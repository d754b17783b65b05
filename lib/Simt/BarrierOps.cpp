// Ops: barriers of warp and block, fences, clocks, and hints that change nothing here.
#include "Block.h"
#include "OpTable.h"

#include <chrono>

using namespace ecf8::simt;

template <bool kAligned, bool kCount, bool kWait>
static void barrier(Context &context, const CallSite &site, Slot *slots) {
  Block::BarrierArgs args;
  args.id = slots[0].u32();
  if (kCount)
    args.count = slots[1].u32();
  args.aligned = kAligned;
  args.wait = kWait;
  context.block->barrier(context, site, args);
}

enum class Reduction { All, Any, Count };

template <Reduction kReduction, bool kAligned, bool kCount>
static void reducingBarrier(Context &context, const CallSite &site, Slot *slots) {
  Block::BarrierArgs args;
  args.id = slots[0].u32();
  if (kCount)
    args.count = slots[1].u32();
  args.aligned = kAligned;
  args.predicate = slots[kCount ? 2 : 1].get<uint8_t>() & 1;
  context.block->barrier(context, site, args);
  // Nobody can begin the next use before all have read the results: the reduction is kept until then.
  const NamedBarrier &barrier = context.block->namedBarrier(args.id);
  if (kReduction == Reduction::Count)
    slots[0].set(barrier.doneCount);
  else
    slots[0].set(uint8_t(kReduction == Reduction::All ? barrier.doneAll : barrier.doneAny));
}

static void warpBarrier(WarpCall &call) {
  if (call.block.checks())
    call.block.checker().warpBarrier(call.warp, call.mask);
}

static void fence(Context &context, const CallSite &, Slot *) {
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (context.block->checks())
    context.block->checker().fence(context);
}

static void proxyFence(Context &context, const CallSite &, Slot *) {
  if (context.block->checks())
    context.block->checker().proxyFence(context);
}

static void nothing(Context &, const CallSite &, Slot *) {}

static void pause(Context &context, const CallSite &site, Slot *) { context.block->yield(context, site); }

static void exitThread(Context &context, const CallSite &, Slot *) { context.block->exitThread(context); }

static void trap(Context &context, const CallSite &site, Slot *) { fail(context, &site, "the kernel stopped itself"); }

static uint64_t nanoseconds() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

static void clock32(Context &, const CallSite &, Slot *slots) { slots[0].set(uint32_t(nanoseconds())); }
static void clock64(Context &, const CallSite &, Slot *slots) { slots[0].set(nanoseconds()); }

static void isShared(Context &context, const CallSite &, Slot *slots) {
  slots[0].set(uint8_t(context.block->isShared(slots[0].get<void *>())));
}
static void isLocal(Context &context, const CallSite &, Slot *slots) {
  slots[0].set(uint8_t(context.block->stacks().contains(slots[0].u64())));
}
static void isGlobal(Context &context, const CallSite &, Slot *slots) {
  slots[0].set(
      uint8_t(!context.block->isShared(slots[0].get<void *>()) && !context.block->stacks().contains(slots[0].u64())));
}

void ecf8::simt::addBarrierOps(OpList &ops) {
  auto thread = [&ops](std::string_view name, ThreadFunction function) { ops.push_back({name, function, nullptr}); };
  thread("barrier.cta.sync.aligned.all", barrier<true, false, true>);
  thread("barrier.cta.sync.aligned.count", barrier<true, true, true>);
  thread("barrier.cta.sync.all", barrier<false, false, true>);
  thread("barrier.cta.sync.count", barrier<false, true, true>);
  thread("barrier.cta.arrive.aligned.count", barrier<true, true, false>);
  thread("barrier.cta.arrive.count", barrier<false, true, false>);
  thread("barrier.cta.red.and.aligned.all", reducingBarrier<Reduction::All, true, false>);
  thread("barrier.cta.red.and.aligned.count", reducingBarrier<Reduction::All, true, true>);
  thread("barrier.cta.red.or.aligned.all", reducingBarrier<Reduction::Any, true, false>);
  thread("barrier.cta.red.or.aligned.count", reducingBarrier<Reduction::Any, true, true>);
  thread("barrier.cta.red.popc.aligned.all", reducingBarrier<Reduction::Count, true, false>);
  thread("barrier.cta.red.popc.aligned.count", reducingBarrier<Reduction::Count, true, true>);
  ops.push_back({"bar.warp.sync", nullptr, warpBarrier, 0});
  for (std::string_view name : {"membar.cta", "membar.gl", "membar.sys", "fence.sc.cluster"})
    thread(name, fence);
  for (std::string_view name : {"fence.proxy.async", "fence.proxy.async.shared_cta", "fence.proxy.async.shared_cluster",
                                "fence.proxy.async.global"})
    thread(name, proxyFence);
  for (std::string_view name :
       {"fence.mbarrier_init.release.cluster", "griddepcontrol.wait", "griddepcontrol.launch.dependents",
        "prefetch.global.L1", "prefetch.global.L2", "prefetch.L1", "prefetch.L2", "prefetchu.L1",
        "prefetch.global.L2.evict.last", "prefetch.global.L2.evict.normal", "setmaxnreg.inc.sync.aligned.u32",
        "setmaxnreg.dec.sync.aligned.u32", "cp.async.bulk.prefetch.L2"})
    thread(name, nothing);
  thread("nanosleep", pause);
  thread("exit", exitThread);
  thread("trap", trap);
  thread("read.ptx.sreg.clock", clock32);
  thread("read.ptx.sreg.clock64", clock64);
  thread("read.ptx.sreg.globaltimer", clock64);
  thread("read.ptx.sreg.globaltimer.lo", clock32);
  thread("isspacep.shared", isShared);
  thread("isspacep.local", isLocal);
  thread("isspacep.global", isGlobal);
}
