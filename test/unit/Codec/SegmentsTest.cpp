// Order mma: what is particular to it. Round trips, streams and re-encodings of all encodings have files of their own.
#include "ecf8/Codec/Segments.h"
#include "TestData.h"
#include "ecf8/Codec/Convert.h"
#include "ecf8/Codec/Decoder.h"

#include <gtest/gtest.h>

#include <set>

using namespace ecf8;
using test::Distribution;
using test::makeElements;

namespace {

constexpr ElementType elementTypes[] = {ElementType::F8E4M3FN, ElementType::F8E5M2};

/// Every group with every length limit.
std::vector<EncodeOptions> allGroups(uint32_t tileColumns) {
  std::vector<EncodeOptions> options;
  for (unsigned length = 9; length <= 12; ++length)
    options.push_back(EncodeOptions::quads(length, tileColumns));
  for (unsigned length = 8; length <= 12; ++length)
    options.push_back(EncodeOptions::pairs(length, tileColumns));
  for (unsigned length = 7; length <= 8; ++length)
    options.push_back(EncodeOptions::classic(length, tileColumns));
  return options;
}

TEST(Segments, ThePlaceOfAnElementIsThatOfTheFragment) {
  // Lane by lane, as docs/Format.md numbers them [mma_c2].
  for (unsigned step = 0; step < 4; ++step)
    for (unsigned lane = 0; lane < 32; ++lane)
      for (unsigned quad = 0; quad < 4; ++quad)
        for (unsigned byte = 0; byte < 4; ++byte) {
          unsigned row = lane / 4 + 8 * (quad % 2), column = step * 32 + 4 * (lane % 4) + 16 * (quad / 2) + byte;
          EXPECT_EQ(mmaPosition(row, column), step * 512 + lane * 16 + quad * 4 + byte);
        }
}

TEST(Segments, TheTableHasTheCodeOfEveryWindow) {
  for (ElementType type : elementTypes)
    for (const EncodeOptions &options : allGroups(1024)) {
      uint64_t dims[] = {64, 256};
      Result<std::vector<uint8_t>> bytes =
          encode(options, type, dims, makeElements(Distribution::Gaussian, type, 64 * 256));
      ASSERT_TRUE(bytes);
      Payload payload = *readPayload(*bytes);
      std::vector<uint32_t> table = buildSegmentTable(payload.header);
      ASSERT_EQ(table.size(), size_t(1) << options.maxCodeLength);
      GroupLayout layout = *getGroupLayout(type, options.group);
      for (uint32_t window = 0; window < table.size(); ++window) {
        auto [symbol, length] = payload.code.decodeSymbol(window);
        uint32_t entry = length;
        for (unsigned i = 0; i < options.group; ++i) { // [entry_c1]
          uint32_t bits = symbol >> (i * layout.codedBits) & ((1u << layout.codedBits) - 1);
          entry |= bits << (options.group == 4 ? 8 * i + 5 : 8 * i + 11);
        }
        EXPECT_EQ(table[window], entry) << window;
      }
    }
}

TEST(Segments, NegativeTables) {
  uint64_t dims[] = {16, 128};
  std::vector<uint8_t> elements = makeElements(Distribution::Gaussian, ElementType::F8E4M3FN, 16 * 128);
  auto headerOf = [&](const EncodeOptions &options) {
    return readPayload(*encode(options, ElementType::F8E4M3FN, dims, elements))->header;
  };
  for (const EncodeOptions &options : {EncodeOptions::raw(), EncodeOptions::rawMma(), EncodeOptions::huffman(),
                                       EncodeOptions::huffmanPairs(), EncodeOptions::planes()})
    EXPECT_TRUE(buildSegmentTable(headerOf(options)).empty());
  Header header = headerOf(EncodeOptions::quads());
  EXPECT_FALSE(buildSegmentTable(header).empty());
  header.wideLengths[3] = 0;
  EXPECT_TRUE(buildSegmentTable(header).empty());
  EXPECT_FALSE(getGroupLayout(ElementType::F8E4M3FN, 3));
}

/// One lane of a decoder on a device: a register of stream bits, the table, and nothing else of the code. [entry_c1]
/// [slots_c1] [slots_c2]
class DeviceLane {
public:
  DeviceLane(const Payload &payload, std::span<const uint32_t> table, uint64_t tile, unsigned lane)
      : header(payload.header), table(table),
        stream(payload.bytes.data() + header.codesOffset + payload.tileOffset(tile)),
        position(uint64_t(loadLittle<uint16_t>(stream + lane * 2)) * 4) {
    TileGrid grid = header.grid();
    uint64_t strip = tile / grid.tilesPerStrip(), place = tile % grid.tilesPerStrip();
    slots = payload.bytes.data() + header.restOffset +
            grid.columnsBefore(strip, place) * header.storage().bytesPerColumn + lane * 16;
  }

