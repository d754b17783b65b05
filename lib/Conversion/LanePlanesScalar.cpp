// Planes on any CPU: escapes one after the other, into a group of 64 bytes in memory. The loop runs once per escape, so
// the one branch that depends on the data is its end.
#include "LanePlanes.h"

using namespace mlir;
using namespace mlir::ecf8;

namespace {

class ScalarPlanes final : public PlanesLanes {
public:
  using PlanesLanes::PlanesLanes;

  void enterFunction(LaneBuilder &b, Value tableBuffer, unsigned tileCount) override {
    PlanesLanes::enterFunction(b, tableBuffer, tileCount);
    scratch = b.stackBuffer(64, b.getI8Type());
  }

protected:
  Value fillEscapes(LaneBuilder &b, Value symbols, const Escapes &escapes, Value buffer,
                    Value &pointer) const override {
    b.storeBytes(symbols, scratch, b.index(0));
    Type i64 = b.getI64Type();
    Value nonzero = b.constant(b.getI1Type(), 1); // for cttz: its operand is never 0
    auto loop = scf::WhileOp::create(
        b, TypeRange{i64, b.getIndexType()}, ValueRange{escapes.bits, pointer},
        [&](OpBuilder &, Location, ValueRange values) {
          Value more = b.compare(arith::CmpIPredicate::ne, values[0], 0);
          scf::ConditionOp::create(b, more, values);
        },
        [&](OpBuilder &, Location, ValueRange values) {
          Value lane = b.toIndex(b.intrinsic("llvm.cttz", i64, {values[0], nonzero}));
          Value symbol = memref::LoadOp::create(b, buffer, ValueRange{values[1]});
          memref::StoreOp::create(b, symbol, scratch, ValueRange{lane});
          Value rest = b.andI(values[0], b.sub(values[0], b.constant(i64, 1)));
          scf::YieldOp::create(b, ValueRange{rest, b.add(values[1], 1)});
        });
    pointer = loop.getResult(1);
    return b.loadBytes(scratch, b.index(0), 64);
  }

private:
  Value scratch;
};

} // namespace

std::unique_ptr<LaneBackend> mlir::ecf8::createScalarPlanes(const PlanesSpec &spec) {
  return std::make_unique<ScalarPlanes>(spec);
}
