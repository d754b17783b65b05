// Comparison of an output with what was expected.
#include "Compare.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>

using namespace ecf8;
using namespace ecf8::run;

static std::string indexText(size_t flat, std::span<const int64_t> shape) {
  std::string text;
  for (size_t i = shape.size(); i-- > 0;) {
    size_t size = static_cast<size_t>(shape[i]);
    text = std::to_string(flat % size) + (text.empty() ? "" : ", ") + text;
    flat /= size;
  }
  return "[" + text + "]";
}

/// "0.5 (0x3f000000)": two values may print alike and differ in a bit.
static std::string valueText(ByteSpan bytes, DLDataType dtype, size_t index) {
  size_t elementBytes = (dtype.bits + 7u) / 8u;
  std::string hex;
  for (size_t i = elementBytes; i-- > 0;) {
    char digits[3];
    std::snprintf(digits, sizeof(digits), "%02x", bytes[index * elementBytes + i]);
    hex += digits;
  }
  return textAt(bytes, dtype, index) + " (0x" + hex + ")";
}

std::string run::compare(const DLTensor &actual, const HostTensor &expected, std::string_view dtype,
                         const Tolerance &tolerance) {
  std::span<const int64_t> shape(actual.shape, static_cast<size_t>(actual.ndim));
  if (!std::equal(shape.begin(), shape.end(), expected.shape.begin(), expected.shape.end()))
    return "expected " + describe(expected.shape, dtype) + ", got " + describe(shape, dtype);

  ByteSpan want = expected.bytes(), got(static_cast<const uint8_t *>(actual.data), want.size());
  size_t elementBytes = expected.elementBytes();
  bool isTolerant = tolerance.absolute || tolerance.relative;
  size_t differing = 0, first = 0, largestIndex = 0;
  double largest = -1;
  for (size_t i = 0; i < expected.elementCount; ++i) {
    if (std::memcmp(&want[i * elementBytes], &got[i * elementBytes], elementBytes) == 0)
      continue;
    double a = numberAt(got, actual.dtype, i), b = numberAt(want, actual.dtype, i);
    double difference = std::fabs(a - b);
    if (isTolerant && ((std::isnan(a) && std::isnan(b)) || a == b ||
                       difference <= tolerance.absolute.value_or(0) + tolerance.relative.value_or(0) * std::fabs(b)))
      continue;
    if (differing++ == 0)
      first = i;
    if (difference > largest)
      largest = difference, largestIndex = i;
  }
  if (differing == 0)
    return "";
  std::string text = std::to_string(differing) + " of " + std::to_string(expected.elementCount) +
                     " elements differ; first at " + indexText(first, shape) + ": expected " +
                     valueText(want, actual.dtype, first) + ", got " + valueText(got, actual.dtype, first);
  if (largest < 0)
    return text + "; no difference is a number";
  char number[40];
  std::snprintf(number, sizeof(number), "%.9g", largest);
  return text + "; largest difference " + number + " at " + indexText(largestIndex, shape);
}
