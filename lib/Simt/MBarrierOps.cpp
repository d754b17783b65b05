// Ops: mbarrier.
#include "Copies.h"
#include "MBarrier.h"
#include "OpTable.h"

using namespace ecf8::simt;

static constexpr uint64_t kMark = uint64_t(2) << 62, kMarkMask = uint64_t(3) << 62;
static constexpr uint64_t kCountMask = (1 << 20) - 1;

uint64_t MBarrier::load() const {
  uint64_t state;
  std::memcpy(&state, address, sizeof state);
  return state;
}

void MBarrier::store(uint64_t state) { std::memcpy(address, &state, sizeof state); }

MBarrier::MBarrier(Context &context, const CallSite &site, void *address)
    : context(context), site(site), address(address) {
  requireAlignment(context, site, address, 8, "mbarrier");
  requireShared(context, site, address, 8, "mbarrier");
  if ((load() & kMarkMask) != kMark)
    fail(context, &site, "expected an initialized mbarrier, found something else");
}

void MBarrier::initialize(Context &context, const CallSite &site, void *address, uint32_t count) {
  requireAlignment(context, site, address, 8, "mbarrier");
  requireShared(context, site, address, 8, "mbarrier");
  if (count == 0 || count > kCountMask)
    fail(context, &site, "expected a count from 1 to 1048575, got " + std::to_string(count));
  checkAccess(context, site, address, 8, kWrite);
  if (context.block->checks())
    context.block->checker().forget(address);
  uint64_t state = kMark | uint64_t(count) << 20 | count;
  std::memcpy(address, &state, sizeof state);
}

void MBarrier::invalidate() { store(0); }

bool MBarrier::phase() const { return phaseOf(load()); }
uint32_t MBarrier::pending() const { return load() & kCountMask; }

/// Stores the new state; completes the phase when nothing is left to wait for.
void MBarrier::settle(uint64_t expected, int64_t pending, int64_t bytes, bool phase) {
  constexpr int64_t kMaxBytes = (1 << 20) - 1;
  if (pending < 0)
    fail(context, &site, "more arrivals than the mbarrier expects, " + std::to_string(expected));
  if (bytes > kMaxBytes || bytes < -kMaxBytes)
    fail(context, &site, "expected at most 1048575 bytes of transactions, got " + std::to_string(bytes));
  if (pending == 0 && bytes == 0) {
    phase = !phase;
    pending = int64_t(expected);
    context.block->progressed();
  }
  store(kMark | uint64_t(phase) << 61 | (uint64_t(bytes) & 0x1fffff) << 40 | expected << 20 | uint64_t(pending));
}

static int64_t bytesOf(uint64_t state) { return int64_t(state << 3) >> 43; }

uint64_t MBarrier::arrive(uint32_t count, bool drop) {
  uint64_t state = load();
  if (context.block->checks())
    context.block->checker().releaseAt(context, address);
  uint64_t expected = state >> 20 & kCountMask;
  settle(drop ? expected - count : expected, int64_t(state & kCountMask) - count, bytesOf(state), phaseOf(state));
  return state;
}

void MBarrier::expectTransaction(int64_t sizeBytes) {
  uint64_t state = load();
  settle(state >> 20 & kCountMask, int64_t(state & kCountMask), bytesOf(state) + sizeBytes, phaseOf(state));
}

bool MBarrier::waitParity(bool parity, bool retry) {
  completeCopies(context, address);
  if (phase() == parity) {
    context.block->yield(context, site);
    if (!retry)
      return false;
    completeCopies(context, address);
    if (phase() == parity)
      return false;
  }
  if (context.block->checks())
    context.block->checker().acquireAt(context, address);
  return true;
}

//===--- Ops
//------------------------------------------------------------------------------------------------------------===//

static void *addressOf(Slot *slots) { return slots[0].get<void *>(); }

static void initialize(Context &context, const CallSite &site, Slot *slots) {
  MBarrier::initialize(context, site, addressOf(slots), slots[1].u32());
}

static void invalidate(Context &context, const CallSite &site, Slot *slots) {
  MBarrier(context, site, addressOf(slots)).invalidate();
}

template <bool kCount, bool kDrop> static void arrive(Context &context, const CallSite &site, Slot *slots) {
  uint32_t count = kCount ? slots[1].u32() : 1;
  slots[0].set(MBarrier(context, site, addressOf(slots)).arrive(count, kDrop));
}

