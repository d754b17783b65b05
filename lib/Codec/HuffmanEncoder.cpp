// Encoding huffman. Strips are encoded independently, each into memory of its own, and then laid out in order, so that
// the bytes do not depend on the number of threads.
#include "HuffmanEncoder.h"

#include "ParallelFor.h"
#include "TileEncoder.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace ecf8 {
namespace {

/// Bits that a symbol takes at most in usual tensors: what memory is reserved for.
constexpr double reserveBits = 3.25;

/// The coded words of one strip, tile after tile.
struct StripCodes {
  std::vector<uint16_t> words;
  std::vector<uint64_t> tileWords; ///< number of words of each tile
};

Result<CanonicalCode> makeCode(const Header &header) {
  return CanonicalCode::create(header.codeLengths, header.split().symbolCount, header.maxCodeLength);
}

/// Encodes a strip: its rest to `rest`, where the strip's place is.
StripCodes encodeStrip(const Header &header, TileEncoder &encoder, std::span<const uint8_t> bytes, uint64_t strip,
                       uint8_t *rest) {
  TileGrid grid = header.grid();
  StripCodes codes;
  codes.words.reserve(size_t(double(grid.paddedColumns()) * laneCount / wordBits * reserveBits));
  for (uint64_t tile = 0; tile < grid.tilesPerStrip(); ++tile) {
    uint64_t count = encoder.encode(rowsOfTile(grid, bytes, strip, tile), grid.paddedWidth(tile), rest);
    codes.words.insert(codes.words.end(), encoder.words(), encoder.words() + count);
    codes.tileWords.push_back(count);
    rest += grid.paddedWidth(tile) * header.storage().bytesPerColumn;
  }
  return codes;
}

/// Makes `payload`, whose rest was written where the codes take `header.codesBytes`, one whose codes take `codesBytes`.
/// What is between the sections and behind them is 0 before and after.
Status setCodesBytes(Header &header, uint64_t codesBytes, std::vector<uint8_t> &payload) {
  Header changed = header;
  changed.codesBytes = codesBytes;
  Result<SectionLayout> layout = computeLayout(changed);
  if (!layout)
    return layout.status();
  payload.resize(std::max(header.payloadBytes, layout->payloadBytes));
  auto begin = payload.begin();
  if (layout->restOffset <= header.restOffset) {
    std::copy_n(begin + header.restOffset, layout->restBytes, begin + layout->restOffset);
    std::fill(begin + layout->restOffset + layout->restBytes, payload.end(), 0);
  } else { // figures that are not those of the elements: the estimate does not hold
    std::copy_backward(begin + header.restOffset, begin + header.restOffset + layout->restBytes,
                       begin + layout->restOffset + layout->restBytes);
    std::fill(begin + header.restOffset, begin + layout->restOffset, 0);
  }
  payload.resize(layout->payloadBytes);
  header.codesBytes = codesBytes;
  header.restOffset = layout->restOffset;
  header.payloadBytes = layout->payloadBytes;
  return Status::ok();
}

void storeWords(std::span<const uint16_t> words, uint8_t *out) {
  if (std::endian::native == std::endian::little && !words.empty()) {
    std::memcpy(out, words.data(), words.size_bytes());
    return;
  }
  for (size_t i = 0; i < words.size(); ++i)
    storeLittle(out + i * 2, words[i]);
}

} // namespace

Result<std::vector<uint8_t>> encodeHuffman(Header header, const TensorStats &stats, std::span<const uint8_t> bytes,
                                           unsigned threads) {
  Result<CanonicalCode> code = makeCode(header);
  if (!code)
    return code.status();
  Result<CodeWords> estimate = estimateHuffmanWords(header, stats);
  if (!estimate)
    return estimate.status();
  // The rest goes to its place in the one pass over the elements: nearly its place, since the words are not counted
  // yet.
  header.codesBytes = estimate->max * 2;
  Result<std::vector<uint8_t>> payload = makePayload(header);
  if (!payload)
    return payload;
  TileGrid grid = header.grid();
  uint64_t strips = grid.tileCount() == 0 ? 0 : grid.strips();
  const TileEncoder prototype(*code, header.elementType);
  std::vector<StripCodes> codes(strips);
  parallelFor(strips, threads, [&](uint64_t strip) {
    TileEncoder encoder = prototype;
    uint64_t restOffset = header.restOffset + grid.columnsBefore(strip, 0) * header.storage().bytesPerColumn;
    codes[strip] = encodeStrip(header, encoder, bytes, strip, payload->data() + restOffset);
  });

  std::vector<uint64_t> stripBegin; // in words
  uint64_t words = 0;
  for (const StripCodes &strip : codes) {
    stripBegin.push_back(words);
    words += strip.words.size();
  }
  if (Status status = checkCodeWords(words); !status.isOk())
    return status;
  if (Status status = setCodesBytes(header, words * 2, *payload); !status.isOk())
    return status;
  parallelFor(strips, threads, [&](uint64_t strip) {
    uint8_t *table = payload->data() + header.tileTableOffset + strip * grid.tilesPerStrip() * 4;
    uint64_t end = stripBegin[strip];
    for (uint64_t tileWords : codes[strip].tileWords) {
      table += 4; // entry 0 of the whole table is 0; each tile writes where it ends
      storeLittle(table, uint32_t(end += tileWords));
    }
    storeWords(codes[strip].words, payload->data() + header.codesOffset + stripBegin[strip] * 2);
    codes[strip] = {};
  });
  finishPayload(header, bytes, *payload);
  return payload;
}

Result<CodeWords> estimateHuffmanWords(const Header &header, const TensorStats &stats) {
  Result<CanonicalCode> code = makeCode(header);
  if (!code)
    return code.status();
  TileGrid grid = header.grid();
  uint64_t storedElements = grid.tileCount() == 0 ? 0 : grid.strips() * grid.paddedColumns() * laneCount;
  uint64_t bits = (storedElements - stats.elementCount) * code->streamLength(code->paddingSymbol());
  for (unsigned symbol = 0; symbol < maxSymbolCount; ++symbol)
    bits += stats.symbolCounts[symbol] * code->streamLength(symbol);
  uint64_t min = (bits + wordBits - 1) / wordBits;
  // Each lane leaves at most two words unfilled at its end; without any bits nothing is stored.
  return CodeWords{min, bits == 0 ? 0 : min + grid.tileCount() * laneCount * 2};
}

} // namespace ecf8
