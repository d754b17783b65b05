// Work on a few threads with a part in between that runs in order. Private to the codec.
#ifndef ECF8_LIB_CODEC_ORDEREDFOR_H
#define ECF8_LIB_CODEC_ORDEREDFOR_H

#include "ecf8/Support/ParallelFor.h"
#include "ecf8/Support/Status.h"

#include <condition_variable>
#include <mutex>

namespace ecf8 {

/// For each i in [0, count): prepare(i, slot) and finish(i, slot) on any thread, and between them commit(i, slot), for
/// one i at a time, from 0 on. Each thread has a slot of its own, made by default. Stops at the first error and returns
/// that of the least i.
template <typename Slot, typename Prepare, typename Commit, typename Finish>
Status orderedFor(size_t count, unsigned threads, const Prepare &prepare, const Commit &commit, const Finish &finish) {
  std::mutex mutex;
  std::condition_variable turnChanged;
  size_t turn = 0, failedIndex = count;
  Status failure;
  std::atomic<size_t> next = 0;
  std::atomic<bool> isStopped = false;
  auto fail = [&](size_t i, const Status &status) {
    std::lock_guard lock(mutex);
    if (i < failedIndex) {
      failedIndex = i;
      failure = status;
    }
    isStopped = true;
    turnChanged.notify_all();
  };
  auto commitInTurn = [&](size_t i, Slot &slot) {
    {
      std::unique_lock lock(mutex);
      turnChanged.wait(lock, [&] { return turn == i || isStopped; });
      if (isStopped)
        return Status::ok();
    }
    Status status = commit(i, slot); // alone, since the turn is ours
    std::lock_guard lock(mutex);
    ++turn;
    turnChanged.notify_all();
    return status;
  };
  unsigned workers = unsigned(std::min<size_t>(std::max(threads, 1u), count));
  parallelFor(workers, workers, [&](size_t) {
    Slot slot;
    for (size_t i = next++; i < count && !isStopped; i = next++) {
      Status status = prepare(i, slot);
      if (status.isOk())
        status = commitInTurn(i, slot);
      if (status.isOk() && !isStopped)
        status = finish(i, slot);
      if (!status.isOk())
        fail(i, status);
    }
  });
  return failure;
}

} // namespace ecf8

#endif // ECF8_LIB_CODEC_ORDEREDFOR_H
