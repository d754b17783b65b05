// Products of a group of decoded weights with the activations of a chunk, which lie in shared memory the way that a
// tensor core instruction reads them. One class for each instruction:
//
//   activations   architecture   instruction
//   f16, bf16     all            mma.m16n8k16, of weights that are extended, scaled and rounded (WeightFragments)
//   FP8           from sm_89     mma.m16n8k32, of weights as they are
//   FP8           sm_90a         wgmma.m64nNk32, of weights as they are: four warps together, a tile each
#ifndef ECF8_LIB_CONVERSION_GPU_GROUPPRODUCTS_H
#define ECF8_LIB_CONVERSION_GPU_GROUPPRODUCTS_H

#include "DeviceBuilder.h"
#include "DeviceSpec.h"
#include "ecf8/Conversion/Contractions.h"
#include <memory>

namespace mlir::ecf8 {

enum class ProductKind { Half, Byte, Warpgroup };

/// How the activations of a chunk lie in shared memory, behind the table.
struct ActivationLayout {
  ProductKind kind;
  int64_t elementBytes;
  int64_t rowBytes;  ///< of a chunk, on an average
  int64_t alignment; ///< of the first activation

  static ActivationLayout of(const DeviceSpec &spec, Type activations);

  /// Warps that take tiles of the same columns together.
  int64_t warpsInStep() const { return kind == ProductKind::Warpgroup ? 4 : 1; }
  int64_t beginIn(const DeviceSpec &spec) const { return llvm::alignTo(spec.tableBytes(), alignment); }
  /// Where the activations of 8 * `columnBlocks` rows end.
  int64_t endIn(const DeviceSpec &spec, int64_t columnBlocks) const {
    return beginIn(spec) + 8 * columnBlocks * rowBytes;
  }
};

/// How a kernel is launched, whatever the architecture: the host's code of a bundle is one for all of them.
struct LaunchLayout {
  int64_t sharedBytes; ///< for table and activations, at least as many as the kernels of any architecture use
  int64_t warps;       ///< their number is a multiple of this

  static LaunchLayout of(const DeviceSpec &spec, Type activations, int64_t columnBlocks);
};

class GroupProducts {
public:
  /// For 8 * `columnBlocks` rows of activations of a type. `area` is the shared memory, `lane` the thread's in its
  /// warp. Without `mayHaveNaN`, where `isFasterWithoutNaN`, sums of products with a weight that is NaN are any.
  static std::unique_ptr<GroupProducts> create(DeviceBuilder &b, const DeviceSpec &spec, Type activations,
                                               int64_t columnBlocks, Value area, Value lane, bool mayHaveNaN);
  static bool isFasterWithoutNaN(const DeviceSpec &spec, Type activations);
  virtual ~GroupProducts() = default;

  const ActivationLayout layout;

  /// Where in the area an element of the chunk's activations lies.
  virtual Value offsetOf(Value row, Value column) = 0;
  /// Stores 16 bytes of a row, from a column on that is a multiple of as many.
  virtual void storePiece(Value row, Value column, Value bytes) {
    b.store(bytes, b.at(area, offsetOf(row, column)), 16);
  }
  /// What stands between stores and the barrier behind them.
  virtual void publish() {}

  /// Whether `multiply` can begin with other sums than zeros.
  virtual bool canContinue() const { return true; }
  /// What sums are to be multiplied by in the end, where `multiply` had no scales.
  virtual double sumFactor() const { return 1; }
  /// Sums of four f32 for each 8 rows of activations: those that it begins with, and the products of a group. Sum i of
  /// four is that of the tile's row lane / 4 + 8 * (i / 2) and the row of activations lane % 4 * 2 + i % 2. `scales`
  /// are those of the lane's two rows, or none.
  virtual SmallVector<Value> multiply(Value group, ArrayRef<SmallVector<Value>> quads, ArrayRef<Value> scales,
                                      SmallVector<Value> sums) = 0;

protected:
  GroupProducts(DeviceBuilder &b, const DeviceSpec &spec, const ActivationLayout &layout, int64_t columnBlocks,
                Value area, Value lane)
      : layout(layout), b(b), spec(spec), columnBlocks(columnBlocks), area(area), lane(lane) {}

  DeviceBuilder &b;
  const DeviceSpec &spec;
  int64_t columnBlocks;
  Value area, lane;
};

} // namespace mlir::ecf8

#endif // ECF8_LIB_CONVERSION_GPU_GROUPPRODUCTS_H