  /// The quads of the next step.
  std::array<uint32_t, 4> next() {
    uint32_t words[4];
    unsigned perStep = header.group == 4 ? 3 : 2;
    for (unsigned i = 0; i < perStep; ++i) {
      uint64_t word = step % 4 * perStep + i;
      words[i] = loadLittle<uint32_t>(slots + step / 4 * perStep * 512 + word / 4 * 512 + word % 4 * 4);
    }
    ++step;
    std::array<uint32_t, 4> quads;
    if (header.group == 4) {
      uint32_t a = words[0], b = words[1], d = words[2];
      quads = {a & 0x9F9F9F9Fu, b & 0x9F9F9F9Fu, d & 0x9F9F9F9Fu,
               (a >> 5 & 0x03030303u) | (b >> 3 & 0x0C0C0C0Cu) | (d >> 1 & 0x10101010u) | (d << 1 & 0x80808080u)};
      for (uint32_t &quad : quads) {
        quad ^= lookUp();
        quad -=
            uint32_t(header.exponentOffset) * (header.elementType == ElementType::F8E5M2 ? 0x04040404u : 0x08080808u);
      }
      return quads;
    }
    for (unsigned i = 0; i < 4; ++i) {
      uint32_t entries[4] = {lookUp(), lookUp(), 0, 0};
      uint32_t coded = (entries[0] >> 8 & 0xFFFF) | (entries[1] >> 8 & 0xFFFF) << 16;
      if (header.group == 1) {
        entries[2] = lookUp();
        entries[3] = lookUp();
        coded = 0;
        for (unsigned j = 0; j < 4; ++j)
          coded |= (entries[j] >> 8 & 0xFF) << (8 * j);
      }
      quads[i] = coded ^ (std::rotr(words[i / 2], i % 2 * 4) & 0x87878787u);
    }
    return quads;
  }

private:
  uint32_t lookUp() {
    uint64_t window = loadLittle<uint64_t>(stream + 64 + position / 8) >> (position % 8);
    uint32_t entry = table[window & (table.size() - 1)];
    position += entry & 31;
    return entry;
  }

