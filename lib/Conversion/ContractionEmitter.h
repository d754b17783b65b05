// The body of a contraction function.
#ifndef ECF8_LIB_CONVERSION_CONTRACTIONEMITTER_H
#define ECF8_LIB_CONVERSION_CONTRACTIONEMITTER_H

#include "ContractionSinks.h"
#include "KernelEmitter.h"

namespace mlir::ecf8 {

/// What a contraction kernel has to know of the instruction set.
struct ContractionTarget {
  int64_t vectorBits;
  bool extendsF16;
};

class ContractionEmitter : public KernelEmitter {
public:
  ContractionEmitter(func::FuncOp function, const ContractionSpec &contraction, const DecoderSpec &spec,
                     ArrayRef<std::unique_ptr<LaneBackend>> backends, const ContractionTarget &target)
      : KernelEmitter(function, spec, backends), contraction(contraction), target(target) {}

  void emit();

private:
  void checkShapes(const PayloadLayout &layout);
  Value extendActivations();
  Value foldActivations(Value activations);
  Value areSmall(Value matrix);
  Value isForVector(const PayloadLayout &layout);
  bool foldsFactor() const;
  void emitLoops(Value tables) override;
  void emitVectorGroup(func::FuncOp body);
  void emitPanelGroup(func::FuncOp body);

  ContractionSpec contraction;
  ContractionTarget target;
  // Of the function.
  Value weightRows;
  Value useVector;                             ///< i1: the vector kernel, not the panel kernel
  SmallVector<Value> operands, vectorOperands; ///< what the group functions get
};

} // namespace mlir::ecf8

#endif // ECF8_LIB_CONVERSION_CONTRACTIONEMITTER_H
