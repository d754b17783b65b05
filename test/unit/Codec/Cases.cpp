// Valid payloads of every kind, and for every rule one that breaks it.
#include "Cases.h"

#include "ecf8/Codec/Convert.h"
#include "ecf8/Codec/Decoder.h"

#include <cstdio>
#include <cstdlib>
#include <functional>

namespace ecf8::test {
namespace {

namespace at = header_offset;
using Bytes = std::vector<uint8_t>;

Bytes encodeOrDie(const EncodeOptions &options, ElementType type, const std::vector<uint64_t> &dims,
                  const Bytes &elements) {
  Result<Bytes> payload = encode(options, type, dims, elements);
  if (payload)
    return payload.take();
  std::fprintf(stderr, "cannot make a test payload: %s\n", payload.status().message().c_str());
  std::abort();
}

/// 36 elements: symbol s in [1, 8] comes 9 - s times, so 1 to 6 have the ranks 0 to 5, there are 15 escapes of the
/// first plane, and 3 of the second: 7, 7, 8.
Bytes makeStaircase(ElementType type) {
  Bytes elements;
  for (unsigned symbol = 1; symbol <= 8; ++symbol)
    elements.insert(elements.end(), 9 - symbol, getElementSplit(type).elementOf(symbol, 0));
  return elements;
}

/// The payloads that the invalid cases start from.
struct Bases {
  // 35 x 37, tiles of 16 columns: 2 strips of 3 tiles, padding rows and columns, NaN among the values.
  Bytes huffman = make(EncodeOptions::huffman(8, 16), {35, 37}, Distribution::Uniform);
  // The same shape with codes of 1 to 8 bits, whose section ends between two multiples of 64.
  Bytes ragged = make(EncodeOptions::huffman(8, 16), {35, 37}, Distribution::Geometric);
  // 1 x 4, exponents 2 and 11: one bit each, 31 padding lanes.
  Bytes twoSymbols =
      encodeOrDie(EncodeOptions::huffman(7, 16), ElementType::F8E4M3FN, {1, 4}, {0x10, 0x58, 0x58, 0x58});
  Bytes oneSymbol = encodeOrDie(EncodeOptions::huffman(8, 16), ElementType::F8E4M3FN, {2}, {0x38, 0x39});
  Bytes empty = make(EncodeOptions::huffman(8, 16), {0, 3}, Distribution::Uniform);
  Bytes raw = make(EncodeOptions::raw(), {3, 5}, Distribution::Uniform);
  Bytes rawRows32 = make(EncodeOptions::rawRows32(16), {3, 5}, Distribution::Uniform);
  // 1 x 36 in one tile: 3 groups of columns and padding of 4 columns and 31 rows.
  Bytes planes =
      encodeOrDie(EncodeOptions::planes(48), ElementType::F8E4M3FN, {1, 36}, makeStaircase(ElementType::F8E4M3FN));
  Bytes planesE5M2 =
      encodeOrDie(EncodeOptions::planes(48), ElementType::F8E5M2, {1, 36}, makeStaircase(ElementType::F8E5M2));
  // Exponents 2, 3, 4, 11: ranks 1, 2, 3 and 0.
  Bytes planesFourSymbols =
      encodeOrDie(EncodeOptions::planes(16), ElementType::F8E4M3FN, {1, 5}, {0x10, 0x58, 0x58, 0x18, 0x20});
  Bytes planesEmpty = make(EncodeOptions::planes(16), {0, 3}, Distribution::Uniform);

  // Group 2: the shape of `huffman`, with pairs of an element and a padding element.
  Bytes pairs = make(EncodeOptions::huffmanPairs(16), {35, 37}, Distribution::Uniform);
  // 1 x 3: the pairs of exponents (2, 11), whose number is less, and (11, padding), one bit each; 31 padding lanes.
  Bytes twoPairs = encodeOrDie(EncodeOptions::huffmanPairs(16), ElementType::F8E4M3FN, {1, 3}, {0x10, 0x58, 0x58});
  Bytes onePair = encodeOrDie(EncodeOptions::huffmanPairs(16), ElementType::F8E4M3FN, {2}, {0x38, 0x39});
  Bytes pairsEmpty = make(EncodeOptions::huffmanPairs(16), {0, 3}, Distribution::Uniform);

  // Order mma. 1 x 6 and 1 x 4 in one tile of 128 columns: all quads have 8 bits, their symbol reversed; symbol 11 of
  // classic, which is also the padding, has 3 bits.
  Bytes quads =
      encodeOrDie(EncodeOptions::quads(11, 128), ElementType::F8E4M3FN, {1, 6}, {0x38, 0xB9, 0x40, 0x30, 0x10, 0x58});
  Bytes classic = encodeOrDie(EncodeOptions::classic(8, 128), ElementType::F8E4M3FN, {1, 4}, {0x10, 0x58, 0x58, 0x58});
  // Two tiles.
  Bytes mmaPairs = make(EncodeOptions::pairs(12, 128), {2, 130}, Distribution::Geometric);
  Bytes rawMma = make(EncodeOptions::rawMma(128), {3, 5}, Distribution::Uniform);

