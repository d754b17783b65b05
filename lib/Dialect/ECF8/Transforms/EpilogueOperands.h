// The operands of an elementwise op as matrices for an `ecf8.contract`: which of its dimensions are rows, and which
// operands are the same for all rows or columns.
#ifndef ECF8_LIB_DIALECT_ECF8_TRANSFORMS_EPILOGUEOPERANDS_H
#define ECF8_LIB_DIALECT_ECF8_TRANSFORMS_EPILOGUEOPERANDS_H

#include "ecf8/Dialect/ECF8/IR/ECF8.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace mlir::ecf8 {

struct EpilogueOperand {
  OpOperand *operand;
  bool hasRows, hasColumns; ///< whether it differs from row to row, from column to column
  int64_t columnDimension;  ///< of the tensor, where it has columns; those before it are rows

  /// [M, N], [1, N], [M, 1] or [1, 1], for a result of `type`.
  Value materialize(OpBuilder &builder, Location loc, RankedTensorType type) const;
};

/// The loops of an elementwise op: the last is over columns, those before it are over rows.
class EpilogueSpace {
public:
  explicit EpilogueSpace(SmallVector<int64_t> ranges) : ranges(std::move(ranges)) {}

  /// Whether an operand with this map is read as the result is written.
  bool isIdentity(AffineMap map) const;

  /// None for an operand that differs along some of the rows' loops only, or is transposed.
  std::optional<EpilogueOperand> classify(OpOperand &operand, AffineMap map) const;

private:
  std::optional<SmallVector<int64_t>> loopsOf(AffineMap map) const;

  SmallVector<int64_t> ranges;
};

} // namespace mlir::ecf8

#endif // ECF8_LIB_DIALECT_ECF8_TRANSFORMS_EPILOGUEOPERANDS_H
