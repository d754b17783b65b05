// What a tool registers to know everything of ECF8: the counterpart of mlir/InitAll*.h.
#ifndef ECF8_INITALL_H
#define ECF8_INITALL_H

#include "ecf8/Conversion/Passes.h"
#include "ecf8/Dialect/ECF8/IR/ECF8.h"
#include "ecf8/Dialect/ECF8/Transforms/Passes.h"
#include "ecf8/Pipelines/Pipelines.h"

namespace mlir::ecf8 {

/// Adds the dialects of ECF8 to `registry`.
inline void registerAllDialects(DialectRegistry &registry) { registry.insert<ECF8Dialect>(); }

/// Registers the passes and pipelines of ECF8.
inline void registerAllPasses() {
  registerTransformsPasses();
  registerConversionPasses();
  registerCPUPipelines();
  registerGPUPipelines();
}

} // namespace mlir::ecf8

#endif // ECF8_INITALL_H
