// What all functions that read a payload's strips have in common: code tables, a parallel loop over groups of strips,
// and a function of its own for one group.
#ifndef ECF8_LIB_CONVERSION_KERNELEMITTER_H
#define ECF8_LIB_CONVERSION_KERNELEMITTER_H

#include "StripDecoder.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace mlir::ecf8 {

/// What becomes of decoded steps, which share the registers with the decoder.
enum class StepUse { Stored, Multiplied };

/// The back ends named `lanes` for payloads of `spec`, each for the codes that those before it do not apply to; none
/// where nothing is coded. Fails, with a diagnostic at `function`, for an encoding that has none.
FailureOr<SmallVector<std::unique_ptr<LaneBackend>>> createLaneBackends(func::FuncOp function, const DecoderSpec &spec,
                                                                        StringRef lanes, StepUse use);

class KernelEmitter {
public:
  /// `function` has no body yet; its first argument is the payload.
  KernelEmitter(func::FuncOp function, const DecoderSpec &spec, ArrayRef<std::unique_ptr<LaneBackend>> backends)
      : function(function), spec(spec), b(function.getLoc(), function.getContext()), backends(backends) {}
  virtual ~KernelEmitter() = default;

protected:
  /// Emits the tables of the payload's code and then, for each back end that may have to decode it, `emitLoops`.
  void emitForEveryCode(const PayloadLayout &layout);

  /// Emits the loops of the function for the back end `lanes`, whose tables are `tables`.
  virtual void emitLoops(Value tables) = 0;

  /// Emits a parallel loop over groups of stripsPerGroup() of `rows` rows, each a call of a function named `suffix`
  /// behind this one's name. Its arguments are `operands`, `tables` and the group; `emitBody` fills it in.
  void emitParallel(StringRef suffix, ValueRange operands, Value tables, Value rows,
                    llvm::function_ref<void(func::FuncOp)> emitBody);

  int64_t stripsPerGroup() const { return lanes ? lanes->tilesInLockstep() : 1; }

  func::FuncOp function;
  DecoderSpec spec;
  LaneBackend *lanes = nullptr; ///< the one that is being emitted; null where nothing is coded
  LaneBuilder b;

private:
  void emitWith(size_t first, const std::optional<CodeTables> &bytes);

  ArrayRef<std::unique_ptr<LaneBackend>> backends;
};

} // namespace mlir::ecf8

#endif // ECF8_LIB_CONVERSION_KERNELEMITTER_H
