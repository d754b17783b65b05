// Ranks and sizes of encoding planes.
#include "ecf8/Codec/Planes.h"

#include <algorithm>
#include <string>

namespace ecf8 {
namespace {

Status corruptRank(unsigned symbol, const std::string &expected, const std::string &got, const char *rule) {
  return Status(StatusCode::Corrupt, "expected " + expected + ", got " + got + " at byte " +
                                         std::to_string(header_offset::codeLengths + symbol / 2) + " [" + rule + "]");
}

} // namespace

RankNibbles buildRankNibbles(const SymbolCounts &counts) {
  std::vector<unsigned> symbols;
  for (unsigned symbol = 0; symbol < maxSymbolCount; ++symbol)
    if (counts[symbol] != 0)
      symbols.push_back(symbol);
  std::sort(symbols.begin(), symbols.end(), [&](unsigned left, unsigned right) {
    return std::pair(counts[right], left) < std::pair(counts[left], right);
  });
  RankNibbles nibbles{};
  for (unsigned rank = 0; rank < std::min<size_t>(symbols.size(), rankCount); ++rank)
    nibbles[symbols[rank]] = uint8_t(rank + 1);
  return nibbles;
}

Result<SymbolRanks> SymbolRanks::create(const RankNibbles &nibbles, unsigned symbolCount) {
  SymbolRanks ranks;
  std::array<bool, rankCount> given{};
  for (unsigned symbol = 0; symbol < maxSymbolCount; ++symbol) {
    unsigned nibble = nibbles[symbol];
    if (nibble == 0)
      continue;
    std::string name = "symbol " + std::to_string(symbol), number = std::to_string(nibble);
    if (symbol >= symbolCount)
      return corruptRank(symbol, "no rank for " + name, "rank + 1 = " + number, "planes_c1");
    if (nibble > rankCount)
      return corruptRank(symbol, "rank + 1 of at most 6 for " + name, number, "planes_c1");
    unsigned rank = nibble - 1;
    if (given[rank])
      return corruptRank(symbol, "one symbol of rank " + std::to_string(rank),
                         "symbols " + std::to_string(ranks.symbols[rank]) + " and " + std::to_string(symbol),
                         "planes_c2");
    given[rank] = true;
    ranks.symbols[rank] = uint8_t(symbol);
    ranks.ranked[symbol] = true;
    ranks.used = std::max(ranks.used, rank + 1);
  }
  for (unsigned rank = 0; rank < ranks.used; ++rank)
    if (!given[rank])
      return corruptRank(0, "a symbol of rank " + std::to_string(rank),
                         "ranks up to " + std::to_string(ranks.used - 1) + " without it", "planes_c2");
  return ranks;
}

uint64_t planesTileWords(ElementType type, uint64_t firstEscapes, uint64_t secondEscapes) {
  uint64_t bytes = 4 + (firstEscapes + 63) / 64 * 16 + (secondEscapes + 1) / 2;
  if (type == ElementType::F8E5M2)
    bytes += (secondEscapes + 7) / 8;
  return (bytes + 1) / 2;
}

} // namespace ecf8
