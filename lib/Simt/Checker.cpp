// Checks of memory accesses: see Checker.h for what orders them.
#include "Checker.h"
#include "Block.h"

#include <algorithm>

using namespace ecf8::simt;

namespace {
constexpr unsigned kThreadShift = 22;
constexpr uint32_t kAtomicFlag = 1u << 21, kTimeMask = kAtomicFlag - 1;

uint32_t threadOf(uint32_t stamp) { return stamp >> kThreadShift; }
uint32_t timeOf(uint32_t stamp) { return stamp & kTimeMask; }
} // namespace

bool GlobalMemory::contains(uintptr_t address, uint64_t sizeBytes) const {
  auto next = std::upper_bound(intervals.begin(), intervals.end(), std::make_pair(address, ~uintptr_t(0)));
  if (next == intervals.begin())
    return false;
  auto [begin, end] = *--next;
  return address < end && sizeBytes <= end - address;
}

void Checker::begin(Block &owner, unsigned count, uint32_t bytes,
                    const std::vector<std::pair<uint32_t, uint32_t>> &sharedRanges) {
  block = &owner;
  numThreads = count;
  sharedBytes = bytes;
  sharedObjects = sharedRanges;
  shadow.assign(bytes, Shadow{});
  base.assign(count, 0);
  objects.clear();
  threads.resize(count);
  for (Thread &thread : threads) {
    thread.time = 1;
    thread.hasAcquired = false;
    thread.inWarp.assign(32, 0);
    thread.fenced.clear();
    thread.pending.clear();
    thread.proxyFenced = 0;
  }
}

//===--- Clocks
//---------------------------------------------------------------------------------------------------------===//

/// The time of `thread` up to which `of` has seen it.
uint32_t Checker::known(const Thread &of, unsigned ofIndex, unsigned thread) const {
  if (ofIndex == thread)
    return of.time;
  uint32_t time = base[thread];
  if (ofIndex / 32 == thread / 32)
    time = std::max(time, of.inWarp[thread % 32]);
  if (of.hasAcquired)
    time = std::max(time, of.acquired[thread]);
  return time;
}

bool Checker::ordered(const Context &context, Stamp stamp) const {
  return timeOf(stamp) <= known(threads[context.thread], context.thread, threadOf(stamp));
}

void Checker::tick(Context &context) {
  if (++threads[context.thread].time > kTimeMask)
    fail(context, nullptr, "more synchronizations of one thread than the checks can count, 2097151");
}

void Checker::snapshot(unsigned thread, SharedClock &into) const {
  into.resize(numThreads, 0);
  const Thread &from = threads[thread];
  for (unsigned t = 0; t < numThreads; ++t)
    into[t] = std::max(into[t], known(from, thread, t));
}

void Checker::release(Context &context, SharedClock &into) {
  snapshot(context.thread, into);
  tick(context);
}

void Checker::acquire(Context &context, const SharedClock &from) {
  if (from.empty())
    return;
  Thread &thread = threads[context.thread];
  if (!thread.hasAcquired)
    thread.acquired.assign(numThreads, 0);
  thread.hasAcquired = true;
  for (unsigned t = 0; t < numThreads; ++t)
    thread.acquired[t] = std::max(thread.acquired[t], from[t]);
}

void Checker::blockBarrier() {
  for (unsigned t = 0; t < numThreads; ++t) {
    base[t] = threads[t].time;
    threads[t].hasAcquired = false;
    tick(block->context(t));
  }
}

void Checker::warpBarrier(unsigned warp, uint32_t lanes) {
  // The lanes have seen what any of them has seen.
  std::array<uint32_t, 32> joined{};
  SharedClock distant;
  for (uint32_t rest = lanes; rest; rest &= rest - 1) {
    unsigned t = warp * 32 + __builtin_ctz(rest);
    const Thread &thread = threads[t];
    for (unsigned lane = 0; lane < 32; ++lane)
      joined[lane] = std::max(joined[lane], thread.inWarp[lane]);
    joined[t % 32] = std::max(joined[t % 32], thread.time);
    if (thread.hasAcquired) {
      distant.resize(numThreads, 0);
      for (unsigned u = 0; u < numThreads; ++u)
        distant[u] = std::max(distant[u], thread.acquired[u]);
    }
  }
  for (uint32_t rest = lanes; rest; rest &= rest - 1) {
    unsigned t = warp * 32 + __builtin_ctz(rest);
    std::copy(joined.begin(), joined.end(), threads[t].inWarp.begin());
    acquire(block->context(t), distant);
    tick(block->context(t));
  }
}

