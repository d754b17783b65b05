// The progress bar.
#include "Progress.h"

#include <chrono>
#include <cstdio>
#include <unistd.h>

using namespace ecf8;
using namespace ecf8::pack;

std::string pack::formatBytes(double bytes) {
  static constexpr const char *units[] = {"B", "kB", "MB", "GB", "TB", "PB"};
  size_t unit = 0;
  for (; bytes >= 1000 && unit + 1 < std::size(units); ++unit)
    bytes /= 1000;
  char text[40];
  std::snprintf(text, sizeof text, unit == 0 ? "%.0f %s" : "%.2f %s", bytes, units[unit]);
  return text;
}

std::string pack::formatTime(double seconds) {
  auto total = static_cast<unsigned long long>(seconds + 0.5);
  char text[40];
  if (total >= 3600)
    std::snprintf(text, sizeof text, "%llu:%02llu:%02llu", total / 3600, total / 60 % 60, total % 60);
  else
    std::snprintf(text, sizeof text, "%llu:%02llu", total / 60, total % 60);
  return text;
}

ProgressBar::ProgressBar(const JobProgress &progress, bool isWanted) : progress(progress) {
  if (isWanted && isatty(STDERR_FILENO))
    thread = std::thread([this] { show(); });
}

ProgressBar::~ProgressBar() {
  if (!thread.joinable())
    return;
  {
    std::lock_guard lock(mutex);
    isEnded = true;
  }
  ended.notify_all();
  thread.join();
}

void ProgressBar::show() {
  using Clock = std::chrono::steady_clock;
  Clock::time_point start = Clock::now();
  bool isShown = false;
  std::unique_lock lock(mutex);
  while (!ended.wait_for(lock, std::chrono::milliseconds(200), [this] { return isEnded; })) {
    if (!progress.isRunning) {
      start = Clock::now();
      continue;
    }
    double done = double(progress.doneBytes), total = double(progress.totalBytes);
    double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    double share = total == 0 ? 0 : std::min(done / total, 1.0);
    constexpr int width = 30;
    int filled = int(share * width);
    std::string bar = std::string(size_t(filled), '#') + std::string(size_t(width - filled), '.');
    std::string left = share > 0 ? formatTime(seconds * (1 - share) / share) : "?";
    std::fprintf(stderr, "\r[%s] %3.0f %%  %s of %s  %.2f GB/s  %s left \033[K", bar.c_str(), share * 100,
                 formatBytes(done).c_str(), formatBytes(total).c_str(), done / seconds / 1e9, left.c_str());
    isShown = true;
  }
  if (isShown)
    std::fputs("\r\033[K", stderr);
}
