// A table of functions of the runtime, as compiled code has it: a copy in a global, a function that fills it in, calls.
#ifndef ECF8_LIB_CONVERSION_RUNTIMETABLE_H
#define ECF8_LIB_CONVERSION_RUNTIMETABLE_H

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mlir::ecf8 {

/// Each table of ecf8/Runtime/ModuleABI.h begins with two numbers of 32 bits; functions follow.
class RuntimeTable {
public:
  /// Defines the global `name` for `functionCount` functions, and the function `initializer`, which copies a table
  /// there: that of the runtime may be temporary. At the end of `module`.
  RuntimeTable(ModuleOp module, StringRef name, unsigned functionCount, StringRef initializer);

  /// Calls function number `index`.
  LLVM::CallOp call(ImplicitLocOpBuilder &builder, unsigned index, Type result, ValueRange arguments);

  /// Gives the declaration of `name`, if the module has one, a body that `define` makes up to the return.
  void define(StringRef name, ArrayRef<StringRef> attributes,
              function_ref<Value(ImplicitLocOpBuilder &, LLVM::LLVMFuncOp)> emit);

  /// The same with a body that only calls function number `index`.
  void defineCall(StringRef name, unsigned index);

private:
  ModuleOp module;
  LLVM::GlobalOp global;
};

} // namespace mlir::ecf8

#endif // ECF8_LIB_CONVERSION_RUNTIMETABLE_H
