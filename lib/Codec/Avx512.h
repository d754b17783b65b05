// What the AVX-512 kernels share. Private to the codec. Nothing here or in the files that include it is inline with
// external linkage: the linker may otherwise give code with these instructions to callers that must run everywhere.
#ifndef ECF8_LIB_CODEC_AVX512_H
#define ECF8_LIB_CODEC_AVX512_H

#include "Kernels.h"

#include <algorithm>
#include <immintrin.h>

#define ECF8_AVX512                                                                                                    \
  __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vbmi2,avx512vpopcntdq,"                   \
                        "gfni,bmi,bmi2,lzcnt,popcnt")))
#define ECF8_AVX512_INLINE ECF8_AVX512 __attribute__((always_inline)) static inline

namespace ecf8 {

/// The low `count` bits; all of them from 64 on.
ECF8_AVX512_INLINE uint64_t lowBits(uint64_t count) {
  return _bzhi_u64(~uint64_t(0), unsigned(count < 64 ? count : 64));
}

/// Transposes, in each of the 128-bit quarters of eight registers, a matrix of 8 x 8 units of 2 bytes.
ECF8_AVX512_INLINE void transposeEight(__m512i x[8]) {
  __m512i a[8], b[8];
  for (unsigned i = 0; i < 4; ++i) {
    a[i] = _mm512_unpacklo_epi16(x[2 * i], x[2 * i + 1]); // columns 0 to 3 of two rows
    a[4 + i] = _mm512_unpackhi_epi16(x[2 * i], x[2 * i + 1]);
  }
  for (unsigned half = 0; half < 8; half += 4)
    for (unsigned i = 0; i < 2; ++i) {
      b[half + i] = _mm512_unpacklo_epi32(a[half + 2 * i], a[half + 2 * i + 1]); // columns 0, 1 of four rows
      b[half + 2 + i] = _mm512_unpackhi_epi32(a[half + 2 * i], a[half + 2 * i + 1]);
    }
  for (unsigned i = 0; i < 4; ++i) {
    x[2 * i] = _mm512_unpacklo_epi64(b[2 * i], b[2 * i + 1]); // column 2i of eight rows
    x[2 * i + 1] = _mm512_unpackhi_epi64(b[2 * i], b[2 * i + 1]);
  }
}

/// A matrix of 32 x 32 units of 2 bytes that is transposed in two halves, through memory, since registers would not do.
/// In tile order a step is a row of 32 lanes; the transposed row of a lane holds its elements of 64 columns.
struct Block {
  alignas(64) __m512i rows[32];

  /// First half, for the rows from 8 * `eight` on. Quarter q of the new row 8 * eight + j holds column 8q + j of them.
  ECF8_AVX512 __attribute__((always_inline)) void setEight(unsigned eight, __m512i x[8]) {
    transposeEight(x);
    for (unsigned i = 0; i < 8; ++i)
      _mm512_store_si512(rows + eight * 8 + i, x[i]);
  }

  /// Second half: the rows j, 8 + j, 16 + j and 24 + j of the result, from a matrix of 4 x 4 quarters.
  ECF8_AVX512 __attribute__((always_inline)) void getFour(unsigned j, __m512i out[4]) const {
    __m512i a = rows[j], b = rows[8 + j], c = rows[16 + j], d = rows[24 + j];
    __m512i low01 = _mm512_shuffle_i32x4(a, b, 0x44), high01 = _mm512_shuffle_i32x4(a, b, 0xEE);
    __m512i low23 = _mm512_shuffle_i32x4(c, d, 0x44), high23 = _mm512_shuffle_i32x4(c, d, 0xEE);
    out[0] = _mm512_shuffle_i32x4(low01, low23, 0x88);
    out[1] = _mm512_shuffle_i32x4(low01, low23, 0xDD);
    out[2] = _mm512_shuffle_i32x4(high01, high23, 0x88);
    out[3] = _mm512_shuffle_i32x4(high01, high23, 0xDD);
  }

