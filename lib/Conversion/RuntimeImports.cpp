// Declarations of the runtime's functions, made where a pass first needs them.
#include "ecf8/Conversion/RuntimeImports.h"

#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace mlir::ecf8;

func::FuncOp mlir::ecf8::getOrCreateRuntimeFunction(ModuleOp module, StringRef name, FunctionType type) {
  if (auto existing = module.lookupSymbol<func::FuncOp>(name))
    return existing;
  OpBuilder builder = OpBuilder::atBlockBegin(module.getBody());
  auto function = func::FuncOp::create(builder, module.getLoc(), name, type);
  function.setPrivate();
  return function;
}

Value mlir::ecf8::callGpuRuntime(ImplicitLocOpBuilder &builder, StringRef name, ValueRange arguments, Type result) {
  auto module = builder.getInsertionBlock()->getParentOp()->getParentOfType<ModuleOp>();
  auto type = builder.getFunctionType(arguments.getTypes(), result ? TypeRange(result) : TypeRange());
  func::FuncOp function = getOrCreateRuntimeFunction(module, name, type);
  auto call = func::CallOp::create(builder, function, arguments);
  return result ? call.getResult(0) : Value();
}

LLVM::LLVMFuncOp mlir::ecf8::getOrCreateRuntimeFail(ModuleOp module) {
  if (auto existing = module.lookupSymbol<LLVM::LLVMFuncOp>(kRuntimeFail))
    return existing;
  OpBuilder builder = OpBuilder::atBlockBegin(module.getBody());
  MLIRContext *context = module.getContext();
  auto type = LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(context),
                                          {builder.getI32Type(), LLVM::LLVMPointerType::get(context)});
  auto function = LLVM::LLVMFuncOp::create(builder, module.getLoc(), kRuntimeFail, type);
  function.setVisibility(SymbolTable::Visibility::Private);
  return function;
}
