// A decoded step as vectors of f32, scaled and rounded as the program says.
#ifndef ECF8_LIB_CONVERSION_WEIGHTVECTORS_H
#define ECF8_LIB_CONVERSION_WEIGHTVECTORS_H

#include "WeightTables.h"

namespace mlir::ecf8 {

/// How FP8 becomes f32. All ways are exact for all values.
enum class Extension {
  Integer, ///< by integer ops
  Half,    ///< f16's bits and the CPU's conversion
  Table    ///< byte look-ups
};

class WeightVectors final : public StepArithmetic {
public:
  WeightVectors(const ContractionSpec &spec, const ScaleOperands &scale, Extension extension)
      : spec(spec), scale(scale), extension(extension) {}

  int64_t columnsPerSlot() const override { return 1; }
  Type elementType(LaneBuilder &b) const override { return b.getF32Type(); }
  void enterFunction(LaneBuilder &b, unsigned tileCount) override;
  void openStrip(LaneBuilder &b, Value strip, unsigned tile, Value rows) override;
  void openBlock(LaneBuilder &b, Value strip, unsigned tile, Value column, Value blockColumn) override;
  SmallVector<Value> extend(LaneBuilder &b, unsigned tile, Value bytes) const override;
  Value accumulate(LaneBuilder &b, Value sum, Value weights, Value activation) const override;

private:
  bool scalesTable() const;
  Value extendColumn(LaneBuilder &b, Value words) const;
  Value applyScale(LaneBuilder &b, unsigned tile, unsigned half, Value vector) const;

  ContractionSpec spec;
  ScaleOperands scale;
  Extension extension;
  Value scaledTables;                           ///< by tile; WeightTables.h
  Value rowScales;                              ///< memref<(tiles * 32) x f32>, by lane
  SmallVector<WeightTable> tables;              ///< by tile
  SmallVector<std::array<Value, 2>> tileScales; ///< by tile: vectors of 16 f32
};

} // namespace mlir::ecf8

#endif // ECF8_LIB_CONVERSION_WEIGHTVECTORS_H