  /// Between the halves: keeps the compiler from holding all rows in registers that it then spills.
  void halfway() { asm volatile("" : "+m"(rows)); }
};

/// Columns of a block: 32 steps, a cache line of every row.
constexpr uint64_t blockColumns = 64;
constexpr unsigned blockSteps = 32;

/// Reads 64 columns of a strip from `column` on and writes their first `count` steps in tile order to `out`; what the
/// matrix lacks becomes `padding`.
ECF8_AVX512_INLINE void loadBlock(const RowsView &rows, uint64_t column, unsigned count, __m512i padding,
                                  uint8_t *out) {
  const uint8_t *source = rows.data + column;
  uint64_t columns = rows.columns > column ? rows.columns - column : 0;
  bool isWhole = columns >= blockColumns && rows.rows == laneCount;
  Block block;
  for (unsigned eight = 0; eight < 4; ++eight) {
    __m512i x[8];
    for (unsigned i = 0; i < 8; ++i) {
      unsigned row = laneToRow(eight * 8 + i);
      if (isWhole)
        x[i] = _mm512_loadu_si512(source + row * rows.stride);
      else
        x[i] =
            row < rows.rows ? _mm512_mask_loadu_epi8(padding, lowBits(columns), source + row * rows.stride) : padding;
    }
    block.setEight(eight, x);
  }
  block.halfway();
  for (unsigned j = 0; j < 8; ++j) {
    __m512i steps[4];
    block.getFour(j, steps);
    for (unsigned i = 0; i < 4; ++i)
      if (8 * i + j < count)
        _mm512_storeu_si512(out + (8 * i + j) * stepElements, steps[i]);
  }
}

/// Writes a whole aligned cache line around the caches. In assembly, since compilers merge the intrinsic with a plain
/// store of the same value in another branch, to a plain store.
ECF8_AVX512_INLINE void streamLine(uint8_t *line, __m512i values) {
  asm volatile("vmovntdq %1, %0" : "=m"(*reinterpret_cast<__m512i *>(line)) : "v"(values));
}

/// The rows of a tile on the way to memory, 64 columns at a time and from the first column on. Where rows do not start
/// at cache lines, but all at the same distance from one, whole lines are put together from two neighbouring blocks.
class RowsWriter {
public:
  /// Starts with a tile whose elements go to `target`.
  void open(const MutableRowsView &target) {
    rows = target;
    misaligned = reinterpret_cast<uintptr_t>(rows.data) % blockColumns;
    isRegular = rows.rows == laneCount && rows.stride % blockColumns == 0 && rows.columns % blockColumns == 0;
  }

  /// Writes 32 steps of tile order to 64 columns from `column` on, a multiple of 64; padding is dropped. `steps` is
  /// changed. Where whole lines go to memory only half of that is done here, and pairs of neighbouring blocks wait for
  /// `writeNext`: `steps` has to stay until four more blocks were written, or `flush`.
  ECF8_AVX512 __attribute__((always_inline)) void write(uint64_t column, Block &steps) {
    if (column >= rows.columns)
      return;
    for (unsigned eight = 0; eight < 4; ++eight) {
      __m512i x[8];
      for (unsigned i = 0; i < 8; ++i)
        x[i] = _mm512_load_si512(steps.rows + eight * 8 + i);
      steps.setEight(eight, x);
    }
    steps.halfway();
    if (isRegular && misaligned == 0) {
      if (!first) {
        first = &steps;
        firstColumn = column;
      } else {
        beginPair(&steps);
      }
    } else if (isRegular) {
      writeMisaligned(column, steps);
    } else {
      writeLanes(column, steps, [&](unsigned row, uint8_t *target, __m512i values) ECF8_AVX512 {
        if (row < rows.rows)
          _mm512_mask_storeu_epi8(target, lowBits(rows.columns - column), values);
      });
    }
  }

  /// Writes four rows of a waiting pair, if there is one: two lines of each, since memory takes neighbours sooner. To
  /// be called four times for each block, between its steps: a burst of stores around the caches would wait for memory,
  /// while decoding leaves memory idle.
  ECF8_AVX512 __attribute__((always_inline)) void writeNext() {
    if (!waiting[0])
      return;
    if (rows.bypassesCaches)
      writeFourOfPair([](uint8_t *line, __m512i values) ECF8_AVX512 { streamLine(line, values); });
    else
      writeFourOfPair([](uint8_t *line, __m512i values) ECF8_AVX512 { _mm512_store_si512(line, values); });
    if (++nextPart == blockParts)
      waiting[0] = nullptr;
  }

  /// Writes all that waits.
  ECF8_AVX512 __attribute__((always_inline)) void flush() {
    beginPair(nullptr);
    while (waiting[0])
      writeNext();
  }

  /// To be called before other threads read what was written.
  ECF8_AVX512 __attribute__((always_inline)) static void finish() { _mm_sfence(); }

private:
  static constexpr unsigned blockParts = 8; ///< of four rows

  /// Lets the block that came first wait, with its neighbour if there is one.
  ECF8_AVX512 __attribute__((always_inline)) void beginPair(const Block *second) {
    while (waiting[0])
      writeNext();
    waiting[0] = first;
    waiting[1] = second;
    waitingColumn = firstColumn;
    first = nullptr;
    nextPart = 0;
  }

  template <typename Store> ECF8_AVX512 __attribute__((always_inline)) void writeFourOfPair(const Store &store) {
    __m512i left[4], right[4];
    waiting[0]->getFour(nextPart, left);
    auto line = [&](unsigned i) { return rows.data + waitingColumn + laneToRow(8 * i + nextPart) * rows.stride; };
    if (!waiting[1]) {
      for (unsigned i = 0; i < 4; ++i)
        store(line(i), left[i]);
      return;
    }
    waiting[1]->getFour(nextPart, right);
    for (unsigned i = 0; i < 4; ++i) {
      store(line(i), left[i]);
      store(line(i) + blockColumns, right[i]);
    }
  }

