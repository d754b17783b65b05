// The progress bar: one line on a terminal, nothing elsewhere.
#ifndef ECF8_TOOLS_PACK_PROGRESS_H
#define ECF8_TOOLS_PACK_PROGRESS_H

#include "ecf8/Checkpoint/Job.h"

#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

namespace ecf8::pack {

/// "1.50 GB".
std::string formatBytes(double bytes);
/// "1:05", "2:03:04".
std::string formatTime(double seconds);

/// Shows `progress` on standard error while it exists, if that is a terminal and `isWanted`.
class ProgressBar {
public:
  ProgressBar(const JobProgress &progress, bool isWanted);
  ~ProgressBar();
  ProgressBar(const ProgressBar &) = delete;

private:
  void show();

  const JobProgress &progress;
  std::mutex mutex;
  std::condition_variable ended;
  bool isEnded = false;
  std::thread thread;
};

} // namespace ecf8::pack

#endif // ECF8_TOOLS_PACK_PROGRESS_H
