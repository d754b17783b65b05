// Content and header.
#include "ContentCheck.h"

#include "ecf8/Support/Hash.h"

#include <string>

namespace ecf8 {

Status checkContent(const Header &header, const ContentFigures &content) {
  auto corrupt = [](const std::string &expected, const std::string &got, uint64_t offset, const char *rule) {
    return Status(StatusCode::Corrupt,
                  "expected " + expected + ", got " + got + " at byte " + std::to_string(offset) + " [" + rule + "]");
  };
  if (content.hash != header.contentHash)
    return corrupt("content checksum " + hashToHex(content.hash), hashToHex(header.contentHash),
                   header_offset::contentHash, "content_c1");
  if (content.dataFlags != header.dataFlags)
    return corrupt("data flags " + std::to_string(content.dataFlags), std::to_string(header.dataFlags),
                   header_offset::dataFlags, "header_c15");
  if (content.minExponent != header.minExponent || content.maxExponent != header.maxExponent)
    return corrupt("exponents from " + std::to_string(content.minExponent) + " to " +
                       std::to_string(content.maxExponent),
                   std::to_string(header.minExponent) + " to " + std::to_string(header.maxExponent),
                   header_offset::minExponent, "header_c16");
  return Status::ok();
}

} // namespace ecf8
