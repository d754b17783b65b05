// What compression did to each weight and the passes to each contraction, as a table and as JSON.
#ifndef ECF8_PIPELINES_COMPILESTATS_H
#define ECF8_PIPELINES_COMPILESTATS_H

#include "ecf8/Pipelines/CompileRemarks.h"
#include "ecf8/Pipelines/WeightEncoding.h"
#include "llvm/Support/raw_ostream.h"

namespace mlir::ecf8 {

/// The figures of one weight.
struct WeightStats {
  std::string name;
  std::string dtype;
  std::vector<int64_t> shape;
  uint64_t elementCount = 0;
  uint64_t plainBytes = 0;  ///< of the decoded tensor
  uint64_t storedBytes = 0; ///< in the bundle, headers and tables included
  std::string codec;        ///< huffman, planes, raw (a payload of plain bytes), none (a plain tensor)
  std::string encoding;     ///< the encoding attribute; empty for none
  std::string reason;       ///< why it is a plain tensor
  bool isFP8 = false;
  /// Bits per element that no exponent code with raw sign and mantissa can beat: 4 + H(exponent) for E4M3, 3 + H for
  /// E5M2. Nothing for other types, empty tensors, and weights that came compressed.
  std::optional<double> entropyBits;

  double storedBitsPerWeight() const { return elementCount == 0 ? 0 : 8.0 * storedBytes / elementCount; }
};

/// The figures of a compilation.
struct CompileStats {
  struct Phase {
    std::string name;
    double seconds;
  };
  struct Total {
    uint64_t count = 0, elementCount = 0, plainBytes = 0, storedBytes = 0;
    std::optional<double> entropyBits; ///< mean over the elements
  };

  std::vector<WeightStats> weights;
  std::vector<Phase> phases;
  std::vector<CompileRemark> remarks;
  uint64_t bundleBytes = 0; ///< 0 where no bundle was written

  void addWeights(const std::vector<ModuleWeight> &weights, const std::vector<EncodedWeight> &encoded);
  Total sum(bool onlyFP8) const;

  void printTable(llvm::raw_ostream &stream) const;
  void printJson(llvm::raw_ostream &stream) const;

private:
  void printFusion(llvm::raw_ostream &stream) const;
};

} // namespace mlir::ecf8

#endif // ECF8_PIPELINES_COMPILESTATS_H
