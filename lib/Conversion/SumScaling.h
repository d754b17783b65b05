// Scales that are applied to sums instead of weights: `scales_sums` of ecf8.contract.
#ifndef ECF8_LIB_CONVERSION_SUMSCALING_H
#define ECF8_LIB_CONVERSION_SUMSCALING_H

#include "StepArithmetic.h"

namespace mlir::ecf8 {

/// Emits what becomes of the sums of one block of scales, which are by lane in a buffer.
class SumScaling {
public:
  SumScaling(ScaleKind kind, const ScaleOperands &scale) : kind(kind), scale(scale) {}

  /// Whether a row of the weight can have several blocks.
  bool hasBlocks() const { return kind == ScaleKind::Blocks; }

  /// Once in the function's entry block, for `tileCount` strips in lockstep.
  void enterFunction(LaneBuilder &b, unsigned tileCount);
  /// Loads the scales of strip `strip`, tile `tile` in lockstep, of `rows` in the matrix.
  void openStrip(LaneBuilder &b, Value strip, unsigned tile, Value rows) const;
  /// The first column of the block that ends before `end`, a column of the matrix.
  Value beginOfBlock(LaneBuilder &b, Value end) const;
  /// i1: whether a block of scales ends before column `end`.
  Value endsBlock(LaneBuilder &b, Value end) const;
  /// A vector of sums, scaled.
  Value apply(LaneBuilder &b, Value vector, Value scales) const { return scale.apply(b, vector, scales); }
  /// The scales of the block that ends before `end` for tile `tile`: lanes 0 to 15 and 16 to 31.
  std::array<Value, 2> load(LaneBuilder &b, Value strip, Value tile, Value end) const;

private:
  ScaleKind kind;
  ScaleOperands scale;
  Value rowScales; ///< memref<(tiles * 32) x f32>, by lane
};

} // namespace mlir::ecf8

#endif // ECF8_LIB_CONVERSION_SUMSCALING_H
