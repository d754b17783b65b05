// The frame of a payload.
#include "PayloadWriter.h"

#include "ecf8/Support/Hash.h"

#include <algorithm>
#include <limits>
#include <string>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace ecf8 {

Status checkCodesBytes(const Header &header, uint64_t codesBytes) {
  uint64_t units = codesBytes / header.tableUnitBytes();
  if (units <= std::numeric_limits<uint32_t>::max())
    return Status::ok();
  return Status(StatusCode::Unsupported, std::string("expected at most 2^32 - 1 ") +
                                             (header.order == Order::Mma ? "units of 16 bytes" : "words") +
                                             " of codes in one tensor, got " + std::to_string(units) + " [table_c1]");
}

void adviseLargePages(void *memory, uint64_t size) {
#if defined(__linux__)
  constexpr uintptr_t pageBytes = uintptr_t(2) << 20;
  uintptr_t begin = (reinterpret_cast<uintptr_t>(memory) + pageBytes - 1) / pageBytes * pageBytes;
  uintptr_t end = (reinterpret_cast<uintptr_t>(memory) + size) / pageBytes * pageBytes;
  if (size >= 2 * pageBytes && begin < end)
    (void)madvise(reinterpret_cast<void *>(begin), end - begin, MADV_HUGEPAGE); // only advice: it may fail
#endif
}

std::vector<uint8_t> reserveBytes(uint64_t size) {
  std::vector<uint8_t> bytes;
  bytes.reserve(size);
  adviseLargePages(bytes.data(), size);
  return bytes;
}

Status placeSections(Header &header) {
  Result<SectionLayout> layout = computeLayout(header);
  if (!layout)
    return layout.status();
  header.lengthsOffset = layout->lengthsOffset;
  header.lengthsBytes = layout->lengthsBytes;
  header.tileTableOffset = layout->tileTableOffset;
  header.codesOffset = layout->codesOffset;
  header.restOffset = layout->restOffset;
  header.payloadBytes = layout->payloadBytes;
  return Status::ok();
}

Result<std::vector<uint8_t>> makePayload(Header &header) {
  if (Status status = placeSections(header); !status.isOk())
    return status;
  std::vector<uint8_t> payload = reserveBytes(header.payloadBytes);
  payload.resize(header.payloadBytes);
  return payload;
}

void finishPayload(Header &header, std::span<const uint8_t> elements, std::vector<uint8_t> &payload) {
  header.contentHash = hashBytes(elements);
  std::vector<uint8_t> bytes = serializeHeader(header);
  std::copy(bytes.begin(), bytes.end(), payload.begin());
  std::copy(header.wideLengths.begin(), header.wideLengths.end(), payload.begin() + ptrdiff_t(header.lengthsOffset));
  updatePayloadHash(payload);
}

} // namespace ecf8
