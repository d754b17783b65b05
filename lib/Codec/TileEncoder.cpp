// The inner loops of encoding huffman.
#include "TileEncoder.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace ecf8 {

TileEncoder::TileEncoder(const CanonicalCode &code, ElementType type, unsigned group)
    : pairCodes{}, type(type), group(group) {
  const ElementSplit &split = getElementSplit(type);
  unsigned symbols = split.symbolCount;
  pairs.resize(symbols * symbols);
  if (group == 2) {
    for (unsigned pair = 0; pair < pairs.size(); ++pair)
      pairs[pair] = {uint16_t(code.streamBits(pair)), uint16_t(code.streamLength(pair))};
    for (unsigned pair = 0; pair < std::min(pairs.size(), pairCodes.size()); ++pair)
      pairCodes[pair] = uint16_t(pairs[pair].bits | pairs[pair].length << 12);
    padding = {split.elementOf(code.paddingSymbol() % symbols, 0), split.elementOf(code.paddingSymbol() / symbols, 0)};
    return;
  }
  padding.fill(split.elementOf(code.paddingSymbol(), 0));
  for (unsigned first = 0; first < symbols; ++first) {
    unsigned length = code.streamLength(first);
    codes.bits[first] = uint8_t(code.streamBits(first));
    codes.lengths[first] = uint8_t(length);
    for (unsigned second = 0; second < symbols; ++second)
      pairs[first + second * symbols] = {uint16_t(code.streamBits(first) | code.streamBits(second) << length),
                                         uint16_t(length + code.streamLength(second))};
  }
}

template <unsigned shift, unsigned symbolBits>
TileEncoder::LaneEnd TileEncoder::encodeLane(const uint8_t *elements, uint64_t steps, uint16_t *words,
                                             uint32_t *fillSteps) {
  constexpr unsigned mask = (1u << symbolBits) - 1;
  uint64_t filled = 0;
  uint32_t pending = 0;
  unsigned position = 0;
  for (uint64_t step = 0; step < steps; ++step) {
    const uint8_t *two = elements + step * stepElements;
    unsigned first = two[0] >> shift & mask, second = two[1] >> shift & mask;
    Pair pair = pairs[first | second << symbolBits];
    pending |= uint32_t(pair.bits) << position;
    position += pair.length;
    // No branches: whether a word fills up is a coin toss that a predictor loses.
    unsigned isFull = position / wordBits;
    words[filled] = uint16_t(pending);
    fillSteps[filled] = uint32_t(step);
    fetches[step] += isFull;
    filled += isFull;
    pending >>= isFull * wordBits;
    position %= wordBits;
  }
  words[filled] = uint16_t(pending);
  words[filled + 1] = 0;
  return {filled, position};
}

/// How many words of a stream of `end` words are stored, when those in `emptySlots` are the only ones that hold no bit.
/// [stream_c4]
static uint64_t countStoredWords(uint64_t end, std::span<const uint64_t> emptySlots) {
  uint64_t lastEmpty = 0; // bit i: word end - 1 - i is empty; there are 64 empty slots at most
  for (uint64_t slot : emptySlots)
    if (uint64_t fromEnd = end - 1 - slot; fromEnd < 64)
      lastEmpty |= uint64_t(1) << fromEnd;
  return end - uint64_t(std::countr_one(lastEmpty));
}

uint64_t TileEncoder::encode(const RowsView &rows, uint64_t paddedColumns, uint8_t *rest) {
  const EncodeKernels &kernels = encodeKernels();
  elements.resize(paddedColumns * laneCount);
  kernels.reorderTile(rows, paddedColumns, padding[0], elements.data());
  if (group == 2 && (rows.rows < laneCount || rows.columns < paddedColumns))
    fillPairPadding(rows, paddedColumns);
  kernels.encodeRest(type, elements.data(), paddedColumns / getRestUnit(type).columns, rest);
  uint64_t steps = paddedColumns / 2;
  bool isNumbered = 2 * laneCount + steps * laneCount <= 0xFFFF; // by the kernels' slots
  bool hasKernel =
      group == 2 ? kernels.encodePairLanes && pairs.size() <= pairCodes.size() : kernels.encodeLanes != nullptr;
  return hasKernel && isNumbered ? encodeWithKernel(kernels, steps) : encodeLaneByLane(steps);
}

