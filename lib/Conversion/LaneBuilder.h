// A builder with the handful of shorthands that decoder emission needs: index and integer arithmetic, little-endian
// loads from a byte buffer, splats, and calls of LLVM intrinsics.
#ifndef ECF8_LIB_CONVERSION_LANEBUILDER_H
#define ECF8_LIB_CONVERSION_LANEBUILDER_H

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mlir::ecf8 {

class LaneBuilder : public ImplicitLocOpBuilder {
public:
  using ImplicitLocOpBuilder::ImplicitLocOpBuilder;

  // Types.
  VectorType bytes(int64_t count) { return VectorType::get({count}, getI8Type()); }
  VectorType words(int64_t count) { return VectorType::get({count}, getI16Type()); }

  // Constants.
  Value index(int64_t value) { return arith::ConstantIndexOp::create(*this, value); }
  /// An integer constant of `type`, splatted when it is a vector.
  Value constant(Type type, int64_t value) {
    auto element = cast<IntegerType>(getElementTypeOrSelf(type));
    TypedAttr attr =
        getIntegerAttr(element, APInt(element.getWidth(), value, /*isSigned=*/false, /*implicitTrunc=*/true));
    if (auto vectorType = dyn_cast<VectorType>(type))
      attr = DenseElementsAttr::get(vectorType, cast<IntegerAttr>(attr).getValue());
    return arith::ConstantOp::create(*this, attr);
  }
  /// A vector constant from byte values.
  Value byteVector(ArrayRef<uint8_t> values) {
    return arith::ConstantOp::create(*this, DenseElementsAttr::get(bytes(values.size()), values));
  }
  Value maskVector(ArrayRef<bool> values) {
    auto type = VectorType::get({static_cast<int64_t>(values.size())}, getI1Type());
    return arith::ConstantOp::create(*this, DenseElementsAttr::get(type, values));
  }

  // Arithmetic on index, integers and vectors of integers.
  Value add(Value a, Value b) { return arith::AddIOp::create(*this, a, b); }
  Value add(Value a, int64_t b) { return add(a, literal(a, b)); }
  Value sub(Value a, Value b) { return arith::SubIOp::create(*this, a, b); }
  Value mul(Value a, Value b) { return arith::MulIOp::create(*this, a, b); }
  Value mul(Value a, int64_t b) { return mul(a, literal(a, b)); }
  Value divU(Value a, int64_t b) { return arith::DivUIOp::create(*this, a, literal(a, b)); }
  Value ceilDivU(Value a, int64_t b) { return divU(add(a, b - 1), b); }
  Value minU(Value a, Value b) { return arith::MinUIOp::create(*this, a, b); }
  Value maxU(Value a, Value b) { return arith::MaxUIOp::create(*this, a, b); }
  Value andI(Value a, Value b) { return arith::AndIOp::create(*this, a, b); }
  Value andI(Value a, int64_t b) { return andI(a, literal(a, b)); }
  Value orI(Value a, Value b) { return arith::OrIOp::create(*this, a, b); }
  Value shl(Value a, Value b) { return arith::ShLIOp::create(*this, a, b); }
  Value shl(Value a, int64_t b) { return b == 0 ? a : shl(a, literal(a, b)); }
  Value shrU(Value a, Value b) { return arith::ShRUIOp::create(*this, a, b); }
  Value shrU(Value a, int64_t b) { return b == 0 ? a : shrU(a, literal(a, b)); }
  Value select(Value condition, Value a, Value b) { return arith::SelectOp::create(*this, condition, a, b); }
  Value compare(arith::CmpIPredicate predicate, Value a, Value b) {
    return arith::CmpIOp::create(*this, predicate, a, b);
  }
  Value compare(arith::CmpIPredicate predicate, Value a, int64_t b) { return compare(predicate, a, literal(a, b)); }
  Value extend(Value value, Type type) { return arith::ExtUIOp::create(*this, type, value); }
  Value truncate(Value value, Type type) { return arith::TruncIOp::create(*this, type, value); }
  Value toIndex(Value value) { return arith::IndexCastUIOp::create(*this, getIndexType(), value); }
  Value fromIndex(Value value, Type type) { return arith::IndexCastUIOp::create(*this, type, value); }
  Value bitcast(Value value, VectorType type) {
    return value.getType() == type ? value : vector::BitCastOp::create(*this, type, value).getResult();
  }

  // Control flow: a loop from `begin` to `end`, whose body is what `body(induction variable)` emits.
  template <typename Body> void forRange(Value begin, Value end, int64_t step, Body body) {
    auto loop = scf::ForOp::create(*this, begin, end, index(step));
    OpBuilder::InsertionGuard guard(*this);
    setInsertionPointToStart(loop.getBody());
    body(loop.getInductionVar());
  }
  template <typename Body> void forRange(Value count, Body body) { forRange(index(0), count, 1, body); }

  // Memory: `buffer` is a one-dimensional memref of i8, `at` a byte index.
  Value loadBytes(Value buffer, Value at, int64_t count) {
    return vector::LoadOp::create(*this, bytes(count), buffer, ValueRange{at});
  }
  void storeBytes(Value vectorOfBytes, Value buffer, Value at) {
    vector::StoreOp::create(*this, vectorOfBytes, buffer, ValueRange{at});
  }
  /// Asks for the cache line at byte `at`, which may lie behind the buffer: asking never fails.
  void prefetch(Value buffer, Value at) {
    memref::PrefetchOp::create(*this, buffer, ValueRange{at}, /*isWrite=*/false, /*localityHint=*/3,
                               /*isDataCache=*/true);
  }
  /// The little-endian unsigned integer of `type` at byte `at` of `buffer`.
  Value loadInteger(Value buffer, Value at, IntegerType type) {
    if (type.getWidth() == 8)
      return memref::LoadOp::create(*this, buffer, ValueRange{at});
    Value raw = loadBytes(buffer, at, type.getWidth() / 8);
    Value one = bitcast(raw, VectorType::get({1}, type));
    return vector::ExtractOp::create(*this, one, ArrayRef<int64_t>{0});
  }
  /// A buffer on the stack of the function. `elementType` is an integer.
  Value stackBuffer(int64_t count, Type elementType, int64_t alignment = 64) {
    return memref::AllocaOp::create(*this, MemRefType::get({count}, elementType), getI64IntegerAttr(alignment));
  }

  Value intrinsic(StringRef name, Type result, ValueRange operands) {
    return LLVM::CallIntrinsicOp::create(*this, result, getStringAttr(name), operands)->getResult(0);
  }

  /// Keeps loads on their side, so that values are not loaded long before they are used: registers are scarce. Empty at
  /// run time.
  void keepLoadsHere() {
    LLVM::InlineAsmOp::create(*this, TypeRange{}, ValueRange{}, "", "~{memory}", /*has_side_effects=*/true,
                              /*is_align_stack=*/false, LLVM::TailCallKind::None, LLVM::AsmDialectAttr(), ArrayAttr());
  }

private:
  Value literal(Value like, int64_t value) {
    return isa<IndexType>(like.getType()) ? index(value) : constant(like.getType(), value);
  }
};

} // namespace mlir::ecf8

#endif // ECF8_LIB_CONVERSION_LANEBUILDER_H
