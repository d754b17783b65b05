// The functions of a program that the runtime can call.
#ifndef ECF8_LIB_PIPELINES_ENTRYPOINTS_H
#define ECF8_LIB_PIPELINES_ENTRYPOINTS_H

#include "ecf8/Pipelines/Bundle.h"
#include "mlir/IR/BuiltinOps.h"
#include <vector>

namespace mlir::ecf8 {

/// Describes the public functions of `module`, in their order, before bufferization. Inputs and outputs must be ranked
/// tensors and scalars of types that the manifest knows; anything else is an error at the function.
LogicalResult collectEntryPoints(ModuleOp module, std::vector<BundleEntryPoint> &entryPoints);

} // namespace mlir::ecf8

#endif // ECF8_LIB_PIPELINES_ENTRYPOINTS_H
