// What the AVX2 back ends share: 32 lanes as four groups of 8 windows of 32 bits, and their refill.
#ifndef ECF8_LIB_CONVERSION_LANEREFILL_H
#define ECF8_LIB_CONVERSION_LANEREFILL_H

#include "LaneBackend.h"

namespace mlir::ecf8 {

/// 256 rows of 8 bytes in a global of the module: row m sends the words of the stream, in order, to the lanes whose bit
/// is set in m. 8 bytes follow, so that 16 can be read of any row.
Value lanePatternTable(LaneBuilder &b);

/// Loads the first two words of the 32 lanes: {pointer, then word and position of each group}.
SmallVector<Value> openLaneGroups(LaneBuilder &b, const StreamView &stream, Value at);

/// Moves 8 lanes to the bit positions `moved` (below 32): lanes past 16 bits take the next words at `pointer`.
void refillGroup(LaneBuilder &b, const StreamView &stream, Value patterns, Value &word, Value &position, Value &pointer,
                 Value moved);

/// One vector after the other; both have the same type.
Value concatenate(LaneBuilder &b, Value low, Value high);

} // namespace mlir::ecf8

#endif // ECF8_LIB_CONVERSION_LANEREFILL_H
