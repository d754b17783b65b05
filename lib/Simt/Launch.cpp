// Launches: workers take blocks until none is left. Faults of kernels become reports.
#include "Block.h"
#include "ModuleImpl.h"

#include <algorithm>
#include <condition_variable>
#include <csignal>
#include <functional>
#include <numeric>
#include <sched.h>
#include <sys/mman.h>
#include <thread>
#include <ucontext.h>

using namespace ecf8;
using namespace ecf8::simt;

namespace ecf8::simt {
struct KernelAccess {
  static const KernelImpl &get(const Kernel &kernel) { return *kernel.impl; }
};
} // namespace ecf8::simt

//===--- Faults
//---------------------------------------------------------------------------------------------------------===//

static thread_local Block *runningBlock = nullptr;

namespace {
struct Fault {
  int signal;
  uintptr_t address;
  bool isWrite, hasAddress;
};
} // namespace
static thread_local Fault fault;

/// Runs on the stack of the thread that faulted, whose frames are given up.
static void reportFault(Context *context) {
  const CallSite *site = nullptr;
  char place[32];
  snprintf(place, sizeof place, "0x%llx", static_cast<unsigned long long>(fault.address));
  std::string message;
  if (fault.signal == SIGFPE) {
    message = "integer division by zero, or its result does not fit";
  } else if (fault.signal == SIGILL) {
    message = "reached code that cannot be reached (unreachable or trap)";
  } else if (!fault.hasAddress) {
    message = "misaligned vector access, or an address that is none";
  } else {
    uintptr_t slot = uintptr_t(context) / kStackSlotBytes * kStackSlotBytes;
    if (fault.address >= slot && fault.address < slot + kStackGuardBytes) {
      message = "local memory and calls need more than " + std::to_string(kStackSlotBytes >> 10) + " KiB";
    } else {
      message = std::string("out-of-bounds ") + (fault.isWrite ? "write" : "read") + " at " + place;
      std::string where = describeAddress(fault.address);
      if (!where.empty())
        message += ", " + where;
    }
  }
  fail(*context, site, std::move(message));
}

static struct sigaction previousActions[NSIG];

static void handleSignal(int signal, siginfo_t *info, void *userContext) {
  auto *user = static_cast<ucontext_t *>(userContext);
  greg_t *registers = user->uc_mcontext.gregs;
  uintptr_t stack = uintptr_t(registers[REG_RSP]);
  // A stack that has run over points into the guard of its slot, or just below it.
  if (!runningBlock || !runningBlock->stacks().contains(stack)) {
    sigaction(signal, &previousActions[signal], nullptr); // not ours: the instruction faults again, with that action
    return;
  }
  uintptr_t slot = stack / kStackSlotBytes * kStackSlotBytes;
  fault.signal = signal;
  fault.address = uintptr_t(info->si_addr);
  fault.isWrite = registers[REG_ERR] & 2;
  fault.hasAddress = info->si_code != SI_KERNEL;
  uintptr_t context = contextAddress(slot);
  // As if the thread had called reportFault from the top of its stack.
  registers[REG_RSP] = greg_t((slot + kStackSlotBytes - kContextAreaBytes) / 16 * 16 - 8);
  registers[REG_RDI] = greg_t(context);
  registers[REG_RIP] = greg_t(reinterpret_cast<uintptr_t>(&reportFault));
}

/// Signals are handled on a stack of their own, one per operating system thread.
static void prepareSignals() {
  constexpr size_t kBytes = 64 << 10;
  static std::once_flag once;
  std::call_once(once, [] {
    struct sigaction action = {};
    action.sa_sigaction = handleSignal;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigemptyset(&action.sa_mask);
    for (int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL})
      sigaction(signal, &action, &previousActions[signal]);
  });
  struct SignalStack {
    void *memory = nullptr;
    stack_t previous = {};
    SignalStack() {
      stack_t current;
      if (sigaltstack(nullptr, &current) == 0 && !(current.ss_flags & SS_DISABLE))
        return; // someone has set one up
      memory = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      if (memory == MAP_FAILED) {
        memory = nullptr;
        return;
      }
      stack_t stack = {};
      stack.ss_sp = memory;
      stack.ss_size = kBytes;
      sigaltstack(&stack, nullptr);
    }
    ~SignalStack() {
      if (!memory)
        return;
      stack_t off = {};
      off.ss_flags = SS_DISABLE;
      sigaltstack(&off, nullptr);
      munmap(memory, kBytes);
    }
  };
  static thread_local SignalStack stack;
  (void)stack;
}

