// The arithmetic of ecf8-expand-fp8. A magnitude is the code without its sign bit; the sign is moved on its own.
#include "SmallFloat.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/TypeUtilities.h"

using namespace mlir;

namespace {

/// Layout of a float type with one sign bit.
struct Format {
  unsigned bits, mantissaBits;
  int bias;
  bool hasInfinity;

  explicit Format(FloatType type)
      : bits(type.getWidth()), mantissaBits(type.getFPMantissaWidth() - 1),
        bias(1 - llvm::APFloat::semanticsMinExponent(type.getFloatSemantics())),
        hasInfinity(llvm::APFloat::semanticsHasInf(type.getFloatSemantics())) {}

  uint64_t signMask() const { return uint64_t(1) << (bits - 1); }
  uint64_t magnitudeMask() const { return signMask() - 1; }
  /// The magnitude of infinity where the format has one.
  uint64_t infinity() const { return magnitudeMask() >> mantissaBits << mantissaBits; }
  /// The smallest magnitude that is a NaN.
  uint64_t firstNaN() const { return hasInfinity ? infinity() + 1 : magnitudeMask(); }
  uint64_t quietBit() const { return uint64_t(1) << (mantissaBits - 1); }
};

/// Emits integer and float ops in the shape of one value: scalar or vector.
class Emitter {
public:
  Emitter(ImplicitLocOpBuilder &builder, Type shape) : builder(builder), vector(dyn_cast<VectorType>(shape)) {}

  Type shaped(Type element) const { return vector ? Type(VectorType(vector).clone(element)) : element; }
  Type integer(unsigned bits) const { return shaped(builder.getIntegerType(bits)); }

  Value constant(unsigned bits, uint64_t value) const {
    TypedAttr attribute = builder.getIntegerAttr(builder.getIntegerType(bits), llvm::APInt(bits, value));
    if (vector)
      attribute = DenseElementsAttr::get(cast<ShapedType>(integer(bits)), cast<Attribute>(attribute));
    return arith::ConstantOp::create(builder, attribute);
  }
  Value constantFloat(FloatType type, uint64_t bitPattern) const {
    TypedAttr attribute =
        FloatAttr::get(type, llvm::APFloat(type.getFloatSemantics(), llvm::APInt(type.getWidth(), bitPattern)));
    if (vector)
      attribute = DenseElementsAttr::get(cast<ShapedType>(shaped(type)), cast<Attribute>(attribute));
    return arith::ConstantOp::create(builder, attribute);
  }

  Value bitcast(Value value, Type element) const { return arith::BitcastOp::create(builder, shaped(element), value); }
  /// Zero-extends or truncates integers to `bits`.
  Value resize(Value value, unsigned bits) const {
    unsigned from = getElementTypeOrSelf(value).getIntOrFloatBitWidth();
    if (from < bits)
      return arith::ExtUIOp::create(builder, integer(bits), value);
    return from > bits ? Value(arith::TruncIOp::create(builder, integer(bits), value)) : value;
  }
  Value shiftLeft(Value value, unsigned amount) const { return binary<arith::ShLIOp>(value, amount); }
  Value shiftRight(Value value, unsigned amount) const { return binary<arith::ShRUIOp>(value, amount); }
  Value bitAnd(Value value, uint64_t mask) const { return binary<arith::AndIOp>(value, mask); }
  Value bitOr(Value value, uint64_t mask) const { return binary<arith::OrIOp>(value, mask); }
  Value bitOr(Value a, Value b) const { return arith::OrIOp::create(builder, a, b); }
  Value add(Value value, uint64_t amount) const { return binary<arith::AddIOp>(value, amount); }
  Value add(Value a, Value b) const { return arith::AddIOp::create(builder, a, b); }
  Value subtract(Value value, uint64_t amount) const { return binary<arith::SubIOp>(value, amount); }
  Value select(Value condition, Value a, Value b) const { return arith::SelectOp::create(builder, condition, a, b); }
  Value below(Value value, uint64_t limit) const { return compare(arith::CmpIPredicate::ult, value, limit); }
  Value notBelow(Value value, uint64_t limit) const { return compare(arith::CmpIPredicate::uge, value, limit); }

