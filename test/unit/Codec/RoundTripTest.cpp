// What goes in comes out, for all shapes, types, layouts and distributions.
#include "TestData.h"
#include "ecf8/Codec/Decoder.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

using namespace ecf8;
using test::Distribution;
using test::makeElements;
using test::Random;

namespace {

constexpr ElementType elementTypes[] = {ElementType::F8E4M3FN, ElementType::F8E5M2};

std::vector<EncodeOptions> allOptions() {
  return {EncodeOptions::raw(),          EncodeOptions::rawRows32(1024),
          EncodeOptions::rawRows32(48),  EncodeOptions::huffman(8, 16),
          EncodeOptions::huffman(7, 64), EncodeOptions::huffman(8, 1024),
          EncodeOptions::huffman(7, 80), EncodeOptions::huffman(8, 1u << 20),
          EncodeOptions::planes(16),     EncodeOptions::planes(),
          EncodeOptions::planes(1024),   EncodeOptions::huffmanPairs(16),
          EncodeOptions::huffmanPairs(), EncodeOptions::huffmanPairs(80),
          EncodeOptions::rawMma(),       EncodeOptions::rawMma(128),
          EncodeOptions::quads(),        EncodeOptions::quads(9, 128),
          EncodeOptions::quads(12, 384), EncodeOptions::pairs(),
          EncodeOptions::pairs(8, 128),  EncodeOptions::classic(),
          EncodeOptions::classic(7, 256)};
}

std::string describe(const EncodeOptions &options, ElementType type, std::span<const uint64_t> dims) {
  std::string text = std::string(getName(options.encoding)) + " " + std::string(getName(options.order)) +
                     " g=" + std::to_string(options.group) + " S=" + std::to_string(options.tileColumns) +
                     " L=" + std::to_string(options.maxCodeLength) + " " + std::string(getName(type)) + " shape";
  for (uint64_t dim : dims)
    text += " " + std::to_string(dim);
  return text;
}

uint64_t countOf(std::span<const uint64_t> dims) {
  uint64_t count = 1;
  for (uint64_t dim : dims)
    count *= dim;
  return count;
}

/// Encodes and decodes; checks also that threads do not matter and that the estimate holds.
void checkRoundTrip(const EncodeOptions &options, ElementType type, const std::vector<uint64_t> &dims,
                    const std::vector<uint8_t> &elements) {
  SCOPED_TRACE(describe(options, type, dims));
  Result<std::vector<uint8_t>> payload = encode(options, type, dims, elements, 1);
  ASSERT_TRUE(payload) << payload.status().message();
  Result<std::vector<uint8_t>> decoded = decode(*payload);
  ASSERT_TRUE(decoded) << decoded.status().message();
  EXPECT_EQ(*decoded, elements);
  EXPECT_EQ(*decode(*readPayload(*payload), 3), elements);
  EXPECT_EQ(decodeUnchecked(*readPayload(*payload), 3), elements);
  Result<std::vector<uint8_t>> threaded = encode(options, type, dims, elements, 3);
  ASSERT_TRUE(threaded) << threaded.status().message();
  EXPECT_EQ(*threaded, *payload);

  TensorStats stats = collectStats(type, elements);
  Result<SizeEstimate> estimate = estimatePayloadBytes(options, stats, dims);
  ASSERT_TRUE(estimate) << estimate.status().message();
  EXPECT_GE(payload->size(), estimate->minBytes);
  EXPECT_LE(payload->size(), estimate->maxBytes);
}

TEST(RoundTrip, ShapesOfEveryRank) {
  const std::vector<uint64_t> shapes[] = {
      {},       {0},      {1},      {5000},    {0, 7},     {7, 0},      {1, 1},     {1, 4097}, {4097, 1},    {31, 15},
      {32, 16}, {33, 17}, {64, 96}, {70, 130}, {576, 384}, {100, 1000}, {2, 3, 50}, {3, 0, 4}, {2, 2, 9, 33}};
  for (const auto &dims : shapes)
    for (ElementType type : elementTypes)
      for (const EncodeOptions &options : allOptions())
        checkRoundTrip(options, type, dims, makeElements(Distribution::Geometric, type, countOf(dims)));
}

TEST(RoundTrip, Distributions) {
  const std::vector<uint64_t> shapes[] = {{256}, {65, 129}, {96, 700}};
  for (Distribution distribution : test::allDistributions)
    for (const auto &dims : shapes)
      for (ElementType type : elementTypes)
        for (const EncodeOptions &options : allOptions())
          checkRoundTrip(options, type, dims, makeElements(distribution, type, countOf(dims)));
}

TEST(RoundTrip, RandomShapes) {
  Random random(3);
  std::vector<EncodeOptions> options = allOptions();
  for (unsigned round = 0; round < 100; ++round) {
    std::vector<uint64_t> dims(1 + random.below(4));
    uint64_t room = uint64_t(1) << (4 + random.below(14));
    for (uint64_t &dim : dims) {
      dim = 1 + random.below(room);
      room = std::max<uint64_t>(1, room / dim);
    }
    Distribution distribution = test::allDistributions[random.below(std::size(test::allDistributions))];
    ElementType type = elementTypes[random.below(2)];
    checkRoundTrip(options[random.below(options.size())], type, dims,
                   makeElements(distribution, type, countOf(dims), round));
  }
}

TEST(RoundTrip, LargeMatrix) {
  std::vector<uint64_t> dims = {2000, 3001};
  for (ElementType type : elementTypes)
    checkRoundTrip(EncodeOptions::huffman(), type, dims, makeElements(Distribution::Geometric, type, countOf(dims)));
}

TEST(RoundTrip, SlicesEqualTheWholeMatrix) {
  Random random(5);
  uint64_t dims[] = {100, 200};
  for (ElementType type : elementTypes)
    for (const EncodeOptions &options : allOptions()) {
      std::vector<uint8_t> elements = makeElements(Distribution::Uniform, type, countOf(dims));
      Result<std::vector<uint8_t>> bytes = encode(options, type, dims, elements);
      ASSERT_TRUE(bytes);
      Result<Payload> payload = readPayload(*bytes);
      ASSERT_TRUE(payload) << payload.status().message();
      for (unsigned round = 0; round < 20; ++round) {
        uint64_t row = random.below(101), column = random.below(201);
        uint64_t rows = random.below(101 - row), columns = random.below(201 - column);
        Result<std::vector<uint8_t>> slice = decodeSlice(*payload, row, column, rows, columns);
        ASSERT_TRUE(slice) << slice.status().message();
        std::vector<uint8_t> expected;
        for (uint64_t r = row; r < row + rows; ++r)
          expected.insert(expected.end(), elements.begin() + r * 200 + column,
                          elements.begin() + r * 200 + column + columns);
        EXPECT_EQ(*slice, expected) << describe(options, type, dims);
      }
    }
}

TEST(RoundTrip, NegativeSlicesAndTilesOutside) {
  uint64_t dims[] = {33, 20};
  std::vector<uint8_t> elements(660);
  Result<std::vector<uint8_t>> tiled = encode(EncodeOptions::huffman(8, 16), ElementType::F8E4M3FN, dims, elements);
  Result<std::vector<uint8_t>> plain = encode(EncodeOptions::raw(), ElementType::F8E4M3FN, dims, elements);
  Result<Payload> payload = readPayload(*tiled), plainPayload = readPayload(*plain);
  EXPECT_EQ(decodeSlice(*payload, 30, 0, 4, 1).status().message(), "expected a slice inside 33x20, got 4x1 at (30, 0)");
  EXPECT_EQ(decodeSlice(*payload, 0, ~uint64_t(0), 1, 2).status().code(), StatusCode::InvalidArgument);
  EXPECT_EQ(decodeTile(*payload, 2, 0).status().message(),
            "expected a tile of 2 strips of 2 tiles, got tile 0 of strip 2");
  EXPECT_EQ(decodeTile(*payload, 0, 2).status().code(), StatusCode::InvalidArgument);
  EXPECT_EQ(decodeTile(*plainPayload, 0, 0).status().message(), "expected a payload in tiles, got order row_major");
}

TEST(RoundTrip, SmallestChoosesByTrueSize) {
  uint64_t dims[] = {64, 1024};
  for (Distribution distribution : test::allDistributions) {
    std::vector<uint8_t> elements = makeElements(distribution, ElementType::F8E4M3FN, 64 * 1024);
    TensorStats stats = collectStats(ElementType::F8E4M3FN, elements);
    auto huffman = encode(EncodeOptions::huffman(), stats, dims, elements);
    auto raw = encode(EncodeOptions::raw(), stats, dims, elements);
    auto smallest = encodeSmallest(EncodeOptions::huffman(), stats, dims, elements);
    ASSERT_TRUE(huffman && raw && smallest);
    EXPECT_EQ(*smallest, huffman->size() < raw->size() ? *huffman : *raw);
  }
}

TEST(RoundTrip, StorageTakesTheSmallest) {
  // Group 2 gains where exponents are few or their neighbours tell something; its code lengths cost 320 bytes and more.
  std::set<int> taken;
  for (const std::vector<uint64_t> &dims : {std::vector<uint64_t>{512, 1024}, {32, 40}, {0, 4}, {33, 333}})
    for (ElementType type : elementTypes)
      for (Distribution distribution : test::allDistributions) {
        std::vector<uint8_t> elements = makeElements(distribution, type, countOf(dims));
        auto storage = encodeForStorage(type, dims, elements, 2);
        auto single = encode(EncodeOptions::huffman(), type, dims, elements);
        auto pairs = encode(EncodeOptions::huffmanPairs(), type, dims, elements);
        auto raw = encode(EncodeOptions::raw(), type, dims, elements);
        ASSERT_TRUE(storage && single && pairs && raw);
        EXPECT_EQ(*decode(*storage), elements);
        EXPECT_TRUE(*storage == *single || *storage == *pairs || *storage == *raw);
        // Only what lanes leave empty at the ends of tiles may tip the scales, 128 bytes a tile at most.
        uint64_t tiles = (dims[0] + 31) / 32 * ((dims[1] + 1023) / 1024);
        EXPECT_LE(storage->size(), std::min({single->size(), pairs->size(), raw->size()}) + tiles * 128);
        EXPECT_LE(storage->size(), raw->size());
        taken.insert(*storage == *raw ? 0 : *storage == *single ? 1 : 2);
      }
  EXPECT_EQ(taken, (std::set<int>{0, 1, 2}));
  std::vector<uint8_t> elements(16);
  uint64_t dims[] = {4, 5};
  EXPECT_EQ(encodeForStorage(ElementType::F8E4M3FN, dims, elements).status().message(),
            "expected 20 elements for the shape, got 16");
  EXPECT_EQ(encodeForStorage(ElementType::BF16, dims, elements).status().message(),
            "expected element type f8E4M3FN or f8E5M2, got bf16 [header_c7]");
}

TEST(RoundTrip, StorageIsCloseToTheEntropy) {
  // Like trained weights, 4 M of them, metadata included. (Pairs of nearly constant exponents still take half a bit
  // each.)
  uint64_t dims[] = {4096, 1024};
  for (Distribution distribution : {Distribution::Geometric, Distribution::Gaussian}) {
    std::vector<uint8_t> elements = makeElements(distribution, ElementType::F8E4M3FN, countOf(dims));
    double bound = collectStats(ElementType::F8E4M3FN, elements).entropyBound();
    auto payload = encodeForStorage(ElementType::F8E4M3FN, dims, elements);
    ASSERT_TRUE(payload);
    EXPECT_LE(8.0 * double(payload->size()) / double(elements.size()), bound + 0.08) << int(distribution);
  }
}

TEST(RoundTrip, NegativeOptionsAndShapes) {
  std::vector<uint8_t> elements(16);
  uint64_t dims[] = {4, 4};
  auto messageOf = [&](EncodeOptions options, ElementType type = ElementType::F8E4M3FN) {
    return encode(options, type, dims, elements).status().message();
  };
  EXPECT_EQ(messageOf({Encoding(3), 8, 1024, Order::Rows32}), "expected encoding raw, huffman or planes, got unknown");
  EXPECT_EQ(messageOf({Encoding::Planes, 0, 256, Order::Mma}), "expected order rows32 for planes, got mma");
  EXPECT_EQ(messageOf(EncodeOptions::planes(40)), "expected tile columns that are a positive multiple of 16, got 40");
  EXPECT_EQ(messageOf(EncodeOptions::planes(1040)), "expected at most 1024 tile columns for planes, got 1040");
  EXPECT_EQ(messageOf({Encoding::Huffman, 8, 1024, Order::RowMajor}),
            "expected order rows32 or mma for huffman, got row_major");
  EXPECT_EQ(messageOf({Encoding::Raw, 0, 1024, Order(3)}),
            "expected order row_major, rows32 or mma for raw, got unknown");
  EXPECT_EQ(messageOf({Encoding::Huffman, 8, 1024, Order::Mma, 3}), "expected group 1, 2 or 4 for order mma, got 3");
  EXPECT_EQ(messageOf(EncodeOptions::quads(8)), "expected code length limit 9 to 12 for group 4 in order mma, got 8");
  EXPECT_EQ(messageOf(EncodeOptions::pairs(13)), "expected code length limit 8 to 12 for group 2 in order mma, got 13");
  EXPECT_EQ(messageOf(EncodeOptions::classic(9)), "expected code length limit 7 to 8 for group 1 in order mma, got 9");
  for (uint32_t tileColumns : {0u, 192u, 1152u})
    for (const EncodeOptions &options : {EncodeOptions::quads(11, tileColumns), EncodeOptions::rawMma(tileColumns)})
      EXPECT_EQ(messageOf(options),
                "expected tile columns that are a positive multiple of 128, at most 1024, for order "
                "mma, got " +
                    std::to_string(tileColumns));
  EXPECT_EQ(messageOf(EncodeOptions::huffman(9)), "expected code length limit 7 or 8, got 9");
  EXPECT_EQ(messageOf({Encoding::Huffman, 8, 1024, Order::Rows32, 2}),
            "expected code length limit 12 for group 2, got 8");
  EXPECT_EQ(messageOf({Encoding::Huffman, 11, 1024, Order::Rows32, 4}), "expected group 1 or 2, got 4");
  EXPECT_EQ(messageOf(EncodeOptions::huffman(8, 24)),
            "expected tile columns that are a positive multiple of 16, got 24");
  EXPECT_EQ(messageOf(EncodeOptions::raw(), ElementType::BF16),
            "expected element type f8E4M3FN or f8E5M2, got bf16 [header_c7]");

  auto shapeMessage = [&](std::vector<uint64_t> shape) {
    return encode(EncodeOptions::raw(), ElementType::F8E5M2, shape, elements).status().message();
  };
  EXPECT_EQ(shapeMessage({4, 5}), "expected 20 elements for the shape, got 16");
  EXPECT_EQ(shapeMessage({1, 1, 1, 1, 1, 1, 1, 1, 16}), "expected rank at most 8, got 9 [header_c11]");
  EXPECT_EQ(shapeMessage({uint64_t(1) << 40, uint64_t(1) << 40}),
            "expected fewer than 2^63 rows, columns and elements [header_c13]");
  TensorStats stats = collectStats(ElementType::F8E5M2, elements);
  EXPECT_EQ(encode(EncodeOptions::raw(), stats, dims, std::span(elements).first(3)).status().message(),
            "expected the 16 bytes that the figures count, got 3");
}

} // namespace
