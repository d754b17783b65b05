// Parses a module of the ecf8 dialect with the installed libraries.
#include "ecf8/Dialect/ECF8/IR/ECF8.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "mlir/Parser/Parser.h"

int main() {
  mlir::MLIRContext context;
  context.loadDialect<mlir::ecf8::ECF8Dialect, mlir::func::FuncDialect>();
  auto module = mlir::parseSourceString<mlir::ModuleOp>(
      "func.func private @f(!ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>)", &context);
  return module ? 0 : 1;
}
