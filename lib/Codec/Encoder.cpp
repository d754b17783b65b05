// Assembles a payload. Strips are encoded independently, each into memory of its own, and then laid out in order, so
// that the bytes do not depend on the number of threads.
#include "ecf8/Codec/Encoder.h"

#include "ParallelFor.h"
#include "TileEncoder.h"
#include "ecf8/Support/Hash.h"

#include <algorithm>
#include <limits>
#include <string>

namespace ecf8 {
namespace {

/// The coded words of one strip, tile after tile.
struct StripCodes {
  std::vector<uint16_t> words;
  std::vector<uint64_t> tileWords; ///< number of words of each tile
};

/// Fewer strips than this are not worth a thread of their own.
constexpr uint64_t minElementsPerThread = uint64_t(1) << 16;

unsigned usefulThreads(unsigned threads, uint64_t elements) {
  return unsigned(std::min<uint64_t>(std::max(threads, 1u), 1 + elements / minElementsPerThread));
}

/// All header fields that follow from the options, the shape and the figures; sizes, offsets and hashes are open.
Result<Header> makeHeader(const EncodeOptions &options, const TensorStats &stats, std::span<const uint64_t> dims) {
  if (Status status = checkEncodeOptions(options); !status.isOk())
    return status;
  Result<MatrixShape> shape = getMatrixShape(dims);
  if (!shape)
    return shape.status();
  if (shape->elementCount() != stats.elementCount)
    return Status(StatusCode::InvalidArgument, "expected " + std::to_string(shape->elementCount()) +
                                                   " elements for the shape, got " +
                                                   std::to_string(stats.elementCount));
  Header header;
  header.elementType = stats.elementType;
  header.encoding = options.encoding;
  header.order = options.order;
  header.rank = uint8_t(dims.size());
  std::copy(dims.begin(), dims.end(), header.dims.begin());
  header.shape = *shape;
  header.dataFlags = stats.dataFlags;
  header.minExponent = stats.minExponent;
  header.maxExponent = stats.maxExponent;
  if (options.order == Order::Rows32)
    header.tileColumns = options.tileColumns;
  if (options.encoding == Encoding::Huffman) {
    header.stream = Stream::Interleaved;
    header.group = 1;
    header.maxCodeLength = uint8_t(options.maxCodeLength);
    header.codeLengths = buildCodeLengths(stats.symbolCounts, options.maxCodeLength);
  }
  return header;
}

Result<CanonicalCode> makeCode(const Header &header) {
  return CanonicalCode::create(header.codeLengths, header.split().symbolCount, header.maxCodeLength);
}

/// Calls visit(tile, elements in tile order) for each tile of `strip`; padding elements are 0.
template <typename Visit>
void forEachTile(const TileGrid &grid, std::span<const uint8_t> bytes, uint64_t strip, const Visit &visit) {
  std::vector<uint8_t> elements;
  for (uint64_t tile = 0; tile < grid.tilesPerStrip(); ++tile) {
    const uint8_t *source = bytes.data() + strip * laneCount * grid.shape.columns + tile * grid.tileColumns;
    elements.resize(grid.paddedWidth(tile) * laneCount);
    reorderTile(source, grid.shape.columns, grid.stripRows(strip), grid.tileWidth(tile), grid.paddedWidth(tile),
                elements.data());
    visit(tile, std::span<const uint8_t>(elements));
  }
}

/// Lays out the sections that `header` describes, with zeros in them, and fills in the header's sizes and offsets.
Result<std::vector<uint8_t>> makePayload(Header &header) {
  Result<SectionLayout> layout = computeLayout(header);
  if (!layout)
    return layout.status();
  header.tileTableOffset = layout->tileTableOffset;
  header.codesOffset = layout->codesOffset;
  header.restOffset = layout->restOffset;
  header.payloadBytes = layout->payloadBytes;
  return std::vector<uint8_t>(header.payloadBytes);
}

/// Writes the header and both hashes.
void finishPayload(Header &header, std::span<const uint8_t> elements, std::vector<uint8_t> &payload) {
  header.contentHash = hashBytes(elements);
  std::array<uint8_t, headerBytes> bytes = serializeHeader(header);
  std::copy(bytes.begin(), bytes.end(), payload.begin());
  updatePayloadHash(payload);
}

Result<std::vector<uint8_t>> encodeRaw(Header header, std::span<const uint8_t> bytes, unsigned threads) {
  Result<std::vector<uint8_t>> payload = makePayload(header);
  if (!payload)
    return payload;
  if (header.order == Order::RowMajor) { // [raw_c1]
    std::copy(bytes.begin(), bytes.end(), payload->begin() + header.restOffset);
  } else if (TileGrid grid = header.grid(); grid.tileCount() != 0) { // [raw_c2]
    parallelFor(grid.strips(), threads, [&](uint64_t strip) {
      forEachTile(grid, bytes, strip, [&](uint64_t tile, std::span<const uint8_t> elements) {
        uint64_t offset = header.restOffset + grid.columnsBefore(strip, tile) * laneCount;
        std::copy(elements.begin(), elements.end(), payload->begin() + offset);
      });
    });
  }
  finishPayload(header, bytes, *payload);
  return payload;
}

StripCodes encodeStrip(const TileGrid &grid, TileEncoder &encoder, std::span<const uint8_t> bytes, uint64_t strip) {
  StripCodes codes;
  const uint8_t *source = bytes.data() + strip * laneCount * grid.shape.columns;
  for (uint64_t tile = 0; tile < grid.tilesPerStrip(); ++tile) {
    uint64_t count = encoder.encode(source + tile * grid.tileColumns, grid.shape.columns, grid.stripRows(strip),
                                    grid.tileWidth(tile), grid.paddedWidth(tile));
    codes.words.insert(codes.words.end(), encoder.words(), encoder.words() + count);
    codes.tileWords.push_back(count);
  }
  return codes;
}

void storeWords(std::span<const uint16_t> words, uint8_t *out) {
  for (size_t i = 0; i < words.size(); ++i)
    storeLittle(out + i * 2, words[i]);
}

Result<std::vector<uint8_t>> encodeHuffman(Header header, std::span<const uint8_t> bytes, unsigned threads) {
  Result<CanonicalCode> code = makeCode(header);
  if (!code)
    return code.status();
  TileGrid grid = header.grid();
  uint64_t strips = grid.tileCount() == 0 ? 0 : grid.strips();
  const TileEncoder prototype(*code, header.elementType);
  std::vector<StripCodes> codes(strips);
  parallelFor(strips, threads, [&](uint64_t strip) {
    TileEncoder encoder = prototype;
    codes[strip] = encodeStrip(grid, encoder, bytes, strip);
  });

  std::vector<uint64_t> stripBegin; // in words
  uint64_t words = 0;
  for (const StripCodes &strip : codes) {
    stripBegin.push_back(words);
    words += strip.words.size();
  }
  if (words > std::numeric_limits<uint32_t>::max())
    return Status(StatusCode::Unsupported, "expected at most 2^32 - 1 words of codes in one tensor, got " +
                                               std::to_string(words) + " [table_c1]");
  header.codesBytes = words * 2;
  Result<std::vector<uint8_t>> payload = makePayload(header);
  if (!payload)
    return payload;

  parallelFor(strips, threads, [&](uint64_t strip) {
    uint8_t *table = payload->data() + header.tileTableOffset + strip * grid.tilesPerStrip() * 4;
    uint64_t end = stripBegin[strip];
    for (uint64_t tileWords : codes[strip].tileWords) {
      table += 4; // entry 0 of the whole table is 0; each tile writes where it ends
      storeLittle(table, uint32_t(end += tileWords));
    }
    storeWords(codes[strip].words, payload->data() + header.codesOffset + stripBegin[strip] * 2);
    codes[strip] = {};
    forEachTile(grid, bytes, strip, [&](uint64_t tile, std::span<const uint8_t> elements) {
      uint64_t offset = header.restOffset + grid.columnsBefore(strip, tile) * header.split().restBytesPerColumn;
      encodeRest(header.elementType, elements, payload->data() + offset);
    });
  });
  finishPayload(header, bytes, *payload);
  return payload;
}

Status checkElementType(ElementType type) {
  if (type == ElementType::F8E4M3FN || type == ElementType::F8E5M2)
    return Status::ok();
  return Status(StatusCode::Unsupported,
                "expected element type f8E4M3FN or f8E5M2, got " + std::string(getName(type)) + " [header_c7]");
}

} // namespace

Status checkEncodeOptions(const EncodeOptions &options) {
  auto unsupported = [](std::string message) { return Status(StatusCode::Unsupported, std::move(message)); };
  bool isHuffman = options.encoding == Encoding::Huffman;
  if (!isHuffman && options.encoding != Encoding::Raw)
    return unsupported("expected encoding raw or huffman, got " + std::string(getName(options.encoding)) +
                       " [header_c8]");
  if (options.order != Order::Rows32 && (isHuffman || options.order != Order::RowMajor))
    return unsupported(std::string(isHuffman ? "expected order rows32 for huffman, got "
                                             : "expected order row_major or rows32 for raw, got ") +
                       std::string(getName(options.order)) + " [header_c9]");
  if (isHuffman && options.maxCodeLength != 7 && options.maxCodeLength != 8)
    return unsupported("expected code length limit 7 or 8, got " + std::to_string(options.maxCodeLength) +
                       " [header_c12]");
  if (options.order == Order::Rows32 && (options.tileColumns == 0 || options.tileColumns % 16 != 0))
    return Status(StatusCode::InvalidArgument, "expected tile columns that are a positive multiple of 16, got " +
                                                   std::to_string(options.tileColumns) + " [header_c14]");
  return Status::ok();
}

Result<std::vector<uint8_t>> encode(const EncodeOptions &options, ElementType elementType,
                                    std::span<const uint64_t> dims, std::span<const uint8_t> bytes, unsigned threads) {
  if (Status status = checkElementType(elementType); !status.isOk())
    return status;
  return encode(options, collectStats(elementType, bytes, usefulThreads(threads, bytes.size())), dims, bytes, threads);
}

Result<std::vector<uint8_t>> encode(const EncodeOptions &options, const TensorStats &stats,
                                    std::span<const uint64_t> dims, std::span<const uint8_t> bytes, unsigned threads) {
  if (Status status = checkElementType(stats.elementType); !status.isOk())
    return status;
  if (bytes.size() != stats.elementCount)
    return Status(StatusCode::InvalidArgument, "expected the " + std::to_string(stats.elementCount) +
                                                   " bytes that the figures count, got " +
                                                   std::to_string(bytes.size()));
  Result<Header> header = makeHeader(options, stats, dims);
  if (!header)
    return header.status();
  threads = usefulThreads(threads, bytes.size());
  return options.encoding == Encoding::Raw ? encodeRaw(*header, bytes, threads)
                                           : encodeHuffman(*header, bytes, threads);
}

Result<SizeEstimate> estimatePayloadBytes(const EncodeOptions &options, const TensorStats &stats,
                                          std::span<const uint64_t> dims) {
  Result<Header> made = makeHeader(options, stats, dims);
  if (!made)
    return made.status();
  Header &header = *made;
  uint64_t minWords = 0, maxWords = 0;
  if (options.encoding == Encoding::Huffman) {
    Result<CanonicalCode> code = makeCode(header);
    if (!code)
      return code.status();
    TileGrid grid = header.grid();
    uint64_t storedElements = grid.tileCount() == 0 ? 0 : grid.strips() * grid.paddedColumns() * laneCount;
    uint64_t bits = (storedElements - stats.elementCount) * code->streamLength(code->paddingSymbol());
    for (unsigned symbol = 0; symbol < maxSymbolCount; ++symbol)
      bits += stats.symbolCounts[symbol] * code->streamLength(symbol);
    minWords = (bits + wordBits - 1) / wordBits;
    // Each lane leaves at most two words unfilled at its end; without any bits nothing is stored.
    maxWords = bits == 0 ? 0 : minWords + grid.tileCount() * laneCount * 2;
  }
  SizeEstimate estimate;
  for (auto [words, result] : {std::pair(minWords, &estimate.minBytes), std::pair(maxWords, &estimate.maxBytes)}) {
    header.codesBytes = words * 2;
    Result<SectionLayout> layout = computeLayout(header);
    if (!layout)
      return layout.status();
    *result = layout->payloadBytes;
  }
  return estimate;
}

Result<std::vector<uint8_t>> encodeSmallest(const EncodeOptions &preferred, const TensorStats &stats,
                                            std::span<const uint64_t> dims, std::span<const uint8_t> bytes,
                                            unsigned threads) {
  EncodeOptions raw = EncodeOptions::raw();
  Result<SizeEstimate> preferredSize = estimatePayloadBytes(preferred, stats, dims);
  if (!preferredSize)
    return preferredSize.status();
  Result<SizeEstimate> rawSize = estimatePayloadBytes(raw, stats, dims);
  if (!rawSize)
    return rawSize.status();
  if (preferredSize->minBytes >= rawSize->maxBytes)
    return encode(raw, stats, dims, bytes, threads);
  Result<std::vector<uint8_t>> payload = encode(preferred, stats, dims, bytes, threads);
  if (!payload || payload->size() < rawSize->maxBytes)
    return payload;
  return encode(raw, stats, dims, bytes, threads);
}

} // namespace ecf8
