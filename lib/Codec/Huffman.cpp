// Package-merge and canonical codes.
#include "ecf8/Codec/Huffman.h"

#include <algorithm>
#include <string>

namespace ecf8 {
namespace {

Status corruptLengths(uint64_t offset, std::string_view expected, std::string_view got, std::string_view rule) {
  std::string message = "expected ";
  message.append(expected).append(", got ").append(got);
  message += " at byte " + std::to_string(offset);
  message.append(" [").append(rule).append("]");
  return Status(StatusCode::Corrupt, std::move(message));
}

} // namespace

std::vector<uint8_t> buildWideCodeLengths(std::span<const uint64_t> counts, unsigned maxLength) {
  std::vector<uint8_t> lengths(counts.size());
  std::vector<unsigned> symbols; // the leaves, from the lightest on
  for (unsigned symbol = 0; symbol < counts.size(); ++symbol)
    if (counts[symbol] != 0)
      symbols.push_back(symbol);
  std::sort(symbols.begin(), symbols.end(), [&](unsigned left, unsigned right) {
    return std::pair(counts[left], left) < std::pair(counts[right], right);
  });
  if (symbols.size() == 1)
    lengths[symbols.front()] = 1;
  if (symbols.size() < 2)
    return lengths;

  // Each round pairs the lightest packages of the last and merges the pairs with the leaves again, leaves first among
  // equals. `isLeaf` says of each package of each round which it is.
  std::vector<uint64_t> weights;
  for (unsigned symbol : symbols)
    weights.push_back(counts[symbol]);
  std::vector<std::vector<bool>> isLeaf = {std::vector<bool>(symbols.size(), true)};
  for (unsigned round = 1; round < maxLength; ++round) {
    std::vector<uint64_t> merged;
    std::vector<bool> leaves;
    size_t leaf = 0, pair = 0;
    while (leaf < symbols.size() || pair + 1 < weights.size()) {
      uint64_t pairWeight = pair + 1 < weights.size() ? weights[pair] + weights[pair + 1] : 0;
      bool takesLeaf = pair + 1 >= weights.size() || (leaf < symbols.size() && counts[symbols[leaf]] <= pairWeight);
      merged.push_back(takesLeaf ? counts[symbols[leaf]] : pairWeight);
      leaves.push_back(takesLeaf);
      (takesLeaf ? leaf : pair) += takesLeaf ? 1 : 2;
    }
    weights = std::move(merged);
    isLeaf.push_back(std::move(leaves));
  }

  // The 2n - 2 lightest of the last round hold every symbol as often as its code has bits. The p pairs among them are
  // the first 2p packages of the round before, and so on down.
  size_t taken = 2 * symbols.size() - 2;
  for (size_t round = isLeaf.size(); round-- > 0;) {
    size_t leaves = size_t(std::count(isLeaf[round].begin(), isLeaf[round].begin() + ptrdiff_t(taken), true));
    for (size_t leaf = 0; leaf < leaves; ++leaf)
      ++lengths[symbols[leaf]];
    taken = 2 * (taken - leaves);
  }
  return lengths;
}

CodeLengths buildCodeLengths(const SymbolCounts &counts, unsigned maxLength) {
  CodeLengths lengths;
  std::ranges::copy(buildWideCodeLengths(counts, maxLength), lengths.begin());
  return lengths;
}

Result<CanonicalCode> CanonicalCode::create(const CodeLengths &lengths, unsigned symbolCount, unsigned maxLength) {
  return createChecked(lengths, symbolCount, maxLength,
                       [](unsigned symbol) { return header_offset::codeLengths + symbol / 2; });
}

Result<CanonicalCode> CanonicalCode::createWide(std::span<const uint8_t> lengths, unsigned maxLength) {
  return createChecked(lengths, unsigned(lengths.size()), maxLength,
                       [](unsigned symbol) { return wideHeaderBytes + symbol; });
}

Result<CanonicalCode> CanonicalCode::createChecked(std::span<const uint8_t> lengths, unsigned symbolCount,
                                                   unsigned maxLength, uint64_t (*offsetOf)(unsigned symbol)) {
  CanonicalCode code;
  code.lengths.assign(lengths.begin(), lengths.end());
  code.reversed.resize(lengths.size());
  uint32_t kraft = 0; // in units of 2^-maxLength
  for (unsigned symbol = 0; symbol < lengths.size(); ++symbol) {
    unsigned length = lengths[symbol];
    if (length == 0)
      continue;
    std::string name = "symbol " + std::to_string(symbol);
    if (symbol >= symbolCount)
      return corruptLengths(offsetOf(symbol), "no code for " + name, "length " + std::to_string(length), "huffman_c1");
    if (length > maxLength)
      return corruptLengths(offsetOf(symbol), "a code of at most " + std::to_string(maxLength) + " bits for " + name,
                            std::to_string(length), "huffman_c1");
    if (code.used == 0 || length < lengths[code.padding])
      code.padding = symbol;
    ++code.used;
    ++code.codeCount[length];
    kraft += 1u << (maxLength - length);
  }
  if (code.used == 1) {
    if (lengths[code.padding] != 1)
      return corruptLengths(offsetOf(code.padding), "length 1 for the only symbol",
                            std::to_string(lengths[code.padding]), "huffman_c4");
    code.codeCount[1] = 0; // it has no bits
    code.ordered.push_back(uint16_t(code.padding));
    return code;
  }
  if (code.used > 1 && kraft != 1u << maxLength)
    return corruptLengths(offsetOf(0), "a complete code (Kraft sum " + std::to_string(1u << maxLength) + ")",
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
      code.ordered.push_back(uint16_t(symbol));
      ++index;
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
