// ecf8-finalize-module: the symbols that the runtime looks up, and the functions that call the runtime.
#include "RuntimeTable.h"
#include "ecf8/Conversion/Passes.h"
#include "ecf8/Conversion/RuntimeImports.h"
#include "ecf8/Runtime/ModuleABI.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mlir::ecf8 {
#define GEN_PASS_DEF_FINALIZEMODULEPASS
#include "ecf8/Conversion/Passes.h.inc"
} // namespace mlir::ecf8

using namespace mlir;
using namespace mlir::ecf8;

namespace {

/// Functions of EcfModuleImports, in order.
enum Import : unsigned { Allocate, Release, Fail, Weight, ParallelFor, ImportCount };
/// Functions of EcfGpuImports, in order.
constexpr llvm::StringLiteral kGpuFunctions[] = {
    kRuntimeGpuLaunch,     kRuntimeGpuCopy,        kRuntimeGpuRead,      kRuntimeGpuWrite, kRuntimeGpuConstant,
    kRuntimeGpuProcessors, kRuntimeGpuSharedBytes, kRuntimeGpuWorkspace, kRuntimeGpuSlot,  kRuntimeGpuHeader};

constexpr llvm::StringLiteral kImports = "ecf8_rt_imports", kGpuImports = "ecf8_rt_gpu_imports";
constexpr llvm::StringLiteral kInterfacePrefix = "_mlir_ciface_";
constexpr uint64_t kDefaultAlignment = 64;

class FinalizeModulePass : public mlir::ecf8::impl::FinalizeModulePassBase<FinalizeModulePass> {
public:
  using FinalizeModulePassBase::FinalizeModulePassBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    MLIRContext *context = &getContext();
    pointer = LLVM::LLVMPointerType::get(context);
    i32 = IntegerType::get(context, 32);
    i64 = IntegerType::get(context, 64);
    nothing = LLVM::LLVMVoidType::get(context);

    SmallVector<LLVM::LLVMFuncOp> entryPoints;
    for (auto function : module.getOps<LLVM::LLVMFuncOp>())
      if (function.isPublic() && !function.isExternal() &&
          module.lookupSymbol<LLVM::LLVMFuncOp>((kInterfacePrefix + function.getName()).str()))
        entryPoints.push_back(function);
    if (Operation *taken = takenSymbol(entryPoints.size())) {
      taken->emitOpError() << "expected no symbol that the pass defines, got '"
                           << SymbolTable::getSymbolName(taken).getValue() << "'";
      return signalPassFailure();
    }

    ImplicitLocOpBuilder builder(module.getLoc(), context);
    builder.setInsertionPointToEnd(module.getBody());
    defineAbi(builder);
    RuntimeTable imports(module, kImports, ImportCount, kModuleInit);
    defineRuntimeFunctions(imports);
    if (llvm::any_of(kGpuFunctions, [&](StringRef name) { return module.lookupSymbol(name); })) {
      RuntimeTable gpu(module, kGpuImports, std::size(kGpuFunctions), kModuleInitGpu);
      for (auto [index, name] : llvm::enumerate(kGpuFunctions))
        gpu.defineCall(name, index);
    }
    builder.setInsertionPointToEnd(module.getBody());
    for (auto [index, function] : llvm::enumerate(entryPoints))
      if (failed(defineEntryPoint(builder, index, function)))
        return signalPassFailure();
    hideSymbols();
  }

private:
  static std::string entryName(size_t index) { return kEntryPrefix.str() + std::to_string(index); }

  Operation *takenSymbol(size_t entryPoints) {
    SmallVector<std::string> names = {kModuleAbi.str(), kModuleInit.str(), kImports.str(), kModuleInitGpu.str(),
                                      kGpuImports.str()};
    for (size_t index = 0; index < entryPoints; ++index)
      names.push_back(entryName(index));
    for (const std::string &name : names)
      if (Operation *op = getOperation().lookupSymbol(name))
        return op;
    return nullptr;
  }

