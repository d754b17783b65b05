// What a run will do with each file, decided before anything is written. Private to the library.
#ifndef ECF8_LIB_CHECKPOINT_PLAN_H
#define ECF8_LIB_CHECKPOINT_PLAN_H

#include "ecf8/Checkpoint/Job.h"

namespace ecf8 {

struct PlannedFile {
  const ListedFile *file = nullptr;
  const CheckpointFile *source = nullptr; ///< of safetensors files
  std::string target;                     ///< empty for Verify
  FileAction action = FileAction::Carried;
  uint64_t workBytes = 0; ///< of the original
};

struct Plan {
  std::vector<PlannedFile> files;   ///< by name: those of this part
  std::vector<std::string> folders; ///< to be made, parents first
  std::string nothing;              ///< why there is nothing to do
};

/// Makes the plan for `options`, from what `listing` and `opened` hold; both must outlive it.
Result<Plan> makePlan(const JobOptions &options, const Listing &listing, const OpenedFiles &opened);

/// Whether two files have the same bytes.
Result<bool> haveSameBytes(const std::string &left, const std::string &right);

} // namespace ecf8

#endif // ECF8_LIB_CHECKPOINT_PLAN_H
