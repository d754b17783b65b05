// Checks of memory accesses in modules that are loaded with them: bounds, initialisation, races, unfinished copies.
#ifndef ECF8_SIMT_CHECKER_H
#define ECF8_SIMT_CHECKER_H

#include "Runtime.h"

#include <cstdint>
#include <unordered_map>
#include <utility>
#include <vector>

namespace ecf8::simt {

/// Memory that kernels may access: [begin, end) intervals, sorted. A snapshot, taken when a launch begins.
struct GlobalMemory {
  std::vector<std::pair<uintptr_t, uintptr_t>> intervals;
  bool contains(uintptr_t address, uint64_t sizeBytes) const;
};
/// Of all allocations and registered memory.
GlobalMemory snapshotMemory();
/// "3 bytes past the end of the allocation of 256 bytes at 0x...", or an empty text.
std::string describeAddress(uintptr_t address);

/// What the threads that released something had done by then: for each thread of the block its own time; empty if
/// nobody has.
using SharedClock = std::vector<uint32_t>;

/// The happens-before order of a block's accesses, and a shadow of its shared memory. Each thread has a clock, which
/// moves on when it releases; an access is stamped with thread and time. Another access is ordered behind it if its
/// thread has acquired that time. What orders threads: barriers, bar.warp.sync, mbarriers, atomics with acquire and
/// release or with fences. Shuffles, votes and matrix instructions do not.
class Checker {
public:
  void begin(Block &block, unsigned numThreads, uint32_t sharedBytes,
             const std::vector<std::pair<uint32_t, uint32_t>> &objects);

  /// Reports what is wrong with an access, and notes it.
  void access(Context &context, const CallSite *site, const void *address, uint64_t sizeBytes, uint32_t kind);

  /// All threads that have not exited have met.
  void blockBarrier();
  void warpBarrier(unsigned warp, uint32_t lanes);
  void release(Context &context, SharedClock &into);
  void acquire(Context &context, const SharedClock &from);
  void fence(Context &context);
  /// The same for an object that is known by its address, such as an mbarrier.
  void releaseAt(Context &context, const void *object) { release(context, objects[object]); }
  void acquireAt(Context &context, const void *object) { acquire(context, objects[object]); }
  void forget(const void *object) { objects.erase(object); }

  /// Asynchronous copies into shared memory: their destination may not be touched until they have completed.
  void beginCopy(Context &context, const CallSite *site, const void *destination, uint64_t sizeBytes);
  void endCopy(Context &context, const void *destination, uint64_t sizeBytes);
  /// A write by the asynchronous proxy is released to those who acquire `object`.
  void endCopyAt(Context &context, const void *destination, uint64_t sizeBytes, const void *object);

  /// fence.proxy.async: what this thread wrote is visible to asynchronous instructions once they are ordered behind it.
  void proxyFence(Context &context);
  /// A read by an asynchronous instruction, such as wgmma.
  void asyncRead(Context &context, const CallSite *site, const void *address, uint64_t sizeBytes);

private:
  /// A stamp is thread (10 bits), a flag of atomics, and time (21 bits); 0 is "never", kPending an unfinished copy.
  using Stamp = uint32_t;
  static constexpr Stamp kPending = ~0u;
  struct Shadow {
    Stamp writer;
    Stamp reader;        ///< the last one
    Stamp otherReader;   ///< the last one of another thread than `reader`
    Stamp distantReader; ///< the last one of another warp than `reader`
    bool operator==(const Shadow &) const = default;
  };
  struct Thread {
    uint32_t time;
    bool hasAcquired;               ///< from outside of its warp, since the last barrier of the block
    std::vector<uint32_t> acquired; ///< by thread; valid if hasAcquired
    std::vector<uint32_t> inWarp;   ///< by lane
    SharedClock fenced, pending;    ///< what a fence has released, and what it will acquire
    uint32_t proxyFenced;
  };

  uint32_t known(const Thread &of, unsigned ofIndex, unsigned thread) const;
  bool ordered(const Context &context, Stamp stamp) const;
  void tick(Context &context);
  void synchronize(Context &context, const void *address, uint32_t kind);
  void snapshot(unsigned thread, SharedClock &into) const;
  void sharedAccess(Context &context, const CallSite *site, uint32_t offset, uint64_t sizeBytes, uint32_t kind,
                    bool async);
  void checkByte(Context &context, const CallSite *site, uint32_t i, uint64_t sizeBytes, uint32_t kind, bool async);
  [[noreturn]] void report(Context &context, const CallSite *site, const char *what, uint32_t offset,
                           uint64_t sizeBytes, uint32_t kind, Stamp other, const char *otherDid);

  Block *block = nullptr;
  unsigned numThreads = 0;
  uint32_t sharedBytes = 0;
  std::vector<std::pair<uint32_t, uint32_t>> sharedObjects; ///< [begin, end) offsets of what is declared
  std::vector<Shadow> shadow;
  std::vector<Thread> threads;
  std::vector<uint32_t> base; ///< by thread: its time at the last barrier of the block
  std::unordered_map<const void *, SharedClock> objects;
};

} // namespace ecf8::simt

#endif // ECF8_SIMT_CHECKER_H
