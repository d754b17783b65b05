// The inner loops of the encoders for AVX2: tile order. The rest is that of every processor.
#include "Avx2.h"

namespace ecf8 {
namespace {

ECF8_AVX2 void reorderTile(const RowsView &rows, uint64_t paddedColumns, uint8_t padding, uint8_t *out) {
  uint64_t blocks = rows.rows == laneCount ? rows.columns / 16 : 0; // of 16 columns, 8 steps
  for (uint64_t block = 0; block < blocks; ++block)
    for (unsigned lane = 0; lane < laneCount; lane += 16) {
      // Rows of the lanes `lane` to `lane` + 7 in the low halves, of the next eight in the high ones.
      __m256i x[8];
      for (unsigned i = 0; i < 8; ++i) {
        auto load = [&](unsigned l) __attribute__((target("avx2"))) {
          return _mm_loadu_si128(
              reinterpret_cast<const __m128i *>(rows.data + laneToRow(l) * rows.stride + block * 16));
        };
        x[i] = _mm256_set_m128i(load(lane + 8 + i), load(lane + i));
      }
      transposeUnits(x);
      for (unsigned step = 0; step < 8; ++step)
        _mm256_storeu_si256(reinterpret_cast<__m256i *>(out + (block * 8 + step) * stepElements + lane * 2), x[step]);
    }
  uint64_t done = blocks * 16;
  if (done < paddedColumns)
    genericEncodeKernels().reorderTile({rows.data + done, rows.stride, rows.rows, rows.columns - done},
                                       paddedColumns - done, padding, out + done * laneCount);
}

} // namespace

const EncodeKernels &avx2EncodeKernels() {
  static const EncodeKernels kernels = [] {
    EncodeKernels made = genericEncodeKernels();
    made.reorderTile = reorderTile;
    return made;
  }();
  return kernels;
}

} // namespace ecf8
