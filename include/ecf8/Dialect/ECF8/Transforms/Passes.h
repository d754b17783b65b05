// The passes on tensors: weights to globals, FP8 weights to compressed ones.
#ifndef ECF8_DIALECT_ECF8_TRANSFORMS_PASSES_H
#define ECF8_DIALECT_ECF8_TRANSFORMS_PASSES_H

#include "ecf8/Dialect/ECF8/IR/ECF8.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"
#include <functional>
#include <string>

namespace mlir::ecf8 {

#define GEN_PASS_DECL
#include "ecf8/Dialect/ECF8/Transforms/Passes.h.inc"

/// What becomes of one FP8 global.
struct WeightDecision {
  /// The encoding, or null to leave the weight as it is.
  EncodingAttrInterface encoding;
  /// Why it is left as it is, or is in raw tiles although another encoding was to be; goes into the remark.
  std::string reason;
  /// The payload, for a global with an inline value. Without one the pass encodes the value.
  ElementsAttr payload;
};

/// Decides on a global of an FP8 tensor type, say by its data's statistics. Called once per global, in the module's
/// order, in place of the pass's own rule. Failure, with a diagnostic, fails the pass.
using WeightDecisionFn = std::function<FailureOr<WeightDecision>(GlobalOp)>;

/// `ecf8-compress-weights` with `decide` for the globals. The options still rule constants.
std::unique_ptr<Pass> createCompressWeightsPass(const CompressWeightsPassOptions &options, WeightDecisionFn decide);

#define GEN_PASS_REGISTRATION
#include "ecf8/Dialect/ECF8/Transforms/Passes.h.inc"

/// Registers the passes of this header.
inline void registerTransformsPasses() { registerECF8TransformsPasses(); }

} // namespace mlir::ecf8

#endif // ECF8_DIALECT_ECF8_TRANSFORMS_PASSES_H
