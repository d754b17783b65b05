// The rules of docs/Format.md that need no decoding, in the order of the specification.
#include "ecf8/Codec/Reader.h"

#include "ecf8/Codec/Segments.h"
#include "ecf8/Support/Hash.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>

namespace ecf8 {
namespace {

namespace at = header_offset;

std::string hex(uint64_t value) {
  char text[24];
  std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(value));
  return text;
}

/// "expected X, got Y at byte N [rule]".
Status broken(StatusCode code, std::string_view expected, std::string_view got, uint64_t offset, const char *rule) {
  std::string message = "expected ";
  message.append(expected).append(", got ").append(got);
  message += " at byte " + std::to_string(offset) + " [" + rule + "]";
  return Status(code, std::move(message));
}

Status corrupt(std::string_view expected, std::string_view got, uint64_t offset, const char *rule) {
  return broken(StatusCode::Corrupt, expected, got, offset, rule);
}

Status corrupt(std::string_view what, uint64_t expected, uint64_t got, uint64_t offset, const char *rule) {
  return corrupt(std::string(what) + " " + std::to_string(expected), std::to_string(got), offset, rule);
}

Status unsupported(std::string_view expected, std::string_view got, uint64_t offset, const char *rule) {
  return broken(StatusCode::Unsupported, expected, got, offset, rule);
}

/// Checks in turn; the first broken rule is the result.
class HeaderReader {
public:
  /// `bytes` is the whole payload, or at least its header.
  HeaderReader(std::span<const uint8_t> bytes, uint64_t payloadBytes, bool verifyHash)
      : bytes(bytes), payloadBytes(payloadBytes), verifyHash(verifyHash) {}

  Status read(Header &header) {
    for (Status (HeaderReader::*check)(Header &) :
         {&HeaderReader::checkFraming, &HeaderReader::checkKinds, &HeaderReader::checkParameters,
          &HeaderReader::checkShape, &HeaderReader::checkContentFields, &HeaderReader::checkSections})
      if (Status status = (this->*check)(header); !status.isOk())
        return status;
    return Status::ok();
  }

  /// The bytes between the sections; of the whole payload.
  Status checkGaps(const Header &header);

private:
  template <typename T> T field(uint64_t offset) const { return loadLittle<T>(bytes.data() + offset); }

  Status checkFraming(Header &header);
  Status checkKinds(Header &header);
  Status checkParameters(Header &header);
  Status checkGroup(const Header &header) const;
  Status checkLengthLimit(const Header &header) const;
  Status checkShape(Header &header);
  Status checkContentFields(Header &header);
  Status checkSections(Header &header);
  Status checkZero(uint64_t begin, uint64_t end, const char *rule) const;

