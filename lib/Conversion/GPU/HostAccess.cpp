// ecf8-gpu-to-runtime: host code launches kernels and reaches the memory of the GPU through the runtime.
#include "../LaneBuilder.h"
#include "ecf8/Conversion/Passes.h"
#include "ecf8/Conversion/RuntimeImports.h"

#include "mlir/Conversion/LLVMCommon/MemRefBuilder.h"
#include "mlir/Conversion/LLVMCommon/TypeConverter.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"

namespace mlir::ecf8 {
#define GEN_PASS_DEF_GPUTORUNTIMEPASS
#include "ecf8/Conversion/Passes.h.inc"
} // namespace mlir::ecf8

using namespace mlir;
using namespace mlir::ecf8;

namespace {

int64_t getElementBytes(Type element) {
  return element.isIndex() ? 8 : llvm::divideCeil(element.getIntOrFloatBitWidth(), 8);
}

/// Rewrites the ops of one function.
class HostRewriter {
public:
  HostRewriter(func::FuncOp function)
      : function(function), b(function.getLoc(), function.getContext()), converter(function.getContext()),
        pointer(LLVM::LLVMPointerType::get(function.getContext())) {}

  LogicalResult run() {
    SmallVector<Operation *> ops;
    function.walk([&](Operation *op) { ops.push_back(op); });
    for (Operation *op : ops) {
      b.setInsertionPoint(op);
      b.setLoc(op->getLoc());
      if (auto launch = dyn_cast<gpu::LaunchFuncOp>(op))
        lower(launch);
      else if (auto load = dyn_cast<memref::LoadOp>(op))
        lower(load);
      else if (auto store = dyn_cast<memref::StoreOp>(op))
        lower(store);
      else if (auto copy = dyn_cast<memref::CopyOp>(op))
        lower(copy);
      else if (auto global = dyn_cast<memref::GetGlobalOp>(op))
        lower(global);
      else if (isa<memref::AllocaOp, memref::GenericAtomicRMWOp, memref::AtomicRMWOp, memref::ReallocOp>(op) ||
               isa<vector::VectorDialect>(op->getDialect()))
        return op->emitOpError("expected no access to memory like this in the host code of a GPU");
    }
    return success();
  }

private:
  Value asI64(Value index) { return b.fromIndex(index, b.getI64Type()); }
  Value i64(int64_t value) { return b.constant(b.getI64Type(), value); }

  /// Memory on the host's stack, which lives as long as the call of the function.
  Value allocateOnStack(Type type) {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(&function.getBody().front());
    Value one = LLVM::ConstantOp::create(b, b.getI64Type(), b.getI64IntegerAttr(1));
    return LLVM::AllocaOp::create(b, pointer, type, one);
  }

  void lower(gpu::LaunchFuncOp op) {
    SmallVector<Value> values;
    for (Value operand : op.getKernelOperands())
      append(operand, values);
    SmallVector<Type> types(llvm::map_range(values, [](Value value) { return value.getType(); }));
    auto fieldsType = LLVM::LLVMStructType::getLiteral(b.getContext(), types);
    auto listType = LLVM::LLVMArrayType::get(pointer, values.size());
    Value fields = allocateOnStack(fieldsType), list = allocateOnStack(listType);
    for (auto [index, value] : llvm::enumerate(values)) {
      auto position = static_cast<int32_t>(index);
      Value field = LLVM::GEPOp::create(b, pointer, fieldsType, fields, ArrayRef<LLVM::GEPArg>{0, position});
      LLVM::StoreOp::create(b, value, field);
      Value place = LLVM::GEPOp::create(b, pointer, listType, list, ArrayRef<LLVM::GEPArg>{0, position});
      LLVM::StoreOp::create(b, field, place);
    }
    Value shared = i64(0);
    if (Value bytes = op.getDynamicSharedMemorySize())
      shared = b.extend(bytes, b.getI64Type());
    gpu::KernelDim3 grid = op.getGridSizeOperandValues(), block = op.getBlockSizeOperandValues();
    callGpuRuntime(b, kRuntimeGpuLaunch,
                   {kernelName(op.getKernelName()), asI64(grid.x), asI64(grid.y), asI64(block.x), shared, list,
                    i64(int64_t(values.size()))});
    op.erase();
  }

  /// The values that a kernel gets for `operand`: those of the descriptor of a memref, as the conversion of kernels to
  /// LLVM has them.
  void append(Value operand, SmallVector<Value> &values) {
    Type type = operand.getType(), converted = converter.convertType(type);
    Value value = operand;
    if (type != converted)
      value = UnrealizedConversionCastOp::create(b, converted, operand).getResult(0);
    if (auto memref = dyn_cast<MemRefType>(type))
      MemRefDescriptor::unpack(b, b.getLoc(), value, memref, values);
    else
      values.push_back(value);
  }

