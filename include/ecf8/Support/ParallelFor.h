// Runs independent pieces of work on a few threads. The pieces' results do not depend on which thread ran them.
#ifndef ECF8_SUPPORT_PARALLELFOR_H
#define ECF8_SUPPORT_PARALLELFOR_H

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <system_error>
#include <thread>
#include <vector>

namespace ecf8 {

/// Calls body(i) once for each i in [0, count), on the calling thread and up to `threads` - 1 others.
template <typename Body> void parallelFor(size_t count, unsigned threads, const Body &body) {
  std::atomic<size_t> next = 0;
  auto work = [&] {
    for (size_t i = next++; i < count; i = next++)
      body(i);
  };
  std::vector<std::thread> workers;
  size_t wanted = std::min<size_t>(threads, count);
  for (size_t i = 1; i < wanted; ++i) {
    try {
      workers.emplace_back(work);
    } catch (const std::system_error &) {
      break; // no more threads to be had: those that run do all the work
    }
  }
  work();
  for (std::thread &worker : workers)
    worker.join();
}

} // namespace ecf8

#endif // ECF8_SUPPORT_PARALLELFOR_H
