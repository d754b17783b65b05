// Matrices of elements of one byte in another order.
#ifndef ECF8_CODEC_TRANSPOSE_H
#define ECF8_CODEC_TRANSPOSE_H

#include <cstdint>
#include <span>
#include <vector>

namespace ecf8 {

/// The transposes of the matrices of `rows` x `columns` that lie one behind the other in `elements`, in that order,
/// with up to `threads` threads. `elements` must hold whole matrices.
std::vector<uint8_t> transposeMatrices(std::span<const uint8_t> elements, uint64_t rows, uint64_t columns,
                                       unsigned threads = 1);

} // namespace ecf8

#endif // ECF8_CODEC_TRANSPOSE_H
