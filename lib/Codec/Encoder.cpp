// The entry points of the encoder, their checks, and encoding raw. The other encodings have files of their own.
#include "ecf8/Codec/Encoder.h"

#include "EncodePayload.h"
#include "HuffmanEncoder.h"
#include "PlanesEncoder.h"
#include "SegmentsEncoder.h"
#include "ecf8/Codec/Planes.h"
#include "ecf8/Support/ParallelFor.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <string>

namespace ecf8 {
namespace {

/// Fewer strips than this are not worth a thread of their own.
constexpr uint64_t minElementsPerThread = uint64_t(1) << 16;

unsigned usefulThreads(unsigned threads, uint64_t elements) {
  return unsigned(std::min<uint64_t>(std::max(threads, 1u), 1 + elements / minElementsPerThread));
}

/// [mma_c4]
void encodeRawMma(const Header &header, std::span<const uint8_t> bytes, unsigned threads,
                  std::vector<uint8_t> &payload) {
  TileGrid grid = header.grid();
  parallelFor(grid.tileCount() == 0 ? 0 : grid.strips(), threads, [&](uint64_t strip) {
    std::vector<uint32_t> quads;
    uint8_t *out = payload.data() + header.restOffset + grid.columnsBefore(strip, 0) * header.storage().bytesPerColumn;
    for (uint64_t tile = 0; tile < grid.tilesPerStrip(); ++tile) {
      gatherQuads(rowsOfTile(grid, bytes, strip, tile), grid.paddedWidth(tile), /*padding=*/nullptr, quads);
      for (uint32_t quad : quads) {
        storeLittle(out, quad);
        out += quadElements;
      }
    }
  });
}

Result<std::vector<uint8_t>> encodeRaw(Header &header, std::span<const uint8_t> bytes, unsigned threads) {
  Result<std::vector<uint8_t>> payload = makePayload(header);
  if (!payload)
    return payload;
  if (header.order == Order::RowMajor) { // [raw_c1]
    std::copy(bytes.begin(), bytes.end(), payload->begin() + header.restOffset);
  } else if (header.order == Order::Mma) {
    encodeRawMma(header, bytes, threads, *payload);
  } else if (TileGrid grid = header.grid(); grid.tileCount() != 0) { // [raw_c2]
    parallelFor(grid.strips(), threads, [&](uint64_t strip) {
      forEachTile(grid, bytes, strip, /*padding=*/0, [&](uint64_t tile, std::span<const uint8_t> elements) {
        uint64_t offset = header.restOffset + grid.columnsBefore(strip, tile) * header.storage().bytesPerColumn;
        std::copy(elements.begin(), elements.end(), payload->begin() + offset);
      });
    });
  }
  return payload;
}

/// The sizes of a payload whose codes take `codes`.
Result<SizeEstimate> sizesOf(Header header, const CodeWords &codes) {
  SizeEstimate estimate;
  for (auto [words, result] : {std::pair(codes.min, &estimate.minBytes), std::pair(codes.max, &estimate.maxBytes)}) {
    header.codesBytes = words * 2;
    Result<SectionLayout> layout = computeLayout(header);
    if (!layout)
      return layout.status();
    *result = layout->payloadBytes;
  }
  return estimate;
}

Status checkElementType(ElementType type) {
  if (type == ElementType::F8E4M3FN || type == ElementType::F8E5M2)
    return Status::ok();
  return Status(StatusCode::Unsupported,
                "expected element type f8E4M3FN or f8E5M2, got " + std::string(getName(type)) + " [header_c7]");
}

/// Whether the code comes from more than the counts of single symbols.
bool needsCodedCounts(const EncodeOptions &options) {
  return options.encoding == Encoding::Huffman && needsCodedCounts(options.order, options.group);
}

/// `encode` for a caller that has also counted the coded symbols, if the options want them.
Result<std::vector<uint8_t>> encodeCounted(const EncodeOptions &options, const TensorStats &stats,
                                           std::span<const uint64_t> codedCounts, std::span<const uint64_t> dims,
                                           std::span<const uint8_t> bytes, unsigned threads) {
  Result<Header> header = makeHeader(options, stats, dims, codedCounts);
  if (!header)
    return header.status();
  Result<std::vector<uint8_t>> payload = encodePayload(*header, bytes, usefulThreads(threads, bytes.size()));
  if (payload)
    finishPayload(*header, bytes, *payload);
  return payload;
}

/// What encodes a tensor with some options, known to be valid.
using EncodeFunction = std::function<Result<std::vector<uint8_t>>(const EncodeOptions &options)>;

/// The payload that `encode` makes with `preferred`, or with row-major raw where that is not larger.
Result<std::vector<uint8_t>> takeSmallest(const EncodeOptions &preferred, const TensorStats &stats,
                                          std::span<const uint64_t> dims, const EncodeFunction &encode) {
  EncodeOptions raw = EncodeOptions::raw();
  Result<SizeEstimate> preferredSize = estimatePayloadBytes(preferred, stats, dims);
  if (!preferredSize)
    return preferredSize.status();
  Result<SizeEstimate> rawSize = estimatePayloadBytes(raw, stats, dims);
  if (!rawSize)
    return rawSize.status();
  if (preferredSize->minBytes >= rawSize->maxBytes)
    return encode(raw);
  Result<std::vector<uint8_t>> payload = encode(preferred);
  if (!payload || payload->size() < rawSize->maxBytes)
    return payload;
  return encode(raw);
}

} // namespace

Result<Header> makeHeader(const EncodeOptions &options, const TensorStats &stats, std::span<const uint64_t> dims,
                          std::span<const uint64_t> codedCounts) {
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
  header.minor = getMinorVersion(options.encoding, options.order, options.group);
  header.encoding = options.encoding;
  header.order = options.order;
  header.rank = uint8_t(dims.size());
  std::copy(dims.begin(), dims.end(), header.dims.begin());
  header.shape = *shape;
  header.dataFlags = stats.dataFlags;
  header.minExponent = stats.minExponent;
  header.maxExponent = stats.maxExponent;
  if (options.order != Order::RowMajor)
    header.tileColumns = options.tileColumns;
  if (options.order == Order::Mma)
    header.requiredFlags |= RequiresMmaOrder;
  if (options.encoding == Encoding::Huffman && options.order == Order::Mma) {
    header.stream = Stream::Segments;
    header.group = uint8_t(options.group);
    header.rawExponentBits = uint8_t(getGroupLayout(stats.elementType, options.group)->rawExponentBits);
    header.maxCodeLength = uint8_t(options.maxCodeLength);
    if (options.group != 1)
      header.requiredFlags |= RequiresWideCode;
    if (!codedCounts.empty()) // none for an estimate
      setSegmentCode(codedCounts, header);
  } else if (options.encoding == Encoding::Huffman) {
    header.stream = Stream::Interleaved;
    header.group = uint8_t(options.group);
    header.maxCodeLength = uint8_t(options.maxCodeLength);
    if (options.group == 2) {
      header.requiredFlags = RequiresWideCode;
      header.wideLengths = buildWideCodeLengths(codedCounts, options.maxCodeLength);
    } else {
      header.codeLengths = buildCodeLengths(stats.symbolCounts, options.maxCodeLength);
    }
  } else if (options.encoding == Encoding::Planes) {
    header.codeLengths = buildRankNibbles(stats.symbolCounts);
  }
  return header;
}

EncodeOptions EncodeOptions::rawFor(std::span<const uint64_t> dims) {
  constexpr uint64_t columnGroup = 16; // the greatest of all element types
  if (dims.size() == 2)
    return dims[0] >= laneCount && dims[1] >= columnGroup ? rawRows32() : raw();
  bool isFilled = dims.size() == 3 && dims[1] % laneCount == 0 && dims[2] % columnGroup == 0 &&
                  std::ranges::find(dims, 0u) == dims.end();
  return isFilled ? rawRows32() : raw();
}

// Messages about options do not quote the rules of the format: they are for users of ecf8-compile, too.

static Status checkMmaOptions(const EncodeOptions &options) {
  if (options.encoding == Encoding::Huffman) {
    std::optional<GroupLayout> group = getGroupLayout(ElementType::F8E4M3FN, options.group);
    if (!group)
      return Status(StatusCode::Unsupported,
                    "expected group 1, 2 or 4 for order mma, got " + std::to_string(options.group)); // group_c1
    if (options.maxCodeLength < group->minCodeLengthLimit || options.maxCodeLength > group->maxCodeLengthLimit)
      return Status(StatusCode::Unsupported, "expected code length limit " + std::to_string(group->minCodeLengthLimit) +
                                                 " to " + std::to_string(group->maxCodeLengthLimit) + " for group " +
                                                 std::to_string(options.group) + " in order mma, got " +
                                                 std::to_string(options.maxCodeLength)); // group_c1
  }
  if (options.tileColumns == 0 || options.tileColumns % mmaBlockColumns != 0 || options.tileColumns > maxMmaTileColumns)
    return Status(StatusCode::InvalidArgument, "expected tile columns that are a positive multiple of 128, at most "
                                               "1024, for order mma, got " +
                                                   std::to_string(options.tileColumns)); // header_c14
  return Status::ok();
}

Status checkEncodeOptions(const EncodeOptions &options) {
  auto unsupported = [](std::string message) { return Status(StatusCode::Unsupported, std::move(message)); };
  bool isRaw = options.encoding == Encoding::Raw, isHuffman = options.encoding == Encoding::Huffman;
  bool isPlanes = options.encoding == Encoding::Planes;
  std::string encoding(getName(options.encoding));
  if (!isRaw && !isHuffman && !isPlanes)
    return unsupported("expected encoding raw, huffman or planes, got " + encoding); // header_c8
  bool isOrderKnown = options.order == Order::Rows32 || (isRaw && options.order == Order::RowMajor) ||
                      (!isPlanes && options.order == Order::Mma);
  if (!isOrderKnown)
    return unsupported(std::string(isRaw       ? "expected order row_major, rows32 or mma for "
                                   : isHuffman ? "expected order rows32 or mma for "
                                               : "expected order rows32 for ") +
                       encoding + ", got " + std::string(getName(options.order))); // header_c9
  if (options.order == Order::Mma)
    return checkMmaOptions(options);
  if (isHuffman && options.group != 1 && options.group != 2)
    return unsupported("expected group 1 or 2, got " + std::to_string(options.group)); // header_c12
  if (isHuffman && options.group == 2 && options.maxCodeLength != 12)
    return unsupported("expected code length limit 12 for group 2, got " +
                       std::to_string(options.maxCodeLength)); // header_c12
  if (isHuffman && options.group == 1 && options.maxCodeLength != 7 && options.maxCodeLength != 8)
    return unsupported("expected code length limit 7 or 8, got " + std::to_string(options.maxCodeLength)); // header_c12
  if (options.order == Order::Rows32 && (options.tileColumns == 0 || options.tileColumns % 16 != 0))
    return Status(StatusCode::InvalidArgument, "expected tile columns that are a positive multiple of 16, got " +
                                                   std::to_string(options.tileColumns)); // header_c14
  if (isPlanes && options.tileColumns > maxPlanesTileColumns)
    return Status(StatusCode::InvalidArgument, "expected at most 1024 tile columns for planes, got " +
                                                   std::to_string(options.tileColumns)); // header_c14
  return Status::ok();
}

Result<std::vector<uint8_t>> encode(const EncodeOptions &options, ElementType elementType,
                                    std::span<const uint64_t> dims, std::span<const uint8_t> bytes, unsigned threads) {
  if (Status status = checkElementType(elementType); !status.isOk())
    return status;
  Result<MatrixShape> shape = getMatrixShape(dims);
  bool isValid = checkEncodeOptions(options).isOk() && shape && shape->elementCount() == bytes.size();
  if (isValid && needsCodedCounts(options)) { // both counted at once
    CodedStats figures = collectCodedStats(options.order, options.group, elementType, *shape, bytes,
                                           usefulThreads(threads, bytes.size()));
    return encodeCounted(options, figures.symbols, figures.codedCounts, dims, bytes, threads);
  }
  TensorStats stats = collectSymbolStats(elementType, bytes, usefulThreads(threads, bytes.size()));
  return encode(options, stats, dims, bytes, threads); // says what is wrong
}

Result<std::vector<uint8_t>> encode(const EncodeOptions &options, const TensorStats &stats,
                                    std::span<const uint64_t> dims, std::span<const uint8_t> bytes, unsigned threads) {
  if (Status status = checkElementType(stats.elementType); !status.isOk())
    return status;
  if (bytes.size() != stats.elementCount)
    return Status(StatusCode::InvalidArgument, "expected the " + std::to_string(stats.elementCount) +
                                                   " bytes that the figures count, got " +
                                                   std::to_string(bytes.size()));
  if (Status status = checkEncodeOptions(options); !status.isOk())
    return status;
  std::vector<uint64_t> codedCounts;
  if (needsCodedCounts(options)) {
    Result<MatrixShape> shape = getMatrixShape(dims);
    if (!shape)
      return shape.status();
    if (shape->elementCount() == bytes.size()) // else the next call says what is wrong
      codedCounts = collectCodedStats(options.order, options.group, stats.elementType, *shape, bytes,
                                      usefulThreads(threads, bytes.size()))
                        .codedCounts;
  }
  return encodeCounted(options, stats, codedCounts, dims, bytes, threads);
}

Result<std::vector<uint8_t>> encodePayload(Header &header, std::span<const uint8_t> bytes, unsigned threads) {
  switch (header.encoding) {
  case Encoding::Raw:
    return encodeRaw(header, bytes, threads);
  case Encoding::Huffman:
    return encodeHuffman(header, bytes, threads);
  case Encoding::Planes:
    break;
  }
  return encodePlanes(header, bytes, threads);
}

Result<SizeEstimate> estimatePayloadBytes(const EncodeOptions &options, const TensorStats &stats,
                                          std::span<const uint64_t> dims) {
  Result<Header> made = makeHeader(options, stats, dims);
  if (!made)
    return made.status();
  Header &header = *made;
  CodeWords codes;
  if (options.encoding == Encoding::Huffman) {
    Result<CodeWords> words = estimateHuffmanWords(header, stats);
    if (!words)
      return words.status();
    codes = *words;
  } else if (options.encoding == Encoding::Planes) {
    codes = estimatePlanesWords(header, stats);
  }
  return sizesOf(header, codes);
}

Result<EncodeOptions> chooseForStorage(const TensorStats &stats, std::span<const uint64_t> pairCounts,
                                       std::span<const uint64_t> dims) {
  EncodeOptions single = EncodeOptions::huffman(), pairs = EncodeOptions::huffmanPairs();
  Result<SizeEstimate> singleSize = estimatePayloadBytes(single, stats, dims);
  if (!singleSize)
    return singleSize.status();
  Result<Header> header = makeHeader(pairs, stats, dims, pairCounts);
  if (!header)
    return header.status();
  Result<CodeWords> words = countPairWords(*header, pairCounts);
  if (!words)
    return words.status();
  Result<SizeEstimate> pairSize = sizesOf(*header, *words);
  if (!pairSize)
    return pairSize.status();
  // All codes and metadata; what lanes leave empty at the ends of tiles is much the same for both.
  return pairSize->minBytes < singleSize->minBytes ? pairs : single;
}

Result<std::vector<uint8_t>> encodeForStorage(ElementType elementType, std::span<const uint64_t> dims,
                                              std::span<const uint8_t> bytes, unsigned threads) {
  if (Status status = checkElementType(elementType); !status.isOk())
    return status;
  Result<MatrixShape> shape = getMatrixShape(dims);
  if (!shape)
    return shape.status();
  if (shape->elementCount() != bytes.size())
    return encode(EncodeOptions::raw(), elementType, dims, bytes, threads); // says what is wrong
  threads = usefulThreads(threads, bytes.size());
  CodedStats figures = collectCodedStats(Order::Rows32, /*group=*/2, elementType, *shape, bytes, threads);
  const TensorStats &stats = figures.symbols;
  Result<EncodeOptions> options = chooseForStorage(stats, figures.codedCounts, dims);
  if (!options)
    return options.status();
  return takeSmallest(*options, stats, dims, [&](const EncodeOptions &chosen) {
    return encodeCounted(chosen, stats, figures.codedCounts, dims, bytes, threads);
  });
}

Result<std::vector<uint8_t>> encodeSmallest(const EncodeOptions &preferred, const TensorStats &stats,
                                            std::span<const uint64_t> dims, std::span<const uint8_t> bytes,
                                            unsigned threads) {
  return takeSmallest(preferred, stats, dims,
                      [&](const EncodeOptions &options) { return encode(options, stats, dims, bytes, threads); });
}

} // namespace ecf8