  std::span<const uint8_t> bytes;
  uint64_t payloadBytes;
  bool verifyHash;
};

Status HeaderReader::checkFraming(Header &header) {
  if (bytes.size() < headerBytes)
    return corrupt("a payload of at least 192 bytes", std::to_string(bytes.size()) + " bytes", 0, "header_c5");
  if (!std::equal(bytes.begin(), bytes.begin() + 4, "ECF8"))
    return corrupt("the magic bytes 'ECF8'", hex(field<uint32_t>(at::magic)), at::magic, "header_c1");
  header.major = field<uint8_t>(at::major);
  header.minor = field<uint8_t>(at::minor); // a later minor version is readable unless a required flag says otherwise
  if (header.major != formatMajor)
    return unsupported("major version 1", std::to_string(header.major), at::major, "header_c2");
  header.requiredFlags = field<uint32_t>(at::requiredFlags);
  header.optionalFlags = field<uint32_t>(at::optionalFlags);
  if ((header.requiredFlags & ~uint32_t(RequiresWideCode | RequiresMmaOrder)) != 0)
    return unsupported("no required feature but flags 1 and 2", "flags " + hex(header.requiredFlags), at::requiredFlags,
                       "header_c4");
  if (uint16_t size = field<uint16_t>(at::headerSize); size != header.sizeBytes())
    return unsupported("a header of " + std::to_string(header.sizeBytes()) + " bytes", std::to_string(size),
                       at::headerSize, "header_c3");
  if (bytes.size() < header.sizeBytes())
    return corrupt("a payload of at least 256 bytes", std::to_string(bytes.size()) + " bytes", 0, "header_c5");
  header.payloadBytes = field<uint64_t>(at::payloadBytes);
  if (header.payloadBytes != payloadBytes)
    return corrupt("a payload of " + std::to_string(header.payloadBytes) + " bytes",
                   std::to_string(payloadBytes) + " bytes", at::payloadBytes, "header_c5");
  header.payloadHash = field<uint64_t>(at::payloadHash);
  header.contentHash = field<uint64_t>(at::contentHash);
  if (verifyHash)
    if (uint64_t hash = hashBytes(bytes.subspan(at::contentHash)); hash != header.payloadHash)
      return corrupt("payload checksum " + hashToHex(header.payloadHash), hashToHex(hash), at::payloadHash,
                     "header_c6");
  return Status::ok();
}

Status HeaderReader::checkKinds(Header &header) {
  auto type = field<uint8_t>(at::elementType), encoding = field<uint8_t>(at::encoding);
  auto order = field<uint8_t>(at::order), stream = field<uint8_t>(at::stream);
  header.elementType = ElementType(type);
  header.encoding = Encoding(encoding);
  header.order = Order(order);
  header.stream = Stream(stream);
  auto named = [](std::string_view name, uint8_t number) {
    return std::to_string(number) + " (" + std::string(name) + ")";
  };
  if (header.elementType != ElementType::F8E4M3FN && header.elementType != ElementType::F8E5M2)
    return unsupported("element type 0 (f8E4M3FN) or 1 (f8E5M2)", named(getName(header.elementType), type),
                       at::elementType, "header_c7");
  if (header.encoding > Encoding::Planes)
    return unsupported("encoding 0 (raw), 1 (huffman) or 2 (planes)", named(getName(header.encoding), encoding),
                       at::encoding, "header_c8");
  std::string forEncoding = " for " + std::string(getName(header.encoding));
  bool isHuffman = header.encoding == Encoding::Huffman, isRaw = header.encoding == Encoding::Raw;
  bool isOrderKnown = header.order == Order::Rows32 || (isRaw && header.order == Order::RowMajor) ||
                      (header.order == Order::Mma && header.encoding != Encoding::Planes);
  if (!isOrderKnown)
    return unsupported((isRaw       ? "order 0 (row_major), 1 (rows32) or 2 (mma)"
                        : isHuffman ? "order 1 (rows32) or 2 (mma)"
                                    : "order 1 (rows32)") +
                           forEncoding,
                       named(getName(header.order), order), at::order, "header_c9");
  Stream expected = !isHuffman ? Stream::None : header.order == Order::Mma ? Stream::Segments : Stream::Interleaved;
  if (header.stream != expected)
    return unsupported("stream " + named(getName(expected), uint8_t(expected)) + forEncoding +
                           (isHuffman && header.order == Order::Mma ? " in order mma" : ""),
                       named(getName(header.stream), stream), at::stream, "header_c10");
  return Status::ok();
}

Status HeaderReader::checkParameters(Header &header) {
  header.rank = field<uint8_t>(at::rank);
  if (header.rank > maxRank)
    return corrupt("rank at most 8", std::to_string(header.rank), at::rank, "header_c11");
  header.group = field<uint8_t>(at::group);
  header.rawExponentBits = field<uint8_t>(at::rawExponentBits);
  header.maxCodeLength = field<uint8_t>(at::maxCodeLength);
  header.tileColumns = field<uint32_t>(at::tileColumns);
  if (Status status = checkGroup(header); !status.isOk())
    return status;
  bool isHuffman = header.encoding == Encoding::Huffman, isMma = header.order == Order::Mma;
  bool needsWideCode = isHuffman && header.group != 1;
  if (header.hasWideCode() != needsWideCode)
    return corrupt(needsWideCode ? "required flag 1 for group " + std::to_string(header.group)
                                 : "required flag 1 only for huffman of the groups 2 and 4",
                   "flags " + hex(header.requiredFlags), at::requiredFlags, "header_c4");
  if (((header.requiredFlags & RequiresMmaOrder) != 0) != isMma)
    return corrupt(isMma ? "required flag 2 for order mma" : "required flag 2 only for order mma",
                   "flags " + hex(header.requiredFlags), at::requiredFlags, "header_c4");
  bool hasTiles = header.order != Order::RowMajor;
  unsigned step = isMma ? mmaBlockColumns : 16;
  if (hasTiles ? header.tileColumns == 0 || header.tileColumns % step != 0 : header.tileColumns != 0)
    return corrupt(hasTiles ? "tile columns that are a positive multiple of " + std::to_string(step)
                            : "tile columns 0 for order row_major",
                   std::to_string(header.tileColumns), at::tileColumns, "header_c14");
  uint32_t most = isMma ? maxMmaTileColumns : header.encoding == Encoding::Planes ? maxPlanesTileColumns : ~uint32_t(0);
  if (header.tileColumns > most)
    return corrupt(std::string("at most 1024 tile columns for ") + (isMma ? "order mma" : "planes"),
                   std::to_string(header.tileColumns), at::tileColumns, "header_c14");
  header.exponentOffset = int8_t(field<uint8_t>(at::exponentOffset));
  int limit = isHuffman && header.group == 4 ? maxExponentOffset : 0;
  if (std::abs(header.exponentOffset) > limit)
    return corrupt(limit == 0 ? "exponent offset 0" : "an exponent offset from -3 to 3",
                   std::to_string(header.exponentOffset), at::exponentOffset, "header_c18");
  if (header.hasWideCode())
    if (Status status = checkZero(at::wideReserved, wideHeaderBytes, "header_c17"); !status.isOk())
      return status;
  return checkZero(at::reserved, at::rows, "header_c17");
}

Status HeaderReader::checkGroup(const Header &header) const {
  bool isHuffman = header.encoding == Encoding::Huffman;
  std::string forEncoding = " for " + std::string(getName(header.encoding));
  if (isHuffman && header.order == Order::Mma) { // [group_c1]
    std::optional<GroupLayout> group = getGroupLayout(header.elementType, header.group);
    if (!group)
      return unsupported("group 1, 2 or 4 for order mma", std::to_string(header.group), at::group, "group_c1");
    std::string forGroup = " for group " + std::to_string(header.group) + " of " +
                           std::string(getName(header.elementType)) + " in order mma";
    if (header.rawExponentBits != group->rawExponentBits)
      return unsupported(std::to_string(group->rawExponentBits) + " raw exponent bits" + forGroup,
                         std::to_string(header.rawExponentBits), at::rawExponentBits, "group_c1");
    if (header.maxCodeLength < group->minCodeLengthLimit || header.maxCodeLength > group->maxCodeLengthLimit)
      return unsupported("code length limit " + std::to_string(group->minCodeLengthLimit) + " to " +
                             std::to_string(group->maxCodeLengthLimit) + forGroup,
                         std::to_string(header.maxCodeLength), at::maxCodeLength, "group_c1");
    return Status::ok();
  }
  if (isHuffman ? header.group != 1 && header.group != 2 : header.group != 0)
    return unsupported((isHuffman ? "group 1 or 2" : "group 0") + forEncoding, std::to_string(header.group), at::group,
                       "header_c12");
  if (header.rawExponentBits != 0)
    return unsupported("0 raw exponent bits", std::to_string(header.rawExponentBits), at::rawExponentBits,
                       "header_c12");
  return checkLengthLimit(header);
}

Status HeaderReader::checkLengthLimit(const Header &header) const {
  std::string got = std::to_string(header.maxCodeLength);
  std::string forEncoding = " for " + std::string(getName(header.encoding));
  if (header.encoding != Encoding::Huffman)
    return header.maxCodeLength == 0
               ? Status::ok()
               : unsupported("code length limit 0" + forEncoding, got, at::maxCodeLength, "header_c12");
  if (header.group == 2)
    return header.maxCodeLength == 12 ? Status::ok()
                                      : unsupported("code length limit 12" + forEncoding + " of group 2", got,
                                                    at::maxCodeLength, "header_c12");
  return header.maxCodeLength == 7 || header.maxCodeLength == 8
             ? Status::ok()
             : unsupported("code length limit 7 or 8" + forEncoding, got, at::maxCodeLength, "header_c12");
}

Status HeaderReader::checkShape(Header &header) {
  for (unsigned i = 0; i < maxRank; ++i) {
    header.dims[i] = field<uint64_t>(at::dims + i * 8);
    if (i >= header.rank && header.dims[i] != 0)
      return corrupt("unused dimension " + std::to_string(i) + " to be", 0, header.dims[i], at::dims + i * 8,
                     "header_c13");
  }
  Result<MatrixShape> shape = getMatrixShape(header.getDims());
  if (!shape)
    return Status(StatusCode::Corrupt, shape.status().message()).in("dimensions at byte 128");
  header.shape = *shape;
  if (uint64_t rows = field<uint64_t>(at::rows); rows != header.shape.rows)
    return corrupt("rows", header.shape.rows, rows, at::rows, "header_c13");
  if (uint64_t columns = field<uint64_t>(at::columns); columns != header.shape.columns)
    return corrupt("columns", header.shape.columns, columns, at::columns, "header_c13");
  return Status::ok();
}

Status HeaderReader::checkContentFields(Header &header) {
  header.dataFlags = field<uint32_t>(at::dataFlags);
  if (header.dataFlags > 15)
    return corrupt("data flags in the low 4 bits", hex(header.dataFlags), at::dataFlags, "header_c15");
  header.minExponent = field<uint8_t>(at::minExponent);
  header.maxExponent = field<uint8_t>(at::maxExponent);
  unsigned limit = header.elementCount() == 0 ? 0 : header.split().symbolCount - 1;
  if (header.maxExponent > limit)
    return corrupt("greatest exponent at most " + std::to_string(limit), std::to_string(header.maxExponent),
                   at::maxExponent, "header_c16");
  if (header.minExponent > header.maxExponent)
    return corrupt("least exponent at most " + std::to_string(header.maxExponent), std::to_string(header.minExponent),
                   at::minExponent, "header_c16");
  for (unsigned i = 0; i < maxSymbolCount; ++i)
    header.codeLengths[i] = field<uint8_t>(at::codeLengths + i / 2) >> (i % 2 * 4) & 15;
  if (header.hasWideCode())
    return checkZero(at::codeLengths, at::dims, "huffman_c8");
  return Status::ok();
}

Status HeaderReader::checkSections(Header &header) {
  header.restOffset = field<uint64_t>(at::restOffset);
  header.tileTableOffset = field<uint64_t>(at::tileTableOffset);
  header.codesOffset = field<uint64_t>(at::codesOffset);
  header.codesBytes = field<uint64_t>(at::codesBytes);
  if (header.hasCodes() ? header.codesBytes % header.tableUnitBytes() != 0 : header.codesBytes != 0)
    return corrupt(!header.hasCodes()           ? "0 bytes of codes for raw"
                   : header.order == Order::Mma ? "bytes of codes that are a multiple of 16"
                                                : "an even number of bytes of codes",
                   std::to_string(header.codesBytes), at::codesBytes, "layout_c1");
  Result<SectionLayout> layout = computeLayout(header);
  if (!layout)
    return Status(StatusCode::Corrupt, layout.status().message()).in("sizes at bytes 64 to 111");
  if (header.hasWideCode()) {
    header.lengthsOffset = field<uint64_t>(at::lengthsOffset);
    header.lengthsBytes = field<uint64_t>(at::lengthsBytes);
    if (header.lengthsOffset != layout->lengthsOffset)
      return corrupt("code lengths offset", layout->lengthsOffset, header.lengthsOffset, at::lengthsOffset,
                     "layout_c1");
    if (header.lengthsBytes != layout->lengthsBytes)
      return corrupt("bytes of code lengths", layout->lengthsBytes, header.lengthsBytes, at::lengthsBytes, "layout_c1");
    if (header.lengthsOffset + header.lengthsBytes > bytes.size())
      return corrupt("code lengths up to byte " + std::to_string(header.lengthsOffset + header.lengthsBytes),
                     std::to_string(bytes.size()) + " bytes", header.lengthsOffset, "layout_c2");
    header.wideLengths.assign(bytes.begin() + ptrdiff_t(header.lengthsOffset),
                              bytes.begin() + ptrdiff_t(header.lengthsOffset + header.lengthsBytes));
  }
  if (header.tileTableOffset != layout->tileTableOffset)
    return corrupt("tile table offset", layout->tileTableOffset, header.tileTableOffset, at::tileTableOffset,
                   "layout_c1");
  if (header.codesOffset != layout->codesOffset)
    return corrupt("codes offset", layout->codesOffset, header.codesOffset, at::codesOffset, "layout_c1");
  if (header.restOffset != layout->restOffset)
    return corrupt("rest offset", layout->restOffset, header.restOffset, at::restOffset, "layout_c1");
  if (header.payloadBytes != layout->payloadBytes)
    return corrupt("payload bytes", layout->payloadBytes, header.payloadBytes, at::payloadBytes, "layout_c2");
  return Status::ok();
}

Status HeaderReader::checkGaps(const Header &header) {
  SectionLayout layout = *computeLayout(header);
  if (header.hasCodes()) {
    uint64_t tableEnd = header.tileTableOffset + (header.grid().tileCount() + 1) * 4;
    if (Status status = checkZero(tableEnd, header.codesOffset, "layout_c3"); !status.isOk())
      return status;
    uint64_t codesEnd = header.codesOffset + header.codesBytes;
    if (Status status = checkZero(codesEnd, header.restOffset, "layout_c3"); !status.isOk())
      return status;
  }
  return checkZero(header.restOffset + layout.restBytes, header.payloadBytes, "layout_c3");
}

Status HeaderReader::checkZero(uint64_t begin, uint64_t end, const char *rule) const {
  for (uint64_t offset = begin; offset < end; ++offset)
    if (bytes[offset] != 0)
      return corrupt("byte 0x0", hex(bytes[offset]), offset, rule);
  return Status::ok();
}

Status checkTable(const Payload &payload) {
  const Header &header = payload.header;
  auto position = [&](uint64_t index) { return header.tileTableOffset + index * 4; };
  const std::string unit = header.order == Order::Mma ? "unit" : "word";
  auto entry = [&](uint64_t index) { return payload.tileOffset(index) / header.tableUnitBytes(); };
  if (uint64_t first = entry(0); first != 0)
    return corrupt("first tile at " + unit, 0, first, position(0), "table_c1");
  uint64_t tiles = header.grid().tileCount();
  for (uint64_t tile = 1; tile <= tiles; ++tile)
    if (entry(tile) < entry(tile - 1))
      return corrupt("a " + unit + " offset of at least " + std::to_string(entry(tile - 1)),
                     std::to_string(entry(tile)), position(tile), "table_c2");
  if (uint64_t last = entry(tiles); last != header.codesBytes / header.tableUnitBytes())
    return corrupt("last " + unit + " offset", header.codesBytes / header.tableUnitBytes(), last, position(tiles),
                   "table_c3");
  return Status::ok();
}

/// Whether `exponent` is part of a coded symbol with a code [header_c16].
bool isCoded(const Header &header, std::span<const uint8_t> lengths, unsigned exponent) {
  if (header.group != 2)
    return lengths[exponent] != 0;
  unsigned symbols = header.split().symbolCount;
  for (unsigned other = 0; other < symbols; ++other)
    if (lengths[exponent + symbols * other] != 0 || lengths[other + symbols * exponent] != 0)
      return true;
  return false;
}

Status checkCode(const Header &header, std::span<const uint8_t> lengths, const CanonicalCode &code) {
  bool needsCode = header.encoding == Encoding::Huffman && header.elementCount() != 0;
  uint64_t offset = header.hasWideCode() ? header.lengthsOffset : at::codeLengths;
  if (header.encoding == Encoding::Huffman && header.order == Order::Mma) {
    for (unsigned symbol = 0; symbol < header.codedSymbolCount(); ++symbol)
      if (lengths[symbol] == 0)
        return corrupt("a code for symbol " + std::to_string(symbol), "none",
                       offset + (header.hasWideCode() ? symbol : symbol / 2), "group_c4");
    return Status::ok();
  }
  if (!needsCode && code.usedSymbols() != 0)
    return corrupt("no code lengths for an empty tensor", std::to_string(code.usedSymbols()) + " symbols", offset,
                   "huffman_c5");
  if (needsCode && code.usedSymbols() == 0)
    return corrupt("at least one code length", "none", offset, "huffman_c5");
  if (needsCode)
    for (uint64_t place : {at::minExponent, at::maxExponent})
      if (unsigned symbol = place == at::minExponent ? header.minExponent : header.maxExponent;
          !isCoded(header, lengths, symbol))
        return corrupt("an exponent that has a code", std::to_string(symbol), place, "header_c16");
  return Status::ok();
}

/// [huffman_c1] to [huffman_c5] and [huffman_c7]
Status readCode(Payload &payload) {
  const Header &header = payload.header;
  std::span<const uint8_t> lengths = header.codeLengths;
  if (header.hasWideCode())
    lengths = header.wideLengths;
  // Raw has the limit 0 and with it no code lengths at all.
  unsigned symbolCount = header.encoding == Encoding::Huffman ? header.codedSymbolCount() : 0;
  Result<CanonicalCode> code = header.hasWideCode()
                                   ? CanonicalCode::createWide(lengths, header.maxCodeLength)
                                   : CanonicalCode::create(header.codeLengths, symbolCount, header.maxCodeLength);
  if (!code)
    return code.status();
  payload.code = code.take();
  return checkCode(header, lengths, payload.code);
}

/// [planes_c1] to [planes_c3]
Status readRanks(Payload &payload) {
  const Header &header = payload.header;
  Result<SymbolRanks> ranks = SymbolRanks::create(header.codeLengths, header.split().symbolCount);
  if (!ranks)
    return ranks.status();
  payload.ranks = ranks.take();
  unsigned used = payload.ranks.usedRanks();
  if (header.elementCount() == 0 && used != 0)
    return corrupt("no ranks for an empty tensor", std::to_string(used), at::codeLengths, "planes_c3");
  if (header.elementCount() != 0 && used == 0)
    return corrupt("a symbol of rank 0", "no ranks", at::codeLengths, "planes_c3");
  return Status::ok();
}

} // namespace

