// Valid payloads of every kind, and for every rule one that breaks it.
#include "Cases.h"

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
  list.set<uint32_t>("header_c4-required-feature", base.raw, at::requiredFlags, 1);
  list.addUnhashed("header_c6-altered-byte", base.raw, [](Bytes &p) { p[195] ^= 1; });
  list.set<uint8_t>("header_c7-f8E4M3FNUZ", base.huffman, at::elementType, 2);
  list.set<uint8_t>("header_c7-unknown-type", base.huffman, at::elementType, 200);
  list.set<uint8_t>("header_c8-planes", base.huffman, at::encoding, 2);
  list.set<uint8_t>("header_c9-huffman-row_major", base.huffman, at::order, 0);
  list.set<uint8_t>("header_c9-raw-mma", base.rawRows32, at::order, 2);
  list.set<uint8_t>("header_c10-segments", base.huffman, at::stream, 2);
  list.set<uint8_t>("header_c10-raw-with-stream", base.raw, at::stream, 1);
  list.set<uint8_t>("header_c11-rank-9", base.raw, at::rank, 9);
  list.set<uint8_t>("header_c12-group-2", base.huffman, at::group, 2);
  list.set<uint8_t>("header_c12-raw-with-group", base.raw, at::group, 1);
  list.set<uint8_t>("header_c12-raw-exponent-bits", base.huffman, at::rawExponentBits, 2);
  list.set<uint8_t>("header_c12-length-limit-9", base.huffman, at::maxCodeLength, 9);
  list.set<uint8_t>("header_c12-raw-with-length-limit", base.raw, at::maxCodeLength, 8);
  list.set<uint64_t>("header_c13-unused-dimension", base.raw, at::dims + 16, 1);
  list.set<uint64_t>("header_c13-rows", base.raw, at::rows, 4);
  list.set<uint64_t>("header_c13-columns", base.raw, at::columns, 4);
  list.set<uint64_t>("header_c13-too-many-elements", base.raw, at::dims, uint64_t(1) << 62);
  list.set<uint32_t>("header_c14-tiles-of-24-columns", base.huffman, at::tileColumns, 24);
  list.set<uint32_t>("header_c14-tiles-of-0-columns", base.huffman, at::tileColumns, 0);
  list.set<uint32_t>("header_c14-row_major-with-tiles", base.raw, at::tileColumns, 16);
  list.set<uint32_t>("header_c15-unknown-data-flag", base.raw, at::dataFlags, 16);
  list.set<uint32_t>("header_c15-flags-not-those-of-the-data", base.huffman, at::dataFlags, 0);
  list.set<uint8_t>("header_c16-exponent-16", base.raw, at::maxExponent, 16);
  list.set<uint8_t>("header_c16-least-over-greatest", base.oneSymbol, at::minExponent, 8);
  list.set<uint8_t>("header_c16-exponent-without-code", base.oneSymbol, at::minExponent, 6);
  list.set<uint8_t>("header_c16-exponents-not-those-of-the-data", base.raw, at::minExponent, 15);
  list.set<uint8_t>("header_c16-empty-with-exponent", base.empty, at::maxExponent, 1);
  list.set<uint8_t>("header_c17-reserved-byte", base.huffman, at::reserved + 5, 1);
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

} // namespace

std::vector<ValidCase> makeValidCases() {
  std::vector<ValidCase> cases;
  auto add = [&](std::string name, EncodeOptions options, ElementType type, const std::vector<uint64_t> &dims,
                 const Bytes &elements) {
    cases.push_back({std::move(name), encodeOrDie(options, type, dims, elements), elements});
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
  return std::move(list.cases);
}

std::string decodeMessage(std::span<const uint8_t> payload) {
  Result<Bytes> elements = decode(payload);
  return elements ? "ok" : elements.status().message();
}

} // namespace ecf8::test
