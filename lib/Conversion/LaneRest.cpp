// The rest bits of the second step of a unit: docs/Format.md, section "Rest".
#include "LaneBackend.h"

using namespace mlir;
using namespace mlir::ecf8;

Value LaneBackend::unpackSecondStep(LaneBuilder &b, Value unit) const {
  Value wide = b.bitcast(unit, b.words(32));
  return b.bitcast(b.orI(b.andI(b.shl(wide, 4), 0x8080), b.andI(b.shrU(wide, 4), 0x0707)), b.bytes(64));
}

Value mlir::ecf8::unpackSecondStepAffine(LaneBuilder &b, Value unit) {
  // Byte 7 - i of a matrix says which bits of a byte add up to bit i (Intel SDM, GF2P8AFFINEQB).
  SmallVector<uint8_t> matrices;
  for (unsigned i = 0; i < 8; ++i)
    matrices.append({1 << 3, 0, 0, 0, 0, 1 << 6, 1 << 5, 1 << 4});
  Value none = b.constant(b.getI8Type(), 0);
  return b.intrinsic("llvm.x86.vgf2p8affineqb.512", b.bytes(64), {unit, b.byteVector(matrices), none});
}
