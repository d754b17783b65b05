// One thread block: its threads, warps and barriers, and the order in which threads run.
#ifndef ECF8_SIMT_BLOCK_H
#define ECF8_SIMT_BLOCK_H

#include "Checker.h"
#include "Copies.h"
#include "Runtime.h"
#include "Wgmma.h"

#include <array>
#include <atomic>
#include <chrono>
#include <mutex>

namespace ecf8::simt {

constexpr unsigned kMaxThreads = 1024, kMaxWarps = 32, kMaxBarriers = 16;
/// Room for shared memory; a multiple of what matrix descriptors can address, and aligned to it.
constexpr size_t kArenaBytes = 256 << 10;
/// The most that a block of any architecture can use (sm_90 and sm_100).
constexpr uint32_t kMaxSharedBytes = 227 << 10;

/// A running launch, common to its blocks.
struct Launch {
  const KernelImpl *kernel;
  Dim3 grid, block;
  uint32_t dynamicSharedBytes;
  void *const *parameters;
  LaunchOptions options;
  GlobalMemory memory; ///< what may be accessed, in modules with checks

  uint64_t numBlocks = 0;
  std::atomic<uint64_t> nextBlock = 0;
  std::atomic<uint64_t> progress = 0;
  std::atomic<bool> stop = false;

  void fail(std::string message);
  Status status();

private:
  std::mutex mutex;
  Status error;
};

/// Lanes that meet at one collective.
struct Collective {
  uint32_t mask, arrived;
  const CallSite *site;
};

struct Warp {
  uint32_t exists, live, ready, yielded, activeMask; ///< bits of lanes; activeMask: those that wait for activemask
  unsigned numOpen;
  std::array<Collective, 32> open;
};

/// A barrier of a block, such as that of `barrier.sync`.
struct NamedBarrier {
  static constexpr uint32_t kAll = ~0u;
  uint32_t expected; ///< threads; kAll for all that have not exited; 0 while nobody has arrived
  uint32_t arrived;
  bool reduceAll, reduceAny;
  uint32_t reduceCount;
  bool doneAll, doneAny; ///< of the last time that it completed
  uint32_t doneCount;
  std::array<uint32_t, kMaxWarps> waiting; ///< lanes
  std::array<uint32_t, kMaxWarps> seen;    ///< lanes, those that arrived without waiting included
  std::array<const CallSite *, kMaxWarps> site;
  SharedClock clock; ///< of the threads that have arrived
};

class Block {
public:
  enum class Outcome { Finished, Stalled, Failed };

  /// Memory for stacks and arena; false where there is none.
  bool initialize();
  ~Block();

  /// Puts the threads of block `index` at the kernel's entry.
  bool begin(Launch &launch, uint64_t index);
  /// Runs until all threads have exited, the launch failed, or all of them wait for other blocks.
  Outcome run();

  Launch &launch() { return *currentLaunch; }
  Context &context(unsigned thread) { return *contexts[thread]; }
  unsigned numThreads() const { return threads; }
  char *shared() const { return arena; }
  uint32_t sharedBytes() const { return usedSharedBytes; }
  bool isShared(const void *address) const { return uintptr_t(address) - uintptr_t(arena) < kArenaBytes; }
  bool checks() const { return isChecking; }
  Checker &checker() { return blockChecker; }
  Stacks &stacks() { return threadStacks; }
  Copies &copies() { return pendingCopies; }
  WgmmaState &wgmma() { return wgmmaState; }

  /// The rest is called by threads of the block.
  void collective(Context &context, const CallSite &site, Slot *slots, uint32_t mask, bool aligned);
  struct BarrierArgs {
    uint32_t id = 0, count = NamedBarrier::kAll;
    bool aligned = true, wait = true;
    bool predicate = false; ///< of a reducing barrier
  };
  void barrier(Context &context, const CallSite &site, const BarrierArgs &args);
  /// Results of the last completed reducing barrier with this id.
  NamedBarrier &namedBarrier(uint32_t id) { return barriers[id]; }
  uint32_t activeMask(Context &context, const CallSite &site);
  /// Lets all others run before this thread goes on.
  void yield(Context &context, const CallSite &site);
  [[noreturn]] void exitThread(Context &context);
  [[noreturn]] void leave(Context &context); ///< after a failure
  void progressed() { ++progress; }

private:
  void prepareThread(unsigned thread, Dim3 tid, const Dim3 &blockIndex);
  unsigned select(uint32_t mask);
  Context *pickNext();
  void switchAway(Context &context);
  bool startRound();
  bool resolveActiveMasks(unsigned firstWarp, unsigned endWarp);
  void makeReady(unsigned warp, uint32_t lanes);
  void completeCollective(Context &context, unsigned warp, Collective &collective);
  void completeBarrier(NamedBarrier &barrier);
  void reportDeadlock(const char *kind);

  Stacks threadStacks;
  char *arena = nullptr;
  void *arenaMapping = nullptr;
  Launch *currentLaunch = nullptr;
  Checker blockChecker;
  Copies pendingCopies;
  WgmmaState wgmmaState;
  bool isChecking = false, hasFailed = false, hasStalled = false;
  unsigned threads = 0, numWarps = 0, liveThreads = 0, currentWarp = 0;
  uint32_t readyWarps = 0, yieldedWarps = 0, usedSharedBytes = 0;
  uint64_t random = 0, progress = 0, lastProgress = 0, lastLaunchProgress = 0, idleRounds = 0;
  std::chrono::steady_clock::time_point idleSince;
  void *schedulerStack = nullptr;
  std::array<Context *, kMaxThreads> contexts;
  std::array<Warp, kMaxWarps> warps;
  std::array<NamedBarrier, kMaxBarriers> barriers;
};

/// "block (1,0,0), thread (37,0,0)".
std::string describeThread(const Context &context);

} // namespace ecf8::simt

#endif // ECF8_SIMT_BLOCK_H
