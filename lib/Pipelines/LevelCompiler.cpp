// Copies a module through bytecode into one context per instruction set, and brings the diagnostics back.
#include "LevelCompiler.h"

#include "mlir/Bytecode/BytecodeReader.h"
#include "mlir/Bytecode/BytecodeWriter.h"
#include "mlir/Parser/Parser.h"
#include "llvm/Support/ThreadPool.h"

namespace mlir::ecf8 {

namespace {
/// A diagnostic without references to its context.
struct StoredDiagnostic {
  DiagnosticSeverity severity;
  std::string message;
  std::string file; ///< empty: unknown
  unsigned line = 0, column = 0;
  std::vector<StoredDiagnostic> notes;

  explicit StoredDiagnostic(Diagnostic &diagnostic) : severity(diagnostic.getSeverity()), message(diagnostic.str()) {
    if (auto location = diagnostic.getLocation()->findInstanceOf<FileLineColLoc>()) {
      file = location.getFilename().str();
      line = location.getLine();
      column = location.getColumn();
    }
    for (Diagnostic &note : diagnostic.getNotes())
      notes.emplace_back(note);
  }

  Location getLocation(MLIRContext *context) const {
    if (file.empty())
      return UnknownLoc::get(context);
    return FileLineColLoc::get(context, file, line, column);
  }

  void emit(MLIRContext *context) const {
    InFlightDiagnostic diagnostic = context->getDiagEngine().emit(getLocation(context), severity);
    diagnostic << message;
    for (const StoredDiagnostic &note : notes)
      diagnostic.attachNote(note.getLocation(context)) << note.message;
  }
};

struct Outcome {
  LogicalResult result = failure();
  std::vector<StoredDiagnostic> diagnostics;
};
} // namespace

LogicalResult forEachLevel(ModuleOp module, ArrayRef<const CpuLevel *> levels, unsigned threads,
                           llvm::function_ref<LogicalResult(ModuleOp, const CpuLevel &)> work) {
  MLIRContext *context = module->getContext();
  std::string bytecode;
  llvm::raw_string_ostream stream(bytecode);
  if (failed(writeBytecodeToFile(module, stream)))
    return emitError(module.getLoc(), "cannot write the module as bytecode");

  std::vector<Outcome> outcomes(levels.size());
  auto runLevel = [&](size_t index) {
    Outcome &outcome = outcomes[index];
    MLIRContext levelContext(context->getDialectRegistry(), MLIRContext::Threading::DISABLED);
    ScopedDiagnosticHandler handler(&levelContext,
                                    [&](Diagnostic &diagnostic) { outcome.diagnostics.emplace_back(diagnostic); });
    OwningOpRef<ModuleOp> copy = parseSourceString<ModuleOp>(bytecode, ParserConfig(&levelContext));
    if (copy)
      outcome.result = work(*copy, *levels[index]);
  };
  if (threads <= 1) {
    for (size_t index = 0; index < levels.size(); ++index)
      runLevel(index);
  } else {
    llvm::DefaultThreadPool pool(llvm::hardware_concurrency(threads));
    for (size_t index = 0; index < levels.size(); ++index)
      pool.async([&, index] { runLevel(index); });
    pool.wait();
  }

  auto failedLevel = llvm::find_if(outcomes, [](const Outcome &outcome) { return failed(outcome.result); });
  const Outcome &shown = failedLevel == outcomes.end() ? outcomes.front() : *failedLevel;
  for (const StoredDiagnostic &diagnostic : shown.diagnostics)
    diagnostic.emit(context);
  return success(failedLevel == outcomes.end());
}

} // namespace mlir::ecf8