static void expectTransaction(Context &context, const CallSite &site, Slot *slots) {
  MBarrier(context, site, addressOf(slots)).expectTransaction(slots[1].u32());
}

static void completeTransaction(Context &context, const CallSite &site, Slot *slots) {
  MBarrier(context, site, addressOf(slots)).completeTransaction(slots[1].u32());
}

template <bool kDrop> static void arriveExpect(Context &context, const CallSite &site, Slot *slots) {
  MBarrier barrier(context, site, addressOf(slots));
  barrier.expectTransaction(slots[1].u32());
  slots[0].set(barrier.arrive(1, kDrop));
}

/// A state token waits for the phase that was current when it was made.
template <bool kRetry> static void waitState(Context &context, const CallSite &site, Slot *slots) {
  MBarrier barrier(context, site, addressOf(slots));
  slots[0].set(uint8_t(barrier.waitParity(MBarrier::phaseOf(slots[1].u64()), kRetry)));
}

template <bool kRetry> static void waitParity(Context &context, const CallSite &site, Slot *slots) {
  MBarrier barrier(context, site, addressOf(slots));
  slots[0].set(uint8_t(barrier.waitParity(slots[1].u32() & 1, kRetry)));
}

static void pendingCount(Context &, const CallSite &, Slot *slots) {
  slots[0].set(uint32_t(slots[0].u64() & kCountMask));
}

void ecf8::simt::addMBarrierOps(OpList &ops) {
  auto thread = [&ops](std::string_view name, ThreadFunction function) { ops.push_back({name, function, nullptr}); };
  thread("mbarrier.init", initialize);
  thread("mbarrier.init.shared", initialize);
  thread("mbarrier.inval", invalidate);
  thread("mbarrier.inval.shared", invalidate);
  thread("mbarrier.arrive", arrive<false, false>);
  thread("mbarrier.arrive.shared", arrive<false, false>);
  thread("mbarrier.arrive.noComplete", arrive<true, false>);
  thread("mbarrier.arrive.noComplete.shared", arrive<true, false>);
  thread("mbarrier.arrive.drop", arrive<false, true>);
  thread("mbarrier.arrive.drop.shared", arrive<false, true>);
  thread("mbarrier.test.wait", waitState<false>);
  thread("mbarrier.test.wait.shared", waitState<false>);
  thread("mbarrier.pending.count", pendingCount);
  // A block is a cluster of its own here: scopes and spaces are the same.
  thread("mbarrier.arrive.scope.cta.space.cta", arrive<true, false>);
  thread("mbarrier.arrive.scope.cluster.space.cta", arrive<true, false>);
  thread("mbarrier.arrive.scope.cluster.space.cluster", arrive<true, false>);
  thread("mbarrier.arrive.drop.scope.cta.space.cta", arrive<true, true>);
  thread("mbarrier.arrive.expect.tx.scope.cta.space.cta", arriveExpect<false>);
  thread("mbarrier.arrive.expect.tx.scope.cluster.space.cta", arriveExpect<false>);
  thread("mbarrier.arrive.expect.tx.relaxed.scope.cta.space.cta", arriveExpect<false>);
  thread("mbarrier.arrive.drop.expect.tx.scope.cta.space.cta", arriveExpect<true>);
  thread("mbarrier.expect.tx.scope.cta.space.cta", expectTransaction);
  thread("mbarrier.expect.tx.scope.cluster.space.cta", expectTransaction);
  thread("mbarrier.complete.tx.scope.cta.space.cta", completeTransaction);
  thread("mbarrier.test.wait.scope.cta.space.cta", waitState<false>);
  thread("mbarrier.test.wait.parity.scope.cta.space.cta", waitParity<false>);
  thread("mbarrier.try.wait.scope.cta.space.cta", waitState<true>);
  thread("mbarrier.try.wait.tl.scope.cta.space.cta", waitState<true>);
  thread("mbarrier.try.wait.parity.scope.cta.space.cta", waitParity<true>);
  thread("mbarrier.try.wait.parity.scope.cluster.space.cta", waitParity<true>);
  thread("mbarrier.try.wait.parity.tl.scope.cta.space.cta", waitParity<true>);
}
