// Mutations of payloads that get past the checks of the frame.
#include "PayloadMutator.h"

#include "ecf8/Codec/Decoder.h"
#include "ecf8/Codec/Encoder.h"
#include "ecf8/Codec/Segments.h"
#include "ecf8/Support/Hash.h"

#include <algorithm>
#include <optional>

namespace ecf8::fuzz {
namespace {

namespace at = header_offset;
using Bytes = std::vector<uint8_t>;

template <typename T> T load(const Bytes &payload, uint64_t offset) { return loadLittle<T>(payload.data() + offset); }
template <typename T> void store(Bytes &payload, uint64_t offset, T value) {
  storeLittle(payload.data() + offset, value);
}

/// The fields that decide where sections lie, if they name something that exists.
std::optional<Header> readLayoutFields(const Bytes &payload) {
  Header header;
  header.elementType = ElementType(payload[at::elementType]);
  header.encoding = Encoding(payload[at::encoding]);
  header.order = Order(payload[at::order]);
  header.rank = payload[at::rank];
  header.group = payload[at::group];
  header.requiredFlags = load<uint32_t>(payload, at::requiredFlags);
  header.tileColumns = load<uint32_t>(payload, at::tileColumns);
  header.codesBytes = load<uint64_t>(payload, at::codesBytes);
  bool hasTiles = header.order != Order::RowMajor;
  if ((header.hasCodes() && !hasTiles) || payload.size() < header.sizeBytes())
    return std::nullopt;
  if (header.elementType > ElementType::F8E5M2 || header.encoding > Encoding::Planes || header.order > Order::Mma ||
      header.rank > maxRank || (hasTiles && header.tileColumns == 0))
    return std::nullopt;
  for (unsigned i = 0; i < maxRank; ++i)
    header.dims[i] = load<uint64_t>(payload, at::dims + i * 8);
  Result<MatrixShape> shape = getMatrixShape(header.getDims());
  if (!shape)
    return std::nullopt;
  header.shape = *shape;
  return header;
}

/// Code lengths, tile table, codes or rest: [begin, end), inside the payload.
struct Section {
  uint64_t begin, end;
};

std::optional<Section> pickSection(const Bytes &payload, Random &random) {
  std::vector<uint64_t> borders = {load<uint64_t>(payload, at::restOffset), payload.size()};
  if (uint64_t table = load<uint64_t>(payload, at::tileTableOffset); table != 0) {
    borders.insert(borders.begin(), {table, load<uint64_t>(payload, at::codesOffset)});
    if (table > wideHeaderBytes)
      borders.insert(borders.begin(), wideHeaderBytes);
  }
  uint64_t first = random.below(borders.size() - 1);
  Section section = {borders[first], borders[first + 1]};
  if (section.begin < headerBytes || section.begin >= section.end || section.end > payload.size())
    return std::nullopt;
  return section;
}

//===-- Mutations
//---------------------------------------------------------------------------------------------------===//

void mutateField(Bytes &payload, Random &random) {
  struct Field {
    uint64_t offset;
    unsigned bytes;
  };
  static constexpr Field fields[] = {{at::magic, 4},
                                     {at::major, 1},
                                     {at::minor, 1},
                                     {at::headerSize, 2},
                                     {at::requiredFlags, 4},
                                     {at::optionalFlags, 4},
                                     {at::payloadBytes, 8},
                                     {at::contentHash, 8},
                                     {at::elementType, 1},
                                     {at::encoding, 1},
                                     {at::order, 1},
                                     {at::stream, 1},
                                     {at::rank, 1},
                                     {at::group, 1},
                                     {at::rawExponentBits, 1},
                                     {at::maxCodeLength, 1},
                                     {at::tileColumns, 4},
                                     {at::dataFlags, 4},
                                     {at::minExponent, 1},
                                     {at::maxExponent, 1},
                                     {at::exponentOffset, 1},
                                     {at::reserved, 5},
                                     {at::rows, 8},
                                     {at::columns, 8},
                                     {at::restOffset, 8},
                                     {at::tileTableOffset, 8},
                                     {at::codesOffset, 8},
                                     {at::codesBytes, 8},
                                     {at::dims, 8},
                                     {at::dims + 8, 8},
                                     {at::dims + 16, 8},
                                     {at::dims + 56, 8},
                                     {at::lengthsOffset, 8},
                                     {at::lengthsBytes, 8},
                                     {at::wideReserved, 8}};
  const Field &field = fields[random.below(std::size(fields))];
  if (field.offset + field.bytes > payload.size())
    return;
  Bytes wide(8);
  std::copy_n(payload.begin() + ptrdiff_t(field.offset), field.bytes, wide.begin());
  uint64_t value = load<uint64_t>(wide, 0);
  const uint64_t others[] = {value + 1,
                             value - 1,
                             value + 2,
                             value + 16,
                             value - 16,
                             value + 64,
                             value * 2,
                             value / 2,
                             0,
                             1,
                             random.below(300),
                             value ^ uint64_t(1) << random.below(64),
                             random.bits(),
                             ~uint64_t(0) >> random.below(64)};
  store(wide, 0, others[random.below(std::size(others))]);
  std::copy_n(wide.begin(), field.bytes, payload.begin() + ptrdiff_t(field.offset));
}

/// Code lengths or ranks: two symbols change places (the code stays complete), or one length changes.
void mutateLengths(Bytes &payload, Random &random) {
  if (std::optional<Header> header = readLayoutFields(payload);
      header && header->hasWideCode() && wideHeaderBytes + header->codedSymbolCount() <= payload.size()) {
    auto length = [&]() -> uint8_t & { return payload[wideHeaderBytes + random.below(header->codedSymbolCount())]; };
    if (random.oneIn(3))
      length() = uint8_t(random.below(16));
    else
      std::swap(length(), length());
    return;
  }
  auto get = [&](uint64_t symbol) { return payload[at::codeLengths + symbol / 2] >> (symbol % 2 * 4) & 15; };
  auto set = [&](uint64_t symbol, int nibble) {
    uint8_t &byte = payload[at::codeLengths + symbol / 2];
    byte = uint8_t((byte & ~(15 << (symbol % 2 * 4))) | nibble << (symbol % 2 * 4));
  };
  uint64_t first = random.below(maxSymbolCount), second = random.below(maxSymbolCount);
  int nibble = get(first);
  if (random.oneIn(3)) {
    set(first, int(random.below(16)));
  } else {
    set(first, get(second));
    set(second, nibble);
  }
}

void mutateSection(Bytes &payload, Random &random) {
  std::optional<Section> section = pickSection(payload, random);
  if (!section)
    return;
  if (random.oneIn(2)) {
    for (uint64_t flips = 1 + random.below(3); flips-- > 0;)
      payload[section->begin + random.below(section->end - section->begin)] ^= uint8_t(1 << random.below(8));
    return;
  }
  uint64_t size = section->end - section->begin;
  LLVMFuzzerMutate(payload.data() + section->begin, size, size);
}

/// Puts words (in order mma units) into the stream of a tile or takes some out, and moves all that follows.
void resizeStream(Bytes &payload, Random &random) {
  std::optional<Header> header = readLayoutFields(payload);
  if (!header || !header->hasCodes())
    return;
  uint64_t table = load<uint64_t>(payload, at::tileTableOffset), codes = load<uint64_t>(payload, at::codesOffset);
  uint64_t rest = load<uint64_t>(payload, at::restOffset), tiles = header->grid().tileCount();
  if (tiles == 0 || tiles > payload.size() || table < headerBytes || table > payload.size() ||
      codes < table + (tiles + 1) * 4 || rest < codes || rest > payload.size() || header->codesBytes > rest - codes)
    return;
  uint64_t tile = random.below(tiles);
  uint64_t end = load<uint32_t>(payload, table + (tile + 1) * 4), begin = load<uint32_t>(payload, table + tile * 4);
  const uint64_t unit = header->tableUnitBytes();
  if (begin > end || end * unit > header->codesBytes)
    return;
  int64_t words = int64_t(1 + random.below(3));
  if (random.oneIn(2))
    words = -std::min(words, int64_t(end - begin));
  Bytes stream(payload.begin() + ptrdiff_t(codes), payload.begin() + ptrdiff_t(codes + header->codesBytes));
  auto place = stream.begin() + ptrdiff_t(end * unit);
  if (words > 0)
    stream.insert(place, size_t(words) * unit, uint8_t(random.oneIn(2) ? 0 : random.bits()));
  else
    stream.erase(place + words * ptrdiff_t(unit), place);
  for (uint64_t i = tile + 1; i <= tiles; ++i)
    store(payload, table + i * 4, uint32_t(load<uint32_t>(payload, table + i * 4) + words));
  Bytes last(payload.begin() + ptrdiff_t(rest), payload.end());
  payload.resize(codes);
  payload.insert(payload.end(), stream.begin(), stream.end());
  payload.resize((payload.size() + sectionAlignment - 1) / sectionAlignment * sectionAlignment);
  store(payload, at::codesBytes, uint64_t(stream.size()));
  store(payload, at::restOffset, uint64_t(payload.size()));
  payload.insert(payload.end(), last.begin(), last.end());
}

//===-- Repairs
//-----------------------------------------------------------------------------------------------------===//

/// Offsets and sizes as they follow from the other fields; the payload becomes as long as they say.
void repairLayout(Bytes &payload, size_t maxSize) {
  std::optional<Header> header = readLayoutFields(payload);
  if (!header)
    return;
  if (!header->hasCodes())
    header->codesBytes = 0;
  Result<SectionLayout> layout = computeLayout(*header);
  if (!layout || layout->payloadBytes > maxSize)
    return;
  payload.resize(layout->payloadBytes);
  store(payload, at::rows, header->shape.rows);
  store(payload, at::columns, header->shape.columns);
  store(payload, at::restOffset, layout->restOffset);
  store(payload, at::tileTableOffset, layout->tileTableOffset);
  store(payload, at::codesOffset, layout->codesOffset);
  store(payload, at::codesBytes, header->codesBytes);
  if (header->hasWideCode() && header->hasCodes()) {
    store(payload, at::lengthsOffset, layout->lengthsOffset);
    store(payload, at::lengthsBytes, layout->lengthsBytes);
    std::fill(payload.begin() + ptrdiff_t(layout->lengthsOffset + layout->lengthsBytes),
              payload.begin() + ptrdiff_t(layout->tileTableOffset), uint8_t(0));
  }
  std::fill(payload.begin() + ptrdiff_t(layout->restOffset + layout->restBytes), payload.end(), uint8_t(0));
  if (!header->hasCodes())
    return;
  uint64_t tableEnd = layout->tileTableOffset + (header->grid().tileCount() + 1) * 4;
  std::fill(payload.begin() + ptrdiff_t(tableEnd), payload.begin() + ptrdiff_t(layout->codesOffset), uint8_t(0));
  std::fill(payload.begin() + ptrdiff_t(layout->codesOffset + header->codesBytes),
            payload.begin() + ptrdiff_t(layout->restOffset), uint8_t(0));
}

/// Fields of no choice: those of which only one value is right for the encoding.
void repairParameters(Bytes &payload) {
  bool isHuffman = payload[at::encoding] == uint8_t(Encoding::Huffman);
  bool isPlanes = payload[at::encoding] == uint8_t(Encoding::Planes);
  if (isPlanes || (isHuffman && payload[at::order] != uint8_t(Order::Mma)))
    payload[at::order] = uint8_t(Order::Rows32);
  bool isMma = payload[at::order] == uint8_t(Order::Mma);
  payload[at::stream] = uint8_t(!isHuffman ? Stream::None : isMma ? Stream::Segments : Stream::Interleaved);
  uint8_t &group = payload[at::group];
  if (!isHuffman)
    group = 0;
  else if (group != 2 && (group != 4 || !isMma))
    group = 1;
  bool isWide = group > 1;
  store(payload, at::requiredFlags, uint32_t((isWide ? RequiresWideCode : 0) | (isMma ? RequiresMmaOrder : 0)));
  store(payload, at::headerSize, uint16_t(isWide ? wideHeaderBytes : headerBytes));
  uint8_t &length = payload[at::maxCodeLength];
  payload[at::rawExponentBits] = 0;
  if (!isHuffman) {
    length = 0;
  } else if (isMma) {
    auto layout = *getGroupLayout(ElementType(payload[at::elementType]), group);
    payload[at::rawExponentBits] = uint8_t(layout.rawExponentBits);
    if (length < layout.minCodeLengthLimit || length > layout.maxCodeLengthLimit)
      length = uint8_t(layout.defaultCodeLengthLimit);
  } else if (isWide || length != 7) {
    length = isWide ? 12 : 8;
  }
  if (group != 4)
    payload[at::exponentOffset] = 0;
  bool hasTiles = payload[at::order] != uint8_t(Order::RowMajor);
  uint32_t step = isMma ? mmaBlockColumns : 16, tileColumns = load<uint32_t>(payload, at::tileColumns) / step * step;
  if (isMma)
    tileColumns = std::min<uint32_t>(tileColumns, maxMmaTileColumns);
  store(payload, at::tileColumns, hasTiles ? std::max(tileColumns, step) : 0u);
}

/// What the header says of the elements, where they can be decoded.
void repairContent(Bytes &payload) {
  Result<Payload> read = readPayload(payload, /*verifyHash=*/false);
  if (!read)
    return;
  std::vector<uint8_t> elements = decodeUnchecked(*read);
  TensorStats stats = collectStats(read->header.elementType, elements);
  store(payload, at::contentHash, hashBytes(elements));
  store(payload, at::dataFlags, stats.dataFlags);
  payload[at::minExponent] = stats.minExponent;
  payload[at::maxExponent] = stats.maxExponent;
}

} // namespace

std::vector<uint8_t> makePayload(Random &random, size_t maxSize) {
  auto type = ElementType(random.below(2));
  EncodeOptions options = EncodeOptions::raw();
  auto tileColumns = uint32_t(16 * (1 + random.below(6)));
  if (uint64_t kind = random.below(8); kind < 3)
    options = EncodeOptions::huffman(unsigned(7 + random.below(2)), tileColumns);
  else if (kind < 6)
    options = EncodeOptions::planes(tileColumns);
  else if (kind == 6)
    options = random.oneIn(4) ? EncodeOptions::rawRows32(tileColumns) : EncodeOptions::huffmanPairs(tileColumns);
  else if (random.oneIn(2))
    options = random.oneIn(2) ? EncodeOptions::quads(unsigned(9 + random.below(4)), 128)
                              : EncodeOptions::pairs(unsigned(8 + random.below(5)), 128);
  else if (random.oneIn(2))
    options = random.oneIn(2) ? EncodeOptions::classic(unsigned(7 + random.below(2)), 128) : EncodeOptions::rawMma(128);
  std::vector<uint64_t> dims = {1 + random.below(70), 1 + random.below(140)};
  while (dims[0] * dims[1] * 3 > maxSize && dims[1] > 1)
    dims[1] /= 2;
  if (random.oneIn(16))
    dims[random.below(2)] = 0;
  if (random.oneIn(8))
    dims.insert(dims.begin(), 1 + random.below(2));
  // Symbols that become rarer by a factor: 1 is uniform, 8 is almost a single one.
  Bytes elements(getMatrixShape(dims)->elementCount());
  const ElementSplit &split = getElementSplit(type);
  uint64_t factor = 1 + random.below(8), symbols = 1 + random.below(split.symbolCount), first = random.bits();
  for (uint8_t &element : elements) {
    uint64_t symbol = random.below(symbols);
    if (factor > 1)
      for (symbol = 0; symbol + 1 < symbols && random.oneIn(factor); ++symbol)
        ;
    element = split.elementOf(unsigned((symbol + first) % split.symbolCount), uint8_t(random.bits()) & split.restMask);
  }
  Result<Bytes> payload = encode(options, type, dims, elements);
  return payload ? payload.take() : Bytes();
}

void mutatePayload(std::vector<uint8_t> &payload, size_t maxSize, Random &random) {
  if (payload.size() < headerBytes || random.oneIn(64)) {
    if (Bytes made = makePayload(random, maxSize); made.size() <= maxSize)
      payload = std::move(made);
    if (payload.size() < headerBytes || random.oneIn(2))
      return;
  }
  bool isFree = false;
  for (uint64_t rounds = 1 + random.below(2); rounds-- > 0 && payload.size() >= headerBytes;)
    switch (random.below(8)) {
    case 0:
      mutateFreely(payload, maxSize);
      isFree = true;
      break;
    case 1:
    case 2:
      mutateField(payload, random);
      break;
    case 3:
      mutateLengths(payload, random);
      break;
    case 4:
      resizeStream(payload, random);
      break;
    default:
      mutateSection(payload, random);
      break;
    }
  if (payload.size() < headerBytes)
    return;
  if (isFree || !random.oneIn(4)) {
    if (!random.oneIn(4))
      repairParameters(payload);
    repairLayout(payload, maxSize);
  }
  if (!random.oneIn(8))
    store(payload, at::payloadBytes, uint64_t(payload.size()));
  if (random.oneIn(2))
    repairContent(payload);
  if (!random.oneIn(32))
    updatePayloadHash(payload);
}

} // namespace ecf8::fuzz
