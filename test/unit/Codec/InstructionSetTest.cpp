// Every instruction set gives the bytes of portable C++, and decodes what the reference decoder decodes.
#include "TestData.h"
#include "ecf8/Codec/Decoder.h"

#include <gtest/gtest.h>

#include <algorithm>

using namespace ecf8;
using test::Distribution;
using test::UsedInstructionSet;

namespace {

constexpr ElementType elementTypes[] = {ElementType::F8E4M3FN, ElementType::F8E5M2};

std::vector<EncodeOptions> tiledOptions() {
  return {EncodeOptions::rawRows32(48),     EncodeOptions::rawRows32(),      EncodeOptions::huffman(8, 16),
          EncodeOptions::huffman(7, 48),    EncodeOptions::huffman(),        EncodeOptions::huffman(8, 8192),
          EncodeOptions::planes(16),        EncodeOptions::planes(80),       EncodeOptions::planes(),
          EncodeOptions::planes(1024),      EncodeOptions::huffmanPairs(16), EncodeOptions::huffmanPairs(),
          EncodeOptions::huffmanPairs(8192)};
}

std::vector<uint8_t> encodeWith(InstructionSet set, const EncodeOptions &options, ElementType type,
                                const std::vector<uint64_t> &dims, const std::vector<uint8_t> &elements) {
  UsedInstructionSet used(set);
  Result<std::vector<uint8_t>> payload = encode(options, type, dims, elements, 2);
  EXPECT_TRUE(payload) << payload.status().message();
  return payload ? payload.take() : std::vector<uint8_t>();
}

void check(const EncodeOptions &options, ElementType type, const std::vector<uint64_t> &dims,
           const std::vector<uint8_t> &elements) {
  SCOPED_TRACE(std::string(getName(options.encoding)) + " g=" + std::to_string(options.group) +
               " S=" + std::to_string(options.tileColumns) + " " + std::string(getName(type)) + " " +
               std::to_string(dims[0]) + "x" + std::to_string(dims[1]));
  std::vector<uint8_t> payload = encodeWith(InstructionSet::Generic, options, type, dims, elements);
  ASSERT_EQ(*decode(payload), elements);
  Payload read = *readPayload(payload);
  for (InstructionSet set : availableInstructionSets()) {
    SCOPED_TRACE(getName(set));
    EXPECT_EQ(encodeWith(set, options, type, dims, elements), payload);
    UsedInstructionSet used(set);
    for (unsigned threads : {1u, 2u}) {
      // Guards on both sides, and something in between that a row left out would show.
      std::vector<uint8_t> out(elements.size() + 128, 0xA5);
      ASSERT_TRUE(decodeUnchecked(read, std::span(out).subspan(64, elements.size()), threads).isOk());
      EXPECT_TRUE(std::equal(elements.begin(), elements.end(), out.begin() + 64));
      EXPECT_EQ(std::count(out.begin(), out.begin() + 64, 0xA5) + std::count(out.end() - 64, out.end(), 0xA5), 128);
    }
  }
}

TEST(InstructionSets, AllGiveTheSameBytes) {
  // One tile and many, whole and ragged: columns and rows on both sides of the steps, groups and blocks of the kernels.
  const std::vector<uint64_t> shapes[] = {{1, 1},    {32, 64},  {32, 65},   {31, 63},  {33, 128}, {64, 1024},
                                          {96, 100}, {5, 3000}, {300, 17},  {16, 16},  {17, 15},  {160, 48},
                                          {40, 333}, {32, 2},   {128, 256}, {65, 1040}};
  for (Distribution distribution : test::allDistributions)
    for (const auto &dims : shapes)
      for (ElementType type : elementTypes)
        for (const EncodeOptions &options : tiledOptions())
          check(options, type, dims, test::makeElements(distribution, type, dims[0] * dims[1]));
}

TEST(InstructionSets, CodesOfPairsMayLackLengths) {
  // Lengths and how many pairs have each; such frequencies have exactly these as their optimal code.
  using Lengths = std::vector<std::pair<unsigned, unsigned>>;
  for (const Lengths &lengths :
       {Lengths{{1, 1}, {2, 1}, {3, 1}, {10, 128}}, Lengths{{1, 1}, {8, 128}},
        Lengths{{1, 1}, {2, 1}, {3, 1}, {8, 16}, {10, 64}}, Lengths{{5, 16}, {6, 32}},
        Lengths{{1, 1}, {2, 1}, {3, 1}, {4, 1}, {9, 16}, {12, 128}}, Lengths{{2, 3}, {8, 32}, {9, 48}, {12, 128}}}) {
    const std::vector<uint64_t> dims = {64, 1024};
    std::vector<uint8_t> elements;
    unsigned pair = 0, used = 0;
    for (auto [length, count] : lengths)
      for (unsigned i = 0; i < count; ++i, ++pair)
        for (unsigned j = 0; j < 32768u >> length; ++j) {
          elements.push_back(uint8_t(pair % 16 << 3));
          elements.push_back(uint8_t(pair / 16 << 3 | 0x80));
        }
    ASSERT_EQ(elements.size(), dims[0] * dims[1]);
    // Neighbours stay together.
    std::vector<uint8_t> mixed(elements.size());
    for (size_t i = 0; i < elements.size(); i += 2)
      std::copy_n(elements.begin() + std::ptrdiff_t(i), 2, mixed.begin() + std::ptrdiff_t(i * 10007 % elements.size()));
    std::vector<uint8_t> payload =
        encodeWith(InstructionSet::Generic, EncodeOptions::huffmanPairs(), ElementType::F8E4M3FN, dims, mixed);
    Payload read = *readPayload(payload);
    for (auto [length, count] : lengths)
      EXPECT_EQ(read.code.codesOf(length).count, count) << length;
    for (auto [length, count] : lengths)
      used += count;
    EXPECT_EQ(read.code.usedSymbols(), used);
    check(EncodeOptions::huffmanPairs(), ElementType::F8E4M3FN, dims, mixed);
  }
}

TEST(InstructionSets, RowsMayStartAnywhere) {
  // Rows of whole cache lines, at all distances from one that matter, and rows of other lengths. The last two shapes
  // are large enough to be written around the caches.
  const std::vector<uint64_t> shapes[] = {{64, 256}, {32, 2112}, {40, 128}, {33, 200}, {1056, 16384}, {1056, 16400}};
  for (const auto &dims : shapes) {
    bool isLarge = dims[0] > 1000;
    std::vector<uint8_t> elements = test::makeElements(Distribution::Uniform, ElementType::F8E4M3FN, dims[0] * dims[1]);
    for (const EncodeOptions &options :
         {EncodeOptions::rawRows32(), EncodeOptions::huffman(), EncodeOptions::planes(), EncodeOptions::planes(80),
          EncodeOptions::huffman(8, 1040), EncodeOptions::huffmanPairs()}) {
      if (isLarge && options.tileColumns % 64 != 0)
        continue;
      std::vector<uint8_t> payload =
          encodeWith(availableInstructionSets().back(), options, ElementType::F8E4M3FN, dims, elements);
      Payload read = *readPayload(payload, false);
      for (InstructionSet set : availableInstructionSets())
        for (size_t offset : {0, 1, 16, 48, 63}) {
          if (isLarge && (set == InstructionSet::Generic || offset > 16))
            continue;
          UsedInstructionSet used(set);
          std::vector<uint8_t> room(elements.size() + 256, 0xA5);
          uint8_t *begin = room.data() + 64 + (64 - reinterpret_cast<uintptr_t>(room.data()) % 64) % 64 + offset;
          ASSERT_TRUE(decodeUnchecked(read, {begin, elements.size()}).isOk());
          EXPECT_TRUE(std::equal(elements.begin(), elements.end(), begin)) << getName(set) << " at " << offset;
          EXPECT_EQ(begin[-1], 0xA5);
          EXPECT_EQ(begin[elements.size()], 0xA5);
        }
    }
  }
}

TEST(InstructionSets, AllCountTheSame) {
  // Sizes around those that the kernels count at once.
  for (uint64_t count : {0u, 1u, 63u, 64u, 1023u, 1024u, 1025u, 5000u, (1u << 20) + 77})
    for (Distribution distribution : test::allDistributions)
      for (ElementType type : elementTypes) {
        if (count > 5000 && distribution != Distribution::Gaussian)
          continue; // more than one piece of work: once is enough
        std::vector<uint8_t> elements = test::makeElements(distribution, type, count);
        TensorStats stats = collectStats(type, elements);
        for (InstructionSet set : availableInstructionSets()) {
          UsedInstructionSet used(set);
          // A payload's header shows what its encoder counted.
          uint64_t dims[] = {count};
          Result<std::vector<uint8_t>> counted = encode(EncodeOptions::huffman(), type, dims, elements);
          Result<std::vector<uint8_t>> expected = encode(EncodeOptions::huffman(), stats, dims, elements);
          ASSERT_TRUE(counted && expected);
          EXPECT_EQ(*counted, *expected) << getName(set) << " " << count;
        }
      }
}

TEST(InstructionSets, EachFlagAndExtremeIsSeen) {
  // One special value in an otherwise plain tensor, at places that different loops count.
  for (ElementType type : elementTypes)
    for (unsigned value = 0; value < 256; ++value)
      for (size_t place : {size_t(0), size_t(1000), size_t(2047), size_t(2048), size_t(2099)}) {
        std::vector<uint8_t> elements(2100, type == ElementType::F8E5M2 ? 0x3C : 0x38);
        elements[place] = uint8_t(value);
        for (InstructionSet set : availableInstructionSets()) {
          Payload payload = *readPayload(encodeWith(set, EncodeOptions::raw(), type, {2100}, elements), false);
          TensorStats stats = collectStats(type, elements);
          EXPECT_EQ(payload.header.dataFlags, stats.dataFlags) << getName(set) << " " << value;
          EXPECT_EQ(payload.header.minExponent, stats.minExponent);
          EXPECT_EQ(payload.header.maxExponent, stats.maxExponent);
        }
      }
}

TEST(InstructionSets, FiguresOfOtherElementsDoNoHarm) {
  // Figures that lie, so that symbols lack codes and sizes are wrong: any payload or message, but no crash.
  uint64_t dims[] = {70, 300};
  for (ElementType type : elementTypes)
    for (Distribution counted : {Distribution::OneSymbol, Distribution::TwoSymbols, Distribution::Geometric}) {
      TensorStats stats = collectStats(type, test::makeElements(counted, type, 70 * 300));
      std::vector<uint8_t> elements = test::makeElements(Distribution::Uniform, type, 70 * 300);
      for (InstructionSet set : availableInstructionSets())
        for (const EncodeOptions &options : tiledOptions()) {
          UsedInstructionSet used(set);
          Result<std::vector<uint8_t>> payload = encode(options, stats, dims, elements);
          ASSERT_TRUE(payload) << payload.status().message();
          EXPECT_FALSE(decode(*payload) && options.encoding != Encoding::Raw);
        }
    }
}

TEST(InstructionSets, NegativeRoomForTheElements) {
  uint64_t dims[] = {3, 4};
  std::vector<uint8_t> elements(12);
  std::vector<uint8_t> payload = *encode(EncodeOptions::huffman(), ElementType::F8E4M3FN, dims, elements);
  std::vector<uint8_t> out(11);
  EXPECT_EQ(decodeUnchecked(*readPayload(payload), out).message(), "expected room for 12 elements, got 11 bytes");
}

TEST(InstructionSets, ChoiceAndNames) {
  std::vector<InstructionSet> sets = availableInstructionSets();
  ASSERT_FALSE(sets.empty());
  EXPECT_EQ(sets.front(), InstructionSet::Generic);
  EXPECT_EQ(currentInstructionSet(), sets.back());
  EXPECT_FALSE(useInstructionSet(InstructionSet(7)));
  EXPECT_EQ(currentInstructionSet(), sets.back());
  {
    UsedInstructionSet used(InstructionSet::Generic);
    EXPECT_EQ(currentInstructionSet(), InstructionSet::Generic);
  }
  EXPECT_EQ(currentInstructionSet(), sets.back());
  EXPECT_EQ(getName(InstructionSet::AVX512), "avx512");
}

} // namespace
