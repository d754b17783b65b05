// Mutations of JSON text that keep it JSON.
#ifndef ECF8_TEST_FUZZ_JSONMUTATOR_H
#define ECF8_TEST_FUZZ_JSONMUTATOR_H

#include "Mutation.h"

#include <nlohmann/json.hpp>

#include <string>

namespace ecf8::fuzz {

/// Changes one value, key or element somewhere in `root`.
void mutateValue(nlohmann::json &root, Random &random);

/// Text of `value`, also of strings that are not UTF-8.
std::string toText(const nlohmann::json &value);

/// Mutates `text`: as JSON where it is JSON, in one of four cases as any bytes.
void mutateJson(std::string &text, size_t maxSize, Random &random);

} // namespace ecf8::fuzz

#endif // ECF8_TEST_FUZZ_JSONMUTATOR_H
