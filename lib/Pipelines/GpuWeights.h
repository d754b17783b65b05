// What a bundle for GPUs holds of compressed weights besides their payloads (docs/Bundle.md).
#ifndef ECF8_LIB_PIPELINES_GPUWEIGHTS_H
#define ECF8_LIB_PIPELINES_GPUWEIGHTS_H

#include "ecf8/Pipelines/Bundle.h"
#include "ecf8/Pipelines/WeightEncoding.h"

namespace mlir::ecf8 {

/// What kernels and their launches rely on of a compressed weight, but for its table. Fails where the payload does.
::ecf8::Result<BundleGpuWeight> describeForGpu(::ecf8::ByteSpan payload);

/// The name of the kernel that says for which weights kernels were made (docs/Bundle.md): none for a plain one.
std::string getKernelsMark(llvm::ArrayRef<std::optional<BundleGpuWeight>> weights);

/// Fills in what kernels need of each compressed weight of `weights`, and appends the tables of their codes as weights
/// of their own, with contents in `tables`.
::ecf8::Status addGpuTables(llvm::ArrayRef<EncodedWeight> encoded, std::vector<BundleWeight> &weights,
                            std::vector<std::vector<uint32_t>> &tables);

} // namespace mlir::ecf8

#endif // ECF8_LIB_PIPELINES_GPUWEIGHTS_H
