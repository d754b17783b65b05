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

/// The same for any number of coded symbols, which 2^maxLength is not below.
std::vector<uint8_t> buildWideCodeLengths(std::span<const uint64_t> counts, unsigned maxLength);

/// A canonical code ready for use.
class CanonicalCode {
public:
  /// Checks that the lengths form a code: none over `maxLength`, none for symbols from `symbolCount` on, complete
  /// unless one symbol or none is used. The message names the offset of the header's field.
  static Result<CanonicalCode> create(const CodeLengths &lengths, unsigned symbolCount, unsigned maxLength);
  /// The same for a wide code, one length per coded symbol. The message names the offset in the section of code
  /// lengths.
  static Result<CanonicalCode> createWide(std::span<const uint8_t> lengths, unsigned maxLength);

  unsigned usedSymbols() const { return used; }
  /// Bits that `symbol` takes in the stream: 0 for a lone symbol.
  unsigned streamLength(unsigned symbol) const { return used > 1 ? lengths[symbol] : 0; }
  /// The code of `symbol` in stream order: its canonical bits reversed, the first bit lowest.
  unsigned streamBits(unsigned symbol) const { return reversed[symbol]; }
  /// The codes of `length` bits, 1 to 15: the first canonical one, how many there are, and their symbols in canonical
  /// order as symbolAt(firstIndex), symbolAt(firstIndex + 1), ...
  struct Codes {
    unsigned first, count, firstIndex;
  };
  Codes codesOf(unsigned length) const { return {firstCode[length], codeCount[length], firstIndex[length]}; }
  unsigned symbolAt(unsigned index) const { return ordered[index]; }
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
  /// `offsetOf` gives the byte of the payload that holds a symbol's length.
  static Result<CanonicalCode> createChecked(std::span<const uint8_t> lengths, unsigned symbolCount, unsigned maxLength,
                                             uint64_t (*offsetOf)(unsigned symbol));

  std::vector<uint8_t> lengths;
  unsigned used = 0;
  unsigned padding = 0;
  std::vector<uint16_t> reversed;
  // By length: the first canonical code, the number of codes, and where their symbols start in `ordered`.
  std::array<uint16_t, 16> firstCode{}, codeCount{}, firstIndex{};
  std::vector<uint16_t> ordered; // used symbols by (length, symbol)
};

} // namespace ecf8

#endif // ECF8_CODEC_HUFFMAN_H
