// Names, sizes and the header's bytes: the arithmetic of docs/Format.md.
#include "ecf8/Codec/Format.h"

#include "ecf8/Support/Hash.h"

#include <algorithm>
#include <string>

namespace ecf8 {
namespace {

constexpr ElementSplit splitE4M3FN = {16, 3, 0x87};
constexpr ElementSplit splitE5M2 = {32, 2, 0x83};

// Sizes and counts stay below 2^63, so that they fit the signed 64-bit integers of other parts.
constexpr uint64_t sizeLimit = uint64_t(1) << 63;

using Wide = unsigned __int128;

Wide alignUp(Wide value) { return (value + (sectionAlignment - 1)) / sectionAlignment * sectionAlignment; }

} // namespace

const ElementSplit &getElementSplit(ElementType type) { return type == ElementType::F8E5M2 ? splitE5M2 : splitE4M3FN; }

RestUnit getRestUnit(ElementType type) { return type == ElementType::F8E5M2 ? RestUnit{16, 192} : RestUnit{4, 64}; }

uint8_t getMinorVersion(Encoding encoding, Order order, unsigned group) {
  if (order == Order::Mma)
    return 3;
  if (encoding == Encoding::Huffman)
    return group == 2 ? 2 : 0;
  return encoding == Encoding::Planes ? 1 : 0;
}

TileStorage getTileStorage(ElementType type, Encoding encoding, Order order, unsigned group) {
  if (order == Order::Mma) // [mma_c4] [slots_c1] [slots_c2]
    return {mmaBlockColumns, encoding == Encoding::Raw ? 16u : group == 4 ? 12u : 8u};
  bool isE5M2 = type == ElementType::F8E5M2;
  if (encoding == Encoding::Raw) // [raw_c2]
    return {isE5M2 ? 16u : 4u, laneCount};
  if (encoding == Encoding::Planes) // [units_c2] [units_c3]
    return isE5M2 ? TileStorage{16, 20} : TileStorage{8, 24};
  return isE5M2 ? TileStorage{16, 12} : TileStorage{4, 16}; // [rest_c1] [rest_c2]
}

uint32_t dataFlagsOf(ElementType type, uint8_t element) {
  uint32_t flags = element == 0x80 ? DataHasNegativeZero : 0;
  uint8_t magnitude = element & 0x7F;
  if (type == ElementType::F8E5M2) {
    if (magnitude > 0x7C)
      flags |= DataHasNaN;
    if (magnitude == 0x7C)
      flags |= DataHasInfinity;
    if (magnitude > 0 && magnitude < 0x04)
      flags |= DataHasSubnormal;
    return flags;
  }
  if (magnitude == 0x7F)
    flags |= DataHasNaN;
  if (magnitude > 0 && magnitude < 0x08)
    flags |= DataHasSubnormal;
  return flags;
}

std::string_view getName(ElementType type) {
  constexpr std::string_view names[] = {"f8E4M3FN", "f8E5M2", "f8E4M3FNUZ", "f8E5M2FNUZ", "f8E8M0FNU", "bf16"};
  return size_t(type) < std::size(names) ? names[size_t(type)] : "unknown";
}

std::string_view getName(Encoding encoding) {
  constexpr std::string_view names[] = {"raw", "huffman", "planes"};
  return size_t(encoding) < std::size(names) ? names[size_t(encoding)] : "unknown";
}

std::string_view getName(Order order) {
  constexpr std::string_view names[] = {"row_major", "rows32", "mma"};
  return size_t(order) < std::size(names) ? names[size_t(order)] : "unknown";
}

std::string_view getName(Stream stream) {
  constexpr std::string_view names[] = {"none", "interleaved", "segments"};
  return size_t(stream) < std::size(names) ? names[size_t(stream)] : "unknown";
}

Result<MatrixShape> getMatrixShape(std::span<const uint64_t> dims) {
  if (dims.size() > maxRank)
    return Status(StatusCode::InvalidArgument,
                  "expected rank at most 8, got " + std::to_string(dims.size()) + " [header_c11]");
  MatrixShape shape;
  if (dims.empty())
    return shape;
  auto tooLarge = [] {
    return Status(StatusCode::InvalidArgument, "expected fewer than 2^63 rows, columns and elements [header_c13]");
  };
  std::span<const uint64_t> outer = dims.first(dims.size() - 1);
  shape.columns = dims.back();
  // A factor 0 anywhere makes the product 0, however large the others are.
  bool isEmpty = std::find(outer.begin(), outer.end(), 0) != outer.end();
  shape.rows = isEmpty ? 0 : 1;
  for (uint64_t dim : outer) {
    if (dim >= sizeLimit || Wide(shape.rows) * dim >= sizeLimit)
      return tooLarge();
    shape.rows *= dim;
  }
  if (shape.columns >= sizeLimit || Wide(shape.rows) * shape.columns >= sizeLimit)
    return tooLarge();
  return shape;
}

uint64_t TileGrid::stripRows(uint64_t strip) const {
  return std::min<uint64_t>(paddedRows(), shape.rows - strip * paddedRows());
}

uint64_t TileGrid::position(unsigned row, uint64_t column) const {
  return order == Order::Mma ? mmaPosition(row, column) : tilePosition(rowToLane(row), column);
}

uint64_t TileGrid::tileWidth(uint64_t tile) const { return std::min(tileColumns, shape.columns - tile * tileColumns); }

uint64_t TileGrid::paddedWidth(uint64_t tile) const {
  return (tileWidth(tile) + columnGroup - 1) / columnGroup * columnGroup;
}

// The width of a full tile is a multiple of every column group, so only the last tile of a strip has padding.
uint64_t TileGrid::paddedColumns() const { return (shape.columns + columnGroup - 1) / columnGroup * columnGroup; }

unsigned Header::codedSymbolCount() const {
  if (order == Order::Mma)
    return group == 1 ? 16 : 256;
  return split().symbolCount * (group == 2 ? split().symbolCount : 1);
}

Result<SectionLayout> computeLayout(const Header &header) {
  Wide tableOffset = 0, codesOffset = 0, restOffset = headerBytes, restBytes = 0;
  uint64_t lengthsOffset = header.hasWideCode() ? wideHeaderBytes : 0;
  uint64_t lengthsBytes = header.hasWideCode() ? header.codedSymbolCount() : 0;
  if (header.order == Order::RowMajor) {
    restBytes = header.elementCount();
  } else {
    TileGrid grid = header.grid();
    Wide storedColumns = Wide(grid.strips()) * grid.paddedColumns();
    restBytes = storedColumns * header.storage().bytesPerColumn;
    if (header.hasCodes()) {
      tableOffset = header.hasWideCode() ? alignUp(lengthsOffset + lengthsBytes) : headerBytes;
      codesOffset = alignUp(tableOffset + (Wide(grid.strips()) * grid.tilesPerStrip() + 1) * 4);
      restOffset = alignUp(codesOffset + header.codesBytes);
    }
  }
  Wide payloadBytes = alignUp(restOffset + restBytes);
  if (payloadBytes >= sizeLimit)
    return Status(StatusCode::InvalidArgument, "expected a payload below 2^63 bytes [layout_c1]");
  return SectionLayout{lengthsOffset,        lengthsBytes,        uint64_t(tableOffset), uint64_t(codesOffset),
                       uint64_t(restOffset), uint64_t(restBytes), uint64_t(payloadBytes)};
}

std::vector<uint8_t> serializeHeader(const Header &header) {
  namespace at = header_offset;
  std::vector<uint8_t> bytes(header.sizeBytes());
  auto put = [&](uint64_t offset, auto value) { storeLittle(bytes.data() + offset, value); };
  for (unsigned i = 0; i < 4; ++i)
    bytes[at::magic + i] = uint8_t("ECF8"[i]);
  put(at::major, header.major);
  put(at::minor, header.minor);
  put(at::headerSize, uint16_t(header.sizeBytes()));
  put(at::requiredFlags, header.requiredFlags);
  put(at::optionalFlags, header.optionalFlags);
  put(at::payloadBytes, header.payloadBytes);
  put(at::payloadHash, header.payloadHash);
  put(at::contentHash, header.contentHash);
  put(at::elementType, uint8_t(header.elementType));
  put(at::encoding, uint8_t(header.encoding));
  put(at::order, uint8_t(header.order));
  put(at::stream, uint8_t(header.stream));
  put(at::rank, header.rank);
  put(at::group, header.group);
  put(at::rawExponentBits, header.rawExponentBits);
  put(at::maxCodeLength, header.maxCodeLength);
  put(at::tileColumns, header.tileColumns);
  put(at::dataFlags, header.dataFlags);
  put(at::minExponent, header.minExponent);
  put(at::maxExponent, header.maxExponent);
  put(at::exponentOffset, uint8_t(header.exponentOffset));
  put(at::rows, header.shape.rows);
  put(at::columns, header.shape.columns);
  put(at::restOffset, header.restOffset);
  put(at::tileTableOffset, header.tileTableOffset);
  put(at::codesOffset, header.codesOffset);
  put(at::codesBytes, header.codesBytes);
  for (unsigned i = 0; i < maxSymbolCount; ++i)
    bytes[at::codeLengths + i / 2] |= uint8_t(header.codeLengths[i] << (i % 2 * 4));
  for (unsigned i = 0; i < maxRank; ++i)
    put(at::dims + i * 8, header.dims[i]);
  if (header.hasWideCode()) {
    put(at::lengthsOffset, header.lengthsOffset);
    put(at::lengthsBytes, header.lengthsBytes);
  }
  return bytes;
}

void updatePayloadHash(std::span<uint8_t> payload) {
  uint64_t hash = hashBytes(payload.subspan(header_offset::contentHash));
  storeLittle(payload.data() + header_offset::payloadHash, hash);
}

} // namespace ecf8