//===--- Blocks and workers
//---------------------------------------------------------------------------------------------===//

namespace {

/// Blocks that are not in use: their stacks and shadows are kept for the next launch.
class BlockPool {
public:
  std::unique_ptr<Block> take() {
    {
      std::lock_guard<std::mutex> lock(mutex);
      if (!free.empty()) {
        auto block = std::move(free.back());
        free.pop_back();
        return block;
      }
    }
    auto block = std::make_unique<Block>();
    return block->initialize() ? std::move(block) : nullptr;
  }
  void give(std::unique_ptr<Block> block) {
    std::lock_guard<std::mutex> lock(mutex);
    if (free.size() < 64)
      free.push_back(std::move(block));
  }

private:
  std::mutex mutex;
  std::vector<std::unique_ptr<Block>> free;
};

BlockPool &blockPool() {
  static BlockPool *pool = new BlockPool; // never destroyed: workers may outlive static destructors
  return *pool;
}

/// Threads that wait for launches. The launching thread works, too.
class Workers {
public:
  /// Calls `work` on up to `count` threads, this one included; on this one alone while another launch has the others.
  void run(unsigned count, const std::function<void()> &work) {
    std::unique_lock<std::mutex> launchLock(launches, std::try_to_lock);
    if (!launchLock.owns_lock()) {
      work();
      return;
    }
    {
      std::lock_guard<std::mutex> lock(mutex);
      startThreads(count - 1);
      task = &work;
      toStart = std::min(count - 1, numThreads);
      wake.notify_all();
    }
    work();
    std::unique_lock<std::mutex> lock(mutex);
    toStart = 0; // those that have not begun would find nothing to do
    done.wait(lock, [this] { return running == 0; });
  }

private:
  std::mutex launches, mutex;
  std::condition_variable wake, done;
  const std::function<void()> *task = nullptr;
  unsigned numThreads = 0, toStart = 0, running = 0;

  void startThreads(unsigned count) {
    for (; numThreads < count; ++numThreads) {
      try {
        std::thread([this] { loop(); }).detach();
      } catch (const std::system_error &) {
        return; // no more threads to be had: those that run do all the work
      }
    }
  }

  void loop() {
    std::unique_lock<std::mutex> lock(mutex);
    for (;;) {
      wake.wait(lock, [this] { return toStart > 0; });
      --toStart;
      ++running;
      const auto *work = task;
      lock.unlock();
      (*work)();
      lock.lock();
      if (--running == 0)
        done.notify_all();
    }
  }
};

Workers &workers() {
  static Workers *instance = new Workers;
  return *instance;
}

} // namespace

/// Block numbers in another order for each seed: a permutation of [0, count).
static uint64_t permuteBlock(uint64_t index, uint64_t count, uint64_t seed) {
  if (seed == 0 || count < 3)
    return index;
  // Steps by a number that shares no divisor with the count, from another start.
  uint64_t step = seed * 0x9e3779b97f4a7c15 % count | 1;
  while (std::gcd(step, count) != 1)
    step += 2;
  return uint64_t(((unsigned __int128)(index)*step + seed) % count);
}

