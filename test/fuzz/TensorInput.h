// Tensors of ecf8-run: element types drawn from an input, and their text form.
#ifndef ECF8_TEST_FUZZ_TENSORINPUT_H
#define ECF8_TEST_FUZZ_TENSORINPUT_H

#include "FuzzInput.h"
#include "Tensor.h"

#include <algorithm>
#include <cmath>
#include <string>

namespace ecf8::fuzz {

struct NamedType {
  const char *name;
  DLDataType dtype;
};

inline NamedType drawType(FuzzInput &input) {
  return input.oneOf<NamedType>({{"f32", {kDLFloat, 32, 1}},
                                 {"f16", {kDLFloat, 16, 1}},
                                 {"bf16", {kDLBfloat, 16, 1}},
                                 {"f64", {kDLFloat, 64, 1}},
                                 {"f8E4M3FN", {kDLFloat8_e4m3fn, 8, 1}},
                                 {"f8E5M2", {kDLFloat8_e5m2, 8, 1}},
                                 {"i1", {kDLBool, 8, 1}},
                                 {"i8", {kDLInt, 8, 1}},
                                 {"i64", {kDLInt, 64, 1}},
                                 {"ui8", {kDLUInt, 8, 1}}});
}

inline EcfTensorSpec makeSpec(const NamedType &type, std::span<const int64_t> shape) {
  EcfTensorSpec spec = {};
  spec.dtype = type.name;
  spec.dlDtype = type.dtype;
  spec.rank = int32_t(shape.size());
  spec.shape = shape.data();
  return spec;
}

/// The text of a tensor gives it back: integers to the bit, floats to the bit but for the payloads of NaNs.
inline void checkText(run::HostTensor &tensor, const char *name) {
  if (tensor.elementCount == 0)
    return;
  ByteSpan bytes = std::as_const(tensor).bytes();
  if (tensor.dtype.code == kDLBool && std::ranges::any_of(bytes, [](uint8_t byte) { return byte > 1; }))
    return; // printed as the number it is, which is no boolean
  DLTensor view = {
      tensor.bytes().data(), {kDLCPU, 0}, int32_t(tensor.shape.size()), tensor.dtype, tensor.shape.data(), nullptr, 0};
  std::string text = run::printTensor(view, name, tensor.elementCount);
  Result<run::HostTensor> parsed = run::parseTensor(text, makeSpec({name, tensor.dtype}, tensor.shape));
  FUZZ_CHECK(parsed.isOk());
  for (size_t i = 0; i < tensor.elementCount; ++i) {
    bool isNumber = run::isInteger(tensor.dtype) || !std::isnan(run::numberAt(bytes, tensor.dtype, i));
    auto element = [&](ByteSpan of) { return of.subspan(i * tensor.elementBytes(), tensor.elementBytes()); };
    FUZZ_CHECK(!isNumber || std::ranges::equal(element(bytes), element(parsed->bytes())));
    FUZZ_CHECK(run::textAt(bytes, tensor.dtype, i) == run::textAt(parsed->bytes(), tensor.dtype, i));
  }
  if (tensor.elementCount > 1)
    FUZZ_CHECK(run::printTensor(view, name, 1).size() < text.size() + 64);
}

} // namespace ecf8::fuzz

#endif // ECF8_TEST_FUZZ_TENSORINPUT_H
