// The instruction sets that compiled code comes in: one table for code generation, the manifest and the command line.
#ifndef ECF8_PIPELINES_CPULEVELS_H
#define ECF8_PIPELINES_CPULEVELS_H

#include "ecf8/Support/Status.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include <string>

namespace mlir::ecf8 {

/// One instruction set that the compiler generates code for.
struct CpuLevel {
  llvm::StringRef name;                     ///< as in `--target-cpu` and in the manifest
  llvm::StringRef llvmCpu;                  ///< LLVM's `target-cpu`
  llvm::ArrayRef<llvm::StringRef> features; ///< what a machine must have (LLVM's names); listed in the manifest
  unsigned vectorBits;                      ///< `prefer-vector-width`
  llvm::StringRef lanes;                    ///< lane back end of the generated decoders

  /// The features as LLVM's `target-features` attribute: `+avx2,+bmi2`.
  std::string getLLVMFeatures() const;
};

/// All levels, best first.
llvm::ArrayRef<CpuLevel> getCpuLevels();

/// The level called `name`, or null.
const CpuLevel *findCpuLevel(llvm::StringRef name);

/// The best level that this machine can run.
const CpuLevel &getNativeCpuLevel();

/// The levels that a list such as `x86-64-v3,generic` or `native` names, best first and each once. An empty list means
/// all levels.
::ecf8::Result<llvm::SmallVector<const CpuLevel *>> parseCpuLevels(llvm::ArrayRef<std::string> names);

} // namespace mlir::ecf8

#endif // ECF8_PIPELINES_CPULEVELS_H
