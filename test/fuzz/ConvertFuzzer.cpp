// 32 bytes of choices, then a payload: re-encoding and slices.
#include "CodecInput.h"

#include "ecf8/Codec/Decoder.h"
#include "ecf8/Support/Hash.h"

#include <algorithm>

using namespace ecf8;
using namespace ecf8::fuzz;

namespace {

void checkReencode(const Payload &payload, const EncodeOptions &options, unsigned threads) {
  Result<std::vector<uint8_t>> made = reencode(payload, options, threads), elements = decode(payload);
  std::vector<uint8_t> fast = decodeUnchecked(payload);
  if (hashBytes(fast) != payload.header.contentHash) {
    FUZZ_CHECK(!made.isOk() && !elements.isOk());
    FUZZ_CHECK(made.status().message() == elements.status().message());
    return;
  }
  FUZZ_CHECK(made.isOk() == checkEncodeOptions(options).isOk());
  if (!made)
    return;
  checkDecodesTo(*made, fast);
  FUZZ_CHECK(readPayload(*made)->header.contentHash == payload.header.contentHash);
  Result<std::vector<uint8_t>> encoded =
      encode(options, payload.header.elementType, payload.header.getDims(), fast, /*threads=*/1);
  FUZZ_CHECK(encoded.isOk() && *encoded == *made);
}

void checkSlice(const Payload &payload, const Slice &slice) {
  Result<std::vector<uint8_t>> made = extractSlice(payload, slice);
  Result<std::vector<uint8_t>> elements =
      decodeSlice(payload, slice.row, slice.column, slice.rows, slice.columns, /*threads=*/2);
  FUZZ_CHECK(elements.isOk() || !made.isOk());
  if (made)
    checkDecodesTo(*made, *elements);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  constexpr size_t choiceBytes = 32;
  std::span<const uint8_t> bytes(data, size);
  FuzzInput input(bytes.first(std::min(size, choiceBytes)));
  Result<Payload> payload = readPayload(bytes.subspan(std::min(size, choiceBytes)));
  if (!payload)
    return 0;
  EncodeOptions options = drawOptions(input);
  checkReencode(*payload, options, unsigned(1 + input.below(3)));
  if (payload->header.order != Order::RowMajor && input.below(8) != 0) {
    Slice slice = drawTileSlice(input, payload->header);
    FUZZ_CHECK(extractSlice(*payload, slice).isOk() ==
               decodeSlice(*payload, slice.row, slice.column, slice.rows, slice.columns).isOk());
    checkSlice(*payload, slice);
  } else {
    checkSlice(*payload, drawSlice(input, payload->header.shape));
    checkSlice(*payload, {input.number(8), input.number(8), input.number(8), input.number(8)});
  }
  return 0;
}
