// The pool of threads, and the one that the process uses.
#include "ThreadPool.h"

#include "FloatingPointState.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <pthread.h>
#include <sched.h>

using namespace ecf8;

// Consecutive loops of a model follow each other within microseconds: spinning this long saves a sleep and a wake.
static constexpr unsigned spinRounds = 4000;

static void spin() { __builtin_ia32_pause(); }

ThreadPool::ThreadPool(unsigned threads) : threadCount(std::max(threads, 1u)) {
  for (unsigned i = 1; i < threadCount; ++i) {
    try {
      workers.emplace_back([this] { work(); });
    } catch (const std::system_error &) {
      break; // the system gives no more threads: those that there are do the work
    }
  }
  threadCount = static_cast<unsigned>(workers.size()) + 1;
}

ThreadPool::~ThreadPool() {
  {
    std::lock_guard<std::mutex> lock(mutex);
    stopping.store(true);
  }
  wake.notify_all();
  for (std::thread &worker : workers)
    worker.join();
}

void ThreadPool::runPieces(Job &job) {
  for (;;) {
    int64_t begin = job.next.fetch_add(job.pieceLength, std::memory_order_relaxed);
    if (begin >= job.count)
      return;
    job.piece(begin, begin + std::min(job.pieceLength, job.count - begin), job.context);
  }
}

ThreadPool::Job *ThreadPool::findJob() {
  // The newest first: it is the innermost loop, which others wait for.
  for (Job *job = newestJob; job; job = job->older)
    if (job->next.load(std::memory_order_relaxed) < job->count)
      return job;
  return nullptr;
}

void ThreadPool::run(int64_t count, int64_t grain, Piece piece, void *context) {
  if (count <= 0)
    return;
  grain = std::max<int64_t>(grain, 1);
  // Four pieces per thread even out unequal speeds. `next` runs past `count` by up to a piece per thread.
  int64_t share = count / (int64_t(threadCount) * 4) + 1;
  Job job{count, std::max(grain, share), piece, context};
  if (threadCount == 1 || job.pieceLength >= count || count > INT64_MAX / 2) {
    piece(0, count, context);
    return;
  }
  {
    std::lock_guard<std::mutex> lock(mutex);
    job.older = newestJob;
    newestJob = &job;
    announced.fetch_add(1, std::memory_order_release);
  }
  int64_t otherPieces = (count - 1) / job.pieceLength;
  if (otherPieces >= int64_t(threadCount) - 1)
    wake.notify_all();
  else
    for (int64_t i = 0; i < otherPieces; ++i)
      wake.notify_one();

  runPieces(job);
  {
    std::lock_guard<std::mutex> lock(mutex);
    Job **link = &newestJob;
    while (*link != &job)
      link = &(*link)->older;
    *link = job.older;
  }
  // No worker joins from here on; those inside finish their last piece.
  for (unsigned round = 0; round < spinRounds; ++round) {
    if (job.helpers.load(std::memory_order_acquire) == 0)
      return;
    spin();
  }
  while (uint32_t inside = job.helpers.load(std::memory_order_acquire))
    job.helpers.wait(inside, std::memory_order_acquire);
}

void ThreadPool::work() {
  setDefaultFloatingPointState();
  std::unique_lock<std::mutex> lock(mutex);
  while (!stopping.load()) {
    if (Job *job = findJob()) {
      job->helpers.fetch_add(1, std::memory_order_relaxed);
      lock.unlock();
      runPieces(*job);
      // Afterwards `job` may be gone: the address alone is used, and it is on a stack that stays mapped.
      std::atomic<uint32_t> &helpers = job->helpers;
      if (helpers.fetch_sub(1, std::memory_order_release) == 1)
        helpers.notify_all();
      lock.lock();
      continue;
    }
    uint64_t seen = announced.load(std::memory_order_acquire);
    lock.unlock();
    for (unsigned round = 0; round < spinRounds; ++round) {
      if (announced.load(std::memory_order_acquire) != seen || stopping.load(std::memory_order_relaxed))
        break;
      spin();
    }
    lock.lock();
    wake.wait(lock, [&] { return stopping.load() || announced.load(std::memory_order_acquire) != seen; });
  }
}

//===-- The pool of the process -----------------------------------------------------------------------------------===//

namespace {

// Never destroyed: calls may still run while the process exits, and its threads end with it.
struct ProcessPool {
  std::mutex mutex;
  std::shared_ptr<ThreadPool> pool;
  unsigned requested = 0;
};

ProcessPool &processPool() {
  static ProcessPool &state = *[] {
    // A child of fork has none of the threads: it forgets the pool and makes its own.
    pthread_atfork([] { processPool().mutex.lock(); }, [] { processPool().mutex.unlock(); },
                   [] {
                     new std::shared_ptr<ThreadPool>(std::move(processPool().pool));
                     processPool().pool = nullptr;
                     processPool().mutex.unlock();
                   });
    return new ProcessPool;
  }();
  return state;
}

} // namespace

/// What ECF8_NUM_THREADS asks for; 0 where it is not set or empty.
static Result<unsigned> threadsOfEnvironment() {
  const char *text = std::getenv("ECF8_NUM_THREADS");
  if (!text || *text == '\0')
    return 0u;
  unsigned count = 0;
  const char *last = text + std::strlen(text);
  auto [end, error] = std::from_chars(text, last, count);
  if (error != std::errc() || end != last || count < 1 || count > 1024)
    return Status(StatusCode::InvalidArgument,
                  "ECF8_NUM_THREADS: expected a number of threads from 1 to 1024, got '" + std::string(text) + "'");
  return count;
}

Status ecf8::checkThreadsOfEnvironment() { return threadsOfEnvironment().status(); }

static unsigned defaultThreads() {
  if (Result<unsigned> count = threadsOfEnvironment(); count && *count != 0)
    return *count;
  cpu_set_t cpus;
  if (sched_getaffinity(0, sizeof(cpus), &cpus) == 0)
    return static_cast<unsigned>(std::max(CPU_COUNT(&cpus), 1));
  return std::max(std::thread::hardware_concurrency(), 1u);
}

std::shared_ptr<ThreadPool> ecf8::currentPool() {
  ProcessPool &state = processPool();
  std::lock_guard<std::mutex> lock(state.mutex);
  if (!state.pool)
    state.pool = std::make_shared<ThreadPool>(state.requested ? state.requested : defaultThreads());
  return state.pool;
}

void ecf8::setThreads(unsigned count) {
  ProcessPool &state = processPool();
  std::shared_ptr<ThreadPool> old; // ends outside the lock
  std::lock_guard<std::mutex> lock(state.mutex);
  state.requested = count;
  old.swap(state.pool);
}
