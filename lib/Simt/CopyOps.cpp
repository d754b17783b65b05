// Ops: cp.async and cp.async.bulk.
#include "Copies.h"
#include "MBarrier.h"
#include "OpTable.h"

using namespace ecf8::simt;

void Copies::begin(unsigned numThreads) {
  bulk.clear();
  threads.resize(numThreads);
  for (Thread &thread : threads) {
    thread.open.clear();
    thread.openStores.clear();
    thread.groups.clear();
    thread.storeGroups.clear();
  }
}

static void perform(const PendingCopy &copy) {
  std::memcpy(copy.destination, copy.source, copy.sourceBytes);
  std::memset(static_cast<char *>(copy.destination) + copy.sourceBytes, 0, copy.sizeBytes - copy.sourceBytes);
}

//===--- cp.async
//-------------------------------------------------------------------------------------------------------===//

void ecf8::simt::asyncCopy(Context &context, const CallSite &site, void *destination, const void *source,
                           uint32_t sizeBytes, uint32_t sourceBytes) {
  Block &block = *context.block;
  requireAlignment(context, site, destination, sizeBytes, "destination");
  requireAlignment(context, site, source, sizeBytes, "source");
  requireShared(context, site, destination, sizeBytes, "destination");
  sourceBytes = std::min(sourceBytes, sizeBytes);
  PendingCopy copy{destination, source, sizeBytes, sourceBytes, &site, nullptr, context.thread};
  if (!block.checks()) {
    perform(copy);
    return;
  }
  if (sourceBytes)
    block.checker().access(context, &site, source, sourceBytes, kRead);
  block.checker().beginCopy(context, &site, destination, sizeBytes);
  block.copies().threads[context.thread].open.push_back(copy);
}

static void completeGroup(Context &context, std::vector<PendingCopy> &group) {
  for (const PendingCopy &copy : group) {
    perform(copy);
    context.block->checker().endCopy(context, copy.destination, copy.sizeBytes);
  }
  group.clear();
}

void ecf8::simt::commitCopies(Context &context) {
  if (!context.block->checks())
    return;
  auto &thread = context.block->copies().threads[context.thread];
  thread.groups.push_back(std::move(thread.open));
  thread.open.clear();
}

void ecf8::simt::waitCopies(Context &context, size_t numPending) {
  if (!context.block->checks())
    return;
  auto &groups = context.block->copies().threads[context.thread].groups;
  while (groups.size() > numPending) {
    completeGroup(context, groups.front());
    groups.pop_front();
  }
}

template <unsigned kBytes, bool kSourceSize>
static void copyAsync(Context &context, const CallSite &site, Slot *slots) {
  asyncCopy(context, site, slots[0].get<void *>(), slots[1].get<void *>(), kBytes,
            kSourceSize ? slots[2].u32() : kBytes);
}

static void commit(Context &context, const CallSite &, Slot *) { commitCopies(context); }
static void waitGroup(Context &context, const CallSite &, Slot *slots) { waitCopies(context, slots[0].u32()); }
static void waitAll(Context &context, const CallSite &, Slot *) {
  commitCopies(context);
  waitCopies(context, 0);
}

/// The mbarrier learns when this thread's copies so far are done. With `kCounted` it expects one arrival more for that.
template <bool kCounted> static void arriveAfterCopies(Context &context, const CallSite &site, Slot *slots) {
  MBarrier barrier(context, site, slots[0].get<void *>());
  commitCopies(context);
  waitCopies(context, 0);
  if (!kCounted)
    barrier.arrive(1);
}

//===--- cp.async.bulk
//--------------------------------------------------------------------------------------------------===//

void ecf8::simt::bulkCopyToShared(Context &context, const CallSite &site, void *destination, const void *source,
                                  uint32_t sizeBytes, void *mbarrier) {
  Block &block = *context.block;
  requireAlignment(context, site, destination, 16, "destination");
  requireAlignment(context, site, source, 16, "source");
  if (sizeBytes % 16)
    fail(context, &site, "expected a size that is a multiple of 16, got " + std::to_string(sizeBytes));
  requireShared(context, site, destination, sizeBytes, "destination");
  MBarrier barrier(context, site, mbarrier);
  PendingCopy copy{destination, source, sizeBytes, sizeBytes, &site, mbarrier, context.thread};
  if (!block.checks()) {
    perform(copy);
    barrier.completeTransaction(sizeBytes);
    return;
  }
  block.checker().access(context, &site, source, sizeBytes, kRead);
  block.checker().beginCopy(context, &site, destination, sizeBytes);
  block.copies().bulk.push_back(copy);
}

