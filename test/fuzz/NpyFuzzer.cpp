// A byte that chooses the element type, then bytes as a .npy file for ecf8-run.
#include "MemoryFile.h"
#include "Npy.h"

#include <algorithm>

using namespace ecf8;
using namespace ecf8::fuzz;

namespace {

struct Type {
  const char *name;
  DLDataType dtype;
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  FuzzInput input({data, size});
  auto [name, dtype] = input.oneOf<Type>({{"f32", {kDLFloat, 32, 1}},
                                          {"f16", {kDLFloat, 16, 1}},
                                          {"bf16", {kDLBfloat, 16, 1}},
                                          {"f64", {kDLFloat, 64, 1}},
                                          {"f8E4M3FN", {kDLFloat8_e4m3fn, 8, 1}},
                                          {"f8E5M2", {kDLFloat8_e5m2, 8, 1}},
                                          {"i1", {kDLBool, 8, 1}},
                                          {"i8", {kDLInt, 8, 1}},
                                          {"i64", {kDLInt, 64, 1}},
                                          {"ui8", {kDLUInt, 8, 1}}});
  MemoryFile file(input.rest());
  Result<run::HostTensor> tensor = run::readNpy(file.path(), dtype, name);
  if (!tensor) {
    FUZZ_CHECK(!tensor.status().message().empty());
    return 0;
  }
  // The data is the end of the file; with the header that ecf8-run writes it is the same tensor.
  ByteSpan elements = std::as_const(*tensor).bytes();
  FUZZ_CHECK(elements.size() <= input.rest().size());
  FUZZ_CHECK(std::equal(elements.rbegin(), elements.rend(), input.rest().rbegin()));
  std::string text = run::npyHeader(dtype, tensor->shape);
  FUZZ_CHECK(text.size() % 64 == 0);
  text.append(reinterpret_cast<const char *>(elements.data()), elements.size());
  Result<run::HostTensor> again = run::readNpy(MemoryFile(asBytes(text)).path(), dtype, name);
  FUZZ_CHECK(again.isOk() && again->shape == tensor->shape);
  FUZZ_CHECK(std::equal(elements.begin(), elements.end(), again->bytes().begin(), again->bytes().end()));

  // As text, and read from it: every element has digits that give it back.
  DLTensor view = {
      tensor->bytes().data(), {kDLCPU, 0}, int32_t(tensor->shape.size()), dtype, tensor->shape.data(), nullptr, 0};
  if (tensor->elementCount == 0)
    return 0;
  std::string printed = run::printTensor(view, name, tensor->elementCount);
  EcfTensorSpec spec = {};
  spec.dtype = name;
  spec.dlDtype = dtype;
  spec.rank = int32_t(tensor->shape.size());
  spec.shape = tensor->shape.data();
  Result<run::HostTensor> parsed = run::parseTensor(printed, spec);
  if (dtype.code != kDLBool || std::ranges::all_of(elements, [](uint8_t byte) { return byte < 2; }))
    FUZZ_CHECK(parsed.isOk());
  if (parsed && run::isInteger(dtype)) // of a float's NaN only the sign is printed
    FUZZ_CHECK(std::equal(elements.begin(), elements.end(), parsed->bytes().begin(), parsed->bytes().end()));
  return 0;
}
