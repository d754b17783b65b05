// Ops: ldmatrix, stmatrix and mma.sync, with the fragments of the PTX ISA. A sum is taken in f32, the accumulator first
// and then the products in ascending k, each rounded: that order is ours, the hardware's is not documented.
#include "Memory.h"
#include "OpTable.h"
#include "SmallFloats.h"

using namespace ecf8::simt;

//===--- ldmatrix, stmatrix: (address[, registers])
//---------------------------------------------------------------------===//

/// Lane i of each group of 8 holds the address of a row of 16 bytes; lanes past the last matrix hold nothing.
template <unsigned kNumMatrices, bool kTranspose> static void loadMatrix(WarpCall &call) {
  uint16_t rows[kNumMatrices * 8][8];
  for (unsigned i = 0; i < kNumMatrices * 8; ++i) {
    const void *row = call.slots[i][0].get<const void *>();
    Context &context = *call.contexts[i];
    requireAlignment(context, call.site, row, 16, "row address");
    requireShared(context, call.site, row, 16, "row");
    checkAccess(context, call.site, row, 16, kRead);
    std::memcpy(rows[i], row, 16);
  }
  for (unsigned lane = 0; lane < 32; ++lane)
    for (unsigned m = 0; m < kNumMatrices; ++m) {
      unsigned r = lane / 4, c = lane % 4 * 2;
      const auto *matrix = rows + m * 8;
      uint32_t low = kTranspose ? matrix[c][r] : matrix[r][c], high = kTranspose ? matrix[c + 1][r] : matrix[r][c + 1];
      call.slots[lane][m].set(high << 16 | low);
    }
}

template <unsigned kNumMatrices, bool kTranspose> static void storeMatrix(WarpCall &call) {
  uint16_t rows[kNumMatrices * 8][8];
  for (unsigned lane = 0; lane < 32; ++lane)
    for (unsigned m = 0; m < kNumMatrices; ++m) {
      unsigned r = lane / 4, c = lane % 4 * 2;
      auto *matrix = rows + m * 8;
      uint32_t pair = call.slots[lane][1 + m].u32();
      (kTranspose ? matrix[c][r] : matrix[r][c]) = uint16_t(pair);
      (kTranspose ? matrix[c + 1][r] : matrix[r][c + 1]) = uint16_t(pair >> 16);
    }
  for (unsigned i = 0; i < kNumMatrices * 8; ++i) {
    void *row = call.slots[i][0].get<void *>();
    Context &context = *call.contexts[i];
    requireAlignment(context, call.site, row, 16, "row address");
    requireShared(context, call.site, row, 16, "row");
    checkAccess(context, call.site, row, 16, kWrite);
    std::memcpy(row, rows[i], 16);
  }
}

//===--- mma.sync.m16n8kK.row.col: (a..., b..., c...) -> d...
//------------------------------------------------------------===//

struct F16 {
  static constexpr unsigned kBits = 16;
  static float toF32(uint32_t bits) { return f16ToF32(uint16_t(bits)); }
};
struct BF16 {
  static constexpr unsigned kBits = 16;
  static float toF32(uint32_t bits) { return bf16ToF32(uint16_t(bits)); }
};
template <typename Format> struct F8 {
  static constexpr unsigned kBits = 8;
  static float toF32(uint32_t bits) { return kF8Table<Format>[bits & 0xff]; }
};

/// d[16][8] = a[16][K] * b[K][8] + d.
template <unsigned kK> static void multiply(const float (&a)[16][kK], const float (&b)[kK][8], float (&d)[16][8]) {
  // Half of the rows at a time: their sums stay in registers, and do not wait for each other.
  for (unsigned first = 0; first < 16; first += 8) {
    __m256 sums[8];
    for (unsigned i = 0; i < 8; ++i)
      sums[i] = _mm256_loadu_ps(d[first + i]);
    for (unsigned k = 0; k < kK; ++k) {
      __m256 column = _mm256_loadu_ps(b[k]);
      for (unsigned i = 0; i < 8; ++i)
        sums[i] = _mm256_add_ps(sums[i], _mm256_mul_ps(_mm256_set1_ps(a[first + i][k]), column));
    }
    for (unsigned i = 0; i < 8; ++i)
      _mm256_storeu_ps(d[first + i], sums[i]);
  }
}

