// One checkpoint file into another: compressed, in another encoding, or as it was.
#ifndef ECF8_CHECKPOINT_TRANSCODE_H
#define ECF8_CHECKPOINT_TRANSCODE_H

#include "ecf8/Checkpoint/CheckpointFile.h"

#include <atomic>

namespace ecf8 {

/// What one file may use while it is worked on, and where its progress is counted.
struct WorkOptions {
  unsigned threads = 1;
  uint64_t memoryBytes = uint64_t(512) << 20; ///< for windows and for what waits for its place; at least one window
  std::atomic<uint64_t> *doneBytes = nullptr; ///< grows by the bytes of the original that are done
};

/// What became of a file.
struct FileResult {
  uint64_t originalBytes = 0, storedBytes = 0; ///< of the whole files
  uint64_t originalHash = 0;                   ///< XXH3-64 of the original
  uint64_t codedTensors = 0, rawTensors = 0;   ///< payloads; those of encoding raw
  uint64_t codedElements = 0, codedBytes = 0;  ///< elements of all payloads, and what these take
};

/// Writes the compressed file of `source` to `path`, in place of whatever is there. `source` may be compressed itself:
/// the result is what compressing its original gives. [file_c6]
Result<FileResult> compressFile(const CheckpointFile &source, const std::string &path, Preset preset,
                                const WorkOptions &options);

/// Writes the original of the compressed file `source` to `path`. [meta_c3]
Result<FileResult> decompressFile(const CheckpointFile &source, const std::string &path, const WorkOptions &options);

/// Checks all of a compressed file: each payload's hash, its content, and the hash of the original. [meta_c3]
Result<FileResult> verifyFile(const CheckpointFile &source, const WorkOptions &options);

} // namespace ecf8

#endif // ECF8_CHECKPOINT_TRANSCODE_H
