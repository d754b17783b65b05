// Encoding huffman. Strips are encoded independently, each into memory of its own, and then laid out in order, so that
// the bytes do not depend on the number of threads.
#include "HuffmanEncoder.h"

#include "SegmentsEncoder.h"
#include "TileEncoder.h"
#include "ecf8/Support/ParallelFor.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <type_traits>

namespace ecf8 {
namespace {

/// Bits that a symbol takes at most in usual tensors: what memory is reserved for.
constexpr double reserveBits = 3.25;

/// The coded words of one strip, tile after tile: of 2 bytes, in order mma bytes.
template <typename Word> struct StripCodes {
  std::vector<Word> words;
  std::vector<uint64_t> tileWords; ///< number of words of each tile
};

/// What the codes of order mma take, where the groups without padding have the coded symbols `counts`. [segments_c1]
/// [segments_c3]
CodeWords countSegmentWords(const Header &header, const CanonicalCode &code, std::span<const uint64_t> counts) {
  TileGrid grid = header.grid();
  if (grid.tileCount() == 0)
    return {};
  uint64_t groups = grid.strips() * grid.paddedColumns() * mmaStripRows / header.group, bits = 0;
  for (unsigned symbol = 0; symbol < counts.size(); ++symbol) {
    bits += counts[symbol] * code.streamLength(symbol);
    groups -= counts[symbol];
  }
  uint64_t min = bits / wordBits + grid.tileCount() * segmentStartsBytes / 2;
  // The other groups, and for each tile the front, the ends of segments, and what follows the last.
  constexpr uint64_t tileBits = firstSegmentBit + laneCount * segmentAlignmentBits + (bytesAfterSegments + 16) * 8;
  return {min, min + (groups * header.maxCodeLength + grid.tileCount() * tileBits) / wordBits + 1};
}

/// What coded elements take that have `counts` coded symbols, and otherwise padding. [huffman_c6]
CodeWords countWords(const Header &header, const CanonicalCode &code, std::span<const uint64_t> counts) {
  if (header.order == Order::Mma)
    return countSegmentWords(header, code, counts);
  TileGrid grid = header.grid();
  uint64_t elements = grid.tileCount() == 0 ? 0 : grid.strips() * grid.paddedColumns() * laneCount;
  uint64_t padding = elements / header.group, bits = 0;
  for (unsigned symbol = 0; symbol < counts.size(); ++symbol)
    if (counts[symbol] != 0) {
      bits += counts[symbol] * code.streamLength(symbol);
      padding -= counts[symbol];
    }
  bits += padding * code.streamLength(code.paddingSymbol());
  uint64_t min = (bits + wordBits - 1) / wordBits;
  // Each lane leaves at most two words unfilled at its end; without any bits nothing is stored.
  return {min, bits == 0 ? 0 : min + grid.tileCount() * laneCount * 2};
}

std::span<const uint64_t> symbolCounts(const Header &header, const TensorStats &stats) {
  return std::span(stats.symbolCounts).first(header.split().symbolCount);
}

Result<CanonicalCode> makeCode(const Header &header) {
  if (header.order == Order::Mma)
    return makeSegmentCode(header);
  if (header.hasWideCode())
    return CanonicalCode::createWide(header.wideLengths, header.maxCodeLength);
  return CanonicalCode::create(header.codeLengths, header.split().symbolCount, header.maxCodeLength);
}

/// Encodes a strip: its rest to `rest`, where the strip's place is.
template <typename Encoder>
auto encodeStrip(const Header &header, Encoder &encoder, std::span<const uint8_t> bytes, uint64_t strip,
                 uint8_t *rest) {
  using Word = std::remove_cvref_t<decltype(*encoder.words())>;
  TileGrid grid = header.grid();
  StripCodes<Word> codes;
  double restBits = header.storage().bytesPerColumn * 8.0 / grid.paddedRows(); // a group of 4 codes fewer bits
  double reserved = std::max(reserveBits - std::max(restBits - 4, 0.0), 0.5);
  codes.words.reserve(size_t(double(grid.paddedColumns()) * grid.paddedRows() / (8 * sizeof(Word)) * reserved));
  for (uint64_t tile = 0; tile < grid.tilesPerStrip(); ++tile) {
    uint64_t count = encoder.encode(rowsOfTile(grid, bytes, strip, tile), grid.paddedWidth(tile), rest);
    codes.words.insert(codes.words.end(), encoder.words(), encoder.words() + count);
    codes.tileWords.push_back(count);
    rest += grid.paddedWidth(tile) * header.storage().bytesPerColumn;
  }
  return codes;
}

/// Makes `payload`, whose rest was written where the codes take `header.codesBytes`, one whose codes take `codesBytes`.
/// What is between the sections and behind them is 0 before and after.
Status setCodesBytes(Header &header, uint64_t codesBytes, std::vector<uint8_t> &payload) {
  Header changed = header;
  changed.codesBytes = codesBytes;
  Result<SectionLayout> layout = computeLayout(changed);
  if (!layout)
    return layout.status();
  payload.resize(std::max(header.payloadBytes, layout->payloadBytes));
  auto begin = payload.begin();
  if (layout->restOffset <= header.restOffset) {
    std::copy_n(begin + header.restOffset, layout->restBytes, begin + layout->restOffset);
    std::fill(begin + layout->restOffset + layout->restBytes, payload.end(), 0);
  } else { // figures that are not those of the elements: the estimate does not hold
    std::copy_backward(begin + header.restOffset, begin + header.restOffset + layout->restBytes,
                       begin + layout->restOffset + layout->restBytes);
    std::fill(begin + header.restOffset, begin + layout->restOffset, 0);
  }
  payload.resize(layout->payloadBytes);
  header.codesBytes = codesBytes;
  header.restOffset = layout->restOffset;
  header.payloadBytes = layout->payloadBytes;
  return Status::ok();
}

template <typename Word> void storeWords(std::span<const Word> words, uint8_t *out) {
  if (std::endian::native == std::endian::little && !words.empty()) {
    std::memcpy(out, words.data(), words.size_bytes());
    return;
  }
  for (size_t i = 0; i < words.size(); ++i)
    storeLittle(out + i * sizeof(Word), words[i]);
}

/// Adds how often each pair of neighbours occurs in `row`, from its first element on; a last one without a neighbour is
/// paired with itself. At most 2^31 elements.
void addPairCounts(const ElementSplit &split, std::span<const uint8_t> row, std::vector<uint64_t> &counts) {
  // Four pairs at a time, each with a table of its own, so that equal ones do not wait for each other.
  std::vector<uint32_t> tables(4 * counts.size());
  uint32_t *table[4];
  for (size_t i = 0; i < 4; ++i)
    table[i] = tables.data() + i * counts.size();
  const unsigned symbolBits = unsigned(std::bit_width(split.symbolCount) - 1), symbolMask = split.symbolCount - 1;
  const uint64_t firstMask = symbolMask * uint64_t(0x0001000100010001), secondMask = firstMask << symbolBits;
  size_t i = 0;
  for (; i + 8 <= row.size(); i += 8) {
    uint64_t symbols = loadLittle<uint64_t>(row.data() + i) >> split.symbolShift;
    uint64_t pairs = (symbols & firstMask) | (symbols >> (8 - symbolBits) & secondMask);
    for (size_t pair = 0; pair < 4; ++pair)
      ++table[pair][pairs >> (16 * pair) & 0xFFFF];
  }
  for (; i < row.size(); i += 2) {
    unsigned first = split.symbolOf(row[i]), second = i + 1 < row.size() ? split.symbolOf(row[i + 1]) : first;
    ++table[0][first | second << symbolBits];
  }
  for (size_t pair = 0; pair < counts.size(); ++pair)
    for (size_t j = 0; j < 4; ++j)
      counts[pair] += table[j][pair];
}

} // namespace

std::vector<uint64_t> countPairs(ElementType type, const MatrixShape &shape, std::span<const uint8_t> bytes,
                                 unsigned threads) {
  const ElementSplit &split = getElementSplit(type);
  uint64_t pairs = uint64_t(split.symbolCount) * split.symbolCount;
  // Rows of an even number of elements are counted as if they were one; pieces of at most 2^31 elements.
  bool isEven = shape.columns % 2 == 0;
  uint64_t pieceElements =
      isEven ? uint64_t(1) << 20 : std::max<uint64_t>(1, (uint64_t(1) << 20) / shape.columns) * shape.columns;
  size_t pieces = size_t((bytes.size() + pieceElements - 1) / pieceElements);
  std::vector<std::vector<uint64_t>> counts(pieces);
  parallelFor(pieces, threads, [&](size_t piece) {
    counts[piece].resize(pairs);
    std::span<const uint8_t> part = bytes.subspan(piece * pieceElements);
    part = part.first(std::min<uint64_t>(part.size(), pieceElements));
    uint64_t rowElements = isEven ? part.size() : shape.columns;
    for (; !part.empty(); part = part.subspan(rowElements))
      addPairCounts(split, part.first(rowElements), counts[piece]);
  });
  std::vector<uint64_t> sum(pairs);
  for (const std::vector<uint64_t> &piece : counts)
    for (size_t pair = 0; pair < pairs; ++pair)
      sum[pair] += piece[pair];
  return sum;
}

/// Encodes all strips with copies of `prototype`, a TileEncoder or SegmentsEncoder. `codes` says about what they take.
template <typename Encoder>
static Result<std::vector<uint8_t>> encodeStrips(Header header, const Encoder &prototype, const CodeWords &estimate,
                                                 std::span<const uint8_t> bytes, unsigned threads) {
  // The rest goes to its place in the one pass over the elements: nearly its place, since the words are not counted
  // yet.
  const unsigned unitBytes = header.tableUnitBytes();
  header.codesBytes = (estimate.max * 2 + unitBytes - 1) / unitBytes * unitBytes;
  Result<std::vector<uint8_t>> payload = makePayload(header);
  if (!payload)
    return payload;
  TileGrid grid = header.grid();
  uint64_t strips = grid.tileCount() == 0 ? 0 : grid.strips();
  using Word = std::remove_cvref_t<decltype(*prototype.words())>;
  std::vector<StripCodes<Word>> codes(strips);
  parallelFor(strips, threads, [&](uint64_t strip) {
    Encoder encoder = prototype;
    uint64_t restOffset = header.restOffset + grid.columnsBefore(strip, 0) * header.storage().bytesPerColumn;
    codes[strip] = encodeStrip(header, encoder, bytes, strip, payload->data() + restOffset);
  });

  std::vector<uint64_t> stripBegin; // in bytes
  uint64_t codesBytes = 0;
  for (const StripCodes<Word> &strip : codes) {
    stripBegin.push_back(codesBytes);
    codesBytes += strip.words.size() * sizeof(Word);
  }
  if (Status status = checkCodesBytes(header, codesBytes); !status.isOk())
    return status;
  if (Status status = setCodesBytes(header, codesBytes, *payload); !status.isOk())
    return status;
  parallelFor(strips, threads, [&](uint64_t strip) {
    uint8_t *table = payload->data() + header.tileTableOffset + strip * grid.tilesPerStrip() * 4;
    uint64_t end = stripBegin[strip];
    for (uint64_t tileWords : codes[strip].tileWords) {
      table += 4; // entry 0 of the whole table is 0; each tile writes where it ends
      end += tileWords * sizeof(Word);
      storeLittle(table, uint32_t(end / unitBytes));
    }
    storeWords(std::span<const Word>(codes[strip].words), payload->data() + header.codesOffset + stripBegin[strip]);
    codes[strip] = {};
  });
  finishPayload(header, bytes, *payload);
  return payload;
}

std::vector<uint64_t> countCoded(Order order, unsigned group, ElementType type, const MatrixShape &shape,
                                 std::span<const uint8_t> bytes, unsigned threads) {
  if (order == Order::Mma)
    return countGroups(type, group, exponentOffsets(group), shape, bytes, threads);
  return countPairs(type, shape, bytes, threads);
}

Result<std::vector<uint8_t>> encodeHuffman(Header header, const TensorStats &stats,
                                           std::span<const uint64_t> codedCounts, std::span<const uint8_t> bytes,
                                           unsigned threads) {
  Result<CanonicalCode> code = makeCode(header);
  if (!code)
    return code.status();
  std::vector<uint64_t> counted;
  if (header.order == Order::Mma) {
    std::span<const int> offsets = exponentOffsets(header.group);
    const int offset = header.exponentOffset;
    if (codedCounts.empty())
      counted = countGroups(header.elementType, header.group, std::span(&offset, 1), header.shape, bytes, threads);
    else
      codedCounts =
          codedCounts.subspan(size_t(std::ranges::find(offsets, offset) - offsets.begin()) * header.codedSymbolCount(),
                              header.codedSymbolCount());
  } else if (header.group == 2 && codedCounts.empty()) {
    counted = countPairs(header.elementType, header.shape, bytes, threads);
  }
  if (!counted.empty())
    codedCounts = counted;
  CodeWords estimate = countWords(
      header, *code, needsCodedCounts(header.order, header.group) ? codedCounts : symbolCounts(header, stats));
  if (header.order == Order::Mma)
    return encodeStrips(header, SegmentsEncoder(header, *code), estimate, bytes, threads);
  return encodeStrips(header, TileEncoder(*code, header.elementType, header.group), estimate, bytes, threads);
}

Result<CodeWords> estimateHuffmanWords(const Header &header, const TensorStats &stats) {
  if (header.order == Order::Mma) {
    CodeWords words = countSegmentWords(header, CanonicalCode(), {});
    if (words.max != 0) // each code has a bit at least
      words.min += header.grid().strips() * header.grid().paddedColumns() * mmaStripRows / header.group / wordBits;
    return words;
  }
  if (header.group == 2) {
    TileGrid grid = header.grid();
    uint64_t elements = grid.tileCount() == 0 ? 0 : grid.strips() * grid.paddedColumns() * laneCount;
    uint64_t most = (elements / 2 * header.maxCodeLength + wordBits - 1) / wordBits;
    return CodeWords{0, most + grid.tileCount() * laneCount * 2};
  }
  Result<CanonicalCode> code = makeCode(header);
  if (!code)
    return code.status();
  return countWords(header, *code, symbolCounts(header, stats));
}

Result<CodeWords> countPairWords(const Header &header, std::span<const uint64_t> pairCounts) {
  Result<CanonicalCode> code = makeCode(header);
  if (!code)
    return code.status();
  return countWords(header, *code, pairCounts);
}

} // namespace ecf8
