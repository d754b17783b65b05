// How a contraction takes the products of a decoded step: what the sinks know of weights and activations.
//
// A step (two columns of 32 rows) has one or two slots. A slot is what one broadcast activation is multiplied by: two
// vectors of 16 elements of 32 bits, for the lanes 0 to 15 and 16 to 31. Both kinds give the same bytes:
//
//   WeightVectors  f32: a slot is a column; a product is rounded and added
//   WeightPairs    bf16: a slot is two columns, whose exact products are added one after the other by one instruction
#ifndef ECF8_LIB_CONVERSION_STEPARITHMETIC_H
#define ECF8_LIB_CONVERSION_STEPARITHMETIC_H

#include "StripDecoder.h"
#include "ecf8/Conversion/Contractions.h"

namespace mlir::ecf8 {

/// Rows of a strip by lane: lane l of a vector of 32 holds row l / 2 + (l % 2) * 16 of the strip (docs/Format.md,
/// tile_c2).
inline constexpr int64_t kStripRows = 32;
/// Elements of the vectors: two of them make a slot.
inline constexpr int64_t kHalfStrip = 16;

/// The operands of a function that scale its weights; null without a scale.
struct ScaleOperands {
  Value scale;                   ///< memref<?x?xT>
  Value blockRows, blockColumns; ///< index: the rows and columns that share an element of `scale`
  bool divides = false;          ///< instead of multiplying

  /// `vector` times `scales`, or divided by them.
  Value apply(LaneBuilder &b, Value vector, Value scales) const;

  /// Stores the scale of each row of strip `strip` of a matrix of `rows` rows to `buffer` (f32) from `at` on: by lane,
  /// each `copies` times.
  void storeRowScales(LaneBuilder &b, Value strip, Value rows, Value buffer, Value at, int64_t copies) const;
  /// The scale of the strip's block at `column`: f32.
  Value loadBlockScale(LaneBuilder &b, Value strip, Value column) const;
  /// Runs what `body` emits where the 64 columns from `column` on, `blockColumn` of their tile, may have another scale
  /// than those before.
  void ifScaleChanges(LaneBuilder &b, Value column, Value blockColumn, llvm::function_ref<void()> body) const;
};

class StepArithmetic {
public:
  virtual ~StepArithmetic() = default;

  /// Columns of a slot: 1 or 2.
  virtual int64_t columnsPerSlot() const = 0;
  /// Of activations and weights in memory, 32 bits.
  virtual Type elementType(LaneBuilder &b) const = 0;

  /// Once in the function's entry block, for `tileCount` strips in lockstep.
  virtual void enterFunction(LaneBuilder &b, unsigned tileCount) = 0;
  /// Loads the scales of the rows of strip `strip`, tile `tile` in lockstep, of `rows` in the matrix.
  virtual void openStrip(LaneBuilder &b, Value strip, unsigned tile, Value rows) = 0;
  /// Loads what scales the block of 64 columns that begins at `column` of the matrix, `blockColumn` of its tile.
  virtual void openBlock(LaneBuilder &b, Value strip, unsigned tile, Value column, Value blockColumn) = 0;
  /// The slots of a step: for each the lanes 0 to 15 and 16 to 31, vectors of 16 of `elementType`.
  virtual SmallVector<Value> extend(LaneBuilder &b, unsigned tile, Value bytes) const = 0;
  /// `sum` (vector<16xf32>) and the products of `weights` and `activation`, a scalar of `elementType`.
  virtual Value accumulate(LaneBuilder &b, Value sum, Value weights, Value activation) const = 0;

  int64_t slotsPerStep() const { return 2 / columnsPerSlot(); }
};

/// Extends a scalar or vector of f32, bf16 or f16 to f32.
Value extendToF32(LaneBuilder &b, Value value);

/// The row of a strip that lane `lane` holds.
Value rowOfLane(LaneBuilder &b, Value lane);

} // namespace mlir::ecf8

#endif // ECF8_LIB_CONVERSION_STEPARITHMETIC_H
