// Encoding huffman. Strips are encoded independently and their codes appended in order, so that the bytes do not depend
// on the number of threads.
#include "HuffmanEncoder.h"

#include "OrderedFor.h"
#include "SegmentsEncoder.h"
#include "TileEncoder.h"

#include <algorithm>
#include <bit>
#include <memory>
#include <optional>
#include <type_traits>

namespace ecf8 {
namespace {

/// Bits that a symbol takes at most in usual tensors: what memory is reserved for.
constexpr double reserveBits = 3.25;

/// One thread's part of the work: the coded words of a strip, tile after tile. `Encoder` is TileEncoder, or
/// SegmentsEncoder in order mma, whose words are bytes.
template <typename Encoder> struct StripEncoder {
  using Word = std::remove_cvref_t<decltype(*std::declval<const Encoder &>().words())>;
  std::optional<Encoder> tiles;
  std::vector<Word> words;
  std::vector<uint64_t> tileEnds; ///< in bytes from the strip's first
};

/// What the codes of order mma take, whatever they are. [segments_c1] [segments_c3]
CodeWords estimateSegmentWords(const Header &header) {
  TileGrid grid = header.grid();
  if (grid.tileCount() == 0)
    return {};
  uint64_t groups = grid.strips() * grid.paddedColumns() * mmaStripRows / header.group; // each has a bit at least
  uint64_t starts = grid.tileCount() * segmentStartsBytes / 2;
  // For each tile the front, the ends of segments, and what follows the last.
  constexpr uint64_t tileBits = firstSegmentBit + laneCount * segmentAlignmentBits + (bytesAfterSegments + 16) * 8;
  return {starts + groups / wordBits,
          starts + (groups * header.maxCodeLength + grid.tileCount() * tileBits) / wordBits + 1};
}

/// What coded elements take that have `counts` coded symbols, and otherwise padding. [huffman_c6]
CodeWords countWords(const Header &header, const CanonicalCode &code, std::span<const uint64_t> counts) {
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
void encodeStrip(const Header &header, std::span<const uint8_t> bytes, uint64_t strip, uint8_t *rest,
                 StripEncoder<Encoder> &encoder) {
  TileGrid grid = header.grid();
  encoder.words.clear();
  encoder.tileEnds.clear();
  for (uint64_t tile = 0; tile < grid.tilesPerStrip(); ++tile) {
    Encoder &tiles = *encoder.tiles;
    uint64_t count = tiles.encode(rowsOfTile(grid, bytes, strip, tile), grid.paddedWidth(tile), rest);
    encoder.words.insert(encoder.words.end(), tiles.words(), tiles.words() + count);
    encoder.tileEnds.push_back(encoder.words.size() * sizeof(*tiles.words()));
    rest += grid.paddedWidth(tile) * header.storage().bytesPerColumn;
  }
}

template <typename Word> void appendWords(std::span<const Word> words, std::vector<uint8_t> &out) {
  if (std::endian::native == std::endian::little) {
    const uint8_t *begin = reinterpret_cast<const uint8_t *>(words.data());
    out.insert(out.end(), begin, begin + words.size_bytes());
    return;
  }
  size_t end = out.size();
  out.resize(end + words.size_bytes());
  for (size_t i = 0; i < words.size(); ++i)
    storeLittle(out.data() + end + i * sizeof(Word), words[i]);
}

/// Encodes all strips with copies of `prototype`.
template <typename Encoder>
Result<std::vector<uint8_t>> encodeStrips(Header &header, const Encoder &prototype, std::span<const uint8_t> bytes,
                                          unsigned threads) {
  header.codesBytes = 0; // so far
  if (Status status = placeSections(header); !status.isOk())
    return status;
  const TileGrid grid = header.grid();
  const uint64_t tilesPerStrip = grid.tilesPerStrip(), strips = grid.tileCount() == 0 ? 0 : grid.strips();
  const uint64_t bytesPerColumn = header.storage().bytesPerColumn;
  const uint64_t restBytes = grid.columnsBefore(strips, 0) * bytesPerColumn;
  const unsigned unitBytes = header.tableUnitBytes();
  // The rest waits beside the payload until the codes before it are complete.
  auto rest = std::make_unique_for_overwrite<uint8_t[]>(restBytes);
  adviseLargePages(rest.get(), restBytes);
  double restBits = bytesPerColumn * 8.0 / grid.paddedRows(); // a group of 4 codes fewer bits
  double reserved = std::max(reserveBits - std::max(restBits - 4, 0.0), 0.5);
  std::vector<uint8_t> payload = reserveBytes(
      header.payloadBytes + uint64_t(double(strips * grid.paddedColumns() * grid.paddedRows()) * reserved / 8));
  payload.resize(header.codesOffset);
  uint64_t codesBytes = 0;
  Status status = orderedFor<StripEncoder<Encoder>>(
      strips, threads,
      [&](size_t strip, StripEncoder<Encoder> &encoder) {
        if (!encoder.tiles)
          encoder.tiles = prototype;
        encodeStrip(header, bytes, strip, rest.get() + grid.columnsBefore(strip, 0) * bytesPerColumn, encoder);
        return Status::ok();
      },
      [&](size_t strip, StripEncoder<Encoder> &encoder) {
        std::span words(std::as_const(encoder.words));
        if (Status status = checkCodesBytes(header, codesBytes + words.size_bytes()); !status.isOk())
          return status;
        uint8_t *table = payload.data() + header.tileTableOffset + strip * tilesPerStrip * 4;
        for (uint64_t end : encoder.tileEnds) // entry 0 of the whole table is 0; each tile has that of its end
          storeLittle(table += 4, uint32_t((codesBytes + end) / unitBytes));
        codesBytes += words.size_bytes();
        appendWords(words, payload);
        return Status::ok();
      },
      [](size_t, StripEncoder<Encoder> &) { return Status::ok(); });
  if (!status.isOk())
    return status;
  header.codesBytes = codesBytes;
  if (status = placeSections(header); !status.isOk())
    return status;
  payload.resize(header.restOffset);
  payload.insert(payload.end(), rest.get(), rest.get() + restBytes);
  payload.resize(header.payloadBytes);
  return payload;
}

/// Adds the pairs of `row` from its first element on to `tables` (EncodeKernels::countPairs); a last one without a
/// neighbour is paired with itself.
void addPairs(const ElementSplit &split, ElementType type, std::span<const uint8_t> row, std::span<uint32_t> tables) {
  encodeKernels().countPairs(type, row.first(row.size() / 2 * 2), tables);
  if (row.size() % 2 != 0)
    ++tables[split.symbolOf(row.back()) * (1 + split.symbolCount)];
}

} // namespace

static CodedStats collectPairStats(ElementType type, const MatrixShape &shape, std::span<const uint8_t> bytes,
                                   unsigned threads) {
  const ElementSplit &split = getElementSplit(type);
  size_t pairs = size_t(split.symbolCount) * split.symbolCount;
  // Whole rows of about so many elements, which stay in the second-level cache for both counts; rows of an even number
  // of elements are counted as if they were one.
  constexpr uint64_t usualElements = uint64_t(1) << 18;
  bool isEven = shape.columns % 2 == 0;
  uint64_t pieceElements =
      isEven ? usualElements : std::max<uint64_t>(1, usualElements / shape.columns) * shape.columns;
  struct Piece {
    TensorStats symbols;
    std::vector<uint32_t> pairCounts;
  };
  std::vector<Piece> pieces(size_t((bytes.size() + pieceElements - 1) / pieceElements));
  parallelFor(pieces.size(), threads, [&](size_t i) {
    std::span<const uint8_t> part = bytes.subspan(i * pieceElements);
    part = part.first(std::min<uint64_t>(part.size(), pieceElements));
    uint32_t dataFlags = 0;
    bool isInPairs = isEven && encodeKernels().collectFlags; // every element is in one pair that is counted
    if (isInPairs)
      encodeKernels().collectFlags(type, part, dataFlags);
    else
      pieces[i].symbols = collectSymbolStats(type, part, /*threads=*/1);
    std::vector<uint32_t> tables(4 * pairs);
    uint64_t rowElements = isEven ? part.size() : shape.columns;
    for (; !part.empty(); part = part.subspan(rowElements))
      addPairs(split, type, part.first(rowElements), tables);
    for (size_t pair = 0; pair < 3 * pairs; ++pair)
      tables[pair % pairs] += tables[pairs + pair];
    pieces[i].pairCounts.assign(tables.begin(), tables.begin() + std::ptrdiff_t(pairs));
    if (!isInPairs)
      return;
    SymbolCounts counts{};
    for (size_t pair = 0; pair < pairs; ++pair) {
      counts[pair % split.symbolCount] += pieces[i].pairCounts[pair];
      counts[pair / split.symbolCount] += pieces[i].pairCounts[pair];
    }
    pieces[i].symbols = makeSymbolStats(type, counts, dataFlags);
  });
  CodedStats sum;
  sum.symbols.elementType = type;
  sum.codedCounts.resize(pairs);
  for (const Piece &piece : pieces) {
    addSymbolStats(sum.symbols, piece.symbols);
    for (size_t pair = 0; pair < pairs; ++pair)
      sum.codedCounts[pair] += piece.pairCounts[pair];
  }
  return sum;
}

CodedStats collectCodedStats(Order order, unsigned group, ElementType type, const MatrixShape &shape,
                             std::span<const uint8_t> bytes, unsigned threads) {
  if (order != Order::Mma && group == 2)
    return collectPairStats(type, shape, bytes, threads);
  CodedStats stats = {collectSymbolStats(type, bytes, threads), {}};
  if (order == Order::Mma)
    stats.codedCounts = countGroups(type, group, exponentOffsets(group), shape, bytes, threads);
  return stats;
}

Result<std::vector<uint8_t>> encodeHuffman(Header &header, std::span<const uint8_t> bytes, unsigned threads) {
  Result<CanonicalCode> code = makeCode(header);
  if (!code)
    return code.status();
  if (header.order == Order::Mma)
    return encodeStrips(header, SegmentsEncoder(header, *code), bytes, threads);
  return encodeStrips(header, TileEncoder(*code, header.elementType, header.group), bytes, threads);
}

Result<CodeWords> estimateHuffmanWords(const Header &header, const TensorStats &stats) {
  if (header.order == Order::Mma)
    return estimateSegmentWords(header);
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
