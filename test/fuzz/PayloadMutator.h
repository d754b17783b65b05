// Mutations of payloads that get past the checks of the frame: hashes, offsets and sizes are made to fit again.
#ifndef ECF8_TEST_FUZZ_PAYLOADMUTATOR_H
#define ECF8_TEST_FUZZ_PAYLOADMUTATOR_H

#include "Mutation.h"

#include <vector>

namespace ecf8::fuzz {

/// A payload of random elements, shape and options, of about `maxSize` bytes at most.
std::vector<uint8_t> makePayload(Random &random, size_t maxSize);

/// Mutates `payload`, then repairs it: always the payload hash (but once in 32), mostly the sizes and offsets that
/// follow from the other fields, in half of the cases what the header says of the content.
void mutatePayload(std::vector<uint8_t> &payload, size_t maxSize, Random &random);

} // namespace ecf8::fuzz

#endif // ECF8_TEST_FUZZ_PAYLOADMUTATOR_H
