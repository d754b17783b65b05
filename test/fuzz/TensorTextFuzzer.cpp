// Bytes that choose type and shape, then the text of a tensor as ecf8-run takes it on the command line.
#include "TensorInput.h"

#include <string_view>
#include <vector>

using namespace ecf8;
using namespace ecf8::fuzz;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  FuzzInput input({data, size});
  NamedType type = drawType(input);
  auto shape = input.oneOf<std::vector<int64_t>>({{}, {2, 3}, {0, 4}, {-1}});
  std::string_view text(reinterpret_cast<const char *>(input.rest().data()), input.rest().size());
  // Whoever asks for a tensor of gigabytes gets it, so the dynamic size has 3 digits at most.
  if (!shape.empty() && shape[0] < 0 && text.find('=') > std::string_view(type.name).size() + 4)
    return 0;
  Result<run::HostTensor> tensor = run::parseTensor(text, makeSpec(type, shape));
  if (!tensor) {
    FUZZ_CHECK(!tensor.status().message().empty());
    return 0;
  }
  FUZZ_CHECK(tensor->shape.size() == shape.size());
  for (size_t i = 0; i < shape.size(); ++i)
    FUZZ_CHECK(shape[i] < 0 || tensor->shape[i] == shape[i]);
  checkText(*tensor, type.name);
  return 0;
}
