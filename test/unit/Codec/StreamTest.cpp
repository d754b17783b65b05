// Streamed encoding and decoding: the same bytes as in one piece, for all shapes, windows and threads.
#include "TestData.h"

#include "ecf8/Codec/Decoder.h"
#include "ecf8/Codec/StreamDecoder.h"
#include "ecf8/Codec/StreamEncoder.h"
#include "ecf8/Support/Hash.h"

#include <gtest/gtest.h>

#include <mutex>

using namespace ecf8;
using namespace ecf8::test;

namespace {

class MemorySink : public ByteSink {
public:
  Status write(uint64_t offsetBytes, std::span<const uint8_t> part) override {
    std::lock_guard lock(mutex);
    bytes.resize(std::max<size_t>(bytes.size(), offsetBytes + part.size()), 0xA5); // what is not written shows
    std::copy(part.begin(), part.end(), bytes.begin() + std::ptrdiff_t(offsetBytes));
    return Status::ok();
  }
  Status read(uint64_t offsetBytes, std::span<uint8_t> out) const override {
    return MemorySource(bytes).read(offsetBytes, out);
  }
  std::vector<uint8_t> bytes;

private:
  std::mutex mutex;
};

struct Shape {
  std::vector<uint64_t> dims;
  uint64_t count() const {
    uint64_t count = 1;
    for (uint64_t dim : dims)
      count *= dim;
    return count;
  }
};
const Shape shapes[] = {{{}},       {{0}},        {{5}},         {{0, 7}},    {{7, 0}},      {{1, 1}},     {{32, 16}},
                        {{33, 17}}, {{64, 1024}}, {{100, 1000}}, {{3, 1025}}, {{2, 40, 48}}, {{576, 130}}, {{128, 5}}};
const EncodeOptions allOptions[] = {
    EncodeOptions::raw(),          EncodeOptions::rawRows32(48),    EncodeOptions::huffman(),
    EncodeOptions::planes(),       EncodeOptions::huffman(7, 48),   EncodeOptions::planes(16),
    EncodeOptions::huffmanPairs(), EncodeOptions::huffmanPairs(48), EncodeOptions::rawMma(128),
    EncodeOptions::quads(11, 128), EncodeOptions::pairs(),          EncodeOptions::classic(7, 256)};

std::vector<uint8_t> streamed(const EncodeOptions &options, ElementType type, const Shape &shape,
                              std::span<const uint8_t> elements, StreamLimits limits) {
  limits.counted = countedFor(options);
  MemorySource source(elements);
  std::vector<uint8_t> seen;
  auto visit = [&](std::span<const uint8_t> part) { seen.insert(seen.end(), part.begin(), part.end()); };
  Result<StreamEncoder> encoder = StreamEncoder::scan(type, shape.dims, source, limits, visit);
  EXPECT_TRUE(encoder.isOk()) << encoder.status().message();
  EXPECT_TRUE(std::ranges::equal(seen, elements));
  EXPECT_EQ(encoder->contentHash(), hashBytes(elements));
  MemorySink sink;
  sink.bytes.assign(100, 0xA5);
  Result<uint64_t> size = encoder->encode(options, sink);
  EXPECT_TRUE(size.isOk()) << size.status().message();
  EXPECT_LE(*size, sink.bytes.size());
  sink.bytes.resize(*size);
  return sink.bytes;
}

} // namespace

TEST(Stream, EncodesTheSameBytes) {
  for (ElementType type : {ElementType::F8E4M3FN, ElementType::F8E5M2})
    for (Distribution distribution : {Distribution::Gaussian, Distribution::OneSymbol, Distribution::EveryByte})
      for (const Shape &shape : shapes) {
        std::vector<uint8_t> elements = makeElements(distribution, type, shape.count());
        for (const EncodeOptions &options : allOptions) {
          Result<std::vector<uint8_t>> expected = encode(options, type, shape.dims, elements);
          ASSERT_TRUE(expected.isOk());
          // One strip per window and nothing retained; some strips and a part retained; all in one window.
          for (StreamLimits limits : {StreamLimits{3, 100, 0}, StreamLimits{2, 20000, 6000}, StreamLimits{}})
            EXPECT_EQ(streamed(options, type, shape, elements, limits), *expected);
        }
      }
}