void Checker::fence(Context &context) {
  Thread &thread = threads[context.thread];
  if (!thread.pending.empty()) {
    acquire(context, thread.pending);
    thread.pending.clear();
  }
  thread.fenced.clear();
  snapshot(context.thread, thread.fenced);
  tick(context);
}

void Checker::proxyFence(Context &context) {
  threads[context.thread].proxyFenced = threads[context.thread].time;
  tick(context);
}

//===--- Accesses
//-------------------------------------------------------------------------------------------------------===//

/// An atomic access: acquires what others have released to this address, by itself or with the next fence, and releases
/// what this thread has done, or had done at its last fence.
void Checker::synchronize(Context &context, const void *address, uint32_t kind) {
  Thread &thread = threads[context.thread];
  if (auto found = objects.find(address); found != objects.end()) {
    if (kind & kAcquire) {
      acquire(context, found->second);
    } else {
      thread.pending.resize(numThreads, 0);
      for (unsigned t = 0; t < numThreads; ++t)
        thread.pending[t] = std::max(thread.pending[t], found->second[t]);
    }
  }
  if (!(kind & kWrite))
    return;
  if (kind & kRelease) {
    release(context, objects[address]);
  } else if (!thread.fenced.empty()) {
    SharedClock &object = objects[address];
    object.resize(numThreads, 0);
    for (unsigned t = 0; t < numThreads; ++t)
      object[t] = std::max(object[t], thread.fenced[t]);
  }
}

void Checker::access(Context &context, const CallSite *site, const void *address, uint64_t sizeBytes, uint32_t kind) {
  uint64_t offset = uintptr_t(address) - uintptr_t(block->shared());
  if (kind & kAtomic)
    synchronize(context, address, kind);
  if (offset < kArenaBytes) {
    sharedAccess(context, site, uint32_t(offset), sizeBytes, kind, false);
    return;
  }
  if (sizeBytes == 0)
    return;
  uintptr_t begin = uintptr_t(address);
  if (block->stacks().contains(begin)) {
    uintptr_t slot = begin / kStackSlotBytes;
    if (slot == uintptr_t(&context) / kStackSlotBytes)
      return;
    fail(context, site, "access to the local memory of another thread");
  }
  if (block->launch().memory.contains(begin, sizeBytes))
    return;
  char place[32];
  snprintf(place, sizeof place, "0x%llx", static_cast<unsigned long long>(begin));
  std::string what = std::string("out-of-bounds global ") + (kind & kWrite ? "write" : "read") + " of " +
                     std::to_string(sizeBytes) + " bytes at " + place;
  std::string where = describeAddress(begin + sizeBytes - 1);
  if (!where.empty())
    what += ", " + where;
  fail(context, site, std::move(what));
}

void Checker::report(Context &context, const CallSite *site, const char *what, uint32_t offset, uint64_t sizeBytes,
                     uint32_t kind, Stamp other, const char *otherDid) {
  std::string message = std::string(what) + " shared " + (kind & kWrite ? "write" : "read") + " of " +
                        std::to_string(sizeBytes) + " bytes at offset " + std::to_string(offset);
  if (other)
    message += ": thread " + std::to_string(threadOf(other)) + " " + otherDid + " without a barrier in between";
  fail(context, site, std::move(message));
}