  const Header &header;
  std::span<const uint32_t> table;
  const uint8_t *stream, *slots;
  uint64_t position, step = 0;
};

TEST(Segments, ADeviceDecodesWithTheTable) {
  for (ElementType type : elementTypes)
    for (Distribution distribution : test::allDistributions)
      for (const EncodeOptions &options : allGroups(384)) {
        uint64_t dims[] = {48, 1000};
        std::vector<uint8_t> elements = makeElements(distribution, type, 48 * 1000);
        std::vector<uint8_t> bytes = *encode(options, type, dims, elements);
        Payload payload = *readPayload(bytes);
        std::vector<uint32_t> table = buildSegmentTable(payload.header);
        TileGrid grid = payload.header.grid();
        uint64_t wrong = 0;
        for (uint64_t tile = 0; tile < grid.tileCount(); ++tile) {
          uint64_t strip = tile / grid.tilesPerStrip(), place = tile % grid.tilesPerStrip();
          for (unsigned lane = 0; lane < 32; ++lane) {
            DeviceLane decoder(payload, table, tile, lane);
            for (uint64_t step = 0; step < grid.paddedWidth(place) / 32; ++step) {
              std::array<uint32_t, 4> quads = decoder.next();
              for (unsigned i = 0; i < 16; ++i) {
                uint64_t row = strip * 16 + lane / 4 + 8 * (i / 4 % 2);
                uint64_t column = place * 384 + step * 32 + 4 * (lane % 4) + 16 * (i / 8) + i % 4;
                if (row < 48 && column < 1000)
                  wrong += uint8_t(quads[i / 4] >> (i % 4 * 8)) != elements[row * 1000 + column];
              }
            }
          }
        }
        EXPECT_EQ(wrong, 0u);
      }
}

TEST(Segments, QuadsTakeTheBestOffset) {
  uint64_t dims[] = {16, 1024};
  for (ElementType type : elementTypes)
    for (int offset = -maxExponentOffset; offset <= maxExponentOffset; ++offset) {
      SCOPED_TRACE(offset);
      std::vector<uint8_t> elements = test::makeElementsForOffset(offset, type, 16 * 1024);
      std::vector<uint8_t> bytes = *encode(EncodeOptions::quads(), type, dims, elements);
      Payload payload = *readPayload(bytes);
      EXPECT_EQ(payload.header.exponentOffset, offset);
      Result<std::vector<uint8_t>> decoded = decode(payload);
      ASSERT_TRUE(decoded) << decoded.status().message();
      EXPECT_EQ(*decoded, elements);
      // Of the class vectors one comes in three quads of four, so a quad takes little more than a bit.
      EXPECT_LT(double(payload.header.codesBytes) * 8 / double(elements.size() / 4), 2.5);
    }
}

TEST(Segments, SlicesAreAlongRowsOf16) {
  uint64_t dims[] = {100, 300};
  for (ElementType type : elementTypes)
    for (const EncodeOptions &options : {EncodeOptions::rawMma(128), EncodeOptions::quads(11, 128),
                                         EncodeOptions::pairs(12, 128), EncodeOptions::classic(8, 128)}) {
      std::vector<uint8_t> elements = makeElements(Distribution::Geometric, type, 100 * 300);
      std::vector<uint8_t> bytes = *encode(options, type, dims, elements);
      Payload payload = *readPayload(bytes);
      for (const Slice &slice : {Slice{0, 0, 100, 300}, Slice{16, 128, 48, 128}, Slice{96, 256, 4, 44},
                                 Slice{48, 0, 16, 300}, Slice{16, 128, 0, 128}, Slice{100, 300, 0, 0}}) {
        Result<std::vector<uint8_t>> part = extractSlice(payload, slice);
        ASSERT_TRUE(part) << part.status().message();
        Result<Payload> partPayload = readPayload(*part);
        ASSERT_TRUE(partPayload) << partPayload.status().message();
        EXPECT_EQ(partPayload->header.exponentOffset, payload.header.exponentOffset);
        EXPECT_EQ(buildSegmentTable(partPayload->header), buildSegmentTable(payload.header));
        Result<std::vector<uint8_t>> decoded = decode(*part);
        ASSERT_TRUE(decoded) << decoded.status().message();
        EXPECT_EQ(*decoded, *decodeSlice(payload, slice.row, slice.column, slice.rows, slice.columns));
      }
      EXPECT_EQ(*extractSlice(payload, {0, 0, 100, 300}), bytes);
      EXPECT_EQ(extractSlice(payload, {8, 0, 16, 128}).status().message(),
                "expected a slice of rows along multiples of 16, got a border at 8 [slice_c1]");
      EXPECT_EQ(extractSlice(payload, {0, 0, 16, 64}).status().message(),
                "expected a slice of columns along multiples of 128, got a border at 64 [slice_c1]");
    }
}

TEST(Segments, TheHeaderSaysWhatThePayloadNeeds) {
  uint64_t dims[] = {20, 130};
  std::vector<uint8_t> elements = makeElements(Distribution::Uniform, ElementType::F8E5M2, 20 * 130);
  auto headerOf = [&](const EncodeOptions &options) {
    return readPayload(*encode(options, ElementType::F8E5M2, dims, elements))->header;
  };
  Header quads = headerOf(EncodeOptions::quads()), classic = headerOf(EncodeOptions::classic());
  EXPECT_EQ(quads.minor, 3);
  EXPECT_EQ(quads.requiredFlags, uint32_t(RequiresWideCode | RequiresMmaOrder));
  EXPECT_EQ(quads.rawExponentBits, 3);
  EXPECT_EQ(classic.requiredFlags, uint32_t(RequiresMmaOrder));
  EXPECT_EQ(classic.rawExponentBits, 1);
  EXPECT_EQ(headerOf(EncodeOptions::rawMma()).minor, 3);
  EXPECT_EQ(headerOf(EncodeOptions::raw()).minor, 0);
}

TEST(Segments, TheLastStartFitsItsBits) { // [segments_c1]
  // Of lane 31, with the longest codes that a group can have, in a tile of 1024 columns.
  for (auto [group, length] : {std::pair(4u, 12u), std::pair(2u, 12u), std::pair(1u, 8u)}) {
    uint64_t bits = 8 + 31 * (uint64_t(16) * 1024 / 32 / group * length);
    EXPECT_LE(bits / 4, 0xFFFFu);
  }
}

} // namespace
