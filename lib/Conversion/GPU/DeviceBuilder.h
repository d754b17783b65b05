// A builder for the code of GPU kernels: 32-bit arithmetic, loads and stores by address, and the intrinsics that all
// kernels use. Addresses in shared memory are offsets in bytes from the beginning of the kernel's dynamic area.
#ifndef ECF8_LIB_CONVERSION_GPU_DEVICEBUILDER_H
#define ECF8_LIB_CONVERSION_GPU_DEVICEBUILDER_H

#include "../LaneBuilder.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"

namespace mlir::ecf8 {

inline constexpr llvm::StringLiteral kSharedArea = "ecf8_shared";

class DeviceBuilder : public LaneBuilder {
public:
  using LaneBuilder::LaneBuilder;

  static constexpr unsigned globalSpace = 1, sharedSpace = 3;

  // Types and constants.
  IntegerType i32() { return getI32Type(); }
  IntegerType i64() { return getI64Type(); }
  Type pointer(unsigned space) { return LLVM::LLVMPointerType::get(getContext(), space); }
  VectorType vectorOf(int64_t count, Type type) { return VectorType::get({count}, type); }
  Type pairOf(Type element) { return vectorOf(2, element); }
  Value word(int64_t value) { return constant(i32(), value); }
  Value zeroFloat() { return arith::ConstantOp::create(*this, getF32FloatAttr(0)); }

  // Arithmetic on words.
  Value xorI(Value a, Value b) { return arith::XOrIOp::create(*this, a, b); }
  Value minS(Value a, Value b) { return arith::MinSIOp::create(*this, a, b); }
  Value remU(Value a, Value b) { return arith::RemUIOp::create(*this, a, b); }
  Value divU(Value a, Value b) { return arith::DivUIOp::create(*this, a, b); }
  using LaneBuilder::divU;
  Value isLess(Value a, Value b) { return compare(arith::CmpIPredicate::slt, a, b); }
  /// Bits `amount` mod 32 and up of the 64 bits `high:low`.
  Value funnelRight(Value low, Value high, Value amount) { return LLVM::FshrOp::create(*this, high, low, amount); }
  Value permute(Value low, Value high, int64_t selector) {
    return intrinsic("llvm.nvvm.prmt", i32(), {low, high, word(selector)});
  }
  Value wide(Value value) { return extend(value, i64()); }

  // Where a thread is.
  Value thread() { return readRegister("tid.x"); }
  Value threadCount() { return readRegister("ntid.x"); }
  Value block() { return readRegister("ctaid.x"); }
  Value blockCount() { return readRegister("nctaid.x"); }
  Value blockRow() { return readRegister("ctaid.y"); }

  // Memory. Offsets are in bytes.
  Value at(Value base, Value offset) {
    return LLVM::GEPOp::create(*this, base.getType(), getI8Type(), base, ArrayRef<LLVM::GEPArg>{offset});
  }
  Value at(Value base, int32_t offset) {
    return LLVM::GEPOp::create(*this, base.getType(), getI8Type(), base, ArrayRef<LLVM::GEPArg>{offset});
  }
  Value load(Type type, Value address, unsigned alignment) {
    return LLVM::LoadOp::create(*this, type, address, alignment);
  }
  /// Of memory that nobody writes while the kernel runs.
  Value loadConstant(Type type, Value address, unsigned alignment) {
    return LLVM::LoadOp::create(*this, type, address, alignment, /*isVolatile=*/false, /*isNonTemporal=*/false,
                                /*isInvariant=*/true);
  }
  void store(Value value, Value address, unsigned alignment) {
    LLVM::StoreOp::create(*this, value, address, alignment);
  }
  /// Element `index` of a vector.
  Value element(Value vector, int64_t index) { return LLVM::ExtractElementOp::create(*this, vector, word(index)); }
  /// Field `index` of a struct.
  Value field(Value aggregate, int64_t index) { return LLVM::ExtractValueOp::create(*this, aggregate, index); }
  Value cast(Value value, Type type) {
    return value.getType() == type ? value : LLVM::BitcastOp::create(*this, type, value).getResult();
  }

  // Control flow.
  /// A loop over words; `body(induction variable, carried values)` returns the next carried values.
  SmallVector<Value> loop(Value begin, Value end, Value step, ArrayRef<Value> carried,
                          llvm::function_ref<SmallVector<Value>(Value, ValueRange)> body) {
    auto op = scf::ForOp::create(*this, begin, end, step, carried);
    OpBuilder::InsertionGuard guard(*this);
    setInsertionPointToStart(op.getBody());
    SmallVector<Value> next = body(op.getInductionVar(), op.getRegionIterArgs());
    if (!carried.empty()) // else there is a terminator already
      scf::YieldOp::create(*this, next);
    return SmallVector<Value>(op.getResults());
  }
  void when(Value condition, llvm::function_ref<void()> then) {
    auto op = scf::IfOp::create(*this, condition, /*withElseRegion=*/false);
    OpBuilder::InsertionGuard guard(*this);
    setInsertionPointToStart(op.thenBlock());
    then();
  }
  SmallVector<Value> choose(Value condition, TypeRange types, llvm::function_ref<SmallVector<Value>()> then,
                            llvm::function_ref<SmallVector<Value>()> otherwise) {
    auto op = scf::IfOp::create(*this, types, condition, /*withElseRegion=*/true);
    OpBuilder::InsertionGuard guard(*this);
    for (auto [block, emit] : {std::pair(op.thenBlock(), then), std::pair(op.elseBlock(), otherwise)}) {
      setInsertionPointToStart(block);
      SmallVector<Value> values = emit();
      if (!values.empty()) // else there is a terminator already
        scf::YieldOp::create(*this, values);
    }
    return SmallVector<Value>(op.getResults());
  }

  // Threads that wait for each other.
  void blockBarrier() { gpu::BarrierOp::create(*this); }
  void warpBarrier() { callVoid("llvm.nvvm.bar.warp.sync", {word(-1)}); }
  void deviceFence() { callVoid("llvm.nvvm.membar.gl", {}); }

  // Copies from global to shared memory that a thread does not wait for.
  void copyAsync16(Value destination, Value source) {
    callVoid("llvm.nvvm.cp.async.cg.shared.global.16", {destination, source});
  }
  void commitCopies() { callVoid("llvm.nvvm.cp.async.commit.group", {}); }
  /// Waits until at most `pending` of the thread's latest groups are under way.
  void waitForCopies(int64_t pending) { callVoid("llvm.nvvm.cp.async.wait.group", {word(pending)}); }

  void callVoid(StringRef name, ValueRange operands) {
    LLVM::CallIntrinsicOp::create(*this, getStringAttr(name), operands);
  }

private:
  Value readRegister(StringRef name) { return intrinsic(("llvm.nvvm.read.ptx.sreg." + name).str(), i32(), {}); }
};

} // namespace mlir::ecf8

#endif // ECF8_LIB_CONVERSION_GPU_DEVICEBUILDER_H
