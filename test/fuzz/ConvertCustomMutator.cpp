// The custom mutator of target convert: 32 bytes of choices, then a payload.
#include "PayloadMutator.h"

using namespace ecf8::fuzz;

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t maxSize, unsigned seed) {
  constexpr size_t choiceBytes = 32;
  if (maxSize <= choiceBytes)
    return LLVMFuzzerMutate(data, size, maxSize);
  Random random(seed);
  std::vector<uint8_t> bytes(data, data + size);
  bytes.resize(std::max(size, choiceBytes));
  if (random.oneIn(2)) {
    LLVMFuzzerMutate(bytes.data(), choiceBytes, choiceBytes);
  } else {
    std::vector<uint8_t> payload(bytes.begin() + choiceBytes, bytes.end());
    mutatePayload(payload, maxSize - choiceBytes, random);
    bytes.resize(choiceBytes);
    bytes.insert(bytes.end(), payload.begin(), payload.end());
  }
  return finishMutation(bytes, data, maxSize);
}
