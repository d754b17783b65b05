// Decoded quads as operands of mma.m16n8k16 in f16 or bf16, extended, scaled and rounded as the program says.
#ifndef ECF8_LIB_CONVERSION_GPU_WEIGHTFRAGMENTS_H
#define ECF8_LIB_CONVERSION_GPU_WEIGHTFRAGMENTS_H

#include "DeviceBuilder.h"
#include "DeviceSpec.h"

namespace mlir::ecf8 {

class WeightFragments {
public:
  /// `type` is f16 or bf16, the type of the activations. Without `mayHaveNaN`, NaN of E4M3FN may become 480.
  WeightFragments(DeviceBuilder &b, const DeviceSpec &spec, Type type, bool mayHaveNaN)
      : b(b), spec(spec), type(type), mayHaveNaN(mayHaveNaN) {}

  /// Whether E4M3FN is extended by integers. Then elements 0 and 2, 1 and 3 of a quad share a word, else neighbours.
  static bool usesIntegers(const DeviceSpec &spec) { return spec.isE4M3 && !spec.architecture->convertsFP8; }

  /// What sums of products of weights without scales have to be multiplied by.
  double sumFactor() const { return usesIntegers(spec) && type.isF16() ? 0x1p8 : 1; }

  /// The four operands of A for each of the two products of a step (columns 0 to 15 and 16 to 31, in an order that
  /// suits the lanes: k = 2t, 2t + 1, 2t + 8, 2t + 9 of a product are the columns 4t to 4t + 3, t = lane % 4; by
  /// integers 4t, 4t + 2, 4t + 1, 4t + 3). Weights of the rows 0 to 7 of the tile are multiplied by scales[0], the
  /// others by scales[1], in f32; without scales by the inverse of `sumFactor`.
  std::array<SmallVector<Value>, 2> convert(ArrayRef<Value> quads, ArrayRef<Value> scales);

  /// sums += A * B for one product, with B in two words of two activations each. `sums` are four f32.
  void multiply(ArrayRef<Value> a, Value b0, Value b1, MutableArrayRef<Value> sums);

private:
  /// The two words of a quad, as pairs of f16, or of bf16 where they are extended to that by integers.
  std::pair<Value, Value> toPairs(Value quad, bool isScaled);
  Value extendE4M3(Value quad, bool isOdd, bool isScaled);
  Value round(Value pair, Value scale);

  DeviceBuilder &b;
  const DeviceSpec &spec;
  Type type;
  bool mayHaveNaN;
};

} // namespace mlir::ecf8

#endif // ECF8_LIB_CONVERSION_GPU_WEIGHTFRAGMENTS_H
