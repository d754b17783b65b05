// Sinks that multiply instead of storing: what becomes of decoded weights in a contraction.
//
// Both sinks keep one accumulator for each row of activations and each weight row, and add products to it in the order
// of the columns, so that they give the same bytes:
//
//   vector  few rows of activations: weights go from the decoder's registers into the sums, which stay in registers
//   panel   several rows: a block of 64 columns is extended once into a panel in the first-level cache and multiplied
//           by all rows of a chunk; their sums stay in a buffer on the stack
#ifndef ECF8_LIB_CONVERSION_CONTRACTIONSINKS_H
#define ECF8_LIB_CONVERSION_CONTRACTIONSINKS_H

#include "SumScaling.h"

namespace mlir::ecf8 {

/// Rows of activations that share one decoding in the panel sink, at most: 32 KiB of sums for each strip in lockstep.
inline constexpr int64_t kChunkRows = 256;

/// Slots of a block of packed activations. Tiles and blocks of weights begin at multiples of it.
inline constexpr int64_t kPackedSlots = 16;

/// What the sinks multiply.
struct ContractionOperands {
  /// Packed: slot s of row m is at [s / 16, m, s % 16], so that the rows of one block of slots are neighbours whatever
  /// K is; rows K elements apart fall into one set of the cache where K is a power of two. Panel: memref<?x?x16xT>, T
  /// as StepArithmetic::elementType; vector: the same as memref<?xT>.
  Value activations;
  /// memref<?x?xT, strided<[?, 1], offset: ?>> [M, N]: without an epilogue T is f32, and these are the sums so far.
  Value out;
  std::optional<SumScaling> scaling; ///< where sums are scaled instead of weights
  func::FuncOp epilogue;             ///< Epilogue.h; null without one
  SmallVector<Value> extra;          ///< what it reads

  bool startsAtZero() const { return scaling || epilogue; }
};

/// For 1 to `rowLimit` rows of activations, and a K that fills the units of the stored plane. `weights` must outlive
/// the sink, here and below.
std::unique_ptr<DecodeSink> createVectorSink(const ContractionOperands &operands, StepArithmetic &weights,
                                             int64_t rowLimit);

/// For `rowCount` rows of packed activations, at most kChunkRows; the first is row `firstRow` of the output.
/// `rowsInRegisters`: how many the inner loop multiplies at a time, a power of two.
class PanelSink : public DecodeSink {
public:
  Value firstRow, rowCount;
};
std::unique_ptr<PanelSink> createPanelSink(const ContractionOperands &operands, StepArithmetic &weights,
                                           int64_t rowsInRegisters);

} // namespace mlir::ecf8

#endif // ECF8_LIB_CONVERSION_CONTRACTIONSINKS_H
