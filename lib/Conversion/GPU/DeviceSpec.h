// What a GPU kernel is generated for: an architecture, and the layout of a payload in order mma.
#ifndef ECF8_LIB_CONVERSION_GPU_DEVICESPEC_H
#define ECF8_LIB_CONVERSION_GPU_DEVICESPEC_H

#include "ecf8/Conversion/Architectures.h"
#include "ecf8/Dialect/ECF8/IR/ECF8.h"

namespace mlir::ecf8 {

/// Docs/Format.md, "Order mma": a tile is 16 rows, a group 128 of its columns in 4 steps, a step 4 quads in each of 32
/// lanes.
struct DeviceSpec {
  static constexpr int64_t rowsPerTile = 16, columnsPerGroup = 128, stepsPerGroup = 4, quadsPerStep = 4;
  static constexpr int64_t warpSize = 32;

  const Architecture *architecture;
  bool isE4M3;
  unsigned group;         ///< elements of a coded symbol: 1, 2 or 4; 0 for raw
  unsigned maxCodeLength; ///< 0 for raw
  int64_t tileColumns;

  static FailureOr<DeviceSpec> of(Operation *diagnosed, CompressedType type, const Architecture &architecture);

  bool hasCodes() const { return group != 0; }
  /// Words of the stored plane for each lane and group.
  int64_t wordsPerGroup() const { return group == 0 ? 16 : group == 4 ? 12 : 8; }
  int64_t bytesPerGroup() const { return wordsPerGroup() * 4 * warpSize; }
  int64_t tableBytes() const { return hasCodes() ? int64_t(4) << maxCodeLength : 0; }
  int64_t groupsPerTile() const { return tileColumns / columnsPerGroup; }
};

} // namespace mlir::ecf8

#endif // ECF8_LIB_CONVERSION_GPU_DEVICESPEC_H
