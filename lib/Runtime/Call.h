// One running call of compiled code: its memory, its error, and the imports through which the code reaches the runtime.
#ifndef ECF8_LIB_RUNTIME_CALL_H
#define ECF8_LIB_RUNTIME_CALL_H

#include "ThreadPool.h"

#include "ecf8/Runtime/ModuleABI.h"
#include "ecf8/Support/Status.h"

#include <atomic>
#include <cstdint>
#include <mutex>
#include <span>

namespace ecf8 {

class GpuProgram;

/// A weight as compiled code sees it.
struct WeightView {
  const void *data; ///< aligned to 64
  int64_t sizeBytes;
};

/// Memory that compiled code asks for. The block's header lies in front of the bytes it hands out. Large blocks that
/// the code releases are kept until the end of the call, up to a limit, for requests of the same size: the pages of a
/// fresh block cost more than many a loop that fills it.
class TrackedMemory {
public:
  TrackedMemory() = default;
  ~TrackedMemory() { releaseAll(); }
  TrackedMemory(const TrackedMemory &) = delete;

  /// Null if there is not that much memory.
  void *allocate(uint64_t bytes, uint64_t alignment);
  void release(void *pointer);
  /// Takes the block out of the tracking, so that it outlives the call; false if `pointer` is not the start of a live
  /// block. `freeDetached` ends it.
  bool detach(void *pointer);
  static void freeDetached(void *pointer);
  void releaseAll();

private:
  struct Header;
  static Header *headerOf(void *pointer);
  void *reuse(uint64_t bytes, uint64_t alignment);
  // Both with `mutex` held.
  static void link(Header *&list, Header *header);
  static void unlink(Header *&list, Header *header);

  std::mutex mutex;
  Header *first = nullptr; ///< handed out
  Header *kept = nullptr;  ///< released by the code
  uint64_t keptBytes = 0;
};

/// The state of one call. Lives on the stack of the calling thread, outside everything that a longjmp skips.
class Call {
public:
  /// With `gpu` the weights and all memory are there.
  Call(std::span<const WeightView> weights, ThreadPool &pool, GpuProgram *gpu = nullptr)
      : gpu(gpu), weights(weights), pool(pool) {}

  /// Runs `function(operands)`. If the code fails, here or on a worker, the status says why. All pieces of all loops
  /// have ended when this returns.
  Status run(void (*function)(void **), void **operands);

  /// Keeps the first error of the call.
  void record(StatusCode code, const char *message);

  TrackedMemory memory; ///< of the host
  GpuProgram *const gpu;

private:
  friend struct Imports;

  std::span<const WeightView> weights;
  ThreadPool &pool;
  std::atomic<bool> failed{false};
  std::atomic_flag messageTaken;
  StatusCode errorCode = StatusCode::Ok;
  char errorMessage[1024] = {};
};

/// The call that runs on this thread, for imports.
Call *runningCall();
/// Leaves the compiled code that runs on this thread, after `record`. No object with a destructor may be in between.
[[noreturn]] void leaveRunningCall();

/// The table that every module gets; it finds the running call through a variable of the thread.
const EcfModuleImports &moduleImports();

} // namespace ecf8

#endif // ECF8_LIB_RUNTIME_CALL_H
