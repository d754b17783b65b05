// Square blocks of elements transposed in registers, by shuffles that each instruction set has.
#include "LinalgNest.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mlir::ecf8;

/// Elements of 32 bits in the parts of a register that shuffles do not cross cheaply.
static constexpr int64_t laneElements = 4;

/// For each pair of rows `distance` apart: the elements that `first` and `second` pick from both, a row each. Indices
/// from the length of a row on pick from the second row.
static void exchange(ImplicitLocOpBuilder &builder, MutableArrayRef<Value> rows, int64_t distance,
                     ArrayRef<int64_t> first, ArrayRef<int64_t> second) {
  for (size_t row = 0; row < rows.size(); ++row) {
    if (row & distance)
      continue;
    Value upper = rows[row], lower = rows[row + distance];
    rows[row] = vector::ShuffleOp::create(builder, upper, lower, first);
    rows[row + distance] = vector::ShuffleOp::create(builder, upper, lower, second);
  }
}

SmallVector<Value> mlir::ecf8::transposeInRegisters(ImplicitLocOpBuilder &builder, ArrayRef<Value> rows) {
  auto type = cast<VectorType>(rows.front().getType());
  int64_t size = type.getNumElements();
  unsigned bits = type.getElementTypeBitWidth();
  auto asBits = VectorType::get({size}, builder.getIntegerType(bits));
  auto asWords = VectorType::get({size}, builder.getI32Type());
  SmallVector<Value> words;
  for (Value row : rows) {
    Value value = type == asBits ? row : Value(arith::BitcastOp::create(builder, asBits, row));
    words.push_back(bits == 32 ? value : Value(arith::ExtUIOp::create(builder, asWords, value)));
  }

  // Elements first: rows 2i and 2i + 1 are interleaved, then pairs of elements, as the unpack instructions do it. What
  // comes out are the columns of the squares of four, in the order 0, 2, 1, 3.
  SmallVector<int64_t> low, high, lowPairs, highPairs;
  for (int64_t lane = 0; lane < size; lane += laneElements) {
    low.append({lane, lane + size, lane + 1, lane + 1 + size});
    high.append({lane + 2, lane + 2 + size, lane + 3, lane + 3 + size});
    lowPairs.append({lane, lane + 1, lane + size, lane + 1 + size});
    highPairs.append({lane + 2, lane + 3, lane + 2 + size, lane + 3 + size});
  }
  exchange(builder, words, 1, low, high);
  exchange(builder, words, 2, lowPairs, highPairs);
  for (int64_t row = 0; row < size; row += laneElements)
    std::swap(words[row + 1], words[row + 2]);
  // Then squares of four by four, and of eight by eight.
  for (int64_t distance = laneElements; distance < size; distance *= 2) {
    SmallVector<int64_t> first, second;
    for (int64_t element = 0; element < size; ++element) {
      bool fromLower = element & distance;
      first.push_back(fromLower ? element - distance + size : element);
      second.push_back(fromLower ? element + size : element + distance);
    }
    exchange(builder, words, distance, first, second);
  }

  for (Value &word : words) {
    Value value = bits == 32 ? word : Value(arith::TruncIOp::create(builder, asBits, word));
    word = type == asBits ? value : Value(arith::BitcastOp::create(builder, type, value));
  }
  return words;
}
