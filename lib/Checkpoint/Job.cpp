// Running a plan: files side by side, large ones first.
#include "ecf8/Checkpoint/Job.h"

#include "Plan.h"
#include "Workers.h"

#include <algorithm>
#include <chrono>
#include <filesystem>

using namespace ecf8;
namespace fs = std::filesystem;

namespace {

using Clock = std::chrono::steady_clock;

double secondsSince(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

class Runner {
public:
  Runner(const JobOptions &options, const Plan &plan, JobProgress &progress)
      : options(options), plan(plan), progress(progress) {}

  Result<JobReport> run();

private:
  Status makeFolders() const;
  /// Works on all files for which `isChosen`, at most `workers` at a time.
  template <typename IsChosen> Status runFiles(unsigned workers, const IsChosen &isChosen);
  Status runFile(size_t index, const WorkOptions &work);
  Status carry(const PlannedFile &file);

  const JobOptions &options;
  const Plan &plan;
  JobProgress &progress;
  JobReport report;
};

} // namespace

Status Runner::makeFolders() const {
  for (const std::string &folder : plan.folders) {
    std::error_code code;
    fs::create_directories(folder, code);
    if (code)
      return fileError(folder, "create", code.value());
  }
  return Status::ok();
}

Status Runner::carry(const PlannedFile &file) {
  Result<InputFile> source = InputFile::open(file.file->path);
  if (!source)
    return source.status();
  Result<OutputFile> target = OutputFile::create(file.target);
  if (!target)
    return target.status();
  constexpr uint64_t pieceBytes = uint64_t(1) << 20;
  std::vector<uint8_t> bytes;
  for (uint64_t offset = 0; offset < source->sizeBytes(); offset += bytes.size()) {
    bytes.resize(std::min(pieceBytes, source->sizeBytes() - offset));
    if (Status status = source->readAt(offset, bytes); !status.isOk())
      return status;
    if (Status status = target->writeAt(offset, bytes); !status.isOk())
      return status;
    progress.doneBytes += bytes.size();
  }
  if (Status status = source->checkUnchanged(); !status.isOk())
    return status;
  return target->commit(source->sizeBytes());
}

Status Runner::runFile(size_t index, const WorkOptions &work) {
  const PlannedFile &file = plan.files[index];
  FileReport &result = report.files[index];
  Clock::time_point start = Clock::now();
  Status status;
  if (file.action == FileAction::Transcoded || file.action == FileAction::Verified) {
    Result<FileResult> done = file.action == FileAction::Verified ? verifyFile(*file.source, work)
                              : options.task == Task::Decompress
                                  ? decompressFile(*file.source, file.target, work)
                                  : compressFile(*file.source, file.target, options.preset, work);
    if (!done)
      return done.status();
    result.result = *done;
  } else if (file.action == FileAction::Carried) {
    status = carry(file);
  }
  result.seconds = secondsSince(start);
  return status;
}

template <typename IsChosen> Status Runner::runFiles(unsigned workers, const IsChosen &isChosen) {
  std::vector<size_t> chosen;
  for (size_t i = 0; i < plan.files.size(); ++i)
    if (isChosen(plan.files[i]))
      chosen.push_back(i);
  if (chosen.empty())
    return Status::ok();
  std::ranges::sort(chosen, {}, [&](size_t i) { return std::pair(~plan.files[i].workBytes, i); });
  workers = unsigned(std::min<size_t>(std::max(workers, 1u), chosen.size()));
  WorkOptions work;
  work.threads = std::max((options.jobs + workers - 1) / workers, 1u);
  work.memoryBytes = options.memoryBytes / workers;
  work.doneBytes = &progress.doneBytes;

  return forEachOnWorkers(chosen.size(), workers, [&](size_t i) { return runFile(chosen[i], work); });
}

Result<JobReport> Runner::run() {
  Clock::time_point start = Clock::now();
  for (const PlannedFile &file : plan.files) {
    FileReport result;
    result.name = file.file->name;
    result.action = file.action;
    result.result.originalBytes = result.result.storedBytes = file.file->sizeBytes;
    if (file.action != FileAction::Finished)
      progress.totalBytes += file.workBytes;
    report.files.push_back(result);
  }
  progress.isRunning = true;
  if (Status status = makeFolders(); !status.isOk())
    return status;
  // Shards first, then what a loader looks for first, so that an unfinished folder does not look whole.
  auto isJson = [](const PlannedFile &file) { return file.file->name.ends_with(".json"); };
  auto isCarried = [](const PlannedFile &file) { return file.action == FileAction::Carried; };
  Status status = runFiles(options.jobs, [&](const PlannedFile &file) { return !isCarried(file); });
  if (status.isOk())
    status = runFiles(1, [&](const PlannedFile &file) { return isCarried(file) && !isJson(file); });
  if (status.isOk())
    status = runFiles(1, [&](const PlannedFile &file) { return isCarried(file) && isJson(file); });
  progress.isRunning = false;
  if (!status.isOk())
    return status;
  report.seconds = secondsSince(start);
  return report;
}

Result<JobReport> ecf8::runJob(const JobOptions &options, JobProgress &progress) {
  Result<Listing> listing = listCheckpoint(options.input);
  if (!listing)
    return listing.status();
  Result<OpenedFiles> opened = openFiles(*listing);
  if (!opened)
    return opened.status();
  Result<Plan> plan = makePlan(options, *listing, *opened);
  if (!plan)
    return plan.status();
  if (!plan->nothing.empty()) {
    JobReport report;
    report.nothing = plan->nothing;
    return report;
  }
  return Runner(options, *plan, progress).run();
}
