// The ranks of encoding planes, its sizes, and distributions that strain its planes.
#include "ecf8/Codec/Planes.h"
#include "TestData.h"
#include "ecf8/Codec/Decoder.h"

#include <gtest/gtest.h>

#include <algorithm>

using namespace ecf8;

namespace {

constexpr ElementType elementTypes[] = {ElementType::F8E4M3FN, ElementType::F8E5M2};

TEST(Planes, RanksGoByCountThenSymbol) {
  SymbolCounts counts{};
  counts[3] = 5, counts[9] = 7, counts[4] = 5, counts[15] = 1, counts[0] = 1, counts[7] = 100, counts[1] = 1;
  RankNibbles expected{};
  expected[7] = 1, expected[9] = 2, expected[3] = 3, expected[4] = 4, expected[0] = 5, expected[1] = 6; // encoder_c2
  EXPECT_EQ(buildRankNibbles(counts), expected);
  EXPECT_EQ(buildRankNibbles({}), RankNibbles{});
}

TEST(Planes, RanksOfFewerThanSixSymbols) {
  SymbolCounts counts{};
  counts[30] = 2, counts[20] = 3;
  Result<SymbolRanks> ranks = SymbolRanks::create(buildRankNibbles(counts), 32);
  ASSERT_TRUE(ranks) << ranks.status().message();
  EXPECT_EQ(ranks->usedRanks(), 2u);
  EXPECT_EQ(ranks->symbolOf(0), 20);
  EXPECT_EQ(ranks->symbolOf(1), 30);
  EXPECT_TRUE(ranks->hasRank(30));
  EXPECT_FALSE(ranks->hasRank(0));
}

/// The number of elements with each symbol, mixed.
std::vector<uint8_t> mix(ElementType type, const std::vector<std::pair<unsigned, uint64_t>> &counts) {
  const ElementSplit &split = getElementSplit(type);
  test::Random random(9);
  std::vector<uint8_t> elements;
  for (auto [symbol, count] : counts)
    for (uint64_t i = 0; i < count; ++i)
      elements.push_back(split.elementOf(symbol, uint8_t(random.next()) & split.restMask));
  for (uint64_t i = elements.size(); i > 1; --i)
    std::swap(elements[i - 1], elements[random.below(i)]);
  return elements;
}

void checkRoundTrip(const EncodeOptions &options, ElementType type, const std::vector<uint64_t> &dims,
                    const std::vector<uint8_t> &elements) {
  Result<std::vector<uint8_t>> bytes = encode(options, type, dims, elements);
  ASSERT_TRUE(bytes) << bytes.status().message();
  EXPECT_EQ((*bytes)[header_offset::minor], 1);
  Result<Payload> payload = readPayload(*bytes);
  ASSERT_TRUE(payload) << payload.status().message();
  Result<std::vector<uint8_t>> decoded = decode(*payload);
  ASSERT_TRUE(decoded) << decoded.status().message();
  EXPECT_EQ(*decoded, elements);
  EXPECT_EQ(decodeUnchecked(*payload), elements);
}

// A first tile that has no escape while others have nothing else, and the other way round: the ranks are the tensor's.
TEST(Planes, TilesOfEscapesOnly) {
  for (ElementType type : elementTypes) {
    std::vector<std::pair<unsigned, uint64_t>> frequent, seconds, thirds;
    for (unsigned symbol = 0; symbol < 3; ++symbol)
      frequent.push_back({symbol, 1000 - symbol});
    for (unsigned symbol = 3; symbol < 6; ++symbol)
      seconds.push_back({symbol, 500 - symbol});
    for (unsigned symbol = 6; symbol < 16; ++symbol)
      thirds.push_back({symbol, 100});
    std::vector<uint8_t> elements;
    for (const auto &part : {frequent, seconds, thirds, seconds, frequent}) {
      std::vector<uint8_t> mixed = mix(type, part);
      elements.insert(elements.end(), mixed.begin(), mixed.end());
    }
    for (uint64_t rows : {1, 3, 32, 33, 100})
      for (uint32_t tileColumns : {16u, 256u, 1024u}) {
        elements.resize(elements.size() / rows * rows);
        checkRoundTrip(EncodeOptions::planes(tileColumns), type, {rows, elements.size() / rows}, elements);
      }
  }
}

// The largest counts that a tile can have: all of its 32 x 1024 elements but a few go to the third plane.
TEST(Planes, FullestTile) {
  for (ElementType type : elementTypes) {
    std::vector<std::pair<unsigned, uint64_t>> counts;
    unsigned symbols = getElementSplit(type).symbolCount;
    for (unsigned symbol = 0; symbol < 6; ++symbol) // in other strips
      counts.push_back({symbol, 32 * 1024});
    std::vector<uint8_t> elements = mix(type, counts);
    counts.clear();
    for (unsigned symbol = 6; symbol < symbols; ++symbol)
      counts.push_back({symbol, 32 * 1024 / (symbols - 6)});
    std::vector<uint8_t> last = mix(type, counts);
    last.resize(32 * 1024, last.front());
    elements.insert(elements.end(), last.begin(), last.end());
    checkRoundTrip(EncodeOptions::planes(1024), type, {7 * 32, 1024}, elements);

    Result<std::vector<uint8_t>> bytes = encode(EncodeOptions::planes(1024), type, {{7 * 32, 1024}}, elements);
    Result<Payload> payload = readPayload(*bytes);
    const uint8_t *stream = bytes->data() + payload->header.codesOffset + payload->tileOffset(6);
    EXPECT_EQ(loadLittle<uint16_t>(stream), 512);
    EXPECT_EQ(loadLittle<uint16_t>(stream + 2), 32 * 1024);
  }
}

TEST(Planes, NumbersOfEscapesAroundAGroup) {
  for (ElementType type : elementTypes)
    for (uint64_t seconds : {0, 1, 2, 63, 64, 65, 127, 128, 129})
      for (uint64_t thirds : {0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 64}) {
        uint64_t each = seconds + thirds + 10;
        std::vector<std::pair<unsigned, uint64_t>> counts = {{0, each}, {1, each}, {2, each}, {9, thirds}};
        if (seconds + thirds > 0) // ranks 3 to 5, of which two hardly occur
          counts.insert(counts.end(), {{3, seconds + thirds}, {4, thirds + 1}, {5, thirds + 1}});
        std::vector<uint8_t> elements = mix(type, counts);
        checkRoundTrip(EncodeOptions::planes(), type, {elements.size()}, elements);
        TensorStats stats = collectStats(type, elements);
        std::vector<uint64_t> dims = {elements.size()};
        Result<SizeEstimate> estimate = estimatePayloadBytes(EncodeOptions::planes(1024), stats, dims);
        // One tile: exact.
        ASSERT_LE(elements.size(), 1024u);
        EXPECT_EQ(estimate->minBytes, estimate->maxBytes);
        EXPECT_EQ(estimate->minBytes, encode(EncodeOptions::planes(1024), stats, dims, elements)->size());
      }
}

// The word counts of codes_c1.
TEST(Planes, WordsOfATile) {
  EXPECT_EQ(planesTileWords(ElementType::F8E4M3FN, 0, 0), 2u);
  EXPECT_EQ(planesTileWords(ElementType::F8E4M3FN, 1, 0), 10u);
  EXPECT_EQ(planesTileWords(ElementType::F8E4M3FN, 64, 1), 11u);
  EXPECT_EQ(planesTileWords(ElementType::F8E4M3FN, 65, 4), 19u);
  EXPECT_EQ(planesTileWords(ElementType::F8E4M3FN, 65, 5), 20u);
  EXPECT_EQ(planesTileWords(ElementType::F8E5M2, 1, 1), 11u);
  EXPECT_EQ(planesTileWords(ElementType::F8E5M2, 1, 3), 12u);
}

} // namespace
