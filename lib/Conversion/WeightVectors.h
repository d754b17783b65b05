// A decoded step as vectors of f32, scaled and rounded as the program says.
#ifndef ECF8_LIB_CONVERSION_WEIGHTVECTORS_H
#define ECF8_LIB_CONVERSION_WEIGHTVECTORS_H

#include "StripDecoder.h"
#include "ecf8/Conversion/Contractions.h"

namespace mlir::ecf8 {

/// Rows of a strip by lane: lane l of a vector of 32 holds row l / 2 + (l % 2) * 16 of the strip (docs/Format.md,
/// tile_c2).
inline constexpr int64_t kStripRows = 32;
/// Elements of the vectors: two of them make a column of a strip.
inline constexpr int64_t kHalfStrip = 16;

/// How FP8 becomes f32.
enum class Extension {
  Integer,   ///< by integer ops, any value
  Half,      ///< f16's bits and the CPU's conversion, any value
  FoldedHalf ///< the same for f8E4M3FN without NaN, times 2^-8: the factor kFoldedFactor is in the scale or the
             ///< activations
};
inline constexpr float kFoldedFactor = 256;

/// Turns steps into f32 vectors, in the order of the lanes.
class WeightVectors {
public:
  /// `scale`, `blockRows`, `blockColumns`: as the function's arguments; null without a scale.
  WeightVectors(const ContractionSpec &spec, Value scale, Value blockRows, Value blockColumns, Extension extension)
      : spec(spec), scale(scale), blockRows(blockRows), blockColumns(blockColumns), extension(extension) {}

  /// Once in the function's entry block, for `tileCount` strips in lockstep.
  void enterFunction(LaneBuilder &b, unsigned tileCount);
  /// Loads the scales of the rows of strip `strip` + `tile`, of `rows` in the matrix.
  void openStrip(LaneBuilder &b, Value strip, unsigned tile, Value rows);
  /// Loads what scales the block of 64 columns that begins at `column` of the matrix.
  void openBlock(LaneBuilder &b, Value strip, unsigned tile, Value column);

  /// The two columns of a step of strip `tile`: vectors of 16 f32, lanes 0 to 15 and 16 to 31 of the first column, then
  /// of the second.
  std::array<Value, 4> extend(LaneBuilder &b, unsigned tile, Value bytes) const;

private:
  Value extendColumn(LaneBuilder &b, Value words) const;
  Value extendScale(LaneBuilder &b, Value value) const;
  Value applyScale(LaneBuilder &b, unsigned tile, unsigned half, Value vector) const;

  ContractionSpec spec;
  Value scale, blockRows, blockColumns;
  Extension extension;
  Value rowScales;                              ///< memref<(tiles * 32) x f32>, by lane
  SmallVector<std::array<Value, 2>> tileScales; ///< by tile: vectors of 16 f32
};

/// Extends a scalar or vector of f32, bf16 or f16 to f32.
Value extendToF32(LaneBuilder &b, Value value);

} // namespace mlir::ecf8

#endif // ECF8_LIB_CONVERSION_WEIGHTVECTORS_H