TEST(Stream, DecodesTheSameElements) {
  for (ElementType type : {ElementType::F8E4M3FN, ElementType::F8E5M2})
    for (const Shape &shape : shapes) {
      std::vector<uint8_t> elements = makeElements(Distribution::Gaussian, type, shape.count());
      for (const EncodeOptions &options : allOptions) {
        Result<std::vector<uint8_t>> payload = encode(options, type, shape.dims, elements);
        ASSERT_TRUE(payload.isOk());
        MemorySource source(*payload);
        Result<StreamDecoder> decoder = StreamDecoder::open(source, payload->size());
        ASSERT_TRUE(decoder.isOk()) << decoder.status().message();
        EXPECT_TRUE(decoder->checkBytes().isOk());
        for (StreamLimits limits : {StreamLimits{3, 100, 0}, StreamLimits{2, 20000, 0}, StreamLimits{}}) {
          std::vector<uint8_t> seen;
          MemorySink sink;
          Status status = decoder->decode(
              limits, [&](uint64_t first, std::span<const uint8_t> part) { return sink.write(first, part); },
              [&](std::span<const uint8_t> part) { seen.insert(seen.end(), part.begin(), part.end()); });
          EXPECT_TRUE(status.isOk()) << status.message();
          EXPECT_EQ(seen, elements);
          EXPECT_EQ(sink.bytes, elements);
        }
        // Any range.
        std::vector<uint8_t> part(elements.size() / 2);
        uint64_t first = elements.size() / 3;
        ASSERT_TRUE(decoder->read(first, part).isOk());
        EXPECT_TRUE(std::equal(part.begin(), part.end(), elements.begin() + std::ptrdiff_t(first)));
      }
    }
}

TEST(Stream, SmallestIsThatOfEncodeSmallest) {
  StreamLimits limits = {2, 4096, 10000};
  for (Distribution distribution : allDistributions)
    for (const Shape &shape : shapes)
      for (const EncodeOptions &options : allOptions) {
        std::vector<uint8_t> elements = makeElements(distribution, ElementType::F8E4M3FN, shape.count());
        TensorStats stats = collectStats(ElementType::F8E4M3FN, elements);
        Result<std::vector<uint8_t>> expected = encodeSmallest(options, stats, shape.dims, elements);
        ASSERT_TRUE(expected.isOk());
        MemorySource source(elements);
        limits.counted = countedFor(options);
        Result<StreamEncoder> encoder = StreamEncoder::scan(ElementType::F8E4M3FN, shape.dims, source, limits);
        ASSERT_TRUE(encoder.isOk());
        MemorySink sink;
        Result<uint64_t> size = encoder->encodeSmallest(options, sink);
        ASSERT_TRUE(size.isOk());
        sink.bytes.resize(*size);
        EXPECT_EQ(sink.bytes, *expected);
      }
}

TEST(Stream, ForStorageIsThatOfEncodeForStorage) {
  StreamLimits limits = {2, 4096, 10000};
  for (ElementType type : {ElementType::F8E4M3FN, ElementType::F8E5M2})
    for (Distribution distribution : allDistributions)
      for (const Shape &shape : shapes) {
        std::vector<uint8_t> elements = makeElements(distribution, type, shape.count());
        Result<std::vector<uint8_t>> expected = encodeForStorage(type, shape.dims, elements);
        ASSERT_TRUE(expected.isOk());
        MemorySource source(elements);
        Result<StreamEncoder> encoder = StreamEncoder::scan(type, shape.dims, source, limits);
        ASSERT_TRUE(encoder.isOk());
        MemorySink sink;
        Result<uint64_t> size = encoder->encodeForStorage(sink);
        ASSERT_TRUE(size.isOk());
        sink.bytes.resize(*size);
        EXPECT_EQ(sink.bytes, *expected);
      }
}

TEST(Stream, PairsAreCountedOnDemand) {
  std::vector<uint8_t> elements = makeElements(Distribution::Gaussian, ElementType::F8E4M3FN, 64 * 64);
  MemorySource source(elements);
  StreamLimits limits;
  limits.counted.group = 0;
  Result<StreamEncoder> encoder =
      StreamEncoder::scan(ElementType::F8E4M3FN, std::vector<uint64_t>{64, 64}, source, limits);
  ASSERT_TRUE(encoder.isOk());
  MemorySink sink;
  EXPECT_EQ(encoder->encode(EncodeOptions::huffmanPairs(), sink).status().message(),
            "expected the symbols of group 2 in order rows32 to be counted, got none");
  EXPECT_EQ(encoder->encodeForStorage(sink).status().message(),
            "expected the symbols of group 2 in order rows32 to be counted, got none");
  EXPECT_TRUE(encoder->encode(EncodeOptions::huffman(), sink).isOk());
}

TEST(Stream, WideTensorsAreRowMajor) {
  std::vector<uint64_t> dims = {2, maxStreamedColumns + 1};
  std::vector<uint8_t> elements(2 * (maxStreamedColumns + 1), 0x38);
  MemorySource source(elements);
  Result<StreamEncoder> encoder = StreamEncoder::scan(ElementType::F8E4M3FN, dims, source, {});
  ASSERT_TRUE(encoder.isOk());
  MemorySink sink;
  EXPECT_EQ(encoder->encode(EncodeOptions::huffman(), sink).status().message(),
            "expected at most 4194304 columns to stream tiles, got 4194305");
  Result<uint64_t> size = encoder->encodeSmallest(EncodeOptions::huffman(), sink);
  ASSERT_TRUE(size.isOk());
  sink.bytes.resize(*size);
  EXPECT_EQ(sink.bytes, *encode(EncodeOptions::raw(), ElementType::F8E4M3FN, dims, elements));
  ASSERT_TRUE(encoder->encodeForStorage(sink).isOk());
  EXPECT_EQ(sink.bytes, *encode(EncodeOptions::raw(), ElementType::F8E4M3FN, dims, elements));
}

