// Independent pieces of work on some threads, which may fail. Private to the library.
#ifndef ECF8_LIB_CHECKPOINT_WORKERS_H
#define ECF8_LIB_CHECKPOINT_WORKERS_H

#include "ecf8/Support/Status.h"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <system_error>
#include <thread>
#include <vector>

namespace ecf8 {

/// Calls body(i) for each i in [0, count) on up to `workers` threads. After a failure no further piece is begun; the
/// result is the failure of the least i that failed.
template <typename Body> Status forEachOnWorkers(size_t count, unsigned workers, const Body &body) {
  std::atomic<size_t> next = 0;
  std::atomic<bool> isStopped = false;
  std::vector<Status> statuses(count);
  auto loop = [&] {
    for (size_t i = next++; i < count && !isStopped; i = next++) {
      statuses[i] = body(i);
      if (!statuses[i].isOk())
        isStopped = true;
    }
  };
  std::vector<std::thread> threads;
  size_t wanted = std::min<size_t>(std::max(workers, 1u), count);
  for (size_t i = 1; i < wanted; ++i) {
    try {
      threads.emplace_back(loop);
    } catch (const std::system_error &) {
      break; // no more threads to be had: those that run do all the work
    }
  }
  loop();
  for (std::thread &thread : threads)
    thread.join();
  for (Status &status : statuses)
    if (!status.isOk())
      return status;
  return Status::ok();
}

} // namespace ecf8

#endif // ECF8_LIB_CHECKPOINT_WORKERS_H
