// Planes on AVX-512: masks in mask registers, the escapes of 64 codes by one expansion.
#include "LanePlanes.h"

using namespace mlir;
using namespace mlir::ecf8;

namespace {

class ExpandPlanes final : public PlanesLanes {
public:
  using PlanesLanes::PlanesLanes;

  Value unpackSecondStep(LaneBuilder &b, Value unit) const override { return unpackSecondStepAffine(b, unit); }

protected:
  /// A load of its own beside that of the mask register: moves from general to mask registers are slow. What is
  /// volatile is not merged with another load.
  Value loadBits(LaneBuilder &b, Value buffer, Value at) const override {
    Value base = memref::ExtractAlignedPointerAsIndexOp::create(b, buffer);
    Value address = b.fromIndex(b.add(base, at), b.getI64Type());
    Value pointer = LLVM::IntToPtrOp::create(b, LLVM::LLVMPointerType::get(b.getContext()), address);
    return LLVM::LoadOp::create(b, b.getI64Type(), pointer, /*alignment=*/1, /*isVolatile=*/true);
  }

  Value toMask(LaneBuilder &b, Value bits) const override {
    return LLVM::BitcastOp::create(b, VectorType::get({64}, b.getI1Type()), bits);
  }

  Value fillEscapes(LaneBuilder &b, Value symbols, const Escapes &escapes, Value buffer,
                    Value &pointer) const override {
    Value next = b.loadBytes(buffer, pointer, 64);
    pointer = b.add(pointer, b.toIndex(b.intrinsic("llvm.ctpop", b.getI64Type(), escapes.bits)));
    return b.intrinsic("llvm.x86.avx512.mask.expand", b.bytes(64), {next, symbols, escapes.mask});
  }
};

} // namespace

std::unique_ptr<LaneBackend> mlir::ecf8::createExpandPlanes(const PlanesSpec &spec) {
  return std::make_unique<ExpandPlanes>(spec);
}
