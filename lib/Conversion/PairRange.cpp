// A check of exponents.
//
// `vdpbf16ps` takes subnormals for zero and flushes subnormal results. A nonzero sum of multiples of 2^-126 is no
// subnormal, so it is enough that each product is such a multiple. With the exponents x of an activation, s of a scale
// (biased by 127, as in the bits) and m of the least positive FP8 value (2^-9 or 2^-16):
//
//   an activation is a multiple of        2^(x - 127 - 7)
//   a scaled and rounded weight is one of 2^(s - 127 + m - 7)
//
// hence x + s >= 142 - m. Upper limits keep sums over 2^31 columns finite. A quotient is at least 2^(m + 126 - s), as a
// product with a scale of exponent 253 - s would be, and no greater than such a product; no divisor may be zero.
#include "PairRange.h"
#include "StepArithmetic.h"

using namespace mlir;
using namespace mlir::ecf8;
using Predicate = arith::CmpIPredicate;

namespace {

/// Biased exponents as i32: `least` at most that of any nonzero element (511 where all are zero), `greatest` at least
/// that of any.
struct Exponents {
  Value least, greatest;
};

/// `ignoresZero`: else zero has the exponent 0.
Exponents exponentsOf(LaneBuilder &b, Value matrix, bool ignoresZero = true) {
  Value rows = memref::DimOp::create(b, matrix, 0), columns = memref::DimOp::create(b, matrix, 1);
  SmallVector<Value> initial{b.constant(b.getI32Type(), -1), b.constant(b.getI32Type(), 0)};
  auto outer = scf::ForOp::create(b, b.index(0), rows, b.index(1), initial);
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(outer.getBody());
    auto inner = scf::ForOp::create(b, b.index(0), columns, b.index(1), outer.getRegionIterArgs());
    {
      OpBuilder::InsertionGuard innerGuard(b);
      b.setInsertionPointToStart(inner.getBody());
      Value value = memref::LoadOp::create(b, matrix, ValueRange{outer.getInductionVar(), inner.getInductionVar()});
      Value magnitude = b.andI(arith::BitcastOp::create(b, b.getI32Type(), extendToF32(b, value)), 0x7fffffff);
      // Zero becomes the greatest number.
      Value least = b.minU(inner.getRegionIterArg(0), ignoresZero ? b.add(magnitude, -1) : magnitude);
      Value greatest = arith::MaxUIOp::create(b, inner.getRegionIterArg(1), magnitude);
      scf::YieldOp::create(b, ValueRange{least, greatest});
    }
    scf::YieldOp::create(b, inner.getResults());
  }
  return {b.shrU(outer.getResult(0), 23), b.shrU(outer.getResult(1), 23)};
}

} // namespace

Value mlir::ecf8::arePairsExact(LaneBuilder &b, const ContractionSpec &spec, const PayloadLayout &layout,
                                Value activations, Value sums, Value scale) {
  const bool isE4M3 = isa<Float8E4M3FNType>(spec.weight.getElementType());
  const int64_t leastWeight = isE4M3 ? -9 : -16, weightBits = isE4M3 ? 9 : 16; // |weight| < 2^weightBits
  constexpr int64_t bias = 127, fraction = 7, greatestExponent = 230, columnBits = 31;
  Value result = isFinite(b, layout);
  auto require = [&](Predicate predicate, Value left, int64_t right) {
    result = b.andI(result, b.compare(predicate, left, right));
  };
  Exponents activation = exponentsOf(b, activations);
  Exponents factor{b.constant(b.getI32Type(), bias), b.constant(b.getI32Type(), bias)};
  if (scale)
    factor = exponentsOf(b, scale, /*ignoresZero=*/!spec.divides);
  if (scale && spec.divides) {
    require(Predicate::ule, factor.greatest, greatestExponent);
    auto inverse = [&](Value exponent) { return b.sub(b.constant(b.getI32Type(), 2 * bias - 1), exponent); };
    factor = {inverse(factor.greatest), inverse(factor.least)};
  }
  require(Predicate::uge, activation.least, 1);
  require(Predicate::ule, activation.greatest, greatestExponent);
  require(Predicate::uge, factor.least, 1 - leastWeight); // a scaled weight is no subnormal
  require(Predicate::ule, factor.greatest, greatestExponent);
  require(Predicate::uge, b.add(activation.least, factor.least), 2 * (bias + fraction) - 126 - leastWeight);
  require(Predicate::ule, b.add(activation.greatest, factor.greatest), 2 * (bias - 1) + 120 - columnBits - weightBits);
  if (!sums)
    return result;
  Exponents sum = exponentsOf(b, sums);
  require(Predicate::uge, sum.least, 25);     // multiples of 2^-125
  require(Predicate::ule, sum.greatest, 247); // below 2^121
  return result;
}
