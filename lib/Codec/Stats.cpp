// Histogram and entropies.
#include "ecf8/Codec/Stats.h"

#include "ParallelFor.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace ecf8 {
namespace {

double entropyBits(std::span<const uint64_t> counts, uint64_t total) {
  double bits = 0;
  for (uint64_t count : counts)
    if (count != 0)
      bits -= double(count) / double(total) * std::log2(double(count) / double(total));
  return std::max(bits, 0.0);
}

/// Four tables side by side, so that runs of one value do not wait for their own counter.
void addByteCounts(std::span<const uint8_t> bytes, std::array<uint64_t, 256> &counts) {
  std::array<std::array<uint64_t, 256>, 4> tables{};
  size_t i = 0;
  for (; i + 4 <= bytes.size(); i += 4)
    for (size_t table = 0; table < 4; ++table)
      ++tables[table][bytes[i + table]];
  for (; i < bytes.size(); ++i)
    ++tables[0][bytes[i]];
  for (size_t value = 0; value < 256; ++value)
    for (const auto &table : tables)
      counts[value] += table[value];
}

} // namespace

double TensorStats::entropyBound() const {
  return exponentEntropy + std::popcount(getElementSplit(elementType).restMask);
}

TensorStats collectStats(ElementType elementType, std::span<const uint8_t> bytes, unsigned threads) {
  TensorStats stats;
  stats.elementType = elementType;
  stats.elementCount = bytes.size();

  constexpr size_t pieceBytes = size_t(1) << 20;
  size_t pieces = (bytes.size() + pieceBytes - 1) / pieceBytes;
  std::vector<std::array<uint64_t, 256>> pieceCounts(pieces);
  parallelFor(pieces, threads, [&](size_t piece) {
    size_t begin = piece * pieceBytes;
    addByteCounts(bytes.subspan(begin, std::min(pieceBytes, bytes.size() - begin)), pieceCounts[piece]);
  });
  for (const auto &counts : pieceCounts)
    for (unsigned value = 0; value < 256; ++value)
      stats.byteCounts[value] += counts[value];

  const ElementSplit &split = getElementSplit(elementType);
  bool isFirst = true;
  for (unsigned value = 0; value < 256; ++value) {
    if (stats.byteCounts[value] == 0)
      continue;
    unsigned symbol = split.symbolOf(uint8_t(value));
    stats.symbolCounts[symbol] += stats.byteCounts[value];
    stats.dataFlags |= dataFlagsOf(elementType, uint8_t(value));
    stats.minExponent = isFirst ? uint8_t(symbol) : std::min(stats.minExponent, uint8_t(symbol));
    stats.maxExponent = std::max(stats.maxExponent, uint8_t(symbol));
    isFirst = false;
  }
  stats.byteEntropy = entropyBits(stats.byteCounts, stats.elementCount);
  stats.exponentEntropy = entropyBits(stats.symbolCounts, stats.elementCount);
  return stats;
}

} // namespace ecf8
