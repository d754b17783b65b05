// Generated decoders for GPUs against the elements that were encoded.
#include "../Codec/TestData.h"
#include "Kernels.h"

using namespace ecf8;
using namespace ecf8::test;

namespace {

std::vector<uint8_t> everyByte(uint64_t count) {
  std::vector<uint8_t> elements(count);
  for (uint64_t i = 0; i < count; ++i)
    elements[i] = uint8_t(i * 167 >> 3 ^ i);
  return elements;
}

/// Exponents like those of weights: most between 5 and 9.
std::vector<uint8_t> peaked(uint64_t count) {
  Random random(11);
  std::vector<uint8_t> elements(count);
  for (uint8_t &element : elements)
    element = uint8_t((random.next() & 0x87) | (5 + random.below(3) + random.below(3)) << 3);
  return elements;
}

class Decode : public testing::TestWithParam<Layout> {};

TEST_P(Decode, AllBytesOfRaggedShapes) {
  Kernels kernels(GetParam(), "f16", {}, "sm_90");
  for (Matrix shape : {Matrix{1, 1}, Matrix{17, 129}, Matrix{48, 1100}, Matrix{33, 260}, Matrix{80, 2048}})
    for (auto make : {everyByte, peaked}) {
      std::vector<uint8_t> elements = make(shape.rows * shape.columns);
      EXPECT_EQ(kernels.decode(shape, elements, shape.columns, 3), elements) << shape.rows << " x " << shape.columns;
    }
}

TEST_P(Decode, RowsWithAStride) {
  Kernels kernels(GetParam(), "f16", {}, "sm_90");
  const Matrix shape{20, 144};
  std::vector<uint8_t> elements = peaked(shape.rows * shape.columns);
  for (uint64_t stride : {160, 147}) {
    std::vector<uint8_t> got = kernels.decode(shape, elements, stride, 2);
    for (uint64_t row = 0; row < shape.rows; ++row)
      for (uint64_t column = 0; column < stride; ++column)
        ASSERT_EQ(got[row * stride + column], column < shape.columns ? elements[row * shape.columns + column] : 0xA5)
            << row << ", " << column;
  }
}

TEST_P(Decode, APart) {
  Kernels kernels(GetParam(), "f16", {}, "sm_90");
  const Matrix whole{64, 2 * GetParam().tileColumns + 40}, part{18, GetParam().tileColumns + 40};
  const uint32_t row = 32, column = GetParam().tileColumns;
  std::vector<uint8_t> elements = everyByte(whole.rows * whole.columns);
  std::vector<uint8_t> got = kernels.decodePart(whole, elements, part, row, column, 2);
  for (uint64_t r = 0; r < part.rows; ++r)
    for (uint64_t c = 0; c < part.columns; ++c)
      ASSERT_EQ(got[r * part.columns + c], elements[(row + r) * whole.columns + column + c]) << r << ", " << c;
}

TEST(DecodeOffsets, OfQuads) {
  for (ElementType type : {ElementType::F8E4M3FN, ElementType::F8E5M2}) {
    Kernels kernels({"quads", type}, "f16", {}, "sm_90");
    for (int offset = -3; offset <= 3; ++offset) {
      const Matrix shape{16, 256};
      std::vector<uint8_t> elements = makeElementsForOffset(offset, type, shape.rows * shape.columns);
      EXPECT_EQ(kernels.decode(shape, elements, shape.columns, 1), elements) << offset;
    }
  }
}

std::string nameOf(const testing::TestParamInfo<Layout> &info) {
  const Layout &layout = info.param;
  return layout.codec + "_" + layout.elementName() + "_" + std::to_string(layout.tileColumns) + "_" +
         std::to_string(layout.maxCodeLength);
}

constexpr ElementType e4m3 = ElementType::F8E4M3FN, e5m2 = ElementType::F8E5M2;
INSTANTIATE_TEST_SUITE_P(Layouts, Decode,
                         testing::Values(Layout{"raw", e4m3}, Layout{"quads", e4m3}, Layout{"quads", e5m2},
                                         Layout{"quads", e4m3, 256, 9}, Layout{"quads", e4m3, 128, 12},
                                         Layout{"pairs", e4m3}, Layout{"pairs", e5m2}, Layout{"pairs", e4m3, 512, 8},
                                         Layout{"classic", e4m3}, Layout{"classic", e5m2, 384, 7}),
                         nameOf);

} // namespace
