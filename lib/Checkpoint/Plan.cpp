// Deciding what to do with each file.
#include "Plan.h"

#include "ecf8/Checkpoint/Survey.h"

#include <algorithm>
#include <filesystem>
#include <set>
#include <sys/statvfs.h>

using namespace ecf8;
namespace fs = std::filesystem;

static Status invalid(const std::string &message) { return Status(StatusCode::InvalidArgument, message); }

Result<bool> ecf8::haveSameBytes(const std::string &left, const std::string &right) {
  Result<InputFile> a = InputFile::open(left), b = InputFile::open(right);
  if (!a)
    return a.status();
  if (!b)
    return b.status();
  if (a->sizeBytes() != b->sizeBytes())
    return false;
  constexpr uint64_t pieceBytes = uint64_t(1) << 20;
  std::vector<uint8_t> bytesA, bytesB;
  for (uint64_t offset = 0; offset < a->sizeBytes(); offset += bytesA.size()) {
    bytesA.resize(std::min(pieceBytes, a->sizeBytes() - offset));
    bytesB.resize(bytesA.size());
    if (Status status = a->readAt(offset, bytesA); !status.isOk())
      return status;
    if (Status status = b->readAt(offset, bytesB); !status.isOk())
      return status;
    if (bytesA != bytesB)
      return false;
  }
  return true;
}

namespace {

class Planner {
public:
  Planner(const JobOptions &options, const Listing &listing, const OpenedFiles &opened)
      : options(options), listing(listing), opened(opened) {}

  Result<Plan> make();

private:
  Status checkParts() const;
  /// Whether a run like this one makes something of the file, other than a copy.
  bool isTranscoded(const CheckpointFile &file) const;
  std::string explainNothingToDo() const;
  Status placeOutput();
  Status checkTarget(const std::string &target);
  void dealParts(std::vector<PlannedFile> &files) const;
  /// Whether an earlier run has written the target. Fills in what is known of it.
  Result<bool> isFinished(PlannedFile &file) const;
  Result<uint64_t> neededSpace(const Plan &plan, bool isEstimate) const;
  Status checkSpace(const Plan &plan) const;

  const JobOptions &options;
  const Listing &listing;
  const OpenedFiles &opened;
  std::string outputRoot; ///< with '/' at its end for folders; of a single file, its path
  std::set<fs::path> sourcePaths;
};

} // namespace

Status Planner::checkParts() const {
  if (options.partCount >= 1 && options.part >= 1 && options.part <= options.partCount)
    return Status::ok();
  return invalid("expected a part from 1/n to n/n, got " + std::to_string(options.part) + "/" +
                 std::to_string(options.partCount));
}

bool Planner::isTranscoded(const CheckpointFile &file) const {
  return options.task == Task::Compress ? file.hasCoded() : file.isCompressed();
}

std::string Planner::explainNothingToDo() const {
  switch (options.task) {
  case Task::Compress:
    return explainNothing(listing, opened);
  case Task::Convert:
    return "nothing to convert: " + listing.root + " holds no compressed file";
  case Task::Decompress:
    return "nothing to decompress: " + listing.root + " holds no compressed file";
  case Task::Verify:
    break;
  }
  return "nothing to verify: " + listing.root + " holds no compressed file";
}

/// Whether `inner` is `outer` or below it.
static bool isWithin(const fs::path &inner, const fs::path &outer) {
  auto [end, rest] = std::mismatch(outer.begin(), outer.end(), inner.begin(), inner.end());
  return end == outer.end();
}

Status Planner::placeOutput() {
  std::error_code code;
  fs::path input = fs::canonical(listing.root, code);
  if (options.output.empty())
    return invalid("expected an output path, got none");
  bool outputIsFolder = fs::is_directory(options.output, code) || options.output.ends_with('/');
  if (!listing.isFolder) {
    outputRoot = options.output;
    if (outputIsFolder)
      outputRoot += (outputRoot.ends_with('/') ? "" : "/") + listing.files.front().name;
  } else {
    if (fs::exists(options.output, code) && !outputIsFolder)
      return invalid(options.output + ": expected a folder for the files of a folder, got a file");
    outputRoot = options.output + (options.output.ends_with('/') ? "" : "/");
    fs::path output = fs::weakly_canonical(fs::path(outputRoot).parent_path(), code);
    if (code)
      return fileError(options.output, "read", code.value());
    if (isWithin(output, input) || isWithin(input, output))
      return invalid(options.output + ": expected an output apart from the input " + listing.root +
                     ", got one of them inside of the other");
  }
  for (const ListedFile &file : listing.files)
    sourcePaths.insert(fs::canonical(file.path, code));
  return Status::ok();
}

