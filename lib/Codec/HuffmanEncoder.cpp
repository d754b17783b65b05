// Encoding huffman. Strips are encoded independently, each into memory of its own, and then laid out in order, so that
// the bytes do not depend on the number of threads.
#include "HuffmanEncoder.h"

#include "ParallelFor.h"
#include "TileEncoder.h"

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

StripCodes encodeStrip(const TileGrid &grid, TileEncoder &encoder, std::span<const uint8_t> bytes, uint64_t strip) {
  StripCodes codes;
  codes.words.reserve(size_t(double(grid.paddedColumns()) * laneCount / wordBits * reserveBits));
  for (uint64_t tile = 0; tile < grid.tilesPerStrip(); ++tile) {
    uint64_t count = encoder.encode(rowsOfTile(grid, bytes, strip, tile), grid.paddedWidth(tile));
    codes.words.insert(codes.words.end(), encoder.words(), encoder.words() + count);
    codes.tileWords.push_back(count);
  }
  return codes;
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

Result<std::vector<uint8_t>> encodeHuffman(Header header, std::span<const uint8_t> bytes, unsigned threads) {
  Result<CanonicalCode> code = makeCode(header);
  if (!code)
    return code.status();
  TileGrid grid = header.grid();
  uint64_t strips = grid.tileCount() == 0 ? 0 : grid.strips();
  const TileEncoder prototype(*code, header.elementType);
  std::vector<StripCodes> codes(strips);
  parallelFor(strips, threads, [&](uint64_t strip) {
    TileEncoder encoder = prototype;
    codes[strip] = encodeStrip(grid, encoder, bytes, strip);
  });

  std::vector<uint64_t> stripBegin; // in words
  uint64_t words = 0;
  for (const StripCodes &strip : codes) {
    stripBegin.push_back(words);
    words += strip.words.size();
  }
  if (Status status = checkCodeWords(words); !status.isOk())
    return status;
  header.codesBytes = words * 2;
  Result<std::vector<uint8_t>> payload = makePayload(header);
  if (!payload)
    return payload;

  RestUnit unit = getRestUnit(header.elementType);
  parallelFor(strips, threads, [&](uint64_t strip) {
    uint8_t *table = payload->data() + header.tileTableOffset + strip * grid.tilesPerStrip() * 4;
    uint64_t end = stripBegin[strip];
    for (uint64_t tileWords : codes[strip].tileWords) {
      table += 4; // entry 0 of the whole table is 0; each tile writes where it ends
      storeLittle(table, uint32_t(end += tileWords));
    }
    storeWords(codes[strip].words, payload->data() + header.codesOffset + stripBegin[strip] * 2);
    codes[strip] = {};
    forEachTile(grid, bytes, strip, /*padding=*/0, [&](uint64_t tile, std::span<const uint8_t> elements) {
      uint8_t *rest =
          payload->data() + header.restOffset + grid.columnsBefore(strip, tile) * header.storage().bytesPerColumn;
      // Of padding it is 0. [rest_c3]
      encodeKernels().encodeRest(header.elementType, elements.data(), elements.size() / (unit.columns * laneCount),
                                 rest);
    });
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
