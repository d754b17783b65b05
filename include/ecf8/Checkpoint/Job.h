// Whole checkpoints, file by file, on several threads: what `ecf8-pack compress`, `convert`, `decompress` and `verify`
// do.
#ifndef ECF8_CHECKPOINT_JOB_H
#define ECF8_CHECKPOINT_JOB_H

#include "ecf8/Checkpoint/Listing.h"
#include "ecf8/Checkpoint/Transcode.h"

namespace ecf8 {

enum class Task { Compress, Convert, Decompress, Verify };

struct JobOptions {
  Task task = Task::Compress;
  std::string input, output;        ///< no output for Verify
  Preset preset = Preset::Storage;  ///< of Compress and Convert
  unsigned jobs = 1;                ///< threads at work, over all files
  bool force = false;               ///< overwrite what is in the way
  unsigned part = 1, partCount = 1; ///< of `partCount` runs that share the files by size, the one numbered `part`
  uint64_t memoryBytes = uint64_t(512) << 20;
};

/// What a run did with a file.
enum class FileAction { Transcoded, Carried, Finished, Verified, Plain };

struct FileReport {
  std::string name;
  FileAction action = FileAction::Carried;
  FileResult result; ///< sizes for all but Plain; the rest for Transcoded and Verified
  double seconds = 0;
};

struct JobReport {
  std::vector<FileReport> files; ///< by name
  std::string nothing;           ///< why there was nothing to do; empty otherwise
  double seconds = 0;
};

/// Where a run stands, for a progress bar.
struct JobProgress {
  std::atomic<uint64_t> totalBytes = 0, doneBytes = 0; ///< of originals
  std::atomic<bool> isRunning = false;                 ///< the plan is made and work has begun
};

/// Runs a job. All that can be checked is checked before the first file is written: inputs and indexes, what is in the
/// way, the space on the disk. After an error finished files stay, and the next run takes them as they are.
Result<JobReport> runJob(const JobOptions &options, JobProgress &progress);

} // namespace ecf8

#endif // ECF8_CHECKPOINT_JOB_H