uint8_t Payload::paddingElement(uint64_t column) const {
  const ElementSplit &split = header.split();
  switch (header.encoding) {
  case Encoding::Raw:
    return 0;
  case Encoding::Huffman:
    if (header.group == 2) // pairs, whose first element is the lower part
      return split.elementOf(
          column % 2 == 0 ? code.paddingSymbol() % split.symbolCount : code.paddingSymbol() / split.symbolCount, 0);
    return split.elementOf(code.paddingSymbol(), 0);
  case Encoding::Planes:
    break;
  }
  return split.elementOf(ranks.symbolOf(0), 0);
}

/// [huffman_c1] to [huffman_c5], [planes_c1] to [planes_c3]
static Status readCodeOrRanks(Payload &payload) {
  return payload.header.encoding == Encoding::Planes ? readRanks(payload) : readCode(payload);
}

Result<Payload> readPayload(std::span<const uint8_t> bytes, bool verifyHash) {
  Payload payload;
  payload.bytes = bytes;
  HeaderReader reader(bytes, bytes.size(), verifyHash);
  if (Status status = reader.read(payload.header); !status.isOk())
    return status;
  if (Status status = reader.checkGaps(payload.header); !status.isOk())
    return status;
  if (Status status = readCodeOrRanks(payload); !status.isOk())
    return status;
  if (payload.header.hasCodes())
    if (Status status = checkTable(payload); !status.isOk())
      return status;
  return payload;
}

Result<Payload> readPayloadHeader(std::span<const uint8_t> bytes, uint64_t payloadBytes) {
  Payload payload;
  if (Status status = HeaderReader(bytes, payloadBytes, /*verifyHash=*/false).read(payload.header); !status.isOk())
    return status;
  if (Status status = readCodeOrRanks(payload); !status.isOk())
    return status;
  return payload;
}

} // namespace ecf8
