// The threads of a block, and who runs next.
#include "Block.h"
#include "ModuleImpl.h"

#include <algorithm>
#include <sys/mman.h>

using namespace ecf8::simt;

bool Block::initialize() {
  // In the first 2 GiB: code that keeps a shared address in 32 bits, as instructions and descriptors do, stays correct.
  // The parts that are not the arena cannot be touched.
  void *got = mmap(nullptr, 3 * kArenaBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_32BIT, -1, 0);
  if (got == MAP_FAILED)
    return false;
  arenaMapping = got;
  uintptr_t aligned = (uintptr_t(got) + kArenaBytes) / kArenaBytes * kArenaBytes;
  arena = reinterpret_cast<char *>(aligned);
  return mprotect(arena, kArenaBytes, PROT_READ | PROT_WRITE) == 0;
}

Block::~Block() {
  if (arenaMapping)
    munmap(arenaMapping, 3 * kArenaBytes);
}

static void threadMain(void *argument) {
  auto &context = *static_cast<Context *>(argument);
  context.block->launch().kernel->entry(context.block->launch().parameters);
  context.block->exitThread(context);
}

void Block::prepareThread(unsigned thread, Dim3 tid, const Dim3 &blockIndex) {
  auto *context = reinterpret_cast<Context *>(contextAddress(threadStacks.slot(thread)));
  contexts[thread] = context;
  const Launch &l = *currentLaunch;
  *context = Context();
  uint32_t lane = thread % 32;
  auto put = [](uint32_t (&to)[3], Dim3 from) { to[0] = from.x, to[1] = from.y, to[2] = from.z; };
  put(context->tid, tid);
  put(context->ntid, l.block);
  put(context->ctaid, blockIndex);
  put(context->nctaid, l.grid);
  context->laneId = lane;
  context->warpId = thread / 32;
  context->numWarps = numWarps;
  context->dynamicSharedBytes = l.dynamicSharedBytes;
  context->totalSharedBytes = usedSharedBytes;
  context->laneMaskEq = 1u << lane;
  context->laneMaskLt = (1u << lane) - 1;
  context->laneMaskLe = context->laneMaskLt | context->laneMaskEq;
  context->laneMaskGt = ~context->laneMaskLe;
  context->laneMaskGe = ~context->laneMaskLt;
  context->thread = thread;
  context->shared = arena;
  context->block = this;
  context->pollsLeft = 64;
  context->stackPointer = threadStacks.prepare(thread, threadMain, context);
}

bool Block::begin(Launch &launch, uint64_t index) {
  currentLaunch = &launch;
  const KernelImpl &kernel = *launch.kernel;
  threads = launch.block.x * launch.block.y * launch.block.z;
  numWarps = (threads + 31) / 32;
  if (!threadStacks.reserve(threads))
    return false;
  usedSharedBytes = kernel.module->dynamicSharedOffset(launch.dynamicSharedBytes) + launch.dynamicSharedBytes;
  // Values that no program means: a kernel that reads what nobody wrote does not get away with zeros.
  std::memset(arena, 0xff, std::min<size_t>(kArenaBytes, usedSharedBytes + 4096));
  Dim3 blockIndex;
  blockIndex.x = index % launch.grid.x;
  blockIndex.y = index / launch.grid.x % launch.grid.y;
  blockIndex.z = index / launch.grid.x / launch.grid.y;
  unsigned thread = 0;
  for (uint32_t z = 0; z < launch.block.z; ++z)
    for (uint32_t y = 0; y < launch.block.y; ++y)
      for (uint32_t x = 0; x < launch.block.x; ++x)
        prepareThread(thread++, {x, y, z}, blockIndex);
  for (unsigned w = 0; w < numWarps; ++w) {
    unsigned lanes = std::min(32u, threads - w * 32);
    uint32_t mask = lanes == 32 ? ~0u : (1u << lanes) - 1;
    Warp &warp = warps[w];
    warp.exists = warp.live = warp.ready = mask;
    warp.yielded = warp.activeMask = 0;
    warp.numOpen = 0;
  }
  for (NamedBarrier &barrier : barriers) {
    barrier.expected = barrier.arrived = barrier.reduceCount = 0;
    barrier.reduceAll = true, barrier.reduceAny = false;
    barrier.waiting.fill(0);
    barrier.seen.fill(0);
    barrier.clock.clear();
  }
  readyWarps = numWarps == 32 ? ~0u : (1u << numWarps) - 1;
  yieldedWarps = 0;
  liveThreads = threads;
  currentWarp = 0;
  hasFailed = hasStalled = false;
  progress = lastProgress = idleRounds = 0;
  random = launch.options.seed ? launch.options.seed * 0x9e3779b97f4a7c15 + index * 0xbf58476d1ce4e5b9 + 1 : 0;
  isChecking = kernel.module->check;
  if (isChecking) {
    pendingCopies.begin(threads);
    wgmmaState.begin();
    blockChecker.begin(*this, threads, usedSharedBytes, kernel.module->sharedObjects(launch.dynamicSharedBytes));
  }
  return true;
}

Block::Outcome Block::run() {
  hasStalled = false;
  Context *first = pickNext();
  if (first)
    ecf8_simt_switch(&schedulerStack, first->stackPointer);
  if (hasFailed || currentLaunch->stop)
    return Outcome::Failed;
  return hasStalled ? Outcome::Stalled : Outcome::Finished;
}

/// One of the bits of `mask`, which is not 0.
unsigned Block::select(uint32_t mask) {
  if (!random)
    return __builtin_ctz(mask);
  random ^= random << 13, random ^= random >> 7, random ^= random << 17;
  unsigned turn = random & 31;
  return (__builtin_ctz(__builtin_rotateright32(mask, turn)) + turn) & 31;
}