  ImplicitLocOpBuilder &builder;

private:
  template <typename Op> Value binary(Value value, uint64_t amount) const {
    return Op::create(builder, value, constant(getElementTypeOrSelf(value).getIntOrFloatBitWidth(), amount));
  }
  Value compare(arith::CmpIPredicate predicate, Value value, uint64_t limit) const {
    Value bound = constant(getElementTypeOrSelf(value).getIntOrFloatBitWidth(), limit);
    return arith::CmpIOp::create(builder, predicate, value, bound);
  }

  VectorType vector;
};

/// The f32 magnitude of `magnitude`, a code of `from` without sign in 32 bits. Every finite value of f8 and f16 is zero
/// or a normal f32.
Value extendMagnitude(const Emitter &emit, Value magnitude, const Format &from) {
  FloatType f32 = emit.builder.getF32Type();
  const Format to(f32);
  unsigned shift = to.mantissaBits - from.mantissaBits;
  uint64_t rebias = uint64_t(to.bias - from.bias) << to.mantissaBits;

  Value shifted = emit.shiftLeft(magnitude, shift);
  Value normal = emit.add(shifted, rebias);
  // A subnormal m is m * 2^(1 - bias - mantissaBits): m as the mantissa of a float with that unit in the last place,
  // minus the float itself. Both are normal, the difference is exact.
  uint64_t unit = uint64_t(1 - from.bias - int(from.mantissaBits) + int(to.mantissaBits) + to.bias) << to.mantissaBits;
  Value biased = emit.bitcast(emit.bitOr(magnitude, unit), f32);
  Value difference = arith::SubFOp::create(emit.builder, biased, emit.constantFloat(f32, unit));
  Value subnormal = emit.bitcast(difference, emit.builder.getI32Type());
  Value finite = emit.select(emit.below(magnitude, uint64_t(1) << from.mantissaBits), subnormal, normal);

  if (!from.hasInfinity) // one NaN per sign
    return emit.select(emit.notBelow(magnitude, from.firstNaN()), emit.constant(32, to.infinity() | to.quietBit()),
                       finite);
  Value special = emit.bitOr(shifted, to.infinity());
  Value quiet = emit.bitOr(special, to.quietBit());
  Value withInfinity = emit.select(emit.notBelow(magnitude, from.infinity()), special, finite);
  return emit.select(emit.notBelow(magnitude, from.firstNaN()), quiet, withInfinity);
}

/// The f16 magnitude (16 bits) of an f32 magnitude that an f8 value has; all of them are zero or normal in f16.
Value narrowToHalf(const Emitter &emit, Value magnitude) {
  const Format single(emit.builder.getF32Type()), half(emit.builder.getF16Type());
  unsigned shift = single.mantissaBits - half.mantissaBits;
  Value shifted = emit.shiftRight(magnitude, shift);
  Value rebiased = emit.subtract(shifted, uint64_t(single.bias - half.bias) << half.mantissaBits);
  Value nonzero = emit.select(emit.notBelow(magnitude, 1), rebiased, magnitude);
  Value special = emit.bitAnd(shifted, half.magnitudeMask());
  return emit.resize(emit.select(emit.notBelow(magnitude, single.infinity()), special, nonzero), 16);
}

/// The f32 of a power of two without sign and mantissa: its exponent in f32's place. Code 0 is 2^-127, a subnormal f32.
Value extendPowerOfTwo(const Emitter &emit, Value code) {
  Value wide = emit.resize(code, 32);
  Value finite = emit.select(emit.below(wide, 1), emit.constant(32, 1 << 22), emit.shiftLeft(wide, 23));
  Value bits = emit.select(emit.below(wide, 0xFF), finite, emit.constant(32, 0x7FC00000));
  return emit.bitcast(bits, emit.builder.getF32Type());
}

} // namespace

