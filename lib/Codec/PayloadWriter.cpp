// Tile order, the rest, and the frame of a payload.
#include "PayloadWriter.h"

#include "ecf8/Support/Hash.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <string>

namespace ecf8 {

void reorderTile(const uint8_t *source, uint64_t rowStride, uint64_t rows, uint64_t columns, uint64_t paddedColumns,
                 uint8_t padding, uint8_t *out) {
  if (rows < laneCount || columns < paddedColumns)
    std::memset(out, padding, paddedColumns * laneCount);
  // In blocks of 256 columns (8 KiB of output), so that the strided stores stay in the first-level cache.
  constexpr uint64_t blockColumns = 256;
  for (uint64_t begin = 0; begin < columns; begin += blockColumns) {
    uint64_t end = std::min(columns, begin + blockColumns);
    for (unsigned row = 0; row < rows; ++row) {
      const uint8_t *from = source + row * rowStride;
      uint8_t *to = out + rowToLane(row) * 2;
      uint64_t column = begin;
      for (; column + 2 <= end; column += 2)
        std::memcpy(to + column * laneCount, from + column, 2);
      if (column < end)
        to[column * laneCount] = from[column];
    }
  }
}

void encodeRestUnit(ElementType type, const uint8_t *elements, uint8_t *out) {
  constexpr unsigned stepBytes = 2 * laneCount;
  if (type == ElementType::F8E4M3FN) {
    for (unsigned p = 0; p < stepBytes; ++p) {
      uint8_t first = elements[p] & 0x87, second = elements[stepBytes + p] & 0x87;
      out[p] = uint8_t(first | second << 4 | second >> 4);
    }
    return;
  }
  for (unsigned p = 0; p < stepBytes; ++p) {
    uint8_t mantissas[2] = {0, 0}, signs = 0;
    for (unsigned step = 0; step < 8; ++step) {
      uint8_t element = elements[step * stepBytes + p];
      mantissas[step / 4] |= uint8_t((element & 3) << (step % 4 * 2));
      signs |= uint8_t(element >> 7 << step);
    }
    out[p] = mantissas[0];
    out[stepBytes + p] = mantissas[1];
    out[2 * stepBytes + p] = signs;
  }
}

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
  header.tileTableOffset = layout->tileTableOffset;
  header.codesOffset = layout->codesOffset;
  header.restOffset = layout->restOffset;
  header.payloadBytes = layout->payloadBytes;
  return std::vector<uint8_t>(header.payloadBytes);
}

void finishPayload(Header &header, std::span<const uint8_t> elements, std::vector<uint8_t> &payload) {
  header.contentHash = hashBytes(elements);
  std::array<uint8_t, headerBytes> bytes = serializeHeader(header);
  std::copy(bytes.begin(), bytes.end(), payload.begin());
  updatePayloadHash(payload);
}

} // namespace ecf8
