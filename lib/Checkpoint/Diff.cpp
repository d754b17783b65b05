// Comparing checkpoints.
#include "ecf8/Checkpoint/Diff.h"

#include "Plan.h"
#include "Workers.h"

#include <algorithm>
#include <mutex>

using namespace ecf8;

namespace {

struct Side {
  Listing listing;
  OpenedFiles files;
};

Result<Side> openSide(const std::string &path) {
  Result<Listing> listing = listCheckpoint(path);
  if (!listing)
    return listing.status();
  Side side{listing.take(), {}};
  Result<OpenedFiles> files = openFiles(side.listing);
  if (!files)
    return files.status();
  side.files = files.take();
  return side;
}

std::string describe(const CheckpointTensor &tensor) {
  std::string text = std::string(safetensorsDTypeName(tensor.dtype)) + " [";
  for (size_t i = 0; i < tensor.shape.size(); ++i)
    text += (i == 0 ? "" : ", ") + std::to_string(tensor.shape[i]);
  return text + "]";
}

class Differ {
public:
  Differ(const Side &left, const Side &right, JobProgress &progress) : left(left), right(right), progress(progress) {}

  Result<DiffReport> run(unsigned jobs);

private:
  struct TensorPair {
    std::string file;
    const CheckpointFile *left, *right;
    const CheckpointTensor *leftTensor, *rightTensor;
  };

  void add(const std::string &file, const std::string &tensor, std::string what) {
    std::lock_guard lock(mutex);
    report.differences.push_back({file, tensor, std::move(what)});
  }
  Status compareFiles(const std::string &name, const ListedFile &leftFile, const ListedFile &rightFile);
  void pairTensors(const std::string &name, const CheckpointFile &leftFile, const CheckpointFile &rightFile);
  Status compareTensors(const TensorPair &pair);

  const Side &left, &right;
  JobProgress &progress;
  std::mutex mutex;
  DiffReport report;
  std::vector<TensorPair> pairs;
};

} // namespace

void Differ::pairTensors(const std::string &name, const CheckpointFile &leftFile, const CheckpointFile &rightFile) {
  bool isSameSet = true;
  for (const CheckpointTensor &tensor : leftFile.tensors()) {
    const CheckpointTensor *other = rightFile.find(tensor.name);
    bool isSameType = other && other->dtype == tensor.dtype && other->shape == tensor.shape;
    isSameSet &= isSameType;
    if (!other)
      add(name, tensor.name, "only in A");
    else if (!isSameType)
      add(name, tensor.name, describe(tensor) + " in A, " + describe(*other) + " in B");
    else
      pairs.push_back({name, &leftFile, &rightFile, &tensor, other});
  }
  for (const CheckpointTensor &tensor : rightFile.tensors())
    if (!leftFile.find(tensor.name)) {
      add(name, tensor.name, "only in B");
      isSameSet = false;
    }
  if (isSameSet && leftFile.originalHeader().text != rightFile.originalHeader().text)
    add(name, "", "the same tensors behind different headers (metadata, order or spaces)");
}

Status Differ::compareFiles(const std::string &name, const ListedFile &leftFile, const ListedFile &rightFile) {
  ++report.comparedFiles;
  auto leftOpened = left.files.find(leftFile.name), rightOpened = right.files.find(rightFile.name);
  if (leftOpened != left.files.end() && rightOpened != right.files.end()) {
    pairTensors(name, leftOpened->second, rightOpened->second);
    return Status::ok();
  }
  Result<bool> isSame = haveSameBytes(leftFile.path, rightFile.path);
  if (!isSame)
    return isSame.status();
  if (!*isSame)
    add(name, "", "the contents differ");
  return Status::ok();
}

Status Differ::compareTensors(const TensorPair &pair) {
  Result<TensorSource> a = pair.left->tensor(*pair.leftTensor), b = pair.right->tensor(*pair.rightTensor);
  if (!a)
    return a.status();
  if (!b)
    return b.status();
  uint64_t size = pair.leftTensor->sizeBytes, differing = 0, first = 0;
  // Whole strips, so that none is decoded twice.
  uint64_t stripBytes =
      std::max<uint64_t>((pair.leftTensor->shape.empty() ? 1 : pair.leftTensor->shape.back()) * laneCount, 1);
  uint64_t pieceBytes = stripBytes > maxStreamedColumns * laneCount
                            ? uint64_t(1) << 20
                            : stripBytes * std::max<uint64_t>((1 << 20) / stripBytes, 1);
  std::vector<uint8_t> bytesA, bytesB;
  for (uint64_t offset = 0; offset < size; offset += bytesA.size()) {
    bytesA.resize(std::min(pieceBytes, size - offset));
    bytesB.resize(bytesA.size());
    if (Status status = a->read(offset, bytesA); !status.isOk())
      return status.in(pair.left->path() + ": tensor '" + pair.leftTensor->name + "'");
    if (Status status = b->read(offset, bytesB); !status.isOk())
      return status.in(pair.right->path() + ": tensor '" + pair.rightTensor->name + "'");
    for (size_t i = 0; bytesA != bytesB && i < bytesA.size(); ++i)
      if (bytesA[i] != bytesB[i] && differing++ == 0)
        first = offset + i;
    progress.doneBytes += bytesA.size();
  }
  if (differing != 0)
    add(pair.file, pair.leftTensor->name,
        std::to_string(differing) + " of " + std::to_string(size) + " bytes differ, the first at byte " +
            std::to_string(first));
  return Status::ok();
}

Result<DiffReport> Differ::run(unsigned jobs) {
  if (left.listing.isFolder != right.listing.isFolder)
    return Status(StatusCode::InvalidArgument, "expected two files or two folders, got " + left.listing.root +
                                                   (left.listing.isFolder ? " (folder)" : " (file)") + " and " +
                                                   right.listing.root +
                                                   (right.listing.isFolder ? " (folder)" : " (file)"));
  if (!left.listing.isFolder) {
    if (Status status = compareFiles(left.listing.files[0].name, left.listing.files[0], right.listing.files[0]);
        !status.isOk())
      return status;
  } else {
    for (const ListedFile &file : left.listing.files) {
      auto other = std::ranges::find(right.listing.files, file.name, &ListedFile::name);
      if (other == right.listing.files.end())
        add(file.name, "", "only in A");
      else if (Status status = compareFiles(file.name, file, *other); !status.isOk())
        return status;
    }
    for (const ListedFile &file : right.listing.files)
      if (std::ranges::find(left.listing.files, file.name, &ListedFile::name) == left.listing.files.end())
        add(file.name, "", "only in B");
  }
  for (const TensorPair &pair : pairs)
    progress.totalBytes += pair.leftTensor->sizeBytes;
  progress.isRunning = true;
  Status status = forEachOnWorkers(pairs.size(), jobs, [&](size_t i) { return compareTensors(pairs[i]); });
  progress.isRunning = false;
  if (!status.isOk())
    return status;
  report.comparedTensors = pairs.size();
  std::ranges::sort(report.differences, {}, [](const Difference &d) { return std::pair(d.file, d.tensor); });
  return report;
}

Result<DiffReport> ecf8::diffCheckpoints(const std::string &left, const std::string &right, unsigned jobs,
                                         JobProgress &progress) {
  Result<Side> a = openSide(left), b = openSide(right);
  if (!a)
    return a.status();
  if (!b)
    return b.status();
  return Differ(*a, *b, progress).run(jobs);
}
