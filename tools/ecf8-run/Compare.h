// Comparison of an output with what was expected.
#ifndef ECF8_TOOLS_ECF8_RUN_COMPARE_H
#define ECF8_TOOLS_ECF8_RUN_COMPARE_H

#include "Tensor.h"

#include <optional>

namespace ecf8::run {

/// Bytes must be equal; if either is given, |actual - expected| <= absolute + relative * |expected| is enough, and two
/// NaNs are equal.
struct Tolerance {
  std::optional<double> absolute, relative;
};

/// Empty if they agree, else text for the user: shapes, or the first differing index, both values, how many differ, and
/// the largest difference.
std::string compare(const DLTensor &actual, const HostTensor &expected, std::string_view dtype,
                    const Tolerance &tolerance);

} // namespace ecf8::run

#endif // ECF8_TOOLS_ECF8_RUN_COMPARE_H
