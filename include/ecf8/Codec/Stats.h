// Figures of a tensor's bytes: histogram, entropies, and what each encoding would take.
#ifndef ECF8_CODEC_STATS_H
#define ECF8_CODEC_STATS_H

#include "ecf8/Codec/Huffman.h"

namespace ecf8 {

struct TensorStats {
  ElementType elementType = ElementType::F8E4M3FN;
  uint64_t elementCount = 0;
  std::array<uint64_t, 256> byteCounts{};
  SymbolCounts symbolCounts{};
  uint32_t dataFlags = 0;     ///< DataFlags
  uint8_t minExponent = 0;    ///< of the exponent fields present; 0 when empty
  uint8_t maxExponent = 0;    ///< the same
  double exponentEntropy = 0; ///< bits per element of the exponent field
  double byteEntropy = 0;     ///< bits per element of the whole byte

  /// The bound that an exponent code with raw sign and mantissa cannot beat: exponentEntropy + the bits of the rest.
  double entropyBound() const;
};

/// Entropy in bits per symbol of `total` symbols that occur `counts` times each.
double entropyBits(std::span<const uint64_t> counts, uint64_t total);

/// Counts `bytes` with up to `threads` threads. Only for the implemented element types.
TensorStats collectStats(ElementType elementType, std::span<const uint8_t> bytes, unsigned threads = 1);

} // namespace ecf8

#endif // ECF8_CODEC_STATS_H
