// What compressing a checkpoint would gain, from a sample of its FP8 tensors.
#ifndef ECF8_CHECKPOINT_SURVEY_H
#define ECF8_CHECKPOINT_SURVEY_H

#include "ecf8/Checkpoint/Job.h"

namespace ecf8 {

struct SurveyOptions {
  std::string input;
  uint64_t sampleBytes = uint64_t(1) << 30; ///< to read of all tensors together; 0: everything
  unsigned jobs = 1;
};

/// The encodings that a survey compares.
inline constexpr Preset surveyedPresets[] = {Preset::Storage, Preset::Huffman, Preset::Planes, Preset::Quads,
                                             Preset::Pairs};

/// One FP8 tensor, or the sum of all.
struct SurveyedTensor {
  std::string file, name; ///< empty for the sum
  SafetensorsDType dtype = SafetensorsDType::F8_E4M3;
  std::vector<uint64_t> shape;
  uint64_t elementCount = 0, sampledElements = 0;
  // Estimates, in bits and bytes of the whole tensor.
  double exponentEntropyBits = 0;                      ///< of the sample, per element
  double boundBytes = 0;                               ///< exponents at their entropy, signs and mantissas as they are
  double byteEntropyBytes = 0;                         ///< what a code for whole bytes could reach
  double presetBytes[std::size(surveyedPresets)] = {}; ///< payloads; raw where that is smaller
};

struct Survey {
  std::vector<SurveyedTensor> tensors; ///< by file and place in it
  SurveyedTensor sum;
  uint64_t fp8Tensors = 0;
  uint64_t weightBytes = 0; ///< of all tensors of all files
  uint64_t readBytes = 0;
  bool isCompressed = false; ///< some file is compressed already: its contents are sampled as they were
  std::string nothing;       ///< why there is nothing to gain; empty otherwise
  double seconds = 0;
};

/// Samples each FP8 tensor of a checkpoint, plain or compressed: 64 KiB at least, and of larger ones a share. Estimates
/// are within a few hundredths of a bit per weight of what `compress` writes.
Result<Survey> surveyCheckpoint(const SurveyOptions &options, JobProgress &progress);

} // namespace ecf8

#endif // ECF8_CHECKPOINT_SURVEY_H
