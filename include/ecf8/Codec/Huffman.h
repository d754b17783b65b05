// Length-limited canonical prefix codes over the symbols of one tensor (docs/Format.md, section Huffman).
#ifndef ECF8_CODEC_HUFFMAN_H
#define ECF8_CODEC_HUFFMAN_H

#include "ecf8/Codec/Format.h"

namespace ecf8 {

using SymbolCounts = std::array<uint64_t, maxSymbolCount>;
/// 0 = the symbol is absent. A lone symbol has the length 1 here and takes no bits in the stream [huffman_c4].
using CodeLengths = std::array<uint8_t, maxSymbolCount>;

/// Optimal code lengths of at most `maxLength` bits, by package-merge (Larmore and Hirschberg, 1990). `maxLength` is at
/// least 5, so that 32 symbols have room. Depends on the counts alone: among equal counts the lower symbol never has
/// the shorter code.
CodeLengths buildCodeLengths(const SymbolCounts &counts, unsigned maxLength);

/// A canonical code ready for use.
class CanonicalCode {
public:
  /// Checks that the lengths form a code: none over `maxLength`, none for symbols from `symbolCount` on, complete
  /// unless one symbol or none is used. The message names the offset of the header's field.
  static Result<CanonicalCode> create(const CodeLengths &lengths, unsigned symbolCount, unsigned maxLength);

  unsigned usedSymbols() const { return used; }
  /// Bits that `symbol` takes in the stream: 0 for a lone symbol.
  unsigned streamLength(unsigned symbol) const { return used > 1 ? lengths[symbol] : 0; }
  /// The code of `symbol` in stream order: its canonical bits reversed, the first bit lowest.
  unsigned streamBits(unsigned symbol) const { return reversed[symbol]; }
  /// The symbol that padding elements are coded as: the one with the shortest code, the lowest among equals
  /// [huffman_c6]. 0 when no symbol is used.
  unsigned paddingSymbol() const { return padding; }

  struct Decoded {
    unsigned symbol;
    unsigned bits;
  };
  /// Reads one symbol from the low bits of `window`, bit by bit. `window` must hold `maxLength` bits.
  Decoded decodeSymbol(uint32_t window) const;

private:
  CodeLengths lengths{};
  unsigned used = 0;
  unsigned padding = 0;
  std::array<uint16_t, maxSymbolCount> reversed{};
  // By length: the first canonical code, the number of codes, and where their symbols start in `ordered`.
  std::array<uint16_t, 16> firstCode{}, codeCount{}, firstIndex{};
  std::array<uint8_t, maxSymbolCount> ordered{}; // used symbols by (length, symbol)
};

} // namespace ecf8

#endif // ECF8_CODEC_HUFFMAN_H