void ecf8::simt::completeCopies(Context &context, const void *mbarrier) {
  Block &block = *context.block;
  if (!block.checks() || block.copies().bulk.empty())
    return;
  auto &bulk = block.copies().bulk;
  for (size_t i = 0; i < bulk.size();) {
    if (bulk[i].mbarrier != mbarrier) {
      ++i;
      continue;
    }
    PendingCopy copy = bulk[i];
    bulk.erase(bulk.begin() + i);
    perform(copy);
    block.checker().endCopyAt(block.context(copy.thread), copy.destination, copy.sizeBytes, mbarrier);
    MBarrier(context, *copy.site, copy.mbarrier).completeTransaction(copy.sizeBytes);
  }
}

void ecf8::simt::bulkStoreToGlobal(Context &context, const CallSite &site, void *destination, const void *source,
                                   uint32_t sizeBytes) {
  Block &block = *context.block;
  requireAlignment(context, site, destination, 16, "destination");
  requireAlignment(context, site, source, 16, "source");
  if (sizeBytes % 16)
    fail(context, &site, "expected a size that is a multiple of 16, got " + std::to_string(sizeBytes));
  requireShared(context, site, source, sizeBytes, "source");
  PendingCopy copy{destination, source, sizeBytes, sizeBytes, &site, nullptr, context.thread};
  if (!block.checks()) {
    perform(copy);
    return;
  }
  block.checker().asyncRead(context, &site, source, sizeBytes);
  block.checker().access(context, &site, destination, sizeBytes, kWrite);
  block.copies().threads[context.thread].openStores.push_back(copy);
}

void ecf8::simt::commitStores(Context &context) {
  if (!context.block->checks())
    return;
  auto &thread = context.block->copies().threads[context.thread];
  thread.storeGroups.push_back(std::move(thread.openStores));
  thread.openStores.clear();
}

void ecf8::simt::waitStores(Context &context, size_t numPending) {
  if (!context.block->checks())
    return;
  auto &groups = context.block->copies().threads[context.thread].storeGroups;
  while (groups.size() > numPending) {
    for (const PendingCopy &copy : groups.front()) {
      // The source is read until now: whoever overwrites it meanwhile races with the copy.
      context.block->checker().asyncRead(context, copy.site, copy.source, copy.sizeBytes);
      perform(copy);
    }
    groups.pop_front();
  }
}

void ecf8::simt::completeStores(Context &context) {
  commitStores(context);
  waitStores(context, 0);
}

/// (destination, mbarrier, source, size, ...)
static void bulkToShared(Context &context, const CallSite &site, Slot *slots) {
  bulkCopyToShared(context, site, slots[0].get<void *>(), slots[2].get<void *>(), slots[3].u32(),
                   slots[1].get<void *>());
}

/// (destination, source, size, ...)
static void bulkToGlobal(Context &context, const CallSite &site, Slot *slots) {
  bulkStoreToGlobal(context, site, slots[0].get<void *>(), slots[1].get<void *>(), slots[2].u32());
}

static void bulkCommit(Context &context, const CallSite &, Slot *) { commitStores(context); }
static void bulkWait(Context &context, const CallSite &, Slot *slots) { waitStores(context, slots[0].u32()); }

void ecf8::simt::addCopyOps(OpList &ops) {
  auto thread = [&ops](std::string_view name, ThreadFunction function) { ops.push_back({name, function, nullptr}); };
  thread("cp.async.ca.shared.global.4", copyAsync<4, false>);
  thread("cp.async.ca.shared.global.4.s", copyAsync<4, true>);
  thread("cp.async.ca.shared.global.8", copyAsync<8, false>);
  thread("cp.async.ca.shared.global.8.s", copyAsync<8, true>);
  thread("cp.async.ca.shared.global.16", copyAsync<16, false>);
  thread("cp.async.ca.shared.global.16.s", copyAsync<16, true>);
  thread("cp.async.cg.shared.global.16", copyAsync<16, false>);
  thread("cp.async.cg.shared.global.16.s", copyAsync<16, true>);
  thread("cp.async.commit.group", commit);
  thread("cp.async.wait.group", waitGroup);
  thread("cp.async.wait.all", waitAll);
  thread("cp.async.mbarrier.arrive", arriveAfterCopies<true>);
  thread("cp.async.mbarrier.arrive.shared", arriveAfterCopies<true>);
  thread("cp.async.mbarrier.arrive.noinc", arriveAfterCopies<false>);
  thread("cp.async.mbarrier.arrive.noinc.shared", arriveAfterCopies<false>);
  thread("cp.async.bulk.global.to.shared.cluster", bulkToShared);
  thread("cp.async.bulk.global.to.shared.cta", bulkToShared);
  thread("cp.async.bulk.shared.cta.to.global", bulkToGlobal);
  thread("cp.async.bulk.commit.group", bulkCommit);
  thread("cp.async.bulk.wait.group", bulkWait);
  thread("cp.async.bulk.wait.group.read", bulkWait);
}
