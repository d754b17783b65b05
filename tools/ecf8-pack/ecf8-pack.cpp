// ecf8-pack: compresses, checks and restores checkpoints.
#include "Commands.h"
#include "Progress.h"
#include "Report.h"

#include <cerrno>
#include <cstdio>
#include <new>
#include <sys/resource.h>

using namespace ecf8;
using namespace ecf8::pack;

static Result<ExitCode> runJobCommand(Options &options, Task task) {
  options.job.task = task;
  JobProgress progress;
  Result<JobReport> report = [&] {
    ProgressBar bar(progress, !options.json && !options.quiet);
    return runJob(options.job, progress);
  }();
  if (!report)
    return report.status();
  if (options.json) {
    if (Status status = printJsonLine(jobToJson(options.job, *report)); !status.isOk())
      return status;
  } else if (!options.quiet || !report->nothing.empty()) {
    std::fputs(printJob(options.job, *report).c_str(), stdout);
  }
  return Success;
}

static Result<ExitCode> runCommand(Options &options) {
  switch (options.command) {
  case Command::Compress:
    return runJobCommand(options, Task::Compress);
  case Command::Decompress:
    return runJobCommand(options, Task::Decompress);
  case Command::Convert:
    return runJobCommand(options, Task::Convert);
  case Command::Verify:
    return runJobCommand(options, Task::Verify);
  case Command::Inspect:
    return runInspect(options);
  case Command::Stats:
    return runStats(options);
  case Command::Diff:
    break;
  }
  return runDiff(options);
}

/// A checkpoint may have more shards than files may be open by default.
static void allowManyFiles() {
  rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
  }
}

int main(int argc, char **argv) {
  try {
    Options options;
    if (std::optional<int> exitCode = parseCommandLine(argc, argv, options))
      return *exitCode;
    allowManyFiles();
    Result<ExitCode> exitCode = runCommand(options);
    if (exitCode && std::fflush(stdout) == 0)
      return *exitCode;
    Status status = exitCode ? fileError("standard output", "write", errno) : exitCode.status();
    std::fprintf(stderr, "ecf8-pack: %s\n", status.message().c_str());
    return Failure;
  } catch (const std::bad_alloc &) {
    std::fputs("ecf8-pack: out of memory\n", stderr);
    return Failure;
  }
}
