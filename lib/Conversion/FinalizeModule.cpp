// ecf8-finalize-module: the symbols that the runtime looks up, and the functions that call the runtime.
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

/// Fields of EcfModuleImports, in order.
enum ImportField : int32_t { AbiVersion, StructBytes, Allocate, Release, Fail, Weight, ParallelFor };

constexpr llvm::StringLiteral kImports = "ecf8_rt_imports";
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
    importsType = LLVM::LLVMStructType::getLiteral(context, {i32, i32, pointer, pointer, pointer, pointer, pointer});

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
    defineImportsAndInit(builder);
    defineRuntimeFunctions();
    for (auto [index, function] : llvm::enumerate(entryPoints))
      if (failed(defineEntryPoint(builder, index, function)))
        return signalPassFailure();
    hideSymbols();
  }

private:
  static std::string entryName(size_t index) { return "ecf8_entry_" + std::to_string(index); }

  Operation *takenSymbol(size_t entryPoints) {
    SmallVector<std::string> names = {"ecf8_module_abi", "ecf8_module_init", kImports.str()};
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

  void defineImportsAndInit(ImplicitLocOpBuilder &builder) {
    OpBuilder::InsertionGuard guard(builder);
    imports = LLVM::GlobalOp::create(builder, importsType, /*isConstant=*/false, LLVM::Linkage::Internal, kImports,
                                     Attribute());
    OpBuilder::InsertionGuard initializerGuard(builder);
    builder.createBlock(&imports.getInitializerRegion());
    LLVM::ReturnOp::create(builder, LLVM::ZeroOp::create(builder, importsType).getResult());

    builder.setInsertionPointAfter(imports);
    LLVM::LLVMFuncOp abi = defineFunction(builder, "ecf8_module_abi", i32, {});
    LLVM::LLVMFuncOp init = defineFunction(builder, "ecf8_module_init", nothing, {pointer});
    builder.setInsertionPointToStart(&abi.front());
    LLVM::ReturnOp::create(builder, constant(builder, i32, ECF8_MODULE_ABI_VERSION));
    // The table is copied: the runtime's may be temporary.
    builder.setInsertionPointToStart(&init.front());
    Value table = LLVM::LoadOp::create(builder, importsType, init.getArgument(0));
    LLVM::StoreOp::create(builder, table, LLVM::AddressOfOp::create(builder, imports));
    LLVM::ReturnOp::create(builder, ValueRange{});
  }

  /// Calls the function in `field` of the imports.
  LLVM::CallOp callImport(ImplicitLocOpBuilder &builder, ImportField field, Type result, ValueRange arguments) {
    Value table = LLVM::AddressOfOp::create(builder, imports);
    Value address = LLVM::GEPOp::create(builder, pointer, importsType, table, ArrayRef<LLVM::GEPArg>{0, field});
    Value function = LLVM::LoadOp::create(builder, pointer, address);
    SmallVector<Value> operands = {function};
    llvm::append_range(operands, arguments);
    return LLVM::CallOp::create(builder, LLVM::LLVMFunctionType::get(result, llvm::to_vector(arguments.getTypes())),
                                operands);
  }

  /// Gives the declaration of `name`, if the module has one, a body that `define` makes up to the return.
  void defineRuntimeFunction(StringRef name, ArrayRef<StringRef> attributes,
                             function_ref<Value(ImplicitLocOpBuilder &, LLVM::LLVMFuncOp)> define) {
    auto function = getOperation().lookupSymbol<LLVM::LLVMFuncOp>(name);
    if (!function || !function.isExternal())
      return;
    ImplicitLocOpBuilder builder(function.getLoc(), function);
    Block *entry = function.addEntryBlock(builder);
    builder.setInsertionPointToStart(entry);
    Value result = define(builder, function);
    LLVM::ReturnOp::create(builder, result ? ValueRange{result} : ValueRange{});
    function.setPassthroughAttr(builder.getStrArrayAttr(attributes));
    if (llvm::is_contained(attributes, "noreturn")) {
      entry->getTerminator()->erase();
      builder.setInsertionPointToEnd(entry);
      LLVM::UnreachableOp::create(builder);
    }
  }

  void defineRuntimeFunctions() {
    auto argument = [](LLVM::LLVMFuncOp function, unsigned index) -> Value { return function.getArgument(index); };
    // Not inlined, so that the optimizer sees that the memory is fresh.
    auto allocator = [&](StringRef name, bool aligned) {
      defineRuntimeFunction(name, {"noinline"}, [&](ImplicitLocOpBuilder &builder, LLVM::LLVMFuncOp function) -> Value {
        function.setResultAttr(0, LLVM::LLVMDialect::getNoAliasAttrName(), builder.getUnitAttr());
        Value bytes = argument(function, aligned ? 1 : 0);
        Value alignment = aligned ? argument(function, 0) : constant(builder, i64, kDefaultAlignment);
        return callImport(builder, Allocate, pointer, {bytes, alignment}).getResult();
      });
    };
    allocator("_mlir_memref_to_llvm_alloc", /*aligned=*/false);
    allocator("_mlir_memref_to_llvm_aligned_alloc", /*aligned=*/true);
    defineRuntimeFunction("_mlir_memref_to_llvm_free", {},
                          [&](ImplicitLocOpBuilder &builder, LLVM::LLVMFuncOp function) -> Value {
                            callImport(builder, Release, nothing, {argument(function, 0)});
                            return {};
                          });
    defineRuntimeFunction(kRuntimeFail, {"noreturn", "cold", "noinline"},
                          [&](ImplicitLocOpBuilder &builder, LLVM::LLVMFuncOp function) -> Value {
                            callImport(builder, Fail, nothing, {argument(function, 0), argument(function, 1)});
                            return {};
                          });
    defineRuntimeFunction(kRuntimeParallelFor, {},
                          [&](ImplicitLocOpBuilder &builder, LLVM::LLVMFuncOp function) -> Value {
                            callImport(builder, ParallelFor, nothing, function.getArguments());
                            return {};
                          });
    defineRuntimeFunction(kRuntimeWeight, {}, [&](ImplicitLocOpBuilder &builder, LLVM::LLVMFuncOp function) -> Value {
      Value size = LLVM::AllocaOp::create(builder, pointer, i64, constant(builder, i64, 1));
      Value bytes = callImport(builder, Weight, pointer, {argument(function, 0), size}).getResult();
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
    auto isExported = [](StringRef name) {
      return name == "ecf8_module_abi" || name == "ecf8_module_init" || name.starts_with("ecf8_entry_");
    };
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

  LLVM::GlobalOp imports;
  Type pointer, i32, i64, nothing, importsType;
};

} // namespace
