// Bytes as a payload: the reader, the reference decoder, the fast and the streamed one. Built twice: `payload` repairs
// hashes and sections after most mutations (PayloadCustomMutator.cpp), `payload-plain` is pure libFuzzer.
#include "CodecInput.h"

#include "ecf8/Codec/Decoder.h"
#include "ecf8/Codec/StreamDecoder.h"
#include "ecf8/Support/Hash.h"

#include <algorithm>
#include <array>
#include <random>

using namespace ecf8;
using namespace ecf8::fuzz;

namespace {

/// Every field of the header that means something is parsed, and nothing else is in it.
void checkHeader(const Payload &payload, std::span<const uint8_t> bytes) {
  FUZZ_CHECK(payload.header.payloadBytes == bytes.size());
  auto serialized = serializeHeader(payload.header);
  FUZZ_CHECK(std::equal(serialized.begin(), serialized.end(), bytes.begin()));
  // The bound that Decoder.h gives for the memory of a decoder.
  FUZZ_CHECK(payload.header.elementCount() <= 3 * bytes.size());
}

/// Each tile alone; fails with the same message as the whole, and gives the same elements.
void checkTiles(const Payload &payload, const Result<std::vector<uint8_t>> &whole) {
  const Header &header = payload.header;
  if (header.order == Order::RowMajor) {
    FUZZ_CHECK(!decodeTile(payload, 0, 0).isOk());
    return;
  }
  TileGrid grid = header.grid();
  FUZZ_CHECK(!decodeTile(payload, grid.strips(), 0).isOk());
  FUZZ_CHECK(!decodeTile(payload, 0, grid.tilesPerStrip()).isOk());
  uint64_t strips = grid.tileCount() == 0 ? 0 : grid.strips();
  for (uint64_t strip = 0; strip < strips; ++strip)
    for (uint64_t tile = 0; tile < grid.tilesPerStrip(); ++tile) {
      Result<std::vector<uint8_t>> elements = decodeTile(payload, strip, tile);
      if (!elements) { // the first that fails
        FUZZ_CHECK(!whole.isOk());
        FUZZ_CHECK(elements.status().message() == whole.status().message());
        return;
      }
      FUZZ_CHECK(elements->size() == grid.paddedWidth(tile) * grid.paddedRows());
      if (!whole)
        continue;
      for (unsigned row = 0; row < grid.stripRows(strip); ++row)
        for (uint64_t column = 0; column < grid.tileWidth(tile); ++column)
          FUZZ_CHECK(
              (*elements)[grid.position(row, column)] ==
              (*whole)[(strip * grid.paddedRows() + row) * header.shape.columns + tile * grid.tileColumns + column]);
    }
  FUZZ_CHECK(whole.isOk());
}

void checkDecoders(const Payload &payload) {
  const MatrixShape &shape = payload.header.shape;
  std::vector<uint8_t> fast = decodeUnchecked(payload);
  FUZZ_CHECK(fast.size() == shape.elementCount());
  FUZZ_CHECK(decodeUnchecked(payload, /*threads=*/3) == fast);

  // The elements without the checks of the content, then with them.
  Result<std::vector<uint8_t>> whole = decodeSlice(payload, 0, 0, shape.rows, shape.columns);
  FUZZ_CHECK(!whole.isOk() || *whole == fast);
  // Wrong values of a damaged stream may differ.
  forEachInstructionSet([&] {
    std::vector<uint8_t> elements = decodeUnchecked(payload);
    FUZZ_CHECK(!whole.isOk() || elements == *whole);
  });
  checkTiles(payload, whole);
  Result<std::vector<uint8_t>> decoded = decode(payload), threaded = decode(payload, /*threads=*/3);
  FUZZ_CHECK(decoded.status().message() == threaded.status().message());
  if (decoded) {
    FUZZ_CHECK(*decoded == fast && *threaded == fast);
    FUZZ_CHECK(hashBytes(fast) == payload.header.contentHash);
  }
  FUZZ_CHECK(whole.isOk() || decoded.status().message() == whole.status().message());

  // A few parts, at places that follow from the content.
  std::mt19937_64 random(hashBytes(payload.bytes));
  for (unsigned threads = 1; threads <= 3; ++threads) {
    std::array<uint8_t, 16> draws;
    std::ranges::generate(draws, [&] { return uint8_t(random()); });
    FuzzInput input(draws);
    Slice slice = drawSlice(input, shape);
    Result<std::vector<uint8_t>> part =
        decodeSlice(payload, slice.row, slice.column, slice.rows, slice.columns, threads);
    FUZZ_CHECK(part.isOk() || !whole.isOk());
    if (part)
      FUZZ_CHECK(*part == sliceOf(fast, shape, slice));
  }
  FUZZ_CHECK(!decodeSlice(payload, 0, 0, shape.rows + 1, shape.columns).isOk());
  FUZZ_CHECK(!decodeSlice(payload, 0, shape.columns, shape.rows, 1).isOk());
}

/// The streamed decoder: `isWhole` is what `readPayload` says with the hash, `payload` what it gives without.
void checkStream(std::span<const uint8_t> bytes, bool isWhole, const Result<Payload> &payload) {
  MemorySource source(bytes);
  Result<StreamDecoder> stream = StreamDecoder::open(source, bytes.size());
  FUZZ_CHECK(stream.isOk() || !payload.isOk());
  if (!stream)
    return;
  FUZZ_CHECK(stream->checkBytes().isOk() || !isWhole);
  std::vector<uint8_t> elements(stream->header().elementCount());
  StreamLimits limits;
  limits.threads = 2;
  limits.windowBytes = 1000;
  Status status = stream->decode(limits, [&](uint64_t first, std::span<const uint8_t> part) {
    std::ranges::copy(part, elements.begin() + ptrdiff_t(first));
    return Status::ok();
  });
  if (!payload)
    return;
  FUZZ_CHECK(!status.isOk() || hashBytes(elements) == payload->header.contentHash);
  FUZZ_CHECK(status.isOk() || !decode(*payload).isOk());
  std::mt19937_64 random(hashBytes(bytes));
  uint64_t first = random() % (elements.size() + 1), count = random() % (elements.size() - first + 1);
  std::vector<uint8_t> part(count);
  FUZZ_CHECK(stream->read(first, part).isOk());
  // What a damaged stream gives may depend on what lies behind it in the memory of a decoder. [stream_c6] [codes_c7]
  // [segments_c5]
  const MatrixShape &shape = payload->header.shape;
  Result<std::vector<uint8_t>> whole = decodeSlice(*payload, 0, 0, shape.rows, shape.columns);
  if (!whole)
    return;
  FUZZ_CHECK(!status.isOk() || elements == *whole);
  FUZZ_CHECK(std::ranges::equal(part, std::span(*whole).subspan(first, count)));
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  std::span<const uint8_t> bytes(data, size);
  Result<Payload> payload = readPayload(bytes);
  Result<Payload> unhashed = readPayload(bytes, /*verifyHash=*/false);
  FUZZ_CHECK(!payload.isOk() || unhashed.isOk());
  if (!payload)
    FUZZ_CHECK(!payload.status().message().empty() && !decode(bytes).isOk());
  if (unhashed) {
    checkHeader(*unhashed, bytes);
    checkDecoders(*unhashed);
  }
  checkStream(bytes, payload.isOk(), unhashed);
  return 0;
}