Value mlir::ecf8::extendSmallFloat(ImplicitLocOpBuilder &builder, Value value, FloatType resultElement) {
  Emitter emit(builder, value.getType());
  auto source = cast<FloatType>(getElementTypeOrSelf(value));
  if (isa<Float8E8M0FNUType>(source)) {
    Value single = extendPowerOfTwo(emit, emit.bitcast(value, builder.getI8Type()));
    if (resultElement.isF64())
      return arith::ExtFOp::create(builder, emit.shaped(resultElement), single);
    return resultElement.isF32() ? single : roundToSmallFloat(builder, single, resultElement);
  }
  const Format from(source);
  Value code = emit.bitcast(value, builder.getIntegerType(from.bits));

  if (source.isF16() || source.isBF16() || resultElement.isF32() || resultElement.isF64()) {
    Value wide = emit.resize(code, 32);
    Value bits;
    if (source.isBF16()) {
      bits = emit.shiftLeft(wide, 16);
    } else {
      Value magnitude = extendMagnitude(emit, emit.bitAnd(wide, from.magnitudeMask()), from);
      bits = emit.bitOr(emit.shiftLeft(emit.bitAnd(wide, from.signMask()), 32 - from.bits), magnitude);
    }
    Value single = emit.bitcast(bits, builder.getF32Type());
    if (resultElement.isF32())
      return single;
    return arith::ExtFOp::create(builder, emit.shaped(resultElement), single);
  }

  Value code16 = emit.resize(code, 16);
  if (isa<Float8E5M2Type>(source) && resultElement.isF16()) { // the upper byte of an f16
    Value nan = emit.notBelow(emit.bitAnd(code16, from.magnitudeMask()), from.firstNaN());
    Value bits = emit.shiftLeft(code16, 8);
    return emit.bitcast(emit.select(nan, emit.bitOr(bits, Format(resultElement).quietBit()), bits), resultElement);
  }
  Value wide = emit.resize(code, 32);
  Value magnitude = extendMagnitude(emit, emit.bitAnd(wide, from.magnitudeMask()), from);
  Value narrow =
      resultElement.isBF16() ? emit.resize(emit.shiftRight(magnitude, 16), 16) : narrowToHalf(emit, magnitude);
  Value sign = emit.shiftLeft(emit.bitAnd(code16, from.signMask()), 8);
  return emit.bitcast(emit.bitOr(sign, narrow), resultElement);
}

Value mlir::ecf8::roundToSmallFloat(ImplicitLocOpBuilder &builder, Value value, FloatType resultElement) {
  Emitter emit(builder, value.getType());
  auto source = cast<FloatType>(getElementTypeOrSelf(value));
  const Format from(source), to(resultElement);
  Type integer = builder.getIntegerType(from.bits);
  unsigned shift = from.mantissaBits - to.mantissaBits;
  Value code = emit.bitcast(value, integer);
  Value magnitude = emit.bitAnd(code, from.magnitudeMask());

  // Normal results: half of the last place, less one where the last place is even, then cut. A carry into the exponent
  // is what rounding up to the next power of two is.
  Value lastPlace = emit.bitAnd(emit.shiftRight(magnitude, shift), 1);
  Value rounded = emit.add(emit.add(magnitude, (uint64_t(1) << (shift - 1)) - 1), lastPlace);
  uint64_t rebias = uint64_t(from.bias - to.bias) << to.mantissaBits;
  Value finite = emit.subtract(emit.shiftRight(rounded, shift), rebias);
  if (from.bias != to.bias) {
    // Subnormal results: the sum with a float whose unit in the last place is that of the results is rounded by the
    // FPU, to even; its low bits are the code. A subnormal operand is far below half a unit, flushed or not.
    uint64_t unit = uint64_t(1 - to.bias - int(to.mantissaBits) + int(from.mantissaBits) + from.bias)
                    << from.mantissaBits;
    Value sum = arith::AddFOp::create(builder, emit.bitcast(magnitude, source), emit.constantFloat(source, unit));
    Value subnormal = emit.subtract(emit.bitcast(sum, integer), unit);
    uint64_t smallestNormal = uint64_t(1 - to.bias + from.bias) << from.mantissaBits;
    finite = emit.select(emit.below(magnitude, smallestNormal), subnormal, finite);
  }

  uint64_t overflow = to.hasInfinity ? to.infinity() : to.firstNaN();
  Value result = emit.select(emit.notBelow(finite, overflow), emit.constant(from.bits, overflow), finite);
  if (to.hasInfinity) {
    Value payload = emit.bitAnd(emit.shiftRight(magnitude, shift), to.quietBit() * 2 - 1);
    Value nan = emit.bitOr(payload, to.infinity() | to.quietBit());
    Value infinite = emit.select(emit.notBelow(magnitude, from.infinity()), emit.constant(from.bits, overflow), result);
    result = emit.select(emit.notBelow(magnitude, from.firstNaN()), nan, infinite);
  } else {
    result = emit.select(emit.notBelow(magnitude, from.infinity()), emit.constant(from.bits, overflow), result);
  }
  Value sign = emit.bitAnd(emit.shiftRight(code, from.bits - to.bits), to.signMask());
  return emit.bitcast(emit.resize(emit.bitOr(result, sign), to.bits), resultElement);
}
