// Planes on AVX2: the escapes of 8 codes by one byte shuffle, whose pattern comes from a table. (Depositing bytes with
// BMI2 takes as many instructions, and a hundred cycles each on Zen 1 and 2.)
#include "LanePlanes.h"
#include "LaneRefill.h"

using namespace mlir;
using namespace mlir::ecf8;

namespace {

class ShufflePlanes final : public PlanesLanes {
public:
  using PlanesLanes::PlanesLanes;

  void enterFunction(LaneBuilder &b, Value tableBuffer, unsigned tileCount) override {
    PlanesLanes::enterFunction(b, tableBuffer, tileCount);
    patterns = lanePatternTable(b);
  }

protected:
  Value fillEscapes(LaneBuilder &b, Value symbols, const Escapes &escapes, Value buffer,
                    Value &pointer) const override {
    IntegerType i64 = b.getI64Type();
    SmallVector<Value> parts; // the low 8 bytes count
    for (int64_t part = 0; part < 8; ++part) {
      Value bits = b.andI(b.shrU(escapes.bits, 8 * part), 0xff);
      Value pattern = b.loadBytes(patterns, b.mul(b.toIndex(bits), 8), 16);
      Value next = b.loadBytes(buffer, pointer, 16);
      parts.push_back(b.intrinsic("llvm.x86.ssse3.pshuf.b.128", b.bytes(16), {next, pattern}));
      pointer = b.add(pointer, b.toIndex(b.intrinsic("llvm.ctpop", i64, bits)));
    }
    while (parts.size() > 1) {
      SmallVector<Value> joined;
      for (size_t i = 0; i < parts.size(); i += 2)
        joined.push_back(parts.size() == 8 ? lowHalves(b, parts[i], parts[i + 1])
                                           : concatenate(b, parts[i], parts[i + 1]));
      parts = std::move(joined);
    }
    return b.select(escapes.mask, parts[0], symbols);
  }

private:
  static Value lowHalves(LaneBuilder &b, Value first, Value second) {
    SmallVector<int64_t> order;
    for (int64_t i = 0; i < 16; ++i)
      order.push_back(i % 8 + i / 8 * 16);
    return vector::ShuffleOp::create(b, first, second, order);
  }

  Value patterns;
};

} // namespace

std::unique_ptr<LaneBackend> mlir::ecf8::createShufflePlanes(const PlanesSpec &spec) {
  return std::make_unique<ShufflePlanes>(spec);
}