void Checker::sharedAccess(Context &context, const CallSite *site, uint32_t offset, uint64_t sizeBytes, uint32_t kind,
                           bool async) {
  if (sizeBytes == 0)
    return;
  bool inside = false;
  for (auto [begin, end] : sharedObjects)
    inside |= offset >= begin && offset < end && sizeBytes <= end - offset;
  if (!inside)
    report(context, site, "out-of-bounds", offset, sizeBytes, kind, 0, "");
  // Neighbouring bytes mostly have the same history: what holds for one holds for those.
  Shadow before = shadow[offset];
  checkByte(context, site, offset, sizeBytes, kind, async);
  for (uint32_t i = offset + 1; i < offset + sizeBytes; ++i) {
    if (shadow[i] == before) {
      shadow[i] = shadow[i - 1];
      continue;
    }
    before = shadow[i];
    checkByte(context, site, i, sizeBytes, kind, async);
  }
}

/// One byte of an access, at offset `i`.
void Checker::checkByte(Context &context, const CallSite *site, uint32_t i, uint64_t sizeBytes, uint32_t kind,
                        bool async) {
  Shadow &byte = shadow[i];
  bool isWrite = kind & kWrite, isAtomic = kind & kAtomic;
  if (byte.writer == kPending)
    fail(context, site,
         std::string(isWrite ? "write" : "read") + " at shared offset " + std::to_string(i) +
             ", the destination of an asynchronous copy that was not waited for");
  if (byte.writer == 0 && (!isWrite || isAtomic))
    report(context, site, "uninitialised", i, sizeBytes, kRead, 0, "");
  if (byte.writer && !(isAtomic && byte.writer & kAtomicFlag) && !ordered(context, byte.writer))
    report(context, site, "racing", i, sizeBytes, kind, byte.writer, "wrote it");
  if (async && byte.writer && timeOf(byte.writer) > threads[threadOf(byte.writer)].proxyFenced)
    fail(context, site,
         "reads shared offset " + std::to_string(i) + ", which thread " + std::to_string(threadOf(byte.writer)) +
             " wrote without fence.proxy.async behind it");
  Stamp stamp = context.thread << kThreadShift | (isAtomic ? kAtomicFlag : 0) | threads[context.thread].time;
  if (isWrite) {
    for (Stamp reader : {byte.reader, byte.otherReader, byte.distantReader})
      if (reader && !(isAtomic && reader & kAtomicFlag) && !ordered(context, reader))
        report(context, site, "racing", i, sizeBytes, kind, reader, "read it");
    byte = {stamp, 0, 0, 0};
    return;
  }
  if (byte.reader && threadOf(byte.reader) != context.thread) {
    if (threadOf(byte.reader) / 32 != context.thread / 32)
      byte.distantReader = byte.reader;
    byte.otherReader = byte.reader;
  }
  byte.reader = stamp;
}

//===--- Asynchronous copies
//--------------------------------------------------------------------------------------------===//

void Checker::beginCopy(Context &context, const CallSite *site, const void *destination, uint64_t sizeBytes) {
  uint32_t offset = uint32_t(uintptr_t(destination) - uintptr_t(block->shared()));
  sharedAccess(context, site, offset, sizeBytes, kWrite, false);
  for (uint32_t i = offset; i < offset + sizeBytes; ++i)
    shadow[i].writer = kPending;
}

void Checker::endCopy(Context &context, const void *destination, uint64_t sizeBytes) {
  uint32_t offset = uint32_t(uintptr_t(destination) - uintptr_t(block->shared()));
  Stamp stamp = context.thread << kThreadShift | threads[context.thread].time;
  for (uint32_t i = offset; i < offset + sizeBytes; ++i)
    shadow[i] = {stamp, 0, 0, 0};
}

void Checker::endCopyAt(Context &context, const void *destination, uint64_t sizeBytes, const void *object) {
  endCopy(context, destination, sizeBytes);
  // Written by the asynchronous proxy: no fence is needed before its reads, and this thread's own time is all that is
  // released.
  Thread &thread = threads[context.thread];
  thread.proxyFenced = std::max(thread.proxyFenced, thread.time);
  SharedClock &clock = objects[object];
  clock.resize(numThreads, 0);
  clock[context.thread] = std::max(clock[context.thread], thread.time);
  tick(context);
}

void Checker::asyncRead(Context &context, const CallSite *site, const void *address, uint64_t sizeBytes) {
  sharedAccess(context, site, uint32_t(uintptr_t(address) - uintptr_t(block->shared())), sizeBytes, kRead, true);
}