  static Bytes make(EncodeOptions options, const std::vector<uint64_t> &dims, Distribution distribution) {
    uint64_t count = 1;
    for (uint64_t dim : dims)
      count *= dim;
    return encodeOrDie(options, ElementType::F8E4M3FN, dims, makeElements(distribution, ElementType::F8E4M3FN, count));
  }
};

template <typename T> void put(Bytes &payload, uint64_t offset, T value) {
  storeLittle(payload.data() + offset, value);
}
uint64_t get64(const Bytes &payload, uint64_t offset) { return loadLittle<uint64_t>(payload.data() + offset); }

/// Makes the cases: `add` breaks a copy of `base` with `change` and then sets its payload hash right again.
class CaseList {
public:
  using Change = std::function<void(Bytes &)>;
  void add(std::string name, const Bytes &base, const Change &change) {
    Bytes payload = base;
    change(payload);
    updatePayloadHash(payload);
    cases.push_back({std::move(name), std::move(payload)});
  }
  void addUnhashed(std::string name, const Bytes &base, const Change &change) {
    Bytes payload = base;
    change(payload);
    cases.push_back({std::move(name), std::move(payload)});
  }
  /// Sets one header field.
  template <typename T> void set(std::string name, const Bytes &base, uint64_t offset, T value) {
    add(std::move(name), base, [=](Bytes &payload) { put<T>(payload, offset, value); });
  }
  std::vector<InvalidCase> cases;
};

void addHeaderCases(CaseList &list, const Bases &base) {
  list.addUnhashed("header_c5-shorter-than-a-header", base.huffman, [](Bytes &p) { p.resize(100); });
  list.addUnhashed("header_c5-truncated", base.huffman, [](Bytes &p) { p.resize(p.size() - 64); });
  list.addUnhashed("header_c5-longer", base.huffman, [](Bytes &p) { p.resize(p.size() + 64); });
  list.set<uint8_t>("header_c1-magic", base.raw, at::magic, 'X');
  list.set<uint8_t>("header_c2-major-2", base.raw, at::major, 2);
  list.set<uint16_t>("header_c3-header-of-256-bytes", base.raw, at::headerSize, 256);
  list.set<uint32_t>("header_c3-header-of-192-bytes-with-flag-1", base.raw, at::requiredFlags, 1);
  list.set<uint32_t>("header_c4-required-feature-2", base.raw, at::requiredFlags, 2);
  list.set<uint32_t>("header_c4-required-feature-4", base.raw, at::requiredFlags, 4);
  list.add("header_c4-group-2-without-flag-1", base.pairs, [](Bytes &p) {
    put<uint16_t>(p, at::headerSize, 192);
    put<uint32_t>(p, at::requiredFlags, 0);
  });
  list.add("header_c4-group-1-with-flag-1", base.pairs, [](Bytes &p) {
    put<uint8_t>(p, at::group, 1);
    put<uint8_t>(p, at::maxCodeLength, 8);
  });
  list.addUnhashed("header_c5-shorter-than-a-header-of-256-bytes", base.pairs, [](Bytes &p) { p.resize(255); });
  list.addUnhashed("header_c6-altered-byte", base.raw, [](Bytes &p) { p[195] ^= 1; });
  list.set<uint8_t>("header_c7-f8E4M3FNUZ", base.huffman, at::elementType, 2);
  list.set<uint8_t>("header_c7-unknown-type", base.huffman, at::elementType, 200);
  list.set<uint8_t>("header_c8-encoding-3", base.huffman, at::encoding, 3);
  list.set<uint8_t>("header_c9-huffman-row_major", base.huffman, at::order, 0);
  list.set<uint8_t>("header_c4-raw-mma-without-flag-2", base.rawRows32, at::order, 2);
  list.set<uint8_t>("header_c9-planes-row_major", base.planes, at::order, 0);
  list.set<uint8_t>("header_c10-segments", base.huffman, at::stream, 2);
  list.set<uint8_t>("header_c10-raw-with-stream", base.raw, at::stream, 1);
  list.set<uint8_t>("header_c10-planes-with-stream", base.huffman, at::encoding, 2);
  list.set<uint8_t>("header_c11-rank-9", base.raw, at::rank, 9);
  list.set<uint8_t>("header_c12-group-2", base.huffman, at::group, 2);
  list.set<uint8_t>("header_c12-group-4", base.huffman, at::group, 4);
  list.set<uint8_t>("header_c12-group-2-length-limit-11", base.pairs, at::maxCodeLength, 11);
  list.set<uint8_t>("header_c12-raw-with-group", base.raw, at::group, 1);
  list.set<uint8_t>("header_c12-raw-exponent-bits", base.huffman, at::rawExponentBits, 2);
  list.set<uint8_t>("header_c12-length-limit-9", base.huffman, at::maxCodeLength, 9);
  list.set<uint8_t>("header_c12-raw-with-length-limit", base.raw, at::maxCodeLength, 8);
  list.set<uint8_t>("header_c12-planes-with-group", base.planes, at::group, 1);
  list.set<uint8_t>("header_c12-planes-with-length-limit", base.planes, at::maxCodeLength, 7);
  list.set<uint64_t>("header_c13-unused-dimension", base.raw, at::dims + 16, 1);
  list.set<uint64_t>("header_c13-rows", base.raw, at::rows, 4);
  list.set<uint64_t>("header_c13-columns", base.raw, at::columns, 4);
  list.set<uint64_t>("header_c13-too-many-elements", base.raw, at::dims, uint64_t(1) << 62);
  list.set<uint32_t>("header_c14-tiles-of-24-columns", base.huffman, at::tileColumns, 24);
  list.set<uint32_t>("header_c14-tiles-of-0-columns", base.huffman, at::tileColumns, 0);
  list.set<uint32_t>("header_c14-row_major-with-tiles", base.raw, at::tileColumns, 16);
  list.set<uint32_t>("header_c14-planes-tiles-of-1040-columns", base.planes, at::tileColumns, 1040);
  list.set<uint32_t>("header_c15-unknown-data-flag", base.raw, at::dataFlags, 16);
  list.set<uint32_t>("header_c15-flags-not-those-of-the-data", base.huffman, at::dataFlags, 0);
  list.set<uint8_t>("header_c16-exponent-16", base.raw, at::maxExponent, 16);
  list.set<uint8_t>("header_c16-least-over-greatest", base.oneSymbol, at::minExponent, 8);
  list.set<uint8_t>("header_c16-exponent-without-code", base.oneSymbol, at::minExponent, 6);
  list.set<uint8_t>("header_c16-exponents-not-those-of-the-data", base.raw, at::minExponent, 15);
  list.set<uint8_t>("header_c16-empty-with-exponent", base.empty, at::maxExponent, 1);
  list.set<uint8_t>("header_c16-exponent-without-pair", base.twoPairs, at::minExponent, 3);
  list.set<uint8_t>("header_c17-reserved-byte", base.huffman, at::reserved + 4, 1);
  list.set<uint8_t>("header_c17-reserved-byte-of-256", base.pairs, at::wideReserved + 47, 1);
}

void addSectionCases(CaseList &list, const Bases &base) {
  list.set<uint64_t>("layout_c1-rest-offset", base.huffman, at::restOffset, 0);
  list.set<uint64_t>("layout_c1-table-offset", base.huffman, at::tileTableOffset, 256);
  list.set<uint64_t>("layout_c1-codes-offset", base.huffman, at::codesOffset, 192);
  list.set<uint64_t>("layout_c1-odd-codes", base.huffman, at::codesBytes, 33);
  list.set<uint64_t>("layout_c1-huge-codes", base.huffman, at::codesBytes, ~uint64_t(1));
  list.set<uint64_t>("layout_c1-raw-with-codes", base.raw, at::codesBytes, 64);
  list.set<uint64_t>("layout_c1-raw-with-table", base.raw, at::tileTableOffset, 192);
  list.add("layout_c1-huge-shape", base.oneSymbol, [](Bytes &p) {
    put<uint8_t>(p, at::rank, 2);
    put<uint64_t>(p, at::dims, uint64_t(1) << 62);
    put<uint64_t>(p, at::dims + 8, 1);
    put<uint64_t>(p, at::rows, uint64_t(1) << 62);
    put<uint64_t>(p, at::columns, 1);
  });
  list.add("layout_c2-shape-larger-than-the-data", base.raw, [](Bytes &p) {
    put<uint64_t>(p, at::dims, 100);
    put<uint64_t>(p, at::rows, 100);
  });
  list.add("layout_c3-after-the-table", base.huffman, [](Bytes &p) { p[get64(p, at::codesOffset) - 1] = 1; });
  list.add("layout_c3-after-the-codes", base.ragged, [](Bytes &p) { p[get64(p, at::restOffset) - 1] ^= 1; });
  list.add("layout_c3-after-the-data", base.raw, [](Bytes &p) { p.back() = 1; });
  list.add("table_c1-first-entry", base.huffman, [](Bytes &p) { put<uint32_t>(p, 192, 1); });
  list.add("table_c2-descending", base.huffman, [](Bytes &p) { put<uint32_t>(p, 200, 1); });
  list.add("table_c2-last-tile-after-the-end", base.huffman,
           [](Bytes &p) { put<uint32_t>(p, 192 + 5 * 4, 0x7FFFFFFF); });
  list.add("table_c3-last-entry", base.huffman, [](Bytes &p) { put<uint32_t>(p, 192 + 6 * 4, 0xFFFFFFFF); });
}

void addContentCases(CaseList &list, const Bases &base) {
  list.set<uint8_t>("huffman_c1-symbol-16", base.oneSymbol, at::codeLengths + 8, 0x01);
  list.set<uint8_t>("huffman_c1-length-8-of-7", base.twoSymbols, at::codeLengths + 1, 0x08);
  list.set<uint8_t>("huffman_c1-raw-with-a-code", base.raw, at::codeLengths, 0x10);
  list.set<uint8_t>("huffman_c2-incomplete", base.twoSymbols, at::codeLengths + 1, 0x02);
  list.set<uint8_t>("huffman_c2-overfull", base.twoSymbols, at::codeLengths, 0x11);
  list.set<uint8_t>("huffman_c4-lone-symbol-of-2-bits", base.oneSymbol, at::codeLengths + 3, 0x20);
  list.set<uint8_t>("huffman_c5-empty-with-a-code", base.empty, at::codeLengths, 0x01);
  list.set<uint8_t>("huffman_c5-no-code", base.oneSymbol, at::codeLengths + 3, 0x00);
  // Lane 1 holds row 16, which is padding: four elements of one bit each. Its word follows that of lane 0.
  list.add("huffman_c6-padding-symbol", base.twoSymbols, [](Bytes &p) { p[get64(p, at::codesOffset) + 2] ^= 1; });
  list.add("stream_c4-a-word-too-few", base.huffman,
           [](Bytes &p) { put<uint32_t>(p, 196, loadLittle<uint32_t>(p.data() + 196) - 1); });
  list.add("stream_c4-a-word-too-many", base.huffman,
           [](Bytes &p) { put<uint32_t>(p, 196, loadLittle<uint32_t>(p.data() + 196) + 1); });
  list.add("stream_c5-bits-after-the-last-code", base.twoSymbols,
           [](Bytes &p) { p[get64(p, at::codesOffset)] |= 0x10; });
  list.add("rest_c3-padding-row", base.twoSymbols, [](Bytes &p) { p[get64(p, at::restOffset) + 2] = 1; });
  list.add("raw_c2-padding-column", base.rawRows32, [](Bytes &p) { p[192 + 64 * 2 + 1] = 1; });
  list.add("content_c1-checksum", base.huffman, [](Bytes &p) { p[at::contentHash] ^= 1; });
}

/// Group 2. Its code lengths are at byte 256, those of the pairs (2, 11) and (11, 11) at 256 + 2 + 16 * 11 and so on.
void addPairCases(CaseList &list, const Bases &base) {
  constexpr uint64_t lengths = wideHeaderBytes;
  list.set<uint64_t>("layout_c1-lengths-offset", base.pairs, at::lengthsOffset, 320);
  list.set<uint64_t>("layout_c1-lengths-bytes", base.pairs, at::lengthsBytes, 1024);
  list.set<uint8_t>("huffman_c1-pair-of-13-bits", base.twoPairs, lengths + 178, 13);
  list.set<uint8_t>("huffman_c1-pair-of-255-bits", base.twoPairs, lengths + 178, 255);
  list.set<uint8_t>("huffman_c2-incomplete-pairs", base.twoPairs, lengths + 178, 2);
  list.set<uint8_t>("huffman_c4-lone-pair-of-2-bits", base.onePair, lengths + 7 * 17, 2);
  list.set<uint8_t>("huffman_c5-empty-with-a-pair", base.pairsEmpty, lengths, 1);
  list.set<uint8_t>("huffman_c5-no-pair", base.onePair, lengths + 7 * 17, 0);
  list.set<uint8_t>("huffman_c8-nibble-of-a-wide-code", base.pairs, at::codeLengths + 15, 0x10);
  // Bit 1 of lane 0 is the code of columns 2 and 3, of which 3 is padding; lane 1 is a padding row.
  list.add("huffman_c6-padding-of-a-pair", base.twoPairs, [](Bytes &p) { p[get64(p, at::codesOffset)] ^= 2; });
  list.add("huffman_c6-padding-pair", base.twoPairs, [](Bytes &p) { p[get64(p, at::codesOffset) + 2] ^= 1; });
  list.add("stream_c4-a-word-too-many-of-pairs", base.pairs, [](Bytes &p) {
    uint64_t entry = get64(p, at::tileTableOffset) + 4;
    put<uint32_t>(p, entry, loadLittle<uint32_t>(p.data() + entry) + 1);
  });
  list.add("stream_c5-bits-after-the-last-pair", base.twoPairs, [](Bytes &p) { p[get64(p, at::codesOffset)] |= 4; });
}

void addPlanesCases(CaseList &list, const Bases &base) {
  list.set<uint8_t>("planes_c1-symbol-16", base.planes, at::codeLengths + 8, 0x01);
  list.set<uint8_t>("planes_c1-rank-6", base.planes, at::codeLengths + 3, 0x76); // symbol 7
  list.set<uint8_t>("planes_c2-two-of-rank-0", base.planes, at::codeLengths, 0x11);
  list.set<uint8_t>("planes_c2-no-rank-4", base.planes, at::codeLengths + 2, 0x04); // symbol 5
  list.set<uint8_t>("planes_c3-empty-with-a-rank", base.planesEmpty, at::codeLengths, 0x01);
  list.add("planes_c3-no-rank", base.planes, [](Bytes &p) { std::fill_n(p.begin() + at::codeLengths, 16, 0); });

  // The first unit: 128 bytes of rests, then the low and the high bits of step 0, whose bit 0 is the first element.
  constexpr uint64_t masks = 128;
  list.add("planes_c5-first-code", base.planes, [=](Bytes &p) {
    std::fill_n(p.begin() + at::codeLengths, 16, 0);
    p[at::codeLengths] = 0x10; // symbol 1 alone has a rank
    p[get64(p, at::restOffset) + masks] |= 1;
  });
  list.add("planes_c5-second-code", base.planesFourSymbols, [](Bytes &p) { p[get64(p, at::codesOffset) + 4] |= 1; });
  list.add("planes_c6-symbol-of-rank-0", base.planes, [](Bytes &p) { p[get64(p, at::codesOffset) + 20] = 0x71; });
  // Lane 1 holds row 16, which is padding; its column 0 is bit 2.
  list.add("planes_c7-padding-row", base.planes, [=](Bytes &p) { p[get64(p, at::restOffset) + masks] |= 4; });
  list.add("rest_c3-planes-padding-row", base.planes, [](Bytes &p) { p[get64(p, at::restOffset) + 2] = 1; });

  // The stream: G = 1, n3 = 3, 16 bytes of second codes, 2 of third codes; for f8E5M2 2 more.
  auto setCounts = [](Bytes &p, uint16_t groups, uint16_t thirdCodes) {
    put(p, get64(p, at::codesOffset), groups);
    put(p, get64(p, at::codesOffset) + 2, thirdCodes);
  };
  list.add("codes_c2-a-group-too-many", base.planes, [=](Bytes &p) { setCounts(p, 2, 3); });
  list.add("codes_c2-a-word-too-many", base.planes, [=](Bytes &p) { setCounts(p, 1, 0); });
  list.add("codes_c2-counts-of-65535", base.planes, [=](Bytes &p) { setCounts(p, 0xFFFF, 0xFFFF); });
  list.add("codes_c2-no-words", base.planes, [](Bytes &p) {
    // A payload of no codes at all: the section shrinks to nothing, and the rest moves up.
    uint64_t codes = get64(p, at::codesOffset);
    p.erase(p.begin() + codes, p.begin() + codes + 64);
    put<uint64_t>(p, at::codesBytes, 0);
    put<uint64_t>(p, at::restOffset, codes);
    put<uint64_t>(p, at::payloadBytes, p.size());
    put<uint32_t>(p, 196, 0);
  });
  list.add("codes_c3-no-group", base.planes, [=](Bytes &p) { setCounts(p, 0, 3 + 32); });
  list.add("codes_c4-code-after-the-last", base.planes, [](Bytes &p) { p[get64(p, at::codesOffset) + 4 + 1] |= 0x80; });
  list.add("codes_c5-four-third-codes", base.planes, [=](Bytes &p) { setCounts(p, 1, 4); });
  list.add("codes_c6-half-a-byte", base.planes, [](Bytes &p) { p[get64(p, at::codesOffset) + 21] |= 0x10; });
  list.add("codes_c6-bits-4", base.planesE5M2, [](Bytes &p) { p[get64(p, at::codesOffset) + 22] |= 0x08; });
  list.add("codes_c6-byte-at-the-end", base.planesE5M2, [](Bytes &p) { p[get64(p, at::codesOffset) + 23] = 1; });
}

/// Order mma: header, tile table and code.
void addMmaHeaderCases(CaseList &list, const Bases &base) {
  list.add("header_c4-quads-without-flag-1", base.quads, [](Bytes &p) {
    put<uint16_t>(p, at::headerSize, 192);
    put<uint32_t>(p, at::requiredFlags, 2);
  });
  list.set<uint32_t>("header_c4-quads-without-flag-2", base.quads, at::requiredFlags, 1);
  list.set<uint8_t>("header_c9-planes-mma", base.planes, at::order, 2);
  list.set<uint8_t>("header_c9-order-3", base.rawMma, at::order, 3);
  list.set<uint8_t>("header_c10-mma-interleaved", base.quads, at::stream, 1);
  list.set<uint32_t>("header_c14-mma-tiles-of-192-columns", base.quads, at::tileColumns, 192);
  list.set<uint32_t>("header_c14-mma-tiles-of-1152-columns", base.rawMma, at::tileColumns, 1152);
  list.set<uint8_t>("header_c18-offset-4", base.quads, at::exponentOffset, 4);
  list.set<uint8_t>("header_c18-offset-minus-128", base.quads, at::exponentOffset, 0x80);
  list.set<uint8_t>("header_c18-offset-of-pairs", base.mmaPairs, at::exponentOffset, 1);
  list.set<uint8_t>("header_c18-offset-of-rows32", base.huffman, at::exponentOffset, 0xFF);
  list.set<uint8_t>("group_c1-group-3", base.quads, at::group, 3);
  list.set<uint8_t>("group_c1-raw-exponent-bits", base.quads, at::rawExponentBits, 3);
  list.set<uint8_t>("group_c1-length-limit-8-of-quads", base.quads, at::maxCodeLength, 8);
  list.set<uint8_t>("group_c1-length-limit-13-of-pairs", base.mmaPairs, at::maxCodeLength, 13);
  list.set<uint8_t>("group_c1-length-limit-9-of-classic", base.classic, at::maxCodeLength, 9);
  list.add("layout_c1-part-of-a-unit", base.mmaPairs,
           [](Bytes &p) { put<uint64_t>(p, at::codesBytes, get64(p, at::codesBytes) + 2); });
  list.add("layout_c3-after-the-codes-of-mma", base.classic, [](Bytes &p) {
    p[get64(p, at::codesOffset) + get64(p, at::codesBytes)] = 1; // a gap, since a tile is no multiple of 64
  });
  list.add("table_c1-first-entry-of-mma", base.quads,
           [](Bytes &p) { put<uint32_t>(p, get64(p, at::tileTableOffset), 1); });
  list.add("table_c2-descending-in-mma", base.mmaPairs,
           [](Bytes &p) { put<uint32_t>(p, get64(p, at::tileTableOffset) + 4, 0xFFFFFFFF); });
  list.add("table_c3-last-entry-of-mma", base.quads,
           [](Bytes &p) { put<uint32_t>(p, get64(p, at::tileTableOffset) + 4, 0xFFFFFFFF); });
  list.set<uint8_t>("huffman_c1-quad-of-12-bits", base.quads, wideHeaderBytes + 7, 12);
  list.set<uint8_t>("huffman_c1-classic-symbol-16", base.classic, at::codeLengths + 8, 0x04);
  list.set<uint8_t>("huffman_c2-incomplete-quads", base.quads, wideHeaderBytes + 7, 9);
  list.set<uint8_t>("huffman_c8-nibble-of-quads", base.quads, at::codeLengths, 0x08);
  list.add("group_c4-quad-without-code", base.quads, [](Bytes &p) {
    p[wideHeaderBytes] = 0;
    p[wideHeaderBytes + 1] = 7;
  });
  list.add("group_c4-classic-symbol-without-code", base.classic, [](Bytes &p) {
    put<uint64_t>(p, at::codeLengths, 0x4444444444444440); // 15 symbols of 4 bits but for
    put<uint8_t>(p, at::codeLengths, 0x30);                // symbol 1 of 3
  });
}

/// Order mma: streams and padding. In `quads` lane 0 has the 4 first elements, lane 1 the two others with two of
/// padding; a lane's second quad is row 8.
void addMmaContentCases(CaseList &list, const Bases &base) {
  constexpr uint64_t bitArea = 64; // in the stream of a tile
  auto codes = [](const Bytes &p) { return get64(p, at::codesOffset); };
  auto startOf = [=](const Bytes &p, unsigned lane) {
    return loadLittle<uint16_t>(p.data() + codes(p) + lane * 2) * 4u;
  };
  list.add("group_c5-padding-quad", base.quads, [=](Bytes &p) { p[codes(p) + bitArea + 2] ^= 1; });
  list.add("group_c5-padding-of-a-quad", base.quads, [=](Bytes &p) {
    p[codes(p) + bitArea + startOf(p, 1) / 8] ^= 0x02; // the code is reversed: the upper bit of the last element
  });
  list.add("group_c5-rest-of-a-padding-row", base.quads, [](Bytes &p) { p[get64(p, at::restOffset) + 4] ^= 1; });
  list.add("group_c5-rest-of-a-padding-column", base.classic, [](Bytes &p) { p[get64(p, at::restOffset) + 16] ^= 1; });
  list.add("segments_c1-first-segment", base.quads, [=](Bytes &p) { put<uint16_t>(p, codes(p), 3); });
  list.add("segments_c1-second-segment", base.quads,
           [=](Bytes &p) { put<uint16_t>(p, codes(p) + 2, uint16_t(startOf(p, 1) / 4 - 1)); });
  auto moveTile = [=](Bytes &p, int units) {
    uint64_t entry = get64(p, at::tileTableOffset) + 4;
    put<uint32_t>(p, entry, loadLittle<uint32_t>(p.data() + entry) + uint32_t(units));
  };
  list.add("segments_c3-a-unit-too-few", base.mmaPairs, [=](Bytes &p) { moveTile(p, -1); });
  list.add("segments_c3-a-unit-too-many", base.mmaPairs, [=](Bytes &p) { moveTile(p, 1); });
  list.add("segments_c1-no-stream", base.mmaPairs,
           [](Bytes &p) { put<uint32_t>(p, get64(p, at::tileTableOffset) + 4, 0); });
  list.add("segments_c4-before-the-first-segment", base.quads, [=](Bytes &p) { p[codes(p) + bitArea] = 0x80; });
  list.add("segments_c4-between-segments", base.classic, [=](Bytes &p) {
    unsigned bit = startOf(p, 1) - 1;
    p[codes(p) + bitArea + bit / 8] |= uint8_t(1 << bit % 8);
  });
  list.add("segments_c4-after-the-last-segment", base.quads,
           [=](Bytes &p) { p[codes(p) + get64(p, at::codesBytes) - 1] = 0x80; });
  list.add("mma_c4-padding-column", base.rawMma, [](Bytes &p) { p[192 + 16 + 1] = 1; });
  list.add("mma_c4-padding-row", base.rawMma, [](Bytes &p) { p[192 + 4] = 1; });
  list.add("content_c1-checksum-of-mma", base.quads, [](Bytes &p) { p[at::contentHash] ^= 1; });
  list.set<uint32_t>("header_c15-flags-of-quads", base.quads, at::dataFlags, 8);
}

} // namespace

std::vector<ValidCase> makeValidCases() {
  std::vector<ValidCase> cases;
  auto add = [&](std::string name, EncodeOptions options, ElementType type, const std::vector<uint64_t> &dims,
                 const Bytes &elements) {
    cases.push_back({std::move(name), encodeOrDie(options, type, dims, elements), elements});
  };
  // Keeps the lowest two bits of the exponents.
  auto fewSymbols = [](Bytes elements) {
    for (uint8_t &element : elements)
      element &= 0x9B;
    return elements;
  };
  // The lower half of a matrix whose upper half has symbols and ranks of its own.
  auto addSlice = [&](std::string name, EncodeOptions options, ElementType type) {
    constexpr uint64_t halfElements = 32 * 20;
    Bytes elements = makeElements(Distribution::Gaussian, type, halfElements);
    Bytes lower = makeElements(Distribution::TwoSymbols, type, halfElements);
    elements.insert(elements.end(), lower.begin(), lower.end());
    Bytes whole = encodeOrDie(options, type, {64, 20}, elements);
    cases.push_back({std::move(name), *extractSlice(*readPayload(whole), {32, 0, 32, 20}), std::move(lower)});
  };
  constexpr ElementType e4m3 = ElementType::F8E4M3FN, e5m2 = ElementType::F8E5M2;
  for (ElementType type : {e4m3, e5m2}) {
    std::string suffix = type == e4m3 ? "-e4m3fn" : "-e5m2";
    auto elements = [type](Distribution distribution, uint64_t count) {
      return makeElements(distribution, type, count);
    };
    add("huffman-every-byte" + suffix, EncodeOptions::huffman(8, 16), type, {16, 16},
        elements(Distribution::EveryByte, 256));
    add("huffman-ragged" + suffix, EncodeOptions::huffman(7, 16), type, {35, 37},
        elements(Distribution::Geometric, 35 * 37));
    add("huffman-length-limit-8" + suffix, EncodeOptions::huffman(8, 1024), type, {40, 65},
        elements(Distribution::Fibonacci, 40 * 65));
    add("huffman-length-limit-7" + suffix, EncodeOptions::huffman(7, 1024), type, {40, 65},
        elements(Distribution::Fibonacci, 40 * 65));
    add("huffman-one-symbol" + suffix, EncodeOptions::huffman(), type, {3, 20}, elements(Distribution::OneSymbol, 60));
    add("huffman-two-symbols" + suffix, EncodeOptions::huffman(), type, {33, 5},
        elements(Distribution::TwoSymbols, 165));
    add("huffman-pairs-every-byte" + suffix, EncodeOptions::huffmanPairs(16), type, {16, 16},
        elements(Distribution::EveryByte, 256));
    add("huffman-pairs-ragged" + suffix, EncodeOptions::huffmanPairs(16), type, {35, 37},
        elements(Distribution::Geometric, 35 * 37));
    add("huffman-pairs-gaussian" + suffix, EncodeOptions::huffmanPairs(), type, {40, 300},
        elements(Distribution::Gaussian, 40 * 300));
    add("huffman-pairs-one-symbol" + suffix, EncodeOptions::huffmanPairs(), type, {3, 20},
        elements(Distribution::OneSymbol, 60));
    add("huffman-pairs-two-symbols" + suffix, EncodeOptions::huffmanPairs(), type, {33, 5},
        elements(Distribution::TwoSymbols, 165));
    add("planes-every-byte" + suffix, EncodeOptions::planes(16), type, {16, 16},
        elements(Distribution::EveryByte, 256));
    add("planes-ragged" + suffix, EncodeOptions::planes(16), type, {35, 37}, elements(Distribution::Uniform, 35 * 37));
    add("planes-gaussian" + suffix, EncodeOptions::planes(), type, {40, 300},
        elements(Distribution::Gaussian, 40 * 300));
    add("planes-one-symbol" + suffix, EncodeOptions::planes(), type, {3, 20}, elements(Distribution::OneSymbol, 60));
    add("planes-four-symbols" + suffix, EncodeOptions::planes(1024), type, {33, 5},
        fewSymbols(elements(Distribution::Uniform, 165)));
    for (auto [name, options] :
         {std::pair("quads", EncodeOptions::quads(11, 128)), std::pair("pairs", EncodeOptions::pairs(12, 128)),
          std::pair("classic", EncodeOptions::classic(8, 128))}) {
      std::string prefix = std::string("mma-") + name;
      add(prefix + "-every-byte" + suffix, options, type, {16, 16}, elements(Distribution::EveryByte, 256));
      add(prefix + "-ragged" + suffix, options, type, {17, 131}, elements(Distribution::Gaussian, 17 * 131));
      add(prefix + "-one-symbol" + suffix, options, type, {3, 20}, elements(Distribution::OneSymbol, 60));
    }
    add("mma-raw-ragged" + suffix, EncodeOptions::rawMma(128), type, {17, 131},
        elements(Distribution::Uniform, 17 * 131));
    add("raw-every-byte" + suffix, EncodeOptions::raw(), type, {256}, elements(Distribution::EveryByte, 256));
    add("raw-rows32-ragged" + suffix, EncodeOptions::rawRows32(16), type, {33, 21},
        elements(Distribution::Uniform, 33 * 21));
  }
  add("huffman-empty", EncodeOptions::huffman(), e4m3, {0, 5}, {});
  add("raw-empty", EncodeOptions::raw(), e5m2, {4, 0}, {});
  add("huffman-rank-0", EncodeOptions::huffman(), e4m3, {}, {0xFF});
  add("raw-rank-0", EncodeOptions::raw(), e5m2, {}, {0x80});
  add("huffman-rank-1", EncodeOptions::huffman(8, 48), e4m3, {100}, makeElements(Distribution::Geometric, e4m3, 100));
  add("huffman-rank-4", EncodeOptions::huffman(), e5m2, {2, 3, 4, 5}, makeElements(Distribution::Geometric, e5m2, 120));
  add("huffman-pairs-empty", EncodeOptions::huffmanPairs(), e4m3, {0, 5}, {});
  add("huffman-pairs-rank-0", EncodeOptions::huffmanPairs(), e5m2, {}, {0xFF});
  addSlice("huffman-pairs-slice", EncodeOptions::huffmanPairs(16), e4m3);
  add("planes-empty", EncodeOptions::planes(), e4m3, {0, 5}, {});
  add("planes-rank-0", EncodeOptions::planes(), e5m2, {}, {0xFF});
  add("planes-staircase-e4m3fn", EncodeOptions::planes(48), e4m3, {1, 36}, makeStaircase(e4m3));
  add("planes-staircase-e5m2", EncodeOptions::planes(48), e5m2, {1, 36}, makeStaircase(e5m2));
  addSlice("planes-slice", EncodeOptions::planes(16), e4m3);
  add("mma-quads-length-limit-9", EncodeOptions::quads(9, 128), e4m3, {40, 65},
      makeElements(Distribution::Fibonacci, e4m3, 40 * 65));
  add("mma-pairs-length-limit-8", EncodeOptions::pairs(8, 128), e4m3, {40, 65},
      makeElements(Distribution::Fibonacci, e4m3, 40 * 65));
  add("mma-classic-length-limit-7", EncodeOptions::classic(7, 128), e5m2, {40, 65},
      makeElements(Distribution::Fibonacci, e5m2, 40 * 65));
  for (int offset = -maxExponentOffset; offset <= maxExponentOffset; ++offset)
    add("mma-quads-offset-" + std::string(offset < 0 ? "minus-" : "") + std::to_string(std::abs(offset)),
        EncodeOptions::quads(11, 128), e4m3, {20, 128}, makeElementsForOffset(offset, e4m3, 20 * 128));
  add("mma-quads-empty", EncodeOptions::quads(), e4m3, {0, 5}, {});
  add("mma-classic-empty", EncodeOptions::classic(), e5m2, {0, 5}, {});
  add("mma-quads-rank-0", EncodeOptions::quads(), e5m2, {}, {0xFF});
  add("mma-pairs-rank-3", EncodeOptions::pairs(), e4m3, {2, 3, 5}, makeElements(Distribution::Geometric, e4m3, 30));
  addSlice("mma-quads-slice", EncodeOptions::quads(11, 128), e4m3);
  addSlice("mma-raw-slice", EncodeOptions::rawMma(128), e5m2);
  add("mma-quads-example", EncodeOptions::quads(11, 128), e4m3, {1, 6}, {0x38, 0xB9, 0x40, 0x30, 0x10, 0x58});
  // The worked example of docs/Format.md.
  add("huffman-example", EncodeOptions::huffman(8, 16), e4m3, {1, 4}, {0x38, 0xB9, 0x40, 0x30});
  return cases;
}

std::vector<InvalidCase> makeInvalidCases() {
  Bases base;
  CaseList list;
  addHeaderCases(list, base);
  addSectionCases(list, base);
  addContentCases(list, base);
  addPairCases(list, base);
  addPlanesCases(list, base);
  addMmaHeaderCases(list, base);
  addMmaContentCases(list, base);
  return std::move(list.cases);
}

std::string decodeMessage(std::span<const uint8_t> payload) {
  Result<Bytes> elements = decode(payload);
  return elements ? "ok" : elements.status().message();
}

} // namespace ecf8::test