  /// The address of a constant with `name` and a zero byte.
  Value kernelName(StringRef name) {
    auto module = function->getParentOfType<ModuleOp>();
    std::string symbol = ("ecf8_kernel_name_" + name).str();
    auto global = module.lookupSymbol<LLVM::GlobalOp>(symbol);
    if (!global) {
      OpBuilder builder = OpBuilder::atBlockBegin(module.getBody());
      std::string text = name.str();
      StringRef bytes(text.c_str(), text.size() + 1);
      auto type = LLVM::LLVMArrayType::get(builder.getI8Type(), bytes.size());
      global = LLVM::GlobalOp::create(builder, module.getLoc(), type, /*isConstant=*/true, LLVM::Linkage::Internal,
                                      symbol, builder.getStringAttr(bytes));
    }
    return LLVM::AddressOfOp::create(b, global);
  }

  /// The address of an element on the GPU.
  Value addressOf(Value memref, ValueRange indices) {
    auto metadata = memref::ExtractStridedMetadataOp::create(b, memref);
    Value position = metadata.getOffset();
    for (auto [index, stride] : llvm::zip_equal(indices, metadata.getStrides()))
      position = b.add(position, b.mul(index, stride));
    Value base = memref::ExtractAlignedPointerAsIndexOp::create(b, memref);
    int64_t bytes = getElementBytes(cast<MemRefType>(memref.getType()).getElementType());
    return asI64(b.add(base, b.mul(position, bytes)));
  }

  IntegerType getStorageType(Type element) { return b.getIntegerType(unsigned(getElementBytes(element) * 8)); }

  void lower(memref::LoadOp op) {
    Type element = op.getType();
    IntegerType storage = getStorageType(element);
    Value place = allocateOnStack(storage);
    callGpuRuntime(b, kRuntimeGpuRead,
                   {place, addressOf(op.getMemRef(), op.getIndices()), i64(getElementBytes(element))});
    Value value = LLVM::LoadOp::create(b, storage, place);
    if (element.isIndex())
      value = b.toIndex(value);
    else if (element.isInteger(1))
      value = b.compare(arith::CmpIPredicate::ne, value, 0);
    else if (isa<FloatType>(element))
      value = arith::BitcastOp::create(b, element, value);
    op.replaceAllUsesWith(value);
    op.erase();
  }

  void lower(memref::StoreOp op) {
    Value value = op.getValueToStore();
    Type element = value.getType();
    IntegerType storage = getStorageType(element);
    if (element.isIndex())
      value = b.fromIndex(value, storage);
    else if (element.isInteger(1))
      value = b.extend(value, storage);
    else if (isa<FloatType>(element))
      value = arith::BitcastOp::create(b, storage, value);
    Value place = allocateOnStack(storage);
    LLVM::StoreOp::create(b, value, place);
    callGpuRuntime(b, kRuntimeGpuWrite,
                   {addressOf(op.getMemRef(), op.getIndices()), place, i64(getElementBytes(element))});
    op.erase();
  }

  /// Between buffers of identity layout: `ecf8-lower-linalg` makes loops of other copies.
  void lower(memref::CopyOp op) {
    auto type = cast<MemRefType>(op.getSource().getType());
    Value bytes = b.index(getElementBytes(type.getElementType()));
    for (int64_t dim = 0; dim < type.getRank(); ++dim)
      bytes = b.mul(bytes, memref::DimOp::create(b, op.getSource(), dim).getResult());
    auto begin = [&](Value memref) {
      return asI64(memref::ExtractAlignedPointerAsIndexOp::create(b, memref).getResult());
    };
    callGpuRuntime(b, kRuntimeGpuCopy, {begin(op.getTarget()), begin(op.getSource()), asI64(bytes)});
    op.erase();
  }

  void lower(memref::GetGlobalOp op) {
    auto type = cast<MemRefType>(op.getType());
    b.setInsertionPointAfter(op);
    Value host = memref::ExtractAlignedPointerAsIndexOp::create(b, op);
    Operation *hostUser = host.getDefiningOp();
    int64_t bytes = type.getNumElements() * getElementBytes(type.getElementType());
    Value address = callGpuRuntime(b, kRuntimeGpuConstant, {asI64(host), i64(bytes)}, b.getI64Type());
    Value raw = LLVM::IntToPtrOp::create(b, pointer, address);
    Value descriptor = MemRefDescriptor::fromStaticShape(b, b.getLoc(), converter, type, raw);
    Value copy = UnrealizedConversionCastOp::create(b, type, descriptor).getResult(0);
    op.getResult().replaceAllUsesExcept(copy, hostUser);
  }

  func::FuncOp function;
  LaneBuilder b;
  LLVMTypeConverter converter;
  Type pointer;
};

struct GpuToRuntimePass : public ::mlir::ecf8::impl::GpuToRuntimePassBase<GpuToRuntimePass> {
  using GpuToRuntimePassBase::GpuToRuntimePassBase;

  void runOnOperation() override {
    SmallVector<func::FuncOp> functions(getOperation().getOps<func::FuncOp>());
    for (func::FuncOp function : functions)
      if (!function.isExternal() && failed(HostRewriter(function).run()))
        return signalPassFailure();
  }
};

} // namespace
