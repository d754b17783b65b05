// The custom mutator of target payload.
#include "PayloadMutator.h"

using namespace ecf8::fuzz;

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t maxSize, unsigned seed) {
  Random random(seed);
  std::vector<uint8_t> payload(data, data + size);
  mutatePayload(payload, maxSize, random);
  return finishMutation(payload, data, maxSize);
}
