// Mutations of safetensors files that keep length, offsets and data in step.
#ifndef ECF8_TEST_FUZZ_SAFETENSORSMUTATOR_H
#define ECF8_TEST_FUZZ_SAFETENSORSMUTATOR_H

#include "Mutation.h"

#include <string>

namespace ecf8::fuzz {

/// Changes the header as JSON, then mostly makes its length, the offsets and the data fit again.
void mutateSafetensors(std::string &file, size_t maxSize, Random &random);

} // namespace ecf8::fuzz

#endif // ECF8_TEST_FUZZ_SAFETENSORSMUTATOR_H
