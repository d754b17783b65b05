// Tensors on the command line: elements as numbers, and the text form "4x16xf32=0.5".
#ifndef ECF8_TOOLS_ECF8_RUN_TENSOR_H
#define ECF8_TOOLS_ECF8_RUN_TENSOR_H

#include "ecf8-c/Runtime.h"
#include "ecf8/Support/File.h"
#include "ecf8/Support/Status.h"

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ecf8::run {

/// Row-major elements in memory of their own, aligned to 64.
class HostTensor {
public:
  HostTensor() = default;
  /// Zeros. Fails if there is not that much memory or the size overflows.
  static Result<HostTensor> create(DLDataType dtype, std::vector<int64_t> shape);

  DLDataType dtype = {};
  std::vector<int64_t> shape;
  size_t elementCount = 0;

  size_t elementBytes() const { return (dtype.bits + 7u) / 8u; }
  std::span<uint8_t> bytes() { return {data.get(), elementCount * elementBytes()}; }
  ByteSpan bytes() const { return {data.get(), elementCount * elementBytes()}; }

private:
  std::unique_ptr<uint8_t, void (*)(void *)> data{nullptr, std::free};
};

/// "4x16xf32", "i64" for a scalar; "?" for dynamic sizes.
std::string describe(const EcfTensorSpec &spec);
std::string describe(std::span<const int64_t> shape, std::string_view dtype);

bool isInteger(DLDataType dtype); // booleans too

/// Element `index` of `bytes`. Exact for all floats; for integers see `integerAt`.
double numberAt(ByteSpan bytes, DLDataType dtype, size_t index);
/// For integers and booleans.
int64_t integerAt(ByteSpan bytes, DLDataType dtype, size_t index);
/// The shortest text that says what element `index` is: "0.5", "-nan", "12".
std::string textAt(ByteSpan bytes, DLDataType dtype, size_t index);

/// Parses "4x16xf32=0.5" (all elements), "4xf32=1,2,3,4" (each) or "4x16xf32=random:7" (seeded: floats uniform in [-1,
/// 1), integers 0 to 99, booleans 0 or 1) for an input that must look like `spec`. Numbers are rounded to nearest even;
/// one that is out of the type's range is an error.
Result<HostTensor> parseTensor(std::string_view text, const EcfTensorSpec &spec);

/// Text in the same form, of at most `limit` elements.
std::string printTensor(const DLTensor &tensor, std::string_view dtype, size_t limit);

} // namespace ecf8::run

#endif // ECF8_TOOLS_ECF8_RUN_TENSOR_H
