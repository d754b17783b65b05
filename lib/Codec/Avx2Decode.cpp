// The inner loops of the fast decoder for AVX2: eight lanes of huffman at a time by gathers, planes by bit deposits.
#include "Avx2.h"
#include "DecodeTables.h"

namespace ecf8 {
namespace {

/// By a mask of 8 lanes: for each lane how many lanes before it are in the mask, so that a permutation with it gives
/// the next words to the lanes in order. 4 bits a lane.
constexpr std::array<uint32_t, 256> rankNibbles = [] {
  std::array<uint32_t, 256> ranks{};
  for (unsigned mask = 0; mask < ranks.size(); ++mask)
    for (unsigned lane = 0, rank = 0; lane < 8; rank += mask >> lane & 1, ++lane)
      ranks[mask] |= rank << (4 * lane);
  return ranks;
}();

ECF8_AVX2_INLINE __m256i load256(const void *from) { return _mm256_loadu_si256(static_cast<const __m256i *>(from)); }
ECF8_AVX2_INLINE void store256(void *to, __m256i value) { _mm256_storeu_si256(static_cast<__m256i *>(to), value); }

ECF8_AVX2 void scatterTile(const uint8_t *elements, const MutableRowsView &rows) {
  uint64_t blocks = rows.rows == laneCount ? rows.columns / 16 : 0; // of 16 columns, 8 steps
  for (uint64_t block = 0; block < blocks; ++block)
    for (unsigned lane = 0; lane < laneCount; lane += 16) {
      __m256i x[8];
      for (unsigned step = 0; step < 8; ++step)
        x[step] = load256(elements + (block * 8 + step) * stepElements + lane * 2);
      transposeUnits(x);
      // Lanes `lane` to `lane` + 7 in the low halves, the next eight in the high ones.
      for (unsigned i = 0; i < 8; ++i) {
        uint8_t *low = rows.data + laneToRow(lane + i) * rows.stride + block * 16;
        uint8_t *high = rows.data + laneToRow(lane + 8 + i) * rows.stride + block * 16;
        _mm_storeu_si128(reinterpret_cast<__m128i *>(low), _mm256_castsi256_si128(x[i]));
        _mm_storeu_si128(reinterpret_cast<__m128i *>(high), _mm256_extracti128_si256(x[i], 1));
      }
    }
  uint64_t done = blocks * 16;
  genericDecodeKernels().scatterTile(elements + done * laneCount,
                                     {rows.data + done, rows.stride, rows.rows, rows.columns - done});
}

/// Writes the rest of `count` steps of a tile in tile order. [rest_c1] [rest_c2]
ECF8_AVX2_INLINE void decodeRest(ElementType type, const uint8_t *plane, uint64_t count, uint8_t *out) {
  const __m256i restMask = _mm256_set1_epi8(char(0x87));
  if (type != ElementType::F8E5M2) {
    for (uint64_t step = 0; step < count; step += 2, plane += 64, out += 2 * stepElements)
      for (unsigned half = 0; half < stepElements; half += 32) {
        __m256i unit = load256(plane + half);
        __m256i sign = _mm256_and_si256(_mm256_slli_epi16(unit, 4), _mm256_set1_epi8(char(0x80)));
        __m256i mantissa = _mm256_and_si256(_mm256_srli_epi16(unit, 4), _mm256_set1_epi8(0x07));
        store256(out + half, _mm256_and_si256(unit, restMask));
        store256(out + stepElements + half, _mm256_or_si256(sign, mantissa));
      }
    return;
  }
  for (uint64_t group = 0; group < count; group += 8, plane += 192)
    for (unsigned step = 0; step < 8; ++step, out += stepElements)
      for (unsigned half = 0; half < stepElements; half += 32) {
        __m256i mantissas = load256(plane + step / 4 * 64 + half), signs = load256(plane + 128 + half);
        mantissas = _mm256_and_si256(_mm256_srli_epi16(mantissas, int(step % 4 * 2)), _mm256_set1_epi8(3));
        signs = _mm256_and_si256(_mm256_slli_epi16(signs, int(7 - step)), _mm256_set1_epi8(char(0x80)));
        store256(out + half, _mm256_or_si256(mantissas, signs));
      }
}

/// Eight lanes: their windows of two words, and their positions.
struct Lanes {
  __m256i windows, positions;
};

/// The pairs of eight lanes whose windows, shifted to their positions, are `windows`.
ECF8_AVX2_INLINE __m256i lookUpPairs(const HuffmanTables &tables, __m256i windows) {
  const __m256i mask = _mm256_set1_epi32((1 << HuffmanTables::pairBits) - 1);
  const int *table = reinterpret_cast<const int *>(tables.pairs.data());
  __m256i pairs = _mm256_i32gather_epi32(table, _mm256_and_si256(windows, mask), 4);
  if (_mm256_movemask_ps(_mm256_castsi256_ps(pairs)) == 0) [[likely]] // no pair is long
    return pairs;
  alignas(32) uint32_t each[8];
  store256(each, windows);
  for (uint32_t &window : each)
    window = lookUpPair(tables, window);
  return load256(each);
}

ECF8_AVX2 void decodeHuffmanTile(const HuffmanTables &tables, std::span<const uint8_t> payload, const TileSource &tile,
                                 uint8_t *elements) {
  decodeRest(tables.type, tile.last, tile.steps, elements);
  // Words that lie after the payload's end are not needed. [stream_c6]
  auto nextWords = [payload](uint64_t offset) __attribute__((target("avx2"), always_inline)) {
    const uint8_t *words = payload.data() + std::min<uint64_t>(offset, payload.size() - 64);
    return _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i *>(words)));
  };
  Lanes lanes[4];
  for (unsigned i = 0; i < 4; ++i) {
    __m256i first = nextWords(tile.streamOffset + i * 16), second = nextWords(tile.streamOffset + 64 + i * 16);
    lanes[i] = {_mm256_or_si256(first, _mm256_slli_epi32(second, 16)), _mm256_setzero_si256()};
  }
  uint64_t next = tile.streamOffset + 128;
  const __m256i nibbleShifts = _mm256_setr_epi32(0, 4, 8, 12, 16, 20, 24, 28), fifteen = _mm256_set1_epi32(15);
  for (uint64_t step = 0; step < tile.steps; ++step, elements += stepElements) {
    __m256i symbols[4];
    for (unsigned i = 0; i < 4; ++i) {
      Lanes &eight = lanes[i];
      __m256i pairs = lookUpPairs(tables, _mm256_srlv_epi32(eight.windows, eight.positions));
      symbols[i] = _mm256_and_si256(pairs, _mm256_set1_epi32(0xFFFF));
      __m256i positions = _mm256_add_epi32(eight.positions, _mm256_srli_epi32(pairs, 16));
      __m256i usedUp = _mm256_cmpgt_epi32(positions, fifteen);
      unsigned mask = unsigned(_mm256_movemask_ps(_mm256_castsi256_ps(usedUp)));
      // A permutation looks at the low 3 bits of an index only.
      __m256i ranks = _mm256_srlv_epi32(_mm256_set1_epi32(int(rankNibbles[mask])), nibbleShifts);
      __m256i words = _mm256_permutevar8x32_epi32(nextWords(next), ranks);
      __m256i moved = _mm256_or_si256(_mm256_srli_epi32(eight.windows, 16), _mm256_slli_epi32(words, 16));
      eight.windows = _mm256_blendv_epi8(eight.windows, moved, usedUp);
      eight.positions = _mm256_and_si256(positions, fifteen);
      next += 2 * uint64_t(_mm_popcnt_u32(mask));
    }
    for (unsigned half = 0; half < 2; ++half) { // 16 lanes
      __m256i packed = _mm256_packus_epi32(symbols[2 * half], symbols[2 * half + 1]);
      packed = _mm256_permute4x64_epi64(packed, 0xD8); // the quarters in the order of the lanes
      store256(elements + half * 32, _mm256_or_si256(packed, load256(elements + half * 32)));
    }
  }
}

