// Comparing checkpoints by what is in them, compressed or not.
#ifndef ECF8_CHECKPOINT_DIFF_H
#define ECF8_CHECKPOINT_DIFF_H

#include "ecf8/Checkpoint/Job.h"

namespace ecf8 {

/// One difference: in a file (an empty tensor name) or a tensor.
struct Difference {
  std::string file, tensor;
  std::string what; ///< "only in A", "F8_E4M3 [2] in A, BF16 [2] in B", "3 of 8192 bytes differ, the first at byte 17"
};

struct DiffReport {
  std::vector<Difference> differences; ///< by file
  uint64_t comparedFiles = 0, comparedTensors = 0;
};

/// Compares two files, or two folders file by file: tensors by name, with the dtypes, shapes and bytes of the
/// originals; headers of safetensors files; other files byte by byte.
Result<DiffReport> diffCheckpoints(const std::string &left, const std::string &right, unsigned jobs,
                                   JobProgress &progress);

} // namespace ecf8

#endif // ECF8_CHECKPOINT_DIFF_H
