// From a module in the LLVM dialect to machine code: translation, LLVM's optimizer, the assembler.
#ifndef ECF8_PIPELINES_OBJECTCODE_H
#define ECF8_PIPELINES_OBJECTCODE_H

#include "ecf8/Pipelines/CpuLevels.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include "llvm/Target/TargetMachine.h"
#include <memory>
#include <optional>

namespace mlir::ecf8 {

/// Registers what `ObjectCompiler::translate` needs in a context's registry.
void registerObjectCodeTranslations(DialectRegistry &registry);

/// Compiles one module for one instruction set. Floating point stays as written: no contraction, no fast-math. The same
/// module gives the same bytes.
class ObjectCompiler {
public:
  ObjectCompiler(const CpuLevel &level, unsigned optimizationLevel);
  ~ObjectCompiler();

  /// Translates a module in the LLVM dialect. Errors are diagnostics at the op that has no translation.
  LogicalResult translate(ModuleOp source);

  /// Runs LLVM's optimizer with vectorization for the instruction set. Needs `translate`.
  LogicalResult optimize();

  /// Writes assembly text or an object file to `stream`. Needs `translate`; ends the use of the module.
  LogicalResult emit(llvm::CodeGenFileType fileType, llvm::raw_pwrite_stream &stream);

  llvm::Module &getModule() { return *module; }

private:
  /// Only what the runtime looks up stays visible; every function gets the instruction set's attributes.
  void setAttributes();
  LogicalResult reportErrors();

  const CpuLevel &level;
  unsigned optimizationLevel;
  std::string errors; ///< filled in by LLVM's diagnostic handler
  llvm::LLVMContext context;
  std::unique_ptr<llvm::TargetMachine> machine;
  std::unique_ptr<llvm::Module> module;
  std::optional<Location> location; ///< of the translated module
};

} // namespace mlir::ecf8

#endif // ECF8_PIPELINES_OBJECTCODE_H