  template <typename Store>
  ECF8_AVX512 __attribute__((always_inline)) void writeFour(uint64_t column, const Block &steps, unsigned part,
                                                            const Store &store) {
    __m512i lanes[4];
    steps.getFour(part, lanes);
    for (unsigned i = 0; i < 4; ++i) {
      unsigned row = laneToRow(8 * i + part);
      store(row, rows.data + column + row * rows.stride, lanes[i]);
    }
  }

  template <typename Store>
  ECF8_AVX512 __attribute__((always_inline)) void writeLanes(uint64_t column, const Block &steps, const Store &store) {
    for (unsigned part = 0; part < blockParts; ++part)
      writeFour(column, steps, part, store);
  }

  ECF8_AVX512 __attribute__((always_inline)) void writeMisaligned(uint64_t column, const Block &steps) {
    // A line holds the last `misaligned` bytes of the block before and the first of this one.
    const __m512i iota = _mm512_loadu_si512(byteNumbers.data());
    __m512i chosen = _mm512_add_epi8(iota, _mm512_set1_epi8(char(blockColumns - misaligned)));
    bool isStreamed = rows.bypassesCaches, isFirst = column == 0, isLast = column + blockColumns == rows.columns;
    writeLanes(column, steps, [&](unsigned row, uint8_t *target, __m512i values) ECF8_AVX512 {
      uint8_t *line = target - misaligned;
      __m512i before = _mm512_load_si512(pending[row]);
      _mm512_store_si512(pending[row], values);
      __m512i whole = _mm512_permutex2var_epi8(before, chosen, values);
      if (isFirst) // the rest of the line belongs to the tile before
        _mm512_mask_storeu_epi8(line, ~lowBits(misaligned), whole);
      else if (isStreamed)
        streamLine(line, whole);
      else
        _mm512_store_si512(line, whole);
      if (isLast)
        _mm512_mask_storeu_epi8(line + blockColumns, lowBits(misaligned), _mm512_permutexvar_epi8(chosen, values));
    });
  }

  static constexpr std::array<uint8_t, 64> byteNumbers = [] {
    std::array<uint8_t, 64> numbers{};
    for (unsigned i = 0; i < 64; ++i)
      numbers[i] = uint8_t(i);
    return numbers;
  }();

  MutableRowsView rows = {};
  uint64_t misaligned = 0; ///< bytes of a row's first line that lie before the tile
  bool isRegular = false;  ///< all rows are there, have the same `misaligned`, and end a whole number of blocks later
  // Half transposed: the first block of a pair whose second is not there yet, and a pair that is being written.
  const Block *first = nullptr, *waiting[2] = {nullptr, nullptr};
  uint64_t firstColumn = 0, waitingColumn = 0;
  unsigned nextPart = 0;                                ///< of the pair
  alignas(64) uint8_t pending[laneCount][blockColumns]; ///< by row: the block before
};

/// Reads 64 bytes at `offset` of the payload, or the last 64 when there are fewer: such bytes are not needed.
/// [stream_c6] [codes_c7]
ECF8_AVX512_INLINE __m512i loadWithin(std::span<const uint8_t> payload, uint64_t offset) {
  return _mm512_loadu_si512(payload.data() + std::min<uint64_t>(offset, payload.size() - 64));
}

/// The rest of step `step` of a tile of f8E5M2, from the group of 8 steps that holds it. [rest_c2]
ECF8_AVX512_INLINE __m512i loadRestE5M2(const uint8_t *group, unsigned step) {
  __m512i mantissas = _mm512_loadu_si512(group + step / 4 * 64), signs = _mm512_loadu_si512(group + 128);
  mantissas = _mm512_and_si512(_mm512_srli_epi32(mantissas, step % 4 * 2), _mm512_set1_epi8(3));
  signs = _mm512_and_si512(_mm512_slli_epi32(signs, 7 - step), _mm512_set1_epi8(char(0x80)));
  return _mm512_or_si512(mantissas, signs);
}

/// The rest of the first or the second step of a unit of f8E4M3FN, with the symbols that `symbols` has at their places.
/// [rest_c1]
ECF8_AVX512_INLINE __m512i addRestE4M3(__m512i unit, bool isSecond, __m512i symbols) {
  if (isSecond) // bits 4, 5, 6 and 3 come to 0, 1, 2 and 7
    unit = _mm512_gf2p8affine_epi64_epi8(unit, _mm512_set1_epi64(0x1020400000000008), 0);
  return _mm512_ternarylogic_epi32(_mm512_set1_epi8(char(0x87)), unit, symbols, 0xCA); // mask ? unit : symbols
}

} // namespace ecf8

#endif // ECF8_LIB_CODEC_AVX512_H
