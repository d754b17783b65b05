// A small pool of threads for loops over ranges. Loops may nest and may come from several threads at once.
#ifndef ECF8_LIB_RUNTIME_THREADPOOL_H
#define ECF8_LIB_RUNTIME_THREADPOOL_H

#include "ecf8/Support/Status.h"
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace ecf8 {

class ThreadPool {
public:
  /// `threads` counts the calling thread: a pool of 1 has no threads of its own.
  explicit ThreadPool(unsigned threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool &) = delete;

  unsigned threads() const { return threadCount; }

  /// A piece of work: does [begin, end). Must not throw or leave by longjmp.
  using Piece = void (*)(int64_t begin, int64_t end, void *context);

  /// Runs `piece` over disjoint ranges that cover [0, count), each at least `grain` long except the last, on this
  /// thread and on idle ones; returns when all are done. The calling thread works too and waits only for pieces that
  /// have started, so nesting cannot deadlock.
  void run(int64_t count, int64_t grain, Piece piece, void *context);

private:
  struct Job {
    int64_t count, pieceLength;
    Piece piece;
    void *context;
    std::atomic<int64_t> next{0}; // first element that nobody has taken
    Job *older = nullptr;
    std::atomic<uint32_t> helpers{0}; // workers inside this job; grows only under `mutex` while the job is listed
  };

  void work();
  static void runPieces(Job &job);
  Job *findJob(); // with `mutex` held

  unsigned threadCount;
  std::mutex mutex;
  std::condition_variable wake;
  Job *newestJob = nullptr;           // head of the list of loops that run
  std::atomic<uint64_t> announced{0}; // counts jobs, for workers that spin before they sleep
  std::atomic<bool> stopping{false};
  std::vector<std::thread> workers;
};

/// The pool of the process. A call holds on to the pool it began with; `setThreads` replaces it for later calls.
std::shared_ptr<ThreadPool> currentPool();
/// 0: the default (ECF8_NUM_THREADS, else the CPUs in the process's affinity mask).
void setThreads(unsigned count);
/// Fails where ECF8_NUM_THREADS is set and no number from 1 to 1024; loops would use the CPUs of the process.
Status checkThreadsOfEnvironment();

} // namespace ecf8

#endif // ECF8_LIB_RUNTIME_THREADPOOL_H
