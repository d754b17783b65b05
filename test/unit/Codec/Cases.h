// The payloads of test/Inputs/golden, valid and invalid, made from their description.
#ifndef ECF8_TEST_UNIT_CODEC_CASES_H
#define ECF8_TEST_UNIT_CODEC_CASES_H

#include "TestData.h"

#include <string>

namespace ecf8::test {

struct ValidCase {
  std::string name;
  std::vector<uint8_t> payload;
  std::vector<uint8_t> elements; ///< decoded, in row-major order
};
std::vector<ValidCase> makeValidCases();

/// A payload that breaks one rule.
struct InvalidCase {
  std::string name; ///< starts with the rule: "header_c2-major-2"
  std::vector<uint8_t> payload;

  std::string rule() const { return name.substr(0, name.find('-')); }
};
std::vector<InvalidCase> makeInvalidCases();

/// What reading and decoding `payload` gives: "ok" or the message.
std::string decodeMessage(std::span<const uint8_t> payload);

} // namespace ecf8::test

#endif // ECF8_TEST_UNIT_CODEC_CASES_H
