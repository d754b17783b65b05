// A decoded step as pairs of bf16 for `vdpbf16ps`, whose result is that of as-written arithmetic where no value is a
// subnormal: it adds the product of the upper halves, rounds, and adds that of the lower halves. A product of two bf16
// numbers is exact in f32, so that nothing else is rounded. Needs avx512bf16 and avx512vbmi.
#ifndef ECF8_LIB_CONVERSION_WEIGHTPAIRS_H
#define ECF8_LIB_CONVERSION_WEIGHTPAIRS_H

#include "WeightTables.h"

namespace mlir::ecf8 {

/// For bf16 activations, in which the upper half of an element is the first of two columns. The caller makes sure that
/// the values are in range (PairRange.h).
class WeightPairs final : public StepArithmetic {
public:
  WeightPairs(const ContractionSpec &spec, const ScaleOperands &scale) : spec(spec), scale(scale) {}

  int64_t columnsPerSlot() const override { return 2; }
  Type elementType(LaneBuilder &b) const override { return b.getI32Type(); }
  void enterFunction(LaneBuilder &b, unsigned tileCount) override;
  void openStrip(LaneBuilder &b, Value strip, unsigned tile, Value rows) override;
  void openBlock(LaneBuilder &b, Value strip, unsigned tile, Value column, Value blockColumn) override;
  SmallVector<Value> extend(LaneBuilder &b, unsigned tile, Value bytes) const override;
  Value accumulate(LaneBuilder &b, Value sum, Value weights, Value activation) const override;

private:
  Value roundHalf(LaneBuilder &b, const SplitStep &step, unsigned tile, unsigned half) const;

  ContractionSpec spec;
  ScaleOperands scale;
  Value scaledTables;              ///< by tile; WeightTables.h
  Value rowScales;                 ///< memref<(tiles * 64) x f32>, by lane, each twice
  SmallVector<WeightTable> tables; ///< by tile
};

} // namespace mlir::ecf8

#endif // ECF8_LIB_CONVERSION_WEIGHTPAIRS_H