void decodeHuffman(const HuffmanTables &tables, std::span<const uint8_t> payload, std::span<const TileSource> tiles,
                   std::vector<uint8_t> &scratch) {
  for (const TileSource &tile : tiles) {
    scratch.resize(std::max<size_t>(scratch.size(), tile.steps * stepElements));
    decodeHuffmanTile(tables, payload, tile, scratch.data());
    scatterTile(scratch.data(), tile.rows);
  }
}

/// The three symbols of a plane in the form that bits choose from: that of code 0, and what the low bit, the high bit
/// and both together change of it. Escapes get 0.
struct PlaneVectors {
  __m256i zero, low, high, both;
};

ECF8_AVX2_INLINE PlaneVectors makeVectors(const PlaneSymbols &symbols) {
  __m256i zero = _mm256_set1_epi8(char(symbols[0]));
  __m256i low = _mm256_xor_si256(zero, _mm256_set1_epi8(char(symbols[1])));
  __m256i high = _mm256_xor_si256(zero, _mm256_set1_epi8(char(symbols[2])));
  return {zero, low, high, _mm256_xor_si256(zero, _mm256_xor_si256(low, high))};
}

/// 0xFF in byte i for each bit i of `bits`.
ECF8_AVX2_INLINE __m256i expandBits(uint32_t bits) {
  const __m256i byteOf =
      _mm256_setr_epi8(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3);
  const __m256i bitOf = _mm256_set1_epi64x(int64_t(0x8040201008040201));
  __m256i spread = _mm256_shuffle_epi8(_mm256_set1_epi32(int(bits)), byteOf);
  return _mm256_cmpeq_epi8(_mm256_and_si256(spread, bitOf), bitOf);
}

