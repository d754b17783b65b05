// Decoded quads as operands of mma.m16n8k16 in f16 or bf16, extended, scaled and rounded as the program says.
#ifndef ECF8_LIB_CONVERSION_GPU_WEIGHTFRAGMENTS_H
#define ECF8_LIB_CONVERSION_GPU_WEIGHTFRAGMENTS_H

#include "DeviceBuilder.h"
#include "DeviceSpec.h"

namespace mlir::ecf8 {

class WeightFragments {
public:
  /// `type` is f16 or bf16, the type of the activations.
  WeightFragments(DeviceBuilder &b, const DeviceSpec &spec, Type type) : b(b), spec(spec), type(type) {}

  /// The four operands of A for each of the two products of a step (columns 0 to 15 and 16 to 31, in an order that
  /// suits the lanes: k = 2t, 2t + 1, 2t + 8, 2t + 9 of a product are the columns 4t to 4t + 3, t = lane % 4). Weights
  /// of the rows 0 to 7 of the tile are multiplied by scales[0], the others by scales[1], in f32; without scales by
  /// nothing.
  std::array<SmallVector<Value>, 2> convert(ArrayRef<Value> quads, ArrayRef<Value> scales);

  /// sums += A * B for one product, with B in two words of two activations each. `sums` are four f32.
  void multiply(ArrayRef<Value> a, Value b0, Value b1, MutableArrayRef<Value> sums);

private:
  /// Elements 0 and 1, 2 and 3 of a quad, as two f16 each.
  std::pair<Value, Value> toHalves(Value quad);
  Value expandE4M3(Value quad, int64_t selector);
  Value round(Value halves, Value scale);

  DeviceBuilder &b;
  const DeviceSpec &spec;
  Type type;
};

} // namespace mlir::ecf8

#endif // ECF8_LIB_CONVERSION_GPU_WEIGHTFRAGMENTS_H