  Value constant(ImplicitLocOpBuilder &builder, Type type, uint64_t value) const {
    return LLVM::ConstantOp::create(builder, type, builder.getIntegerAttr(type, value));
  }

  LLVM::LLVMFuncOp defineFunction(ImplicitLocOpBuilder &builder, StringRef name, Type result,
                                  ArrayRef<Type> arguments) {
    auto function = LLVM::LLVMFuncOp::create(builder, name, LLVM::LLVMFunctionType::get(result, arguments));
    function.addEntryBlock(builder);
    return function;
  }

  void defineAbi(ImplicitLocOpBuilder &builder) {
    OpBuilder::InsertionGuard guard(builder);
    LLVM::LLVMFuncOp abi = defineFunction(builder, kModuleAbi, i32, {});
    builder.setInsertionPointToStart(&abi.front());
    LLVM::ReturnOp::create(builder, constant(builder, i32, ECF8_MODULE_ABI_VERSION));
  }

  void defineRuntimeFunctions(RuntimeTable &imports) {
    // Not inlined, so that the optimizer sees that the memory is fresh.
    auto allocator = [&](StringRef name, bool aligned) {
      imports.define(name, {"noinline"}, [&](ImplicitLocOpBuilder &builder, LLVM::LLVMFuncOp function) -> Value {
        function.setResultAttr(0, LLVM::LLVMDialect::getNoAliasAttrName(), builder.getUnitAttr());
        Value bytes = function.getArgument(aligned ? 1 : 0);
        Value alignment = aligned ? Value(function.getArgument(0)) : constant(builder, i64, kDefaultAlignment);
        return imports.call(builder, Allocate, pointer, {bytes, alignment}).getResult();
      });
    };
    allocator("_mlir_memref_to_llvm_alloc", /*aligned=*/false);
    allocator("_mlir_memref_to_llvm_aligned_alloc", /*aligned=*/true);
    imports.defineCall("_mlir_memref_to_llvm_free", Release);
    imports.define(kRuntimeFail, {"noreturn", "cold", "noinline"},
                   [&](ImplicitLocOpBuilder &builder, LLVM::LLVMFuncOp function) -> Value {
                     imports.call(builder, Fail, nothing, function.getArguments());
                     return {};
                   });
    imports.defineCall(kRuntimeParallelFor, ParallelFor);
    imports.define(kRuntimeWeight, {}, [&](ImplicitLocOpBuilder &builder, LLVM::LLVMFuncOp function) -> Value {
      Value size = LLVM::AllocaOp::create(builder, pointer, i64, constant(builder, i64, 1));
      Value bytes = imports.call(builder, Weight, pointer, {function.getArgument(0), size}).getResult();
      Value count = LLVM::LoadOp::create(builder, i64, size);
      // The descriptor of a memref<?xi8>.
      Value descriptor = LLVM::PoisonOp::create(builder, function.getFunctionType().getReturnType());
      auto insert = [&](Value value, ArrayRef<int64_t> position) {
        descriptor = LLVM::InsertValueOp::create(builder, descriptor, value, position);
      };
      insert(bytes, 0);
      insert(bytes, 1);
      insert(constant(builder, i64, 0), 2);
      insert(count, {3, 0});
      insert(constant(builder, i64, 1), {4, 0});
      return descriptor;
    });
  }

  /// A memref descriptor starts with the allocated pointer; a struct of several results starts with a descriptor or a
  /// scalar, and no scalar of a model is a pointer.
  static bool isDescriptor(Type type) {
    auto fields = dyn_cast<LLVM::LLVMStructType>(type);
    return fields && !fields.getBody().empty() && isa<LLVM::LLVMPointerType>(fields.getBody()[0]);
  }

