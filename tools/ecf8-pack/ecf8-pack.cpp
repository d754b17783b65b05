// ecf8-pack: compresses, checks and restores checkpoints.
#include "CommandLine.h"
#include "Progress.h"
#include "Report.h"
#include "ecf8/Support/Json.h"

#include <cerrno>
#include <cstdio>
#include <new>
#include <sys/resource.h>

using namespace ecf8;
using namespace ecf8::pack;

/// Prints `value`, or says why it cannot be printed.
static Status printJsonLine(const nlohmann::json &value) {
  Result<std::string> text = printJson(value, /*pretty=*/true);
  if (!text)
    return text.status();
  std::printf("%s\n", text->c_str());
  return Status::ok();
}

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
    break;
  }
  return runJobCommand(options, Task::Verify);
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
