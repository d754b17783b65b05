// Bytes as JSON: what is parsed is printed and parsed again to the same value.
#include "FuzzInput.h"

#include "ecf8/Support/Json.h"

using namespace ecf8;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  std::string_view text(reinterpret_cast<const char *>(data), size);
  Result<nlohmann::json> value = parseJson(text, /*baseOffset=*/8);
  if (!value) {
    FUZZ_CHECK(!value.status().message().empty());
    return 0;
  }
  for (bool pretty : {false, true}) {
    Result<std::string> printed = printJson(*value, pretty); // fails on text that is not UTF-8, which is refused above
    FUZZ_CHECK(printed.isOk());
    Result<nlohmann::json> again = parseJson(*printed);
    FUZZ_CHECK(again.isOk() && *again == *value);
  }
  return 0;
}
