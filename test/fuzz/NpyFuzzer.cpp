// A byte that chooses the element type, then bytes as a .npy file for ecf8-run.
#include "MemoryFile.h"
#include "Npy.h"
#include "TensorInput.h"

#include <algorithm>

using namespace ecf8;
using namespace ecf8::fuzz;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  FuzzInput input({data, size});
  auto [name, dtype] = drawType(input);
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

  checkText(*tensor, name);
  return 0;
}
