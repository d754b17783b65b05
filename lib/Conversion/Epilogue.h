// What a contraction does with its finished sums where it has an epilogue.
#ifndef ECF8_LIB_CONVERSION_EPILOGUE_H
#define ECF8_LIB_CONVERSION_EPILOGUE_H

#include "LaneBuilder.h"
#include "ecf8/Conversion/Contractions.h"

namespace mlir::ecf8 {

/// The function that finishes the sums of one row of activations and up to 32 rows of the weight:
///
///   func.func private @<contraction>_epilogue(%out, %extra..., %row, %column, %count: index, %sums: memref<?xf32>,
///   %at)
///
/// makes out[row, column + i] of the sum of the weight's row column + i, for all i below 32 and `count`. The sums lie
/// by lane at `at` of `sums`, which is scratch afterwards. All kernels of a contraction call it, so that the ops of the
/// epilogue, which may be long, are there once: on vectors of 16, and on scalars for what a last strip leaves.
func::FuncOp emitEpilogue(func::FuncOp contraction, const ContractionSpec &spec);

} // namespace mlir::ecf8

#endif // ECF8_LIB_CONVERSION_EPILOGUE_H