/// A source must never be replaced, by whatever links the paths lead there.
Status Planner::checkTarget(const std::string &target) {
  std::error_code code;
  fs::path path(target), parent = path.has_parent_path() ? path.parent_path() : fs::path(".");
  fs::path real = fs::weakly_canonical(parent, code) / path.filename();
  if (sourcePaths.contains(real))
    return invalid(target + ": expected an output other than the input, got the same file");
  return Status::ok();
}

void Planner::dealParts(std::vector<PlannedFile> &files) const {
  if (options.partCount == 1)
    return;
  // The largest first, each to the part that has least; what is only copied goes to part 1, which ends last anyway.
  std::vector<size_t> order(files.size());
  for (size_t i = 0; i < order.size(); ++i)
    order[i] = i;
  std::ranges::sort(order, {}, [&](size_t i) { return std::pair(~files[i].workBytes, i); });
  std::vector<uint64_t> load(options.partCount);
  std::vector<PlannedFile> mine;
  for (size_t i : order) {
    size_t part = 0;
    if (files[i].action == FileAction::Transcoded || files[i].action == FileAction::Verified) {
      part = size_t(std::ranges::min_element(load) - load.begin());
      load[part] += files[i].workBytes + 1;
    }
    if (part + 1 == options.part)
      mine.push_back(files[i]);
  }
  std::ranges::sort(mine, {}, [](const PlannedFile &file) { return file.file->name; });
  files = std::move(mine);
}

Result<bool> Planner::isFinished(PlannedFile &file) const {
  std::error_code code;
  if (fs::is_symlink(fs::symlink_status(file.target, code)))
    return false;
  if (file.action == FileAction::Carried) {
    file.before.originalBytes = file.before.storedBytes = file.file->sizeBytes;
    return haveSameBytes(file.file->path, file.target);
  }
  Result<CheckpointFile> target = CheckpointFile::open(file.target);
  if (!target)
    return false;
  bool isSame = target->isCompressed() == (options.task != Task::Decompress) &&
                target->originalBytes() == file.source->originalBytes() &&
                target->originalHeader().text == file.source->originalHeader().text;
  if (isSame && target->isCompressed())
    isSame = target->info().encoding == getName(options.preset) &&
             (!file.source->isCompressed() || target->info().originalHash == file.source->info().originalHash);
  if (!isSame || fs::last_write_time(file.target, code) < fs::last_write_time(file.file->path, code) || code)
    return false;
  Result<FileResult> summary = summarizeFile(target->isCompressed() ? *target : *file.source);
  if (!summary)
    return false;
  file.before = *summary;
  return true;
}

/// Bytes that the files of `plan` still take: at most, or an estimate from a sample of what is to be compressed.
Result<uint64_t> Planner::neededSpace(const Plan &plan, bool isEstimate) const {
  double fp8Share = 1; // of the size of FP8 tensors
  if (isEstimate) {
    JobProgress progress;
    Result<Survey> survey = surveyCheckpoint({options.input, /*sampleBytes=*/1, options.jobs}, progress);
    if (!survey)
      return survey.status();
    Preset preset = getCodec(options.preset);
    if (preset == Preset::Classic)
      preset = Preset::Quads; // which is a little larger
    auto found = std::ranges::find(surveyedPresets, preset);
    double payloads = survey->sum.presetBytes[found - std::begin(surveyedPresets)];
    fp8Share = survey->sum.elementCount == 0 ? 1 : 1.01 * payloads / double(survey->sum.elementCount);
  }
  uint64_t needed = 0;
  for (const PlannedFile &file : plan.files) {
    if (file.action != FileAction::Transcoded && file.action != FileAction::Carried)
      continue;
    uint64_t fp8Bytes = 0;
    if (file.action == FileAction::Transcoded)
      for (const CheckpointTensor &tensor : file.source->tensors())
        fp8Bytes += tensor.isCoded ? tensor.sizeBytes : 0;
    needed += file.workBytes - fp8Bytes + uint64_t(fp8Share * double(fp8Bytes));
  }
  return needed;
}

