// FP8 to bf16 by two byte look-ups: a table holds the upper and the lower byte of the bf16 value of each of the 128
// magnitudes, scaled or not. Needs avx512vbmi. Every FP8 value is one of bf16, so nothing is rounded without a scale.
#ifndef ECF8_LIB_CONVERSION_WEIGHTTABLES_H
#define ECF8_LIB_CONVERSION_WEIGHTTABLES_H

#include "StepArithmetic.h"

namespace mlir::ecf8 {

/// The FP8 type of the weight.
inline FloatType fp8Of(const ContractionSpec &spec) { return cast<FloatType>(spec.weight.getElementType()); }

/// The bytes of 128 values of bf16, each as two vectors of 64 bytes; the sign of an element changes that of the value.
struct WeightTable {
  std::array<Value, 2> low, high;
};

/// A step as bf16, in two vectors of bytes in the order of the format.
struct SplitStep {
  Value low, high;
};

/// The table of the FP8 type `elementType` without a scale.
WeightTable constantWeightTable(LaneBuilder &b, FloatType elementType);

/// Scratch for `storeScaledTable`: a buffer on the stack.
Value allocateTable(LaneBuilder &b, unsigned tableCount);
/// Writes the values scaled by `factor` (f32), as `scale` does it, and rounded to bf16 to table `index` of `buffer`.
void storeScaledTable(LaneBuilder &b, FloatType elementType, const ScaleOperands &scale, Value factor, Value buffer,
                      unsigned index);
WeightTable loadTable(LaneBuilder &b, Value buffer, unsigned index);

SplitStep lookUp(LaneBuilder &b, const WeightTable &table, Value bytes);

/// The bf16 values of the 16 lanes of `half` (0 or 1), one after the other as vector<16xi32>: the first column's in the
/// upper half of an element, the second's in the lower.
Value joinHalf(LaneBuilder &b, const SplitStep &step, unsigned half);

/// The values of 8 lanes from `firstLane` on as vector<16xf32>: second column, first column of a lane, then of the
/// next.
Value joinAsF32(LaneBuilder &b, const SplitStep &step, unsigned firstLane);

} // namespace mlir::ecf8

#endif // ECF8_LIB_CONVERSION_WEIGHTTABLES_H
