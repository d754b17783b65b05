// The body of a contraction function.
#ifndef ECF8_LIB_CONVERSION_CONTRACTIONEMITTER_H
#define ECF8_LIB_CONVERSION_CONTRACTIONEMITTER_H

#include "ContractionSinks.h"
#include "KernelEmitter.h"

namespace mlir::ecf8 {

/// What a contraction kernel has to know of the instruction set.
struct ContractionTarget {
  int64_t vectorBits;
  bool extendsF16;     ///< F16C
  bool permutesBytes;  ///< avx512vbmi
  bool multipliesBF16; ///< avx512bf16, with avx512vbmi
};

class ContractionEmitter : public KernelEmitter {
public:
  ContractionEmitter(func::FuncOp function, const ContractionSpec &contraction, const DecoderSpec &spec,
                     ArrayRef<std::unique_ptr<LaneBackend>> backends, const ContractionTarget &target)
      : KernelEmitter(function, spec, backends), contraction(contraction), target(target) {}

  void emit();

private:
  /// How products are taken; both give the same bytes (StepArithmetic.h).
  enum class Products { Vectors, Pairs };

  MatrixSlice sliceOf(const PayloadLayout &layout, func::FuncOp body);
  void checkShapes(const MatrixSlice &slice);
  struct PackedBuffer {
    Value packed;
    Value isOnHeap; ///< i1
  };
  PackedBuffer allocatePacked(bool pairs, Value blocks, Value rows);
  void releasePacked(const PackedBuffer &buffer);
  void pack(bool pairs, Value packed, Value firstRow, Value rows);
  Value isForPairs(const PayloadLayout &layout);
  void emitLoops(Value tables) override;
  void emitKernels(Value tables, Products products, ArrayRef<int64_t> limits);
  ContractionOperands operandsOf(func::FuncOp body) const;
  std::unique_ptr<StepArithmetic> createArithmetic(func::FuncOp body, Products products) const;
  void emitVectorGroup(func::FuncOp body, Products products, int64_t rowLimit);
  void emitPanelGroup(func::FuncOp body, Products products);

  ContractionSpec contraction;
  ContractionTarget target;
  func::FuncOp epilogue; ///< Epilogue.h; null without one
  // Of the function.
  Value weightRows;
  Value rowCount;   ///< of the activations
  Value fillsUnits; ///< i1: no padding among the columns
  Value usePairs;   ///< i1; null where there are no kernels of pairs
};

} // namespace mlir::ecf8

#endif // ECF8_LIB_CONVERSION_CONTRACTIONEMITTER_H