Status Planner::checkSpace(const Plan &plan) const {
  fs::path folder = fs::path(outputRoot).parent_path();
  std::error_code code;
  while (!folder.empty() && !fs::exists(folder, code))
    folder = folder.parent_path();
  struct statvfs info;
  if (statvfs(folder.empty() ? "." : folder.c_str(), &info) != 0)
    return Status::ok(); // whoever cannot tell may still have the space
  uint64_t free = uint64_t(info.f_bavail) * info.f_frsize;
  Result<uint64_t> needed = neededSpace(plan, /*isEstimate=*/false);
  bool canEstimate = options.task == Task::Compress && options.preset != Preset::Raw;
  if (needed && *needed > free && canEstimate)
    needed = neededSpace(plan, /*isEstimate=*/true);
  if (!needed)
    return needed.status();
  if (*needed <= free)
    return Status::ok();
  return Status(StatusCode::IoError, options.output + ": expected about " + std::to_string(*needed) +
                                         " bytes of space on the disk, got " + std::to_string(free));
}

Result<Plan> Planner::make() {
  if (Status status = checkParts(); !status.isOk())
    return status;
  Plan plan;
  bool isVerify = options.task == Task::Verify, hasWork = false;
  for (const auto &[name, file] : opened) {
    hasWork |= isTranscoded(file);
    if (options.task == Task::Compress && file.isCompressed())
      return invalid(file.path() + ": expected a plain checkpoint, got a file that is compressed already (version " +
                     file.info().version + ", " + file.info().encoding + "); ecf8-pack convert changes its encoding");
  }
  if (!hasWork) {
    plan.nothing = explainNothingToDo();
    return plan;
  }
  if (Status status = checkIndexes(listing, opened); !status.isOk())
    return status;
  if (!isVerify)
    if (Status status = placeOutput(); !status.isOk())
      return status;
  for (const ListedFile &file : listing.files) {
    PlannedFile planned;
    planned.file = &file;
    planned.workBytes = file.sizeBytes;
    auto found = opened.find(file.name);
    planned.source = found == opened.end() ? nullptr : &found->second;
    if (planned.source && isTranscoded(*planned.source)) {
      planned.action = isVerify ? FileAction::Verified : FileAction::Transcoded;
      planned.workBytes = planned.source->originalBytes();
    } else if (isVerify) {
      planned.action = FileAction::Plain;
      planned.workBytes = 0;
    }
    if (!isVerify) {
      planned.target = listing.isFolder ? outputRoot + file.name : outputRoot;
      if (Status status = checkTarget(planned.target); !status.isOk())
        return status;
    }
    plan.files.push_back(planned);
  }
  dealParts(plan.files);
  if (isVerify)
    return plan;
  if (listing.isFolder) {
    plan.folders.push_back(outputRoot);
    for (const std::string &folder : listing.folders)
      plan.folders.push_back(outputRoot + folder);
  } else if (fs::path parent = fs::path(outputRoot).parent_path(); !parent.empty()) {
    plan.folders.push_back(parent.string());
  }
  for (PlannedFile &file : plan.files) {
    std::error_code code;
    if (!fs::exists(fs::symlink_status(file.target, code)))
      continue;
    Result<bool> finished = isFinished(file);
    if (finished && *finished)
      file.action = FileAction::Finished;
    else if (!options.force)
      return invalid(file.target + ": expected no file or one that this command has written, got another; --force "
                                   "overwrites it");
  }
  if (Status status = checkSpace(plan); !status.isOk())
    return status;
  return plan;
}

Result<Plan> ecf8::makePlan(const JobOptions &options, const Listing &listing, const OpenedFiles &opened) {
  return Planner(options, listing, opened).make();
}
