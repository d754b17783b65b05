// Histogram and entropies.
#include "ecf8/Codec/Stats.h"

#include "Kernels.h"
#include "ecf8/Support/ParallelFor.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>

namespace ecf8 {

double entropyBits(std::span<const uint64_t> counts, uint64_t total) {
  double bits = 0;
  for (uint64_t count : counts)
    if (count != 0)
      bits -= double(count) / double(total) * std::log2(double(count) / double(total));
  return std::max(bits, 0.0);
}

namespace {

/// Pieces of the tensor that the threads count.
constexpr size_t pieceBytes = size_t(1) << 20;

/// Calls count(piece, its bytes), with up to `threads` threads.
template <typename Count> void forEachPiece(std::span<const uint8_t> bytes, unsigned threads, const Count &count) {
  parallelFor((bytes.size() + pieceBytes - 1) / pieceBytes, threads, [&](size_t piece) {
    size_t begin = piece * pieceBytes;
    count(piece, bytes.subspan(begin, std::min(pieceBytes, bytes.size() - begin)));
  });
}

/// Sets the exponent range from the counts.
void setExponents(TensorStats &stats) {
  auto isPresent = [](uint64_t count) { return count != 0; };
  auto first = std::ranges::find_if(stats.symbolCounts, isPresent);
  if (first == stats.symbolCounts.end())
    return;
  stats.minExponent = uint8_t(first - stats.symbolCounts.begin());
  for (unsigned symbol = 0; symbol < maxSymbolCount; ++symbol)
    if (stats.symbolCounts[symbol] != 0)
      stats.maxExponent = uint8_t(symbol);
}

} // namespace

void addByteCounts(std::span<const uint8_t> bytes, std::array<uint64_t, 256> &counts) {
  // Eight tables side by side, so that runs of one value do not wait for their own counter.
  std::array<std::array<uint64_t, 256>, 8> tables{};
  size_t i = 0;
  for (; i + 8 <= bytes.size(); i += 8) {
    uint64_t eight = loadLittle<uint64_t>(bytes.data() + i);
    for (size_t table = 0; table < 8; ++table)
      ++tables[table][eight >> (8 * table) & 0xFF];
  }
  for (; i < bytes.size(); ++i)
    ++tables[0][bytes[i]];
  for (size_t value = 0; value < 256; ++value)
    for (const auto &table : tables)
      counts[value] += table[value];
}

TensorStats collectSymbolStats(ElementType elementType, std::span<const uint8_t> bytes, unsigned threads) {
  struct Piece {
    SymbolCounts counts{};
    uint32_t dataFlags = 0;
  };
  std::vector<Piece> pieces((bytes.size() + pieceBytes - 1) / pieceBytes);
  forEachPiece(bytes, threads, [&](size_t piece, std::span<const uint8_t> part) {
    encodeKernels().countSymbols(elementType, part, pieces[piece].counts, pieces[piece].dataFlags);
  });
  Piece sum;
  for (const Piece &piece : pieces) {
    for (unsigned symbol = 0; symbol < maxSymbolCount; ++symbol)
      sum.counts[symbol] += piece.counts[symbol];
    sum.dataFlags |= piece.dataFlags;
  }
  return makeSymbolStats(elementType, sum.counts, sum.dataFlags);
}

TensorStats makeSymbolStats(ElementType elementType, const SymbolCounts &counts, uint32_t dataFlags) {
  TensorStats stats;
  stats.elementType = elementType;
  stats.symbolCounts = counts;
  stats.elementCount = std::accumulate(counts.begin(), counts.end(), uint64_t(0));
  stats.dataFlags = dataFlags;
  setExponents(stats);
  return stats;
}

void addSymbolStats(TensorStats &whole, const TensorStats &part) {
  if (part.elementCount == 0)
    return;
  whole.minExponent = whole.elementCount == 0 ? part.minExponent : std::min(whole.minExponent, part.minExponent);
  whole.maxExponent = std::max(whole.maxExponent, part.maxExponent);
  whole.elementCount += part.elementCount;
  whole.dataFlags |= part.dataFlags;
  for (unsigned symbol = 0; symbol < maxSymbolCount; ++symbol)
    whole.symbolCounts[symbol] += part.symbolCounts[symbol];
}

double TensorStats::entropyBound() const {
  return exponentEntropy + std::popcount(getElementSplit(elementType).restMask);
}

TensorStats collectStats(ElementType elementType, std::span<const uint8_t> bytes, unsigned threads) {
  TensorStats stats;
  stats.elementType = elementType;
  stats.elementCount = bytes.size();

  std::vector<std::array<uint64_t, 256>> pieceCounts((bytes.size() + pieceBytes - 1) / pieceBytes);
  forEachPiece(bytes, threads,
               [&](size_t piece, std::span<const uint8_t> part) { addByteCounts(part, pieceCounts[piece]); });
  for (const auto &counts : pieceCounts)
    for (unsigned value = 0; value < 256; ++value)
      stats.byteCounts[value] += counts[value];

  for (unsigned value = 0; value < 256; ++value) {
    if (stats.byteCounts[value] == 0)
      continue;
    stats.symbolCounts[getElementSplit(elementType).symbolOf(uint8_t(value))] += stats.byteCounts[value];
    stats.dataFlags |= dataFlagsOf(elementType, uint8_t(value));
  }
  setExponents(stats);
  stats.byteEntropy = entropyBits(stats.byteCounts, stats.elementCount);
  stats.exponentEntropy = entropyBits(stats.symbolCounts, stats.elementCount);
  return stats;
}

} // namespace ecf8
