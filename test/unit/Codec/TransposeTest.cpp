// Transposed matrices against a plain double loop: ragged shapes, several matrices, threads.
#include "ecf8/Codec/Transpose.h"

#include "TestData.h"

#include <gtest/gtest.h>

#include <algorithm>

using namespace ecf8;

namespace {

std::vector<uint8_t> transposePlainly(const std::vector<uint8_t> &elements, uint64_t rows, uint64_t columns) {
  std::vector<uint8_t> result;
  for (uint64_t begin = 0; begin < elements.size(); begin += rows * columns)
    for (uint64_t column = 0; column < columns; ++column)
      for (uint64_t row = 0; row < rows; ++row)
        result.push_back(elements[begin + row * columns + column]);
  return result;
}

TEST(Transpose, WrittenOut) {
  EXPECT_EQ(transposeMatrices(std::vector<uint8_t>{1, 2, 3, 4, 5, 6}, 2, 3), (std::vector<uint8_t>{1, 4, 2, 5, 3, 6}));
  EXPECT_EQ(transposeMatrices(std::vector<uint8_t>{1, 2, 3, 4, 5, 6, 7, 8}, 2, 2),
            (std::vector<uint8_t>{1, 3, 2, 4, 5, 7, 6, 8}));
}

// Around the edges of a block of 64 x 64, and rows or columns far apart. Random bytes: a cycle of 256 would hide an
// exchange of rows that lie a multiple of 256 apart.
TEST(Transpose, RaggedShapes) {
  for (uint64_t rows : {1, 2, 63, 64, 65, 129, 512})
    for (uint64_t columns : {1, 3, 63, 64, 65, 130, 513})
      for (uint64_t count : {1, 3}) {
        std::vector<uint8_t> elements = test::makeElements(test::Distribution::Uniform, ElementType::F8E4M3FN,
                                                           rows * columns * count, rows * 1000 + columns);
        std::vector<uint8_t> expected = transposePlainly(elements, rows, columns);
        for (unsigned threads : {1, 4})
          ASSERT_EQ(transposeMatrices(elements, rows, columns, threads), expected)
              << count << " of " << rows << " x " << columns << ", " << threads << " threads";
        EXPECT_EQ(transposeMatrices(expected, columns, rows), elements) << rows << " x " << columns;
      }
}

TEST(Transpose, EmptyShapes) {
  EXPECT_TRUE(transposeMatrices({}, 0, 0).empty());
  EXPECT_TRUE(transposeMatrices({}, 5, 0).empty());
  EXPECT_TRUE(transposeMatrices({}, 0, 5, 4).empty());
  EXPECT_TRUE(transposeMatrices({}, 64, 64).empty()); // no matrix at all
}

TEST(Transpose, EveryByteKeepsItsValue) {
  std::vector<uint8_t> elements = test::makeElements(test::Distribution::EveryByte, ElementType::F8E5M2, 256);
  std::vector<uint8_t> transposed = transposeMatrices(elements, 16, 16);
  for (unsigned value = 0; value < 256; ++value)
    EXPECT_EQ(transposed[value % 16 * 16 + value / 16], value);
}

// Elements in the middle of a larger buffer: what lies before and behind is not read into the result.
TEST(Transpose, PartOfABuffer) {
  std::vector<uint8_t> buffer(7 + 65 * 66 + 9, 0xEE);
  std::vector<uint8_t> inner = test::makeElements(test::Distribution::Geometric, ElementType::F8E4M3FN, 65 * 66);
  std::ranges::copy(inner, buffer.begin() + 7);
  EXPECT_EQ(transposeMatrices({buffer.data() + 7, inner.size()}, 65, 66), transposePlainly(inner, 65, 66));
}

} // namespace
