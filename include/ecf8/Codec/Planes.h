// The ranks of encoding planes: which symbols have a code of two bits (docs/Format.md, section 10).
#ifndef ECF8_CODEC_PLANES_H
#define ECF8_CODEC_PLANES_H

#include "ecf8/Codec/Huffman.h"

namespace ecf8 {

/// Symbols that a code of two bits can name: three in the first plane, three in the second.
inline constexpr unsigned rankCount = 6;
inline constexpr unsigned ranksPerPlane = 3;
/// The code of two bits that sends a symbol to the next plane.
inline constexpr unsigned escapeCode = 3;
/// Bounds the escapes of a tile, and with them the buffers of a decoder [header_c14].
inline constexpr uint32_t maxPlanesTileColumns = 1024;

/// Rank + 1 by symbol, 0 = no rank: what the header's field codeLengths holds for planes.
using RankNibbles = std::array<uint8_t, maxSymbolCount>;

/// Ranks for the most frequent symbols, by (count descending, symbol ascending); none for absent ones [encoder_c2].
RankNibbles buildRankNibbles(const SymbolCounts &counts);

/// The symbols of the ranks that are given, from 0 on without gaps.
class SymbolRanks {
public:
  /// Checks the nibbles [planes_c1] [planes_c2]. The message names the offset of the header's field.
  static Result<SymbolRanks> create(const RankNibbles &nibbles, unsigned symbolCount);

  unsigned usedRanks() const { return used; }
  /// 0 for a rank that is not given.
  uint8_t symbolOf(unsigned rank) const { return symbols[rank]; }
  bool hasRank(unsigned symbol) const { return ranked[symbol]; }

private:
  unsigned used = 0;
  std::array<uint8_t, rankCount> symbols{};
  std::array<bool, maxSymbolCount> ranked{};
};

/// Words of 2 bytes that the stream of a tile takes, given its escapes of the first and of the second plane
/// [codes_c1].
uint64_t planesTileWords(ElementType type, uint64_t firstEscapes, uint64_t secondEscapes);

} // namespace ecf8

#endif // ECF8_CODEC_PLANES_H
