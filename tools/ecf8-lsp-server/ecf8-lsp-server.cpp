// Language server for .mlir files with the ecf8 dialect.
#include "ecf8/Dialect/ECF8/IR/ECF8.h"
#include "mlir/InitAllDialects.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/Tools/mlir-lsp-server/MlirLspServerMain.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  mlir::registerAllDialects(registry);
  mlir::registerAllExtensions(registry);
  registry.insert<mlir::ecf8::ECF8Dialect>();
  return mlir::failed(mlir::MlirLspServerMain(argc, argv, registry));
}
