// The frame of a payload.
#include "PayloadWriter.h"

#include "ecf8/Support/Hash.h"

#include <algorithm>
#include <limits>
#include <string>

namespace ecf8 {

Status checkCodeWords(uint64_t words) {
  if (words <= std::numeric_limits<uint32_t>::max())
    return Status::ok();
  return Status(StatusCode::Unsupported,
                "expected at most 2^32 - 1 words of codes in one tensor, got " + std::to_string(words) + " [table_c1]");
}

Result<std::vector<uint8_t>> makePayload(Header &header) {
  Result<SectionLayout> layout = computeLayout(header);
  if (!layout)
    return layout.status();
  header.lengthsOffset = layout->lengthsOffset;
  header.lengthsBytes = layout->lengthsBytes;
  header.tileTableOffset = layout->tileTableOffset;
  header.codesOffset = layout->codesOffset;
  header.restOffset = layout->restOffset;
  header.payloadBytes = layout->payloadBytes;
  return std::vector<uint8_t>(header.payloadBytes);
}

void finishPayload(Header &header, std::span<const uint8_t> elements, std::vector<uint8_t> &payload) {
  header.contentHash = hashBytes(elements);
  std::vector<uint8_t> bytes = serializeHeader(header);
  std::copy(bytes.begin(), bytes.end(), payload.begin());
  std::copy(header.wideLengths.begin(), header.wideLengths.end(), payload.begin() + ptrdiff_t(header.lengthsOffset));
  updatePayloadHash(payload);
}

} // namespace ecf8
