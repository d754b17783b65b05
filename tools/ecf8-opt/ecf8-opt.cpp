// mlir-opt with the ecf8 dialect, its passes and pipelines.
#include "ecf8/Dialect/ECF8/IR/ECF8.h"
#include "mlir/InitAllDialects.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/InitAllPasses.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"

int main(int argc, char **argv) {
  mlir::registerAllPasses();
  mlir::DialectRegistry registry;
  mlir::registerAllDialects(registry);
  mlir::registerAllExtensions(registry);
  registry.insert<mlir::ecf8::ECF8Dialect>();
  return mlir::asMainReturnCode(mlir::MlirOptMain(argc, argv, "ECF8 optimizer driver\n", registry));
}
