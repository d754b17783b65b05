// Where pairs of bf16 (WeightPairs.h) give the result of as-written arithmetic.
#ifndef ECF8_LIB_CONVERSION_PAIRRANGE_H
#define ECF8_LIB_CONVERSION_PAIRRANGE_H

#include "DecoderLayout.h"
#include "ecf8/Conversion/Contractions.h"

namespace mlir::ecf8 {

/// i1: whether no value on the way from `activations` and the weight to the sums can be a subnormal, an infinity or a
/// NaN. `sums`: the accumulator, or null for zeros; `scale`: null without one.
Value arePairsExact(LaneBuilder &b, const ContractionSpec &spec, const PayloadLayout &layout, Value activations,
                    Value sums, Value scale);

} // namespace mlir::ecf8

#endif // ECF8_LIB_CONVERSION_PAIRRANGE_H
