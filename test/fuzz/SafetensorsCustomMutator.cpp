// The custom mutator of target safetensors.
#include "SafetensorsMutator.h"

using namespace ecf8::fuzz;

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t maxSize, unsigned seed) {
  Random random(seed);
  std::string file(reinterpret_cast<const char *>(data), size);
  mutateSafetensors(file, maxSize, random);
  return finishMutation(file, data, maxSize);
}