static void work(Launch &launch) {
  prepareSignals();
  constexpr size_t kMaxStalled = 128;
  std::deque<std::unique_ptr<Block>> stalled;
  std::unique_ptr<Block> block;
  Block *outer = runningBlock;
  while (!launch.stop) {
    uint64_t index = launch.numBlocks;
    if (stalled.size() < kMaxStalled)
      index = launch.nextBlock++;
    if (index < launch.numBlocks) {
      if (!block)
        block = blockPool().take();
      if (!block || !block->begin(launch, permuteBlock(index, launch.numBlocks, launch.options.seed))) {
        launch.fail("no memory for the stacks of a block");
        break;
      }
    } else if (!stalled.empty()) {
      if (block)
        blockPool().give(std::move(block));
      block = std::move(stalled.front());
      stalled.pop_front();
      if (stalled.empty())
        sched_yield(); // it waits for a block of another worker
    } else {
      break;
    }
    runningBlock = block.get();
    Block::Outcome outcome = block->run();
    runningBlock = outer;
    if (outcome == Block::Outcome::Stalled)
      stalled.push_back(std::move(block));
    else
      launch.progress.fetch_add(1, std::memory_order_relaxed);
  }
  if (block)
    blockPool().give(std::move(block));
  for (std::unique_ptr<Block> &left : stalled)
    blockPool().give(std::move(left));
}

static Status checkShape(const KernelImpl &kernel, Dim3 grid, Dim3 block, uint32_t dynamicSharedBytes,
                         size_t numParameters) {
  auto error = [&](std::string message) {
    return Status(StatusCode::InvalidArgument, "kernel '" + kernel.name + "': " + std::move(message));
  };
  auto product = [](Dim3 d) { return uint64_t(d.x) * d.y * d.z; };
  auto text = [](Dim3 d) { return std::to_string(d.x) + "x" + std::to_string(d.y) + "x" + std::to_string(d.z); };
  if (grid.x == 0 || grid.y == 0 || grid.z == 0 || grid.x > 0x7fffffff || grid.y > 65535 || grid.z > 65535)
    return error("expected a grid of 1 to 2147483647 x 65535 x 65535 blocks, got " + text(grid));
  if (product(block) == 0 || product(block) > kMaxThreads || block.z > 64 || block.x > kMaxThreads ||
      block.y > kMaxThreads)
    return error("expected a block of 1 to 1024 threads, at most 64 in z, got " + text(block));
  if (kernel.required[0] &&
      (block.x != kernel.required[0] || block.y != kernel.required[1] || block.z != kernel.required[2]))
    return error("expected blocks of " + text({kernel.required[0], kernel.required[1], kernel.required[2]}) +
                 " threads (nvvm.reqntid), got " + text(block));
  if (kernel.maxThreads && product(block) > kernel.maxThreads)
    return error("expected at most " + std::to_string(kernel.maxThreads) + " threads (nvvm.maxntid), got " +
                 std::to_string(product(block)));
  if (numParameters != kernel.numParameters)
    return error("expected " + std::to_string(kernel.numParameters) + " parameters, got " +
                 std::to_string(numParameters));
  uint64_t sharedBytes = uint64_t(kernel.module->dynamicSharedOffset(dynamicSharedBytes)) + dynamicSharedBytes;
  if (sharedBytes > kMaxSharedBytes)
    return error("expected at most " + std::to_string(kMaxSharedBytes) + " bytes of shared memory, got " +
                 std::to_string(sharedBytes));
  return Status::ok();
}

Status ecf8::simt::launch(const Kernel &kernel, Dim3 grid, Dim3 block, uint32_t dynamicSharedBytes,
                          void *const *parameters, size_t numParameters, const LaunchOptions &options) {
  const KernelImpl &impl = KernelAccess::get(kernel);
  if (Status status = checkShape(impl, grid, block, dynamicSharedBytes, numParameters); !status.isOk())
    return status;
  if (runningBlock)
    return Status(StatusCode::InvalidArgument,
                  "kernel '" + impl.name + "': expected a launch from the host, got one from a kernel");
  Launch state;
  state.kernel = &impl;
  state.grid = grid;
  state.block = block;
  state.dynamicSharedBytes = dynamicSharedBytes;
  state.parameters = parameters;
  state.options = options;
  state.numBlocks = uint64_t(grid.x) * grid.y * grid.z;
  if (impl.module->check)
    state.memory = snapshotMemory();
  unsigned count = options.numWorkers ? options.numWorkers : std::max(1u, std::thread::hardware_concurrency());
  count = unsigned(std::min<uint64_t>(count, state.numBlocks));
  if (count > 1)
    workers().run(count, [&state] { work(state); });
  else
    work(state);
  return state.status();
}