namespace {

/// Elements of which one differs in every reading but the first.
class ChangingSource : public ByteSource {
public:
  ChangingSource(std::vector<uint8_t> elements, uint64_t changed) : elements(std::move(elements)), changed(changed) {}
  Status read(uint64_t offsetBytes, std::span<uint8_t> out) const override {
    Status status = MemorySource(elements).read(offsetBytes, out);
    if (changed >= offsetBytes && changed < offsetBytes + out.size() && readings++ > 0)
      out[changed - offsetBytes] ^= 1;
    return status;
  }

private:
  std::vector<uint8_t> elements;
  uint64_t changed;
  mutable unsigned readings = 0;
};

} // namespace

TEST(Stream, NoticesElementsThatChange) {
  std::vector<uint8_t> elements = makeElements(Distribution::Gaussian, ElementType::F8E4M3FN, 128 * 64);
  for (const EncodeOptions &options : allOptions) {
    ChangingSource source(elements, /*changed=*/5000);
    Result<StreamEncoder> encoder = StreamEncoder::scan(ElementType::F8E4M3FN, std::vector<uint64_t>{128, 64}, source,
                                                        {1, 2048, 0, countedFor(options)});
    ASSERT_TRUE(encoder.isOk());
    MemorySink sink;
    EXPECT_EQ(
        encoder->encode(options, sink).status().message(),
        "expected the same elements in both readings, got others from number 4096 on (changed while it was read?)");
  }
}

TEST(Stream, NoticesDamage) {
  const Shape shape = {{100, 200}};
  std::vector<uint8_t> elements = makeElements(Distribution::Gaussian, ElementType::F8E4M3FN, shape.count());
  for (const EncodeOptions &options : {EncodeOptions::huffman(8, 64), EncodeOptions::planes(64),
                                       EncodeOptions::quads(11, 128), EncodeOptions::pairs(12, 128)}) {
    std::vector<uint8_t> payload = *encode(options, ElementType::F8E4M3FN, shape.dims, elements);
    auto messageOf = [&](auto change) {
      std::vector<uint8_t> damaged = payload;
      change(damaged);
      updatePayloadHash(damaged);
      MemorySource source(damaged);
      Result<StreamDecoder> decoder = StreamDecoder::open(source, damaged.size());
      if (!decoder)
        return decoder.status().message();
      Status status = decoder->checkBytes();
      return (status.isOk() ? decoder->decode({}, {}) : status).message();
    };
    uint64_t table = loadLittle<uint64_t>(payload.data() + header_offset::tileTableOffset);
    uint64_t rest = loadLittle<uint64_t>(payload.data() + header_offset::restOffset);
    uint64_t tiles = readPayload(payload)->header.grid().tileCount();
    auto holds = [](const std::string &text, const char *part) { return text.find(part) != std::string::npos; };
    EXPECT_EQ(messageOf([](auto &) {}), "");
    EXPECT_PRED2(holds, messageOf([&](auto &bytes) { bytes[table] = 1; }), "[table_c1]");
    EXPECT_PRED2(holds, messageOf([&](auto &bytes) { bytes[table + 6] = 0xFF; }), "[table_c2]");
    EXPECT_PRED2(holds, messageOf([&](auto &bytes) { bytes[table + tiles * 4] ^= 1; }), "[table_c3]");
    EXPECT_PRED2(holds, messageOf([&](auto &bytes) { bytes[rest] ^= 1; }), "[content_c1]");
    EXPECT_PRED2(holds, messageOf([&](auto &bytes) { bytes[table + (tiles + 1) * 4] = 1; }), "[layout_c3]");
    EXPECT_PRED2(holds, messageOf([&](auto &bytes) { bytes[header_offset::dataFlags] ^= 8; }), "[header_c15]");
    EXPECT_PRED2(holds, messageOf([&](auto &bytes) { bytes[header_offset::minExponent] = 1; }), "[header_c16]");
    EXPECT_PRED2(holds, messageOf([&](auto &bytes) { bytes[header_offset::major] = 2; }), "[header_c2]");
    payload[rest] ^= 1;
    MemorySource source(payload);
    EXPECT_PRED2(holds, StreamDecoder::open(source, payload.size())->checkBytes().message(), "[header_c6]");
    MemorySource cut(std::span(payload).first(100));
    EXPECT_PRED2(holds, StreamDecoder::open(cut, 100).status().message(), "[header_c5]");
  }
}
