#include "RuntimeTable.h"

using namespace mlir;
using namespace mlir::ecf8;

/// The numbers in front of the functions.
static constexpr unsigned kHeaderFields = 2;

RuntimeTable::RuntimeTable(ModuleOp module, StringRef name, unsigned functionCount, StringRef initializer)
    : module(module) {
  MLIRContext *context = module.getContext();
  ImplicitLocOpBuilder builder(module.getLoc(), context);
  builder.setInsertionPointToEnd(module.getBody());
  Type pointer = LLVM::LLVMPointerType::get(context);
  SmallVector<Type> fields(kHeaderFields, builder.getI32Type());
  fields.append(functionCount, pointer);
  auto type = LLVM::LLVMStructType::getLiteral(context, fields);
  global = LLVM::GlobalOp::create(builder, type, /*isConstant=*/false, LLVM::Linkage::Internal, name, Attribute());
  {
    OpBuilder::InsertionGuard guard(builder);
    builder.createBlock(&global.getInitializerRegion());
    LLVM::ReturnOp::create(builder, LLVM::ZeroOp::create(builder, type).getResult());
  }
  auto function = LLVM::LLVMFuncOp::create(builder, initializer,
                                           LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(context), {pointer}));
  function.addEntryBlock(builder);
  builder.setInsertionPointToStart(&function.front());
  Value table = LLVM::LoadOp::create(builder, type, function.getArgument(0));
  LLVM::StoreOp::create(builder, table, LLVM::AddressOfOp::create(builder, global));
  LLVM::ReturnOp::create(builder, ValueRange{});
}

LLVM::CallOp RuntimeTable::call(ImplicitLocOpBuilder &builder, unsigned index, Type result, ValueRange arguments) {
  Type pointer = LLVM::LLVMPointerType::get(builder.getContext());
  Value table = LLVM::AddressOfOp::create(builder, global);
  auto field = static_cast<int32_t>(kHeaderFields + index);
  Value address = LLVM::GEPOp::create(builder, pointer, global.getType(), table, ArrayRef<LLVM::GEPArg>{0, field});
  SmallVector<Value> operands = {LLVM::LoadOp::create(builder, pointer, address)};
  llvm::append_range(operands, arguments);
  return LLVM::CallOp::create(builder, LLVM::LLVMFunctionType::get(result, llvm::to_vector(arguments.getTypes())),
                              operands);
}

void RuntimeTable::define(StringRef name, ArrayRef<StringRef> attributes,
                          function_ref<Value(ImplicitLocOpBuilder &, LLVM::LLVMFuncOp)> emit) {
  auto function = module.lookupSymbol<LLVM::LLVMFuncOp>(name);
  if (!function || !function.isExternal())
    return;
  ImplicitLocOpBuilder builder(function.getLoc(), function);
  Block *entry = function.addEntryBlock(builder);
  builder.setInsertionPointToStart(entry);
  Value result = emit(builder, function);
  LLVM::ReturnOp::create(builder, result ? ValueRange{result} : ValueRange{});
  function.setPassthroughAttr(builder.getStrArrayAttr(attributes));
  if (llvm::is_contained(attributes, "noreturn")) {
    entry->getTerminator()->erase();
    builder.setInsertionPointToEnd(entry);
    LLVM::UnreachableOp::create(builder);
  }
}

void RuntimeTable::defineCall(StringRef name, unsigned index) {
  define(name, {}, [&](ImplicitLocOpBuilder &builder, LLVM::LLVMFuncOp function) -> Value {
    LLVM::CallOp result = call(builder, index, function.getFunctionType().getReturnType(), function.getArguments());
    return result->getNumResults() ? result.getResult() : Value();
  });
}
