// Package-merge and canonical codes.
#include "ecf8/Codec/Huffman.h"

#include <algorithm>
#include <string>

namespace ecf8 {
namespace {

/// A set of leaves, and how often each is in it: a "coin" of package-merge.
struct Package {
  uint64_t weight;
  CodeLengths depths; ///< how often each symbol is in the package
};

Package join(const Package &left, const Package &right) {
  Package sum = {left.weight + right.weight, left.depths};
  for (unsigned symbol = 0; symbol < maxSymbolCount; ++symbol)
    sum.depths[symbol] += right.depths[symbol];
  return sum;
}

Status corruptLengths(unsigned symbol, std::string_view expected, std::string_view got, std::string_view rule) {
  std::string message = "expected ";
  message.append(expected).append(", got ").append(got);
  message += " at byte " + std::to_string(header_offset::codeLengths + symbol / 2);
  message.append(" [").append(rule).append("]");
  return Status(StatusCode::Corrupt, std::move(message));
}

} // namespace

CodeLengths buildCodeLengths(const SymbolCounts &counts, unsigned maxLength) {
  std::vector<unsigned> symbols;
  for (unsigned symbol = 0; symbol < maxSymbolCount; ++symbol)
    if (counts[symbol] != 0)
      symbols.push_back(symbol);
  std::sort(symbols.begin(), symbols.end(), [&](unsigned left, unsigned right) {
    return std::pair(counts[left], left) < std::pair(counts[right], right);
  });
  std::vector<Package> leaves;
  for (unsigned symbol : symbols) {
    leaves.push_back({counts[symbol], {}});
    leaves.back().depths[symbol] = 1;
  }
  if (leaves.empty())
    return {};
  if (leaves.size() == 1)
    return leaves.front().depths;
  auto lighter = [](const Package &left, const Package &right) { return left.weight < right.weight; };

  // Each round pairs the lightest packages and merges the pairs with the leaves again, leaves first among equals. After
  // maxLength rounds the 2n - 2 lightest hold every symbol as often as its code has bits.
  std::vector<Package> packages = leaves;
  for (unsigned round = 1; round < maxLength; ++round) {
    std::vector<Package> pairs, merged;
    for (size_t i = 0; i + 1 < packages.size(); i += 2)
      pairs.push_back(join(packages[i], packages[i + 1]));
    std::merge(leaves.begin(), leaves.end(), pairs.begin(), pairs.end(), std::back_inserter(merged), lighter);
    packages = std::move(merged);
  }
  Package total = packages.front();
  for (size_t i = 1; i < 2 * leaves.size() - 2; ++i)
    total = join(total, packages[i]);
  return total.depths;
}

Result<CanonicalCode> CanonicalCode::create(const CodeLengths &lengths, unsigned symbolCount, unsigned maxLength) {
  CanonicalCode code;
  code.lengths = lengths;
  uint32_t kraft = 0; // in units of 2^-maxLength
  for (unsigned symbol = 0; symbol < maxSymbolCount; ++symbol) {
    unsigned length = lengths[symbol];
    if (length == 0)
      continue;
    std::string name = "symbol " + std::to_string(symbol);
    if (symbol >= symbolCount)
      return corruptLengths(symbol, "no code for " + name, "length " + std::to_string(length), "huffman_c1");
    if (length > maxLength)
      return corruptLengths(symbol, "a code of at most " + std::to_string(maxLength) + " bits for " + name,
                            std::to_string(length), "huffman_c1");
    if (code.used == 0 || length < lengths[code.padding])
      code.padding = symbol;
    ++code.used;
    ++code.codeCount[length];
    kraft += 1u << (maxLength - length);
  }
  if (code.used == 1) {
    if (lengths[code.padding] != 1)
      return corruptLengths(code.padding, "length 1 for the only symbol", std::to_string(lengths[code.padding]),
                            "huffman_c4");
    return code;
  }
  if (code.used > 1 && kraft != 1u << maxLength)
    return corruptLengths(0, "a complete code (Kraft sum " + std::to_string(1u << maxLength) + ")",
                          std::to_string(kraft), "huffman_c2");

  // Canonical codes count up through the symbols by (length, symbol) [huffman_c3].
  unsigned next = 0, index = 0;
  for (unsigned length = 1; length <= maxLength; ++length) {
    next <<= 1;
    code.firstCode[length] = uint16_t(next);
    code.firstIndex[length] = uint16_t(index);
    for (unsigned symbol = 0; symbol < symbolCount; ++symbol) {
      if (lengths[symbol] != length)
        continue;
      code.ordered[index++] = uint8_t(symbol);
      for (unsigned bit = 0; bit < length; ++bit)
        code.reversed[symbol] |= uint16_t((next >> bit & 1) << (length - 1 - bit));
      ++next;
    }
  }
  return code;
}

CanonicalCode::Decoded CanonicalCode::decodeSymbol(uint32_t window) const {
  if (used < 2)
    return {padding, 0};
  unsigned bits = 0;
  for (unsigned length = 1; length < firstCode.size(); ++length) {
    bits = bits << 1 | (window >> (length - 1) & 1);
    // All codes of this length that are taken lie in [firstCode, firstCode + codeCount); longer ones lie above.
    if (bits - firstCode[length] < codeCount[length])
      return {ordered[firstIndex[length] + (bits - firstCode[length])], length};
  }
  return {padding, 0}; // not reached: the code is complete
}

} // namespace ecf8
