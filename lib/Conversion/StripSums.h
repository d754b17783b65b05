// The sums of a strip of weight rows and one row of activations: 32 by lane, two vectors of 16, in registers or a
// buffer.
#ifndef ECF8_LIB_CONVERSION_STRIPSUMS_H
#define ECF8_LIB_CONVERSION_STRIPSUMS_H

#include "ContractionSinks.h"

namespace mlir::ecf8 {

/// A vector of zeros.
Value zeroSums(LaneBuilder &b);

/// The vector at `at` of `sums`.
Value loadSums(LaneBuilder &b, Value sums, Value at);

/// Sets the 32 sums at `at` of `sums` to zero.
void clearSums(LaneBuilder &b, Value sums, Value at);

/// Multiplies the 32 sums at `at` of `sums` by their scales.
void scaleSums(LaneBuilder &b, const SumScaling &scaling, Value sums, Value at, const std::array<Value, 2> &scales);

enum class Transfer {
  Load,  ///< sums = out
  Store, ///< out = sums
  Add    ///< out = out + sums
};

/// Moves the 32 sums at `at` of `sums` from or to `out`[row, strip]. Rows that the strip lacks are left out.
void moveSums(LaneBuilder &b, Value out, Value row, Value strip, Value weightRows, Value sums, Value at,
              Transfer transfer);

/// Calls the epilogue with the 32 sums at `at` of `sums`.
void finishSums(LaneBuilder &b, const ContractionOperands &operands, Value row, Value strip, Value weightRows,
                Value sums, Value at);

} // namespace mlir::ecf8

#endif // ECF8_LIB_CONVERSION_STRIPSUMS_H
