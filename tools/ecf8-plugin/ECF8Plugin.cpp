// Entry points through which a stock mlir-opt loads the dialect and the passes.
#include "ecf8/InitAll.h"
#include "mlir/Tools/Plugins/DialectPlugin.h"
#include "mlir/Tools/Plugins/PassPlugin.h"

extern "C" __attribute__((visibility("default"))) mlir::DialectPluginLibraryInfo mlirGetDialectPluginInfo() {
  return {MLIR_PLUGIN_API_VERSION, "ECF8", LLVM_VERSION_STRING,
          [](mlir::DialectRegistry *registry) { mlir::ecf8::registerAllDialects(*registry); }};
}

extern "C" __attribute__((visibility("default"))) mlir::PassPluginLibraryInfo mlirGetPassPluginInfo() {
  return {MLIR_PLUGIN_API_VERSION, "ECF8", LLVM_VERSION_STRING, [] { mlir::ecf8::registerAllPasses(); }};
}
