// The custom mutator of the targets whose input is JSON.
#include "JsonMutator.h"

using namespace ecf8::fuzz;

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t maxSize, unsigned seed) {
  Random random(seed);
  std::string text(reinterpret_cast<const char *>(data), size);
  mutateJson(text, maxSize, random);
  return finishMutation(text, data, maxSize);
}
