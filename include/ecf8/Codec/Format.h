// The names, constants and arithmetic of the payload format. docs/Format.md is the specification; the labels in
// brackets ([tile_c1]) are its rules.
#ifndef ECF8_CODEC_FORMAT_H
#define ECF8_CODEC_FORMAT_H

#include "ecf8/Support/Status.h"

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace ecf8 {

/// Element types by their number in the header. This version implements the first two and refuses the others.
enum class ElementType : uint8_t { F8E4M3FN = 0, F8E5M2 = 1, F8E4M3FNUZ = 2, F8E5M2FNUZ = 3, F8E8M0FNU = 4, BF16 = 5 };

/// In the order in which the versions of the format brought them.
enum class Encoding : uint8_t { Raw = 0, Huffman = 1, Planes = 2 };

/// How elements lie over lanes and steps.
enum class Order : uint8_t { RowMajor = 0, Rows32 = 1, Mma = 2 };

/// How the codes of a tile's lanes lie.
enum class Stream : uint8_t { None = 0, Interleaved = 1, Segments = 2 };

/// What a payload says of its elements; a bit is set exactly when such an element is present [header_c15].
enum DataFlags : uint32_t {
  DataHasNaN = 1,
  DataHasInfinity = 2,
  DataHasSubnormal = 4, ///< a nonzero one
  DataHasNegativeZero = 8,
};

/// What a reader must know to read a payload [header_c4].
enum RequiredFlags : uint32_t {
  RequiresWideCode = 1, ///< the code lengths have a section of their own
  RequiresMmaOrder = 2, ///< order mma
};

inline constexpr uint8_t formatMajor = 1;
inline constexpr uint64_t headerBytes = 192;
inline constexpr uint64_t wideHeaderBytes = 256; ///< with RequiresWideCode [header_c3]
inline constexpr uint64_t sectionAlignment = 64;
inline constexpr unsigned maxRank = 8;
inline constexpr unsigned laneCount = 32;
inline constexpr unsigned maxSymbolCount = 32;
inline constexpr unsigned maxCodedSymbolCount = maxSymbolCount * maxSymbolCount; ///< of group 2 [huffman_c7]
inline constexpr unsigned mmaStripRows = 16;        ///< rows of a tile of order mma [mma_c1]
inline constexpr unsigned mmaBlockColumns = 128;    ///< columns of a block of order mma [mma_c2]
inline constexpr unsigned maxMmaTileColumns = 1024; ///< [header_c14]
inline constexpr int maxExponentOffset = 3;         ///< [header_c18]
/// Bits of one refill word of the stream, and what a decoder's window is sure to hold before a step.
inline constexpr unsigned wordBits = 16;

/// How an element is cut into a coded symbol and a raw rest [element_c1].
struct ElementSplit {
  unsigned symbolCount; ///< 16 or 32
  unsigned symbolShift; ///< symbol = (element >> symbolShift) & (symbolCount - 1)
  uint8_t restMask;     ///< rest = element & restMask

  unsigned symbolOf(uint8_t element) const { return (element >> symbolShift) & (symbolCount - 1); }
  uint8_t elementOf(unsigned symbol, uint8_t rest) const { return uint8_t(symbol << symbolShift) | rest; }
};

/// The split of an implemented element type (others: E4M3FN's; a parsed Header never holds one).
const ElementSplit &getElementSplit(ElementType type);

/// The minor version that a payload of this encoding carries, for huffman with symbols of `group` elements.
uint8_t getMinorVersion(Encoding encoding, Order order, unsigned group = 1);

/// How much a tile of order rows32 or mma stores. The one place that knows it.
struct TileStorage {
  unsigned columnGroup;    ///< columns of a tile are padded to a multiple of this [element_c1] [tile_c3] [mma_c3]
  unsigned bytesPerColumn; ///< of the last section: the rest of a strip's rows of one column, for raw their elements
};
/// `group` matters for huffman in order mma alone.
TileStorage getTileStorage(ElementType type, Encoding encoding, Order order = Order::Rows32, unsigned group = 1);

/// A unit of the rest: `columns` columns of a tile in `bytes` bytes [rest_c1] [rest_c2].
struct RestUnit {
  unsigned columns, bytes;
};
RestUnit getRestUnit(ElementType type);

/// The DataFlags that one element sets.
uint32_t dataFlagsOf(ElementType type, uint8_t element);

/// "f8E4M3FN", "huffman", "rows32", "interleaved": MLIR's spelling of the types; "unknown" outside the enumeration.
std::string_view getName(ElementType type);
std::string_view getName(Encoding encoding);
std::string_view getName(Order order);
std::string_view getName(Stream stream);

/// The rows x columns view of a tensor: columns = last dimension, rows = product of the others; 1 x 1 for rank 0
/// [header_c13]. Fails when the rank is over 8 or a count reaches 2^63.
struct MatrixShape {
  uint64_t rows = 1;
  uint64_t columns = 1;
  uint64_t elementCount() const { return rows * columns; }
};
Result<MatrixShape> getMatrixShape(std::span<const uint64_t> dims);

/// How a matrix is cut into strips of 32 or 16 rows and tiles of `tileColumns` columns [tile_c1] [mma_c1].
struct TileGrid {
  MatrixShape shape;
  uint64_t tileColumns = 0; ///< a positive multiple of 16
  unsigned columnGroup = 0; ///< of the element type and encoding
  Order order = Order::Rows32;

  /// Rows of a strip with its padding.
  unsigned paddedRows() const { return order == Order::Mma ? mmaStripRows : laneCount; }
  uint64_t strips() const { return shape.rows / paddedRows() + (shape.rows % paddedRows() != 0); }
  uint64_t tilesPerStrip() const { return shape.columns / tileColumns + (shape.columns % tileColumns != 0); }
  uint64_t tileCount() const { return strips() * tilesPerStrip(); }
  /// Real rows of a strip, 1 to paddedRows().
  uint64_t stripRows(uint64_t strip) const;
  /// Real columns of tile `tile` of any strip.
  uint64_t tileWidth(uint64_t tile) const;
  /// The same rounded up to the column group: what is stored [tile_c3].
  uint64_t paddedWidth(uint64_t tile) const;
  /// Stored columns of a whole strip.
  uint64_t paddedColumns() const;
  /// Stored columns before tile `tile` of strip `strip`, over all strips: times the bytes per column, its offset.
  uint64_t columnsBefore(uint64_t strip, uint64_t tile) const { return strip * paddedColumns() + tile * tileColumns; }
  /// The place of an element in its tile: `row` of the strip, `column` of the tile.
  uint64_t position(unsigned row, uint64_t column) const;
};

/// The row of a strip that a lane holds, and its inverse [tile_c2].
inline constexpr unsigned laneToRow(unsigned lane) { return lane / 2 + (lane % 2) * 16; }
inline constexpr unsigned rowToLane(unsigned row) { return (row % 16) * 2 + row / 16; }
/// The place of an element in its tile [tile_c2].
inline constexpr uint64_t tilePosition(unsigned lane, uint64_t column) {
  return column / 2 * 64 + lane * 2 + column % 2;
}

/// The same in order mma [mma_c2].
inline constexpr uint64_t mmaPosition(unsigned row, uint64_t column) {
  return column / 32 * 512 + (row % 8 * 4 + column % 16 / 4) * 16 + (row / 8 + column % 32 / 16 * 2) * 4 + column % 4;
}

/// The header of a payload, its fields as stored.
struct Header {
  uint8_t major = formatMajor;
  uint8_t minor = 0; ///< the lowest that describes the payload: getMinorVersion
  uint32_t requiredFlags = 0;
  uint32_t optionalFlags = 0;
  uint64_t payloadBytes = 0;
  uint64_t payloadHash = 0;
  uint64_t contentHash = 0;
  ElementType elementType = ElementType::F8E4M3FN;
  Encoding encoding = Encoding::Raw;
  Order order = Order::RowMajor;
  Stream stream = Stream::None;
  uint8_t rank = 0;
  uint8_t group = 0;
  uint8_t rawExponentBits = 0;
  uint8_t maxCodeLength = 0;
  uint32_t tileColumns = 0;
  uint32_t dataFlags = 0;
  uint8_t minExponent = 0;
  uint8_t maxExponent = 0;
  int8_t exponentOffset = 0; ///< o [group_c3]
  MatrixShape shape;
  uint64_t restOffset = 0;
  uint64_t tileTableOffset = 0;
  uint64_t codesOffset = 0;
  uint64_t codesBytes = 0;
  std::array<uint8_t, maxSymbolCount> codeLengths{}; ///< nibbles; for planes rank + 1; 0 with a wide code
  std::vector<uint8_t> wideLengths;                  ///< of a wide code, by coded symbol: their section
  uint64_t lengthsOffset = 0;                        ///< only with a wide code
  uint64_t lengthsBytes = 0;                         ///< the same
  std::array<uint64_t, maxRank> dims{};

  std::span<const uint64_t> getDims() const { return {dims.data(), rank}; }
  uint64_t elementCount() const { return shape.elementCount(); }
  const ElementSplit &split() const { return getElementSplit(elementType); }
  TileStorage storage() const { return getTileStorage(elementType, encoding, order, group); }
  /// Not for order row_major.
  TileGrid grid() const { return {shape, tileColumns, storage().columnGroup, order}; }
  /// Bytes of a unit of the tile table [table_c1].
  unsigned tableUnitBytes() const { return order == Order::Mma ? 16 : wordBits / 8; }
  /// Whether there is a tile table and a section of codes.
  bool hasCodes() const { return encoding != Encoding::Raw; }
  bool hasWideCode() const { return (requiredFlags & RequiresWideCode) != 0; }
  /// Bytes of the header itself [header_c3].
  uint64_t sizeBytes() const { return hasWideCode() ? wideHeaderBytes : headerBytes; }
  /// What the codes of huffman stand for: 16 or 32 symbols, or their pairs [huffman_c7]; in order mma 16 or 256 symbols
  /// [group_c2].
  unsigned codedSymbolCount() const;
};

/// Byte offsets of the header's fields, for messages and for programs that patch a payload.
namespace header_offset {
inline constexpr uint64_t magic = 0, major = 4, minor = 5, headerSize = 6, requiredFlags = 8, optionalFlags = 12,
                          payloadBytes = 16, payloadHash = 24, contentHash = 32, elementType = 40, encoding = 41,
                          order = 42, stream = 43, rank = 44, group = 45, rawExponentBits = 46, maxCodeLength = 47,
                          tileColumns = 48, dataFlags = 52, minExponent = 56, maxExponent = 57, exponentOffset = 58,
                          reserved = 59, rows = 64, columns = 72, restOffset = 80, tileTableOffset = 88,
                          codesOffset = 96, codesBytes = 104, codeLengths = 112, dims = 128, lengthsOffset = 192,
                          lengthsBytes = 200, wideReserved = 208;
} // namespace header_offset

/// Where the sections of a payload lie, given its shape, layout and number of code bytes [layout_c1].
struct SectionLayout {
  uint64_t lengthsOffset = 0; ///< only with a wide code
  uint64_t lengthsBytes = 0;  ///< the same
  uint64_t tileTableOffset = 0;
  uint64_t codesOffset = 0;
  uint64_t restOffset = 0;
  uint64_t restBytes = 0;
  uint64_t payloadBytes = 0;
};

/// Fails when a size reaches 2^63. Reads the layout fields, the shape and `codesBytes` of `header`.
Result<SectionLayout> computeLayout(const Header &header);

/// The 192 or 256 bytes of `header`, its hashes as they are.
std::vector<uint8_t> serializeHeader(const Header &header);

/// Sets the field payloadHash of a finished payload of at least 192 bytes to what its bytes give [header_c6].
void updatePayloadHash(std::span<uint8_t> payload);

/// Little-endian access; `bytes` must hold the value.
template <typename T> T loadLittle(const uint8_t *bytes) {
  T value = 0;
  for (unsigned i = 0; i < sizeof(T); ++i)
    value |= T(T(bytes[i]) << (8 * i));
  return value;
}
template <typename T> void storeLittle(uint8_t *bytes, T value) {
  for (unsigned i = 0; i < sizeof(T); ++i)
    bytes[i] = uint8_t(value >> (8 * i));
}

} // namespace ecf8

#endif // ECF8_CODEC_FORMAT_H