/// A lane holds rows lane/4 and lane/4 + 8 of a and d, column lane/4 of b; a register holds neighbouring k.
template <typename A, typename B, unsigned kK> static void mma(WarpCall &call) {
  constexpr unsigned kPerRegister = 32 / A::kBits;
  static_assert(A::kBits == B::kBits && kK == 8 * kPerRegister);
  float a[16][kK], b[kK][8], d[16][8];
  for (unsigned lane = 0; lane < 32; ++lane) {
    const Slot *slots = call.slots[lane];
    unsigned group = lane / 4, first = lane % 4 * kPerRegister;
    for (unsigned r = 0; r < 4; ++r) // a: rows alternate, then the upper half of k
      for (unsigned i = 0; i < kPerRegister; ++i)
        a[group + r % 2 * 8][first + r / 2 * kK / 2 + i] = A::toF32(slots[r].u32() >> i * A::kBits);
    for (unsigned r = 0; r < 2; ++r)
      for (unsigned i = 0; i < kPerRegister; ++i)
        b[first + r * kK / 2 + i][group] = B::toF32(slots[4 + r].u32() >> i * B::kBits);
    for (unsigned r = 0; r < 4; ++r)
      d[group + r / 2 * 8][lane % 4 * 2 + r % 2] = slots[6 + r].f32();
  }
  multiply<kK>(a, b, d);
  for (unsigned lane = 0; lane < 32; ++lane)
    for (unsigned r = 0; r < 4; ++r)
      call.slots[lane][r].set(d[lane / 4 + r / 2 * 8][lane % 4 * 2 + r % 2]);
}

void ecf8::simt::addMatrixOps(OpList &ops) {
  auto warp = [&ops](std::string_view name, WarpFunction function) { ops.push_back({name, nullptr, function}); };
  warp("ldmatrix.sync.aligned.m8n8.x1.b16", loadMatrix<1, false>);
  warp("ldmatrix.sync.aligned.m8n8.x2.b16", loadMatrix<2, false>);
  warp("ldmatrix.sync.aligned.m8n8.x4.b16", loadMatrix<4, false>);
  warp("ldmatrix.sync.aligned.m8n8.x1.trans.b16", loadMatrix<1, true>);
  warp("ldmatrix.sync.aligned.m8n8.x2.trans.b16", loadMatrix<2, true>);
  warp("ldmatrix.sync.aligned.m8n8.x4.trans.b16", loadMatrix<4, true>);
  warp("stmatrix.sync.aligned.m8n8.x1.b16", storeMatrix<1, false>);
  warp("stmatrix.sync.aligned.m8n8.x2.b16", storeMatrix<2, false>);
  warp("stmatrix.sync.aligned.m8n8.x4.b16", storeMatrix<4, false>);
  warp("stmatrix.sync.aligned.m8n8.x1.trans.b16", storeMatrix<1, true>);
  warp("stmatrix.sync.aligned.m8n8.x2.trans.b16", storeMatrix<2, true>);
  warp("stmatrix.sync.aligned.m8n8.x4.trans.b16", storeMatrix<4, true>);
  warp("mma.m16n8k16.row.col.f32.f32", mma<F16, F16, 16>);
  warp("mma.m16n8k16.row.col.bf16", mma<BF16, BF16, 16>);
  warp("mma.m16n8k32.row.col.f32.e4m3.e4m3.f32", mma<F8<E4M3>, F8<E4M3>, 32>);
  warp("mma.m16n8k32.row.col.f32.e4m3.e5m2.f32", mma<F8<E4M3>, F8<E5M2>, 32>);
  warp("mma.m16n8k32.row.col.f32.e5m2.e4m3.f32", mma<F8<E5M2>, F8<E4M3>, 32>);
  warp("mma.m16n8k32.row.col.f32.e5m2.e5m2.f32", mma<F8<E5M2>, F8<E5M2>, 32>);
}
