// Slices and re-encodings of payloads.
#include "ecf8/Codec/Convert.h"
#include "TestData.h"
#include "ecf8/Codec/Decoder.h"

#include <gtest/gtest.h>

using namespace ecf8;
using test::Distribution;

namespace {

/// Elements and payload of a 100 x 200 matrix.
struct Whole {
  Whole(const EncodeOptions &options, ElementType type)
      : elements(test::makeElements(Distribution::Geometric, type, 100 * 200)),
        bytes(*encode(options, type, dims, elements)), payload(*readPayload(bytes)) {}
  uint64_t dims[2] = {100, 200};
  std::vector<uint8_t> elements, bytes;
  Payload payload;
};

TEST(Convert, SlicesDecodeToTheirPart) {
  const Slice slices[] = {{0, 0, 100, 200},  {0, 0, 32, 48}, {32, 48, 64, 96}, {96, 192, 4, 8}, {64, 0, 36, 200},
                          {0, 144, 100, 56}, {32, 0, 0, 48}, {32, 48, 32, 0},  {100, 200, 0, 0}};
  for (ElementType type : {ElementType::F8E4M3FN, ElementType::F8E5M2})
    for (const EncodeOptions &options : {EncodeOptions::huffman(8, 48), EncodeOptions::rawRows32(48),
                                         EncodeOptions::planes(48), EncodeOptions::huffmanPairs(48)}) {
      Whole whole(options, type);
      for (const Slice &slice : slices) {
        Result<std::vector<uint8_t>> part = extractSlice(whole.payload, slice);
        ASSERT_TRUE(part) << part.status().message();
        Result<std::vector<uint8_t>> decoded = decode(*part);
        ASSERT_TRUE(decoded) << decoded.status().message();
        std::vector<uint8_t> expected;
        for (uint64_t row = slice.row; row < slice.row + slice.rows; ++row)
          for (uint64_t column = slice.column; column < slice.column + slice.columns; ++column)
            expected.push_back(whole.elements[row * 200 + column]);
        EXPECT_EQ(*decoded, expected) << slice.row << " " << slice.column;
      }
    }
}

TEST(Convert, TheWholeSliceIsThePayload) {
  for (const EncodeOptions &options :
       {EncodeOptions::huffman(7, 64), EncodeOptions::planes(64), EncodeOptions::huffmanPairs(64)}) {
    Whole whole(options, ElementType::F8E5M2);
    EXPECT_EQ(*extractSlice(whole.payload, {0, 0, 100, 200}), whole.bytes);
  }
}

TEST(Convert, SlicesDescribeTheirOwnContent) {
  std::vector<uint8_t> elements(64, 0x38);
  elements[0] = 0x7F; // NaN, exponent 15, in row 0
  uint64_t dims[] = {64, 1};
  for (const EncodeOptions &options : {EncodeOptions::huffman(8, 16), EncodeOptions::planes(16)}) {
    Result<std::vector<uint8_t>> bytes = encode(options, ElementType::F8E4M3FN, dims, elements);
    Result<Payload> whole = readPayload(*bytes);
    Result<std::vector<uint8_t>> lower = extractSlice(*whole, {32, 0, 32, 1});
    Result<Payload> part = readPayload(*lower);
    ASSERT_TRUE(part) << part.status().message();
    EXPECT_EQ(whole->header.dataFlags, uint32_t(DataHasNaN));
    EXPECT_EQ(whole->header.maxExponent, 15);
    EXPECT_EQ(part->header.dataFlags, 0u);
    EXPECT_EQ(part->header.maxExponent, 7);
    EXPECT_EQ(part->header.codeLengths, whole->header.codeLengths);
    EXPECT_EQ(part->header.minor, whole->header.minor);
  }
}

TEST(Convert, NegativeSlices) {
  Whole whole(EncodeOptions::huffman(8, 48), ElementType::F8E4M3FN);
  auto messageOf = [&](const Slice &slice) { return extractSlice(whole.payload, slice).status().message(); };
  EXPECT_EQ(messageOf({16, 0, 32, 48}),
            "expected a slice of rows along multiples of 32, got a border at 16 [slice_c1]");
  EXPECT_EQ(messageOf({0, 0, 32, 50}),
            "expected a slice of columns along multiples of 48, got a border at 50 [slice_c1]");
  EXPECT_EQ(messageOf({96, 0, 32, 48}), "expected a slice within 100 rows, got 32 from 96 on [slice_c1]");
  Whole plain(EncodeOptions::raw(), ElementType::F8E4M3FN);
  EXPECT_EQ(extractSlice(plain.payload, {}).status().message(), "expected a payload in tiles, got order row_major");
}

TEST(Convert, ReencodingEqualsEncoding) {
  const EncodeOptions all[] = {EncodeOptions::raw(),
                               EncodeOptions::rawRows32(64),
                               EncodeOptions::huffman(7, 16),
                               EncodeOptions::huffman(8, 1024),
                               EncodeOptions::planes(16),
                               EncodeOptions::planes(),
                               EncodeOptions::huffmanPairs(48),
                               EncodeOptions::rawMma(128),
                               EncodeOptions::quads(),
                               EncodeOptions::pairs(12, 128),
                               EncodeOptions::classic()};
  for (const EncodeOptions &from : all)
    for (const EncodeOptions &to : all) {
      Whole source(from, ElementType::F8E5M2), target(to, ElementType::F8E5M2);
      Result<std::vector<uint8_t>> converted = reencode(source.payload, to, 2);
      ASSERT_TRUE(converted) << converted.status().message();
      EXPECT_EQ(*converted, target.bytes);
      EXPECT_EQ(source.payload.header.contentHash, target.payload.header.contentHash);
    }
}

TEST(Convert, NegativeReencodingOfDamagedPayloads) {
  for (const EncodeOptions &options : {EncodeOptions::huffman(8, 64), EncodeOptions::planes(64),
                                       EncodeOptions::quads(11, 128), EncodeOptions::classic(8, 128)}) {
    Whole whole(options, ElementType::F8E4M3FN);
    whole.bytes[whole.payload.header.restOffset] ^= 1; // in a rest, which only the content hash protects
    std::string message = reencode(whole.payload, EncodeOptions::raw()).status().message();
    EXPECT_EQ(message, decode(whole.payload).status().message());
    EXPECT_TRUE(message.ends_with("[content_c1]")) << message;
  }
  Whole planes(EncodeOptions::planes(64), ElementType::F8E4M3FN);
  planes.bytes[planes.payload.header.codesOffset] ^= 1; // the number of groups of the first tile
  EXPECT_TRUE(reencode(planes.payload, EncodeOptions::raw()).status().message().ends_with("[codes_c2]"));
}

} // namespace
