// What a bundle for GPUs holds of compressed weights besides their payloads (docs/Bundle.md).
#ifndef ECF8_LIB_PIPELINES_GPUWEIGHTS_H
#define ECF8_LIB_PIPELINES_GPUWEIGHTS_H

#include "ecf8/Pipelines/Bundle.h"
#include "ecf8/Pipelines/WeightEncoding.h"

namespace mlir::ecf8 {

/// The layout of a payload, as far as kernels rely on it: bytes [40, 52) of its header, as hexadecimal digits.
std::string getLayout(::ecf8::ByteSpan payload);

/// The name of the kernel that says for which layouts of weights kernels were made: `ecf8_weights_` and the XXH3-64 of
/// the layouts of all weights, in order, a line each, empty for weights that are not compressed.
std::string getKernelsMark(llvm::ArrayRef<std::string> layouts);

/// Fills in what kernels need of each compressed weight of `weights`, and appends the tables of their codes as weights
/// of their own, with contents in `tables`.
::ecf8::Status addGpuTables(llvm::ArrayRef<EncodedWeight> encoded, std::vector<BundleWeight> &weights,
                            std::vector<std::vector<uint32_t>> &tables);

} // namespace mlir::ecf8

#endif // ECF8_LIB_PIPELINES_GPUWEIGHTS_H
