// Encoding huffman in order mma: the choice of its code, and the inner loops. The same code serves all groups.
#include "SegmentsEncoder.h"

#include "ecf8/Support/ParallelFor.h"

#include <algorithm>
#include <bit>

namespace ecf8 {

static uint32_t codedWord(const uint8_t *elements) { return loadLittle<uint32_t>(elements); }

void gatherQuads(const RowsView &rows, uint64_t paddedColumns, const GroupPadding *padding,
                 std::vector<uint32_t> &quads) {
  quads.assign(paddedColumns * mmaStripRows / quadElements, padding ? padding->fill(0, 0) : 0);
  uint64_t wholeColumns = rows.columns / quadElements * quadElements;
  for (unsigned row = 0; row < rows.rows; ++row) {
    const uint8_t *from = rows.data + row * rows.stride;
    for (uint64_t column = 0; column < wholeColumns; column += quadElements)
      quads[mmaPosition(row, column) / quadElements] = codedWord(from + column);
    if (unsigned rest = unsigned(rows.columns - wholeColumns); rest != 0) {
      uint32_t quad = 0;
      for (unsigned i = 0; i < rest; ++i)
        quad |= uint32_t(from[wholeColumns + i]) << (8 * i);
      quads[mmaPosition(row, wholeColumns) / quadElements] = padding ? padding->fill(quad, rest) : quad;
    }
  }
}

SegmentsEncoder::SegmentsEncoder(const Header &header, const CanonicalCode &code)
    : layout(*getGroupLayout(header.elementType, header.group)),
      addend(getOffsetAddend(header.elementType, header.exponentOffset)), padding(header) {
  for (unsigned symbol = 0; symbol < layout.symbolCount(); ++symbol) {
    unsigned length = code.streamLength(symbol);
    codes.push_back({uint16_t(code.streamBits(symbol)), uint16_t(length)});
    entries.push_back(segmentEntry(layout, symbol, length));
  }
}

uint64_t SegmentsEncoder::encode(const RowsView &rows, uint64_t paddedColumns, uint8_t *rest) {
  gatherQuads(rows, paddedColumns, &padding, quads);
  switch (layout.group) {
  case 4:
    return encodeQuads<4>(rest);
  case 2:
    return encodeQuads<2>(rest);
  }
  return encodeQuads<1>(rest);
}

/// [slots_c1] [slots_c2]
template <unsigned group> static void storeRest(const uint32_t (&rests)[laneStepQuads], unsigned step, uint8_t *lane) {
  constexpr unsigned stepWords = group == 4 ? 3 : 2;
  uint32_t words[3];
  if constexpr (group == 4) {
    words[0] = rests[0] | (rests[3] & 0x03030303u) << 5;
    words[1] = rests[1] | (rests[3] & 0x0C0C0C0Cu) << 3;
    words[2] = rests[2] | (rests[3] & 0x10101010u) << 1 | (rests[3] & 0x80808080u) >> 1;
  } else {
    words[0] = rests[0] | std::rotl(rests[1], 4);
    words[1] = rests[2] | std::rotl(rests[3], 4);
  }
  for (unsigned i = 0; i < stepWords; ++i) {
    unsigned word = step * stepWords + i; // of the lane's in the block
    storeLittle(lane + word / 4 * slotBytes + word % 4 * 4, words[i]);
  }
}

template <unsigned group> uint64_t SegmentsEncoder::encodeQuads(uint8_t *rest) {
  constexpr unsigned groups = quadElements / group;
  constexpr uint64_t blockBytes = (group == 4 ? 3 : 2) * slotBytes;
  const uint32_t restMask = layout.restMask() * 0x01010101u;
  uint64_t steps = quads.size() / mmaStepQuads;
  // Room for the longest codes, and for a store of 8 bytes behind them.
  stream.assign(segmentsBytes(quads.size() * groups * layout.maxCodeLengthLimit + laneCount * segmentAlignmentBits +
                              firstSegmentBit) +
                    8,
                0);
  uint8_t *out = stream.data() + segmentStartsBytes + firstSegmentBit / 8;
  uint64_t pending = 0; // of the byte at `out`
  unsigned pendingBits = 0;
  auto position = [&] { return uint64_t(out - stream.data() - segmentStartsBytes) * 8 + pendingBits; };
  for (unsigned lane = 0; lane < laneCount; ++lane) {
    pendingBits += unsigned(-position()) % segmentAlignmentBits;
    storeLittle(stream.data() + lane * 2, uint16_t(position() / segmentAlignmentBits)); // [segments_c1]
    for (uint64_t step = 0; step < steps; ++step) {
      const uint32_t *stepQuads = quads.data() + step * mmaStepQuads + lane * laneStepQuads;
      uint32_t rests[laneStepQuads];
      for (unsigned i = 0; i < laneStepQuads; ++i) {
        uint32_t coded = stepQuads[i] + addend;
        for (unsigned j = 0; j < groups; ++j) { // at most 32 bits in all
          unsigned symbol = groupSymbol<group>(coded, j);
          pending |= uint64_t(codes[symbol].bits) << pendingBits;
          pendingBits += codes[symbol].length;
          if constexpr (group == 4)
            coded ^= entries[symbol];
        }
        rests[i] = coded & restMask;
        // No branch: how many bytes are full is what a predictor does not know.
        storeLittle(out, pending);
        out += pendingBits / 8;
        pending >>= pendingBits / 8 * 8;
        pendingBits %= 8;
      }
      storeRest<group>(rests, step % mmaBlockSteps, rest + step / mmaBlockSteps * blockBytes + lane * 16);
    }
  }
  storeLittle(out, pending);
  return segmentsBytes((position() + segmentAlignmentBits - 1) / segmentAlignmentBits * segmentAlignmentBits);
}

namespace {

/// Adds the groups of `row` to `counts`, from its first element on; a last group that is not whole does not count.
template <unsigned group>
void addGroupCounts(std::span<const uint32_t> addends, std::span<const uint8_t> row, std::span<uint64_t> counts) {
  constexpr size_t symbols = group == 1 ? 16 : 256;
  size_t i = 0;
  for (; i + quadElements <= row.size(); i += quadElements) {
    uint32_t quad = codedWord(row.data() + i);
    for (size_t offset = 0; offset < addends.size(); ++offset)
      for (unsigned j = 0; j < quadElements / group; ++j)
        ++counts[offset * symbols + groupSymbol<group>(quad + addends[offset], j)];
  }
  for (; i + group <= row.size(); i += group) { // only where there are no offsets
    uint32_t part = 0;
    for (unsigned j = 0; j < group; ++j)
      part |= uint32_t(row[i + j]) << (8 * j);
    ++counts[groupSymbol<group>(part, 0)];
  }
}

} // namespace

std::vector<uint64_t> countGroups(ElementType type, unsigned group, std::span<const int> offsets,
                                  const MatrixShape &shape, std::span<const uint8_t> bytes, unsigned threads) {
  std::vector<uint32_t> addends;
  for (int offset : offsets)
    addends.push_back(getOffsetAddend(type, offset));
  size_t countsSize = offsets.size() * getGroupLayout(type, group)->symbolCount();
  // Rows of whole quads are counted as if they were one.
  bool isWhole = shape.columns % quadElements == 0;
  constexpr uint64_t wantedElements = uint64_t(1) << 20;
  uint64_t pieceElements =
      isWhole ? wantedElements : std::max<uint64_t>(1, wantedElements / shape.columns) * shape.columns;
  size_t pieces = size_t((bytes.size() + pieceElements - 1) / pieceElements);
  std::vector<std::vector<uint64_t>> counts(pieces);
  parallelFor(pieces, threads, [&](size_t piece) {
    counts[piece].resize(countsSize);
    std::span<const uint8_t> part = bytes.subspan(piece * pieceElements);
    part = part.first(std::min<uint64_t>(part.size(), pieceElements));
    uint64_t rowElements = isWhole ? part.size() : shape.columns;
    for (; !part.empty(); part = part.subspan(rowElements)) {
      std::span<const uint8_t> row = part.first(rowElements);
      if (group == 4)
        addGroupCounts<4>(addends, row, counts[piece]);
      else if (group == 2)
        addGroupCounts<2>(addends, row, counts[piece]);
      else
        addGroupCounts<1>(addends, row, counts[piece]);
    }
  });
  std::vector<uint64_t> sum(countsSize);
  for (const std::vector<uint64_t> &piece : counts)
    for (size_t i = 0; i < countsSize; ++i)
      sum[i] += piece[i];
  return sum;
}

std::span<const int> exponentOffsets(unsigned group) {
  static constexpr int offsets[] = {0, -1, 1, -2, 2, -3, 3};
  return group == 4 ? std::span(offsets) : std::span(offsets).first(1);
}

void setSegmentCode(std::span<const uint64_t> counts, Header &header) {
  size_t symbols = header.codedSymbolCount();
  uint64_t leastBits = ~uint64_t(0);
  std::vector<uint8_t> best;
  for (size_t i = 0; i < exponentOffsets(header.group).size(); ++i) {
    std::span<const uint64_t> counted = counts.subspan(i * symbols, symbols);
    std::vector<uint64_t> raised(counted.begin(), counted.end());
    for (uint64_t &count : raised)
      count = std::max<uint64_t>(count, 1);
    std::vector<uint8_t> lengths = buildWideCodeLengths(raised, header.maxCodeLength);
    uint64_t bits = 0;
    for (size_t symbol = 0; symbol < symbols; ++symbol)
      bits += counted[symbol] * lengths[symbol];
    if (bits >= leastBits)
      continue;
    leastBits = bits;
    best = std::move(lengths);
    header.exponentOffset = int8_t(exponentOffsets(header.group)[i]);
  }
  if (header.hasWideCode())
    header.wideLengths = std::move(best);
  else
    std::ranges::copy(best, header.codeLengths.begin());
}

} // namespace ecf8