void TileEncoder::fillPairPadding(const RowsView &rows, uint64_t paddedColumns) {
  const ElementSplit &split = getElementSplit(type);
  for (unsigned lane = 0; lane < laneCount; ++lane) {
    uint64_t column = laneToRow(lane) < rows.rows ? rows.columns : 0;
    if (column % 2 != 0) { // the other one of its pair is an element of the matrix
      unsigned symbol = split.symbolOf(elements[tilePosition(lane, column - 1)]);
      elements[tilePosition(lane, column++)] = split.elementOf(symbol, 0);
    }
    for (; column < paddedColumns; ++column)
      elements[tilePosition(lane, column)] = padding[column % 2];
  }
}

uint64_t TileEncoder::encodeWithKernel(const EncodeKernels &kernels, uint64_t steps) {
  stream.resize(2 * laneCount + steps * laneCount + 1);
  LaneEnds ends;
  if (group == 2)
    kernels.encodePairLanes(pairCodes, elements.data(), steps, stream.data(), ends);
  else
    kernels.encodeLanes(type, codes, elements.data(), steps, stream.data(), ends);
  std::array<uint64_t, 2 * laneCount> emptySlots;
  size_t emptyCount = 0;
  for (unsigned lane = 0; lane < laneCount; ++lane) {
    stream[ends.slots[lane]] = ends.words[lane];
    stream[ends.nextSlots[lane]] = 0;
    emptySlots[emptyCount++] = ends.nextSlots[lane];
    if (ends.positions[lane] == 0)
      emptySlots[emptyCount++] = ends.slots[lane];
  }
  return countStoredWords(ends.end, std::span(emptySlots).first(emptyCount));
}

uint64_t TileEncoder::encodeLaneByLane(uint64_t steps) {
  uint64_t laneStride = steps + 2;
  laneWords.resize(laneStride * laneCount);
  fillSteps.resize(laneStride * laneCount);
  fetches.assign(steps, 0);
  std::array<LaneEnd, laneCount> ends;
  for (unsigned lane = 0; lane < laneCount; ++lane) {
    const uint8_t *laneElements = elements.data() + lane * 2;
    uint16_t *words = laneWords.data() + lane * laneStride;
    uint32_t *laneSteps = fillSteps.data() + lane * laneStride;
    ends[lane] = type == ElementType::F8E5M2 ? encodeLane<2, 5>(laneElements, steps, words, laneSteps)
                                             : encodeLane<3, 4>(laneElements, steps, words, laneSteps);
  }

  // A lane fetches its next word after the step that filled one. So the words from number 2 on lie by step, then by
  // lane: a counting sort, whose counters are the places where each step's words start.
  uint64_t end = 2 * laneCount;
  for (uint64_t step = 0; step < steps; ++step)
    end += std::exchange(fetches[step], end);
  stream.resize(end);
  // Words without a coded bit: the last of each lane, and the one before where it is still empty.
  std::array<uint64_t, 2 * laneCount> emptySlots;
  size_t emptyCount = 0;
  for (unsigned lane = 0; lane < laneCount; ++lane) {
    const uint16_t *words = laneWords.data() + lane * laneStride;
    uint64_t slots[2] = {lane, laneCount + lane}; // of the lane's last two words
    stream[slots[0]] = words[0];
    stream[slots[1]] = words[1];
    for (uint64_t i = 0; i < ends[lane].filledWords; ++i) {
      uint64_t slot = fetches[fillSteps[lane * laneStride + i]]++;
      stream[slot] = words[i + 2];
      slots[0] = std::exchange(slots[1], slot);
    }
    emptySlots[emptyCount++] = slots[1];
    if (ends[lane].position == 0)
      emptySlots[emptyCount++] = slots[0];
  }
  return countStoredWords(end, std::span(emptySlots).first(emptyCount));
}

} // namespace ecf8
