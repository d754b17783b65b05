// Independent pieces of work on some threads, which may fail. Private to the library.
#ifndef ECF8_LIB_CHECKPOINT_WORKERS_H
#define ECF8_LIB_CHECKPOINT_WORKERS_H

#include "ecf8/Support/ParallelFor.h"
#include "ecf8/Support/Status.h"

namespace ecf8 {

/// Calls body(i) for each i in [0, count) on up to `workers` threads. After a failure no further piece is begun; the
/// result is the failure of the least i that failed.
template <typename Body> Status forEachOnWorkers(size_t count, unsigned workers, const Body &body) {
  std::atomic<bool> isStopped = false;
  std::vector<Status> statuses(count);
  parallelFor(count, std::max(workers, 1u), [&](size_t i) {
    if (isStopped)
      return;
    statuses[i] = body(i);
    if (!statuses[i].isOk())
      isStopped = true;
  });
  for (Status &status : statuses)
    if (!status.isOk())
      return status;
  return Status::ok();
}

} // namespace ecf8

#endif // ECF8_LIB_CHECKPOINT_WORKERS_H
