// The GPU's decode loop over one lane's part of a tile: docs/Format.md, "Stream segments" and "Order mma". A lane is a
// thread of a warp. Its codes lie in shared memory, its share of the stored plane is in registers.
#ifndef ECF8_LIB_CONVERSION_GPU_SEGMENTLANES_H
#define ECF8_LIB_CONVERSION_GPU_SEGMENTLANES_H

#include "DeviceBuilder.h"
#include "DeviceSpec.h"

namespace mlir::ecf8 {

class SegmentLanes {
public:
  /// `area` is the kernel's shared memory, which begins with the table of the code. `offsetWord` is what a decoder
  /// adds to each quad (quads only).
  SegmentLanes(DeviceBuilder &b, const DeviceSpec &spec, Value area, Value offsetWord)
      : b(b), spec(spec), area(area), offsetWord(offsetWord) {}

  /// What a lane carries from step to step; empty where nothing is coded.
  SmallVector<Value> open(Value blockAddress, Value lane);

  /// The four quads of a step: words of four elements. `words` are the lane's words of the group's stored plane.
  SmallVector<Value> decodeStep(ArrayRef<Value> words, int64_t step, MutableArrayRef<Value> state);

private:
  // Two look-ups, and at most one new word of the stream.
  std::pair<Value, Value> lookUpTwice(MutableArrayRef<Value> state);
  Value entryAt(Value window);
  Value readStream(Value address);

  DeviceBuilder &b;
  const DeviceSpec &spec;
  Value area, offsetWord;
};

} // namespace mlir::ecf8

#endif // ECF8_LIB_CONVERSION_GPU_SEGMENTLANES_H