  /// Booleans are bytes in memory.
  Type storedType(ImplicitLocOpBuilder &builder, Type type) const {
    return type.isInteger(1) ? builder.getI8Type() : type;
  }
  Value loadScalar(ImplicitLocOpBuilder &builder, Type type, Value address) const {
    Value stored = LLVM::LoadOp::create(builder, storedType(builder, type), address);
    if (!type.isInteger(1))
      return stored;
    return LLVM::ICmpOp::create(builder, LLVM::ICmpPredicate::ne, stored, constant(builder, stored.getType(), 0));
  }
  void storeResult(ImplicitLocOpBuilder &builder, Value value, Value address) const {
    if (value.getType().isInteger(1))
      value = LLVM::ZExtOp::create(builder, builder.getI8Type(), value);
    LLVM::StoreOp::create(builder, value, address);
  }

  LogicalResult defineEntryPoint(ImplicitLocOpBuilder &moduleBuilder, size_t index, LLVM::LLVMFuncOp function) {
    std::string interfaceName = (kInterfacePrefix + function.getName()).str();
    auto interface = getOperation().lookupSymbol<LLVM::LLVMFuncOp>(interfaceName);
    LLVM::LLVMFuncOp entry = defineFunction(moduleBuilder, entryName(index), nothing, {pointer});
    ImplicitLocOpBuilder builder(function.getLoc(), &entry.front(), entry.front().end());
    Value operands = entry.getArgument(0);
    unsigned nextOperand = 0;
    auto operandAddress = [&]() -> Value {
      Value slot = LLVM::GEPOp::create(builder, pointer, pointer, operands,
                                       ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(nextOperand++)});
      return LLVM::LoadOp::create(builder, pointer, slot);
    };

    // The C interface takes descriptors by pointer, and returns a struct through its first argument.
    Type result = function.getFunctionType().getReturnType();
    bool throughPointer = isa<LLVM::LLVMStructType>(result);
    SmallVector<Value> arguments;
    for (Type type : interface.getFunctionType().getParams().drop_front(throughPointer ? 1 : 0)) {
      Value address = operandAddress();
      arguments.push_back(isa<LLVM::LLVMPointerType>(type) ? address : loadScalar(builder, type, address));
    }
    if (isDescriptor(result)) {
      arguments.insert(arguments.begin(), operandAddress());
      LLVM::CallOp::create(builder, interface, arguments);
    } else if (throughPointer) {
      Value results = LLVM::AllocaOp::create(builder, pointer, result, constant(builder, i64, 1));
      arguments.insert(arguments.begin(), results);
      LLVM::CallOp::create(builder, interface, arguments);
      for (auto [field, type] : llvm::enumerate(cast<LLVM::LLVMStructType>(result).getBody())) {
        Value source = LLVM::GEPOp::create(builder, pointer, result, results,
                                           ArrayRef<LLVM::GEPArg>{0, static_cast<int32_t>(field)});
        storeResult(builder, LLVM::LoadOp::create(builder, type, source), operandAddress());
      }
    } else {
      auto call = LLVM::CallOp::create(builder, interface, arguments);
      if (!isa<LLVM::LLVMVoidType>(result))
        storeResult(builder, call.getResult(), operandAddress());
    }
    LLVM::ReturnOp::create(builder, ValueRange{});
    return success();
  }

  /// Leaves the symbols of the ABI visible and hides all others.
  void hideSymbols() {
    for (Operation &op : *getOperation().getBody()) {
      if (auto function = dyn_cast<LLVM::LLVMFuncOp>(op)) {
        if (!function.isExternal() && !isExported(function.getName()))
          function.setLinkage(LLVM::Linkage::Internal);
      } else if (auto global = dyn_cast<LLVM::GlobalOp>(op)) {
        bool defined = global.getValueAttr() || global.getInitializerBlock();
        if (defined && global.getLinkage() == LLVM::Linkage::External)
          global.setLinkage(LLVM::Linkage::Internal);
      }
    }
  }

  Type pointer, i32, i64, nothing;
};

} // namespace
