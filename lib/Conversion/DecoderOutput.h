// Where decoded bytes go: from the order of the format into the rows of a matrix.
#ifndef ECF8_LIB_CONVERSION_DECODEROUTPUT_H
#define ECF8_LIB_CONVERSION_DECODEROUTPUT_H

#include "LaneBuilder.h"

namespace mlir::ecf8 {

/// Columns of a block: 32 steps, one cache line of each of the 32 rows.
inline constexpr int64_t kBlockColumns = 64;
inline constexpr int64_t kBlockBytes = 32 * kBlockColumns;

/// Writes blocks in the order `rows32` into a row-major matrix of an 8-bit float or integer type.
class MatrixWriter {
public:
  /// `matrix`: memref<?x?xT, strided<[?, 1], offset: ?>>. Allocates scratch: call it in the entry block.
  MatrixWriter(LaneBuilder &b, Value matrix);

  /// Stores the first `rows` x `columns` elements (at most 32 x 64) of the block at byte `at` of `block` to (`row`,
  /// `column`) of the matrix.
  void writeBlock(LaneBuilder &b, Value block, Value at, Value row, Value column, Value rows, Value columns) const;

private:
  void transposeTo(LaneBuilder &b, Value block, Value at, Value target, Value row, Value column) const;
  void store(LaneBuilder &b, Value vectorOfBytes, Value target, ValueRange at) const;

  Value matrix;
  Value edge; ///< 32 x 64 bytes for blocks that are not whole
};

} // namespace mlir::ecf8

#endif // ECF8_LIB_CONVERSION_DECODEROUTPUT_H