/// Adds the symbols of 64 codes of two bits to `out`, where the escapes take theirs from `next` on. Returns how many
/// they are.
ECF8_AVX2_INLINE unsigned decodePlane(const PlaneVectors &plane, const uint8_t *masks, const uint8_t *next,
                                      uint8_t *out) {
  const uint8_t *begin = next;
  for (unsigned half = 0; half < 2; ++half, out += 32) {
    uint32_t low = loadLittle<uint32_t>(masks + half * 4), high = loadLittle<uint32_t>(masks + 8 + half * 4);
    __m256i lowMask = expandBits(low), highMask = expandBits(high);
    __m256i symbols =
        _mm256_xor_si256(_mm256_xor_si256(plane.zero, _mm256_and_si256(lowMask, plane.low)),
                         _mm256_xor_si256(_mm256_and_si256(highMask, plane.high),
                                          _mm256_and_si256(_mm256_and_si256(lowMask, highMask), plane.both)));
    alignas(32) uint64_t escapes[4];
    for (unsigned i = 0; i < 4; ++i) {
      unsigned escaped = (low & high) >> (8 * i) & 0xFF;
      escapes[i] = _pdep_u64(loadLittle<uint64_t>(next), byteMasks[escaped]);
      next += _mm_popcnt_u32(escaped);
    }
    symbols = _mm256_or_si256(symbols, load256(escapes));
    store256(out, _mm256_or_si256(symbols, load256(out)));
  }
  return unsigned(next - begin);
}

ECF8_AVX2 void decodePlanesTile(const PlanesTables &tables, std::span<const uint8_t> stream, const TileSource &tile,
                                uint8_t *elements, uint8_t *escapes, uint8_t *thirds) {
  EscapeStream parts(tables.type, stream, tile.steps * stepElements);
  const PlaneVectors first = makeVectors(tables.symbols[0]), second = makeVectors(tables.symbols[1]);
  for (size_t i = 0; i < std::min(parts.thirdCount, parts.groupCount * stepElements); ++i)
    thirds[i] = parts.thirdSymbol(i);
  std::fill_n(escapes, parts.groupCount * stepElements, 0);
  for (size_t group = 0; group < parts.groupCount; ++group)
    thirds += decodePlane(second, parts.groups + group * 16, thirds, escapes + group * stepElements);

  const uint8_t *units = tile.last;
  unsigned unitSteps = tables.type == ElementType::F8E5M2 ? 8 : 4, restBytes = unitSteps == 8 ? 192 : 128;
  for (uint64_t step = 0; step < tile.steps; step += unitSteps) { // [units_c2] [units_c3]
    decodeRest(tables.type, units, unitSteps, elements);
    units += restBytes;
    for (unsigned i = 0; i < unitSteps; ++i, units += 16, elements += stepElements)
      escapes += decodePlane(first, units, escapes, elements);
  }
}

void decodePlanes(const PlanesTables &tables, std::span<const uint8_t> payload, std::span<const TileSource> tiles,
                  std::vector<uint8_t> &scratch) {
  for (const TileSource &tile : tiles) {
    // Escapes are at most all elements; a read of the next ones may go 8 bytes beyond.
    size_t count = tile.steps * stepElements, room = count + stepElements;
    if (scratch.size() < 3 * room)
      scratch.resize(3 * room);
    uint8_t *elements = scratch.data();
    decodePlanesTile(tables, payload.subspan(tile.streamOffset, tile.streamBytes), tile, elements, elements + room,
                     elements + 2 * room);
    scatterTile(elements, tile.rows);
  }
}

} // namespace

const DecodeKernels &avx2DecodeKernels() {
  static constexpr DecodeKernels kernels = {/*usesPairs=*/true, scatterTile, decodeHuffman, decodePlanes};
  return kernels;
}

} // namespace ecf8
