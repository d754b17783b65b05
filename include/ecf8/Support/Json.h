// JSON as the formats of ECF8 read it: strict, with positions, without exceptions.
#ifndef ECF8_SUPPORT_JSON_H
#define ECF8_SUPPORT_JSON_H

#include "ecf8/Support/Status.h"

#include <nlohmann/json.hpp>

#include <string_view>

namespace ecf8 {

/// One JSON value and nothing after it but white space. Refused: a key that occurs twice in one object, nesting deeper
/// than 64, text that is not UTF-8. Messages give the byte offset from the start of `text` plus `baseOffset`.
Result<nlohmann::json> parseJson(std::string_view text, uint64_t baseOffset = 0);

/// Text of `value` (indented by two if `pretty`); an error if it holds a string that is not UTF-8.
Result<std::string> printJson(const nlohmann::json &value, bool pretty = false);

} // namespace ecf8

#endif // ECF8_SUPPORT_JSON_H