/// The thread that goes on, taken off the ready ones; null if control goes back to the scheduler.
Context *Block::pickNext() {
  while (!currentLaunch->stop.load(std::memory_order_relaxed)) {
    Warp &warp = warps[currentWarp];
    if (warp.ready) {
      unsigned lane = select(warp.ready);
      warp.ready &= ~(1u << lane);
      if (!warp.ready)
        readyWarps &= ~(1u << currentWarp);
      Context *next = contexts[currentWarp * 32 + lane];
      next->wait = Wait::None;
      return next;
    }
    if (readyWarps) {
      uint32_t later = readyWarps & ~((2u << currentWarp) - 1);
      currentWarp = select(!random && later ? later : readyWarps);
      continue;
    }
    if (resolveActiveMasks(0, numWarps))
      continue;
    if (yieldedWarps) {
      if (startRound())
        continue;
      return nullptr;
    }
    if (liveThreads)
      reportDeadlock("deadlock");
    return nullptr;
  }
  return nullptr;
}

/// Those who let others run first are runnable again. False if the block should wait for other blocks.
bool Block::startRound() {
  bool isIdle = progress == lastProgress;
  lastProgress = progress;
  if (!isIdle) {
    idleRounds = 0;
    currentLaunch->progress.fetch_add(1, std::memory_order_relaxed);
  } else if (++idleRounds % 128 == 0) {
    auto now = std::chrono::steady_clock::now();
    uint64_t launchProgress = currentLaunch->progress.load(std::memory_order_relaxed);
    if (idleRounds == 128 || launchProgress != lastLaunchProgress) {
      lastLaunchProgress = launchProgress;
      idleSince = now;
      idleRounds = 128;
    }
    // Rounds of small blocks are short: other workers get half a second, too.
    if (idleRounds > currentLaunch->options.livelockRounds && now - idleSince > std::chrono::milliseconds(500)) {
      reportDeadlock("livelock");
      return false;
    }
    hasStalled = true;
  }
  for (uint32_t rest = yieldedWarps; rest; rest &= rest - 1) {
    unsigned w = __builtin_ctz(rest);
    warps[w].ready |= warps[w].yielded;
    warps[w].yielded = 0;
  }
  readyWarps |= yieldedWarps;
  yieldedWarps = 0;
  return !hasStalled;
}

void Block::makeReady(unsigned warp, uint32_t lanes) {
  if (!lanes)
    return;
  warps[warp].ready |= lanes;
  readyWarps |= 1u << warp;
}

void Block::switchAway(Context &context) {
  context.iterations = 0;
  Context *next = pickNext();
  if (next == &context)
    return;
  ecf8_simt_switch(&context.stackPointer, next ? next->stackPointer : schedulerStack);
}

void Block::leave(Context &context) {
  hasFailed = true;
  ecf8_simt_switch(&context.stackPointer, schedulerStack);
  __builtin_unreachable();
}

void Block::exitThread(Context &context) {
  Warp &warp = warps[context.warpId];
  if (isChecking) {
    completeStores(context);
    if (wgmmaState.isPending(context.warpId))
      fail(context, nullptr, "exits with wgmma that it has not waited for (wgmma.wait_group)");
  }
  context.wait = Wait::Exited;
  warp.live &= ~(1u << context.laneId);
  --liveThreads;
  ++progress;
  // Who waits for all that have not exited may be able to go on.
  for (unsigned i = 0; i < warp.numOpen;) {
    Collective &open = warp.open[i];
    if (open.arrived && open.arrived == (open.mask & warp.live) && open.site->op &&
        open.site->op->maskArgument != Op::kWholeWarp)
      completeCollective(*contexts[context.warpId * 32 + __builtin_ctz(open.arrived)], context.warpId, open);
    else
      ++i;
  }
  for (NamedBarrier &barrier : barriers)
    if (barrier.expected == NamedBarrier::kAll && barrier.arrived == liveThreads && liveThreads)
      completeBarrier(barrier);
  switchAway(context);
  __builtin_unreachable();
}

void Block::yield(Context &context, const CallSite &site) {
  context.site = &site;
  context.wait = Wait::Yield;
  warps[context.warpId].yielded |= context.laneMaskEq;
  yieldedWarps |= 1u << context.warpId;
  switchAway(context);
}

//===------------------------------------------------------------------------------------------------------------------===//
// Calls of compiled code
//===------------------------------------------------------------------------------------------------------------------===//

void ecf8::simt::ecf8_simt_warp_op(Context *context, const CallSite *site, Slot *slots) {
  const Op &op = *site->op;
  bool aligned = op.maskArgument == Op::kWholeWarp;
  context->block->collective(*context, *site, slots, aligned ? ~0u : slots[op.maskArgument].u32(), aligned);
}

void ecf8::simt::ecf8_simt_poll(Context *context, const CallSite *site) {
  if (--context->pollsLeft == 0) {
    context->pollsLeft = 64;
    context->block->yield(*context, *site);
  }
}

/// A turn of a loop, in modules with checks. 2^28 of them take a good second.
void ecf8::simt::ecf8_simt_iteration(Context *context, const CallSite *site) {
  if (++context->iterations == 1u << 28)
    fail(*context, site, "livelock: 268435456 turns of loops without a collective or an atomic access");
}

void ecf8::simt::ecf8_simt_access(Context *context, const CallSite *site, void *address, uint64_t sizeBytes,
                                  uint32_t kind) {
  context->block->checker().access(*context, site, address, sizeBytes, kind);
}
