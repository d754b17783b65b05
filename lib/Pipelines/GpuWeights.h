// What a bundle for GPUs holds of compressed weights besides their payloads (docs/Bundle.md).
#ifndef ECF8_LIB_PIPELINES_GPUWEIGHTS_H
#define ECF8_LIB_PIPELINES_GPUWEIGHTS_H

#include "ecf8/Pipelines/Bundle.h"
#include "ecf8/Pipelines/WeightEncoding.h"

namespace mlir::ecf8 {

/// What kernels need of one weight besides its payload.
struct GpuWeight {
  std::optional<BundleGpuWeight> bundled; ///< none: a plain weight
  std::vector<uint32_t> table;            ///< of its code; empty where there is none
};

/// That of each weight, with the contents of `weights`. Reads each payload once.
::ecf8::Result<std::vector<GpuWeight>> describeForGpu(llvm::ArrayRef<ModuleWeight> weights,
                                                      llvm::ArrayRef<EncodedWeight> encoded);

/// The name of the kernel that says for which weights kernels were made (docs/Bundle.md).
std::string getKernelsMark(llvm::ArrayRef<GpuWeight> described);

/// Fills in what kernels need of `weights`, and appends the tables of codes as weights of their own, whose contents are
/// those in `described`.
void addGpuTables(llvm::ArrayRef<GpuWeight> described, std::vector<BundleWeight> &weights);

} // namespace mlir::ecf8

#endif // ECF8_LIB_PIPELINES_GPUWEIGHTS_H
