// Transposition in blocks that fit the first-level cache.
#include "ecf8/Codec/Transpose.h"

#include "ecf8/Support/ParallelFor.h"

namespace ecf8 {

/// Rows and columns of a block: a cache line wide.
static constexpr uint64_t kBlock = 64;

std::vector<uint8_t> transposeMatrices(std::span<const uint8_t> elements, uint64_t rows, uint64_t columns,
                                       unsigned threads) {
  std::vector<uint8_t> result(elements.size());
  if (elements.empty())
    return result;
  // A piece of work is a strip of one matrix: `kBlock` of its columns, which are rows that lie together in the result.
  uint64_t strips = (columns + kBlock - 1) / kBlock, matrixBytes = rows * columns;
  parallelFor(elements.size() / matrixBytes * strips, threads, [&](uint64_t piece) {
    const uint8_t *from = elements.data() + piece / strips * matrixBytes;
    uint8_t *to = result.data() + piece / strips * matrixBytes;
    uint64_t beginColumn = piece % strips * kBlock, endColumn = std::min(beginColumn + kBlock, columns);
    for (uint64_t beginRow = 0; beginRow < rows; beginRow += kBlock) {
      uint64_t endRow = std::min(beginRow + kBlock, rows);
      for (uint64_t column = beginColumn; column < endColumn; ++column)
        for (uint64_t row = beginRow; row < endRow; ++row)
          to[column * rows + row] = from[row * columns + column];
    }
  });
  return result;
}

} // namespace ecf8
