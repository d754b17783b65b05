// What the passes say about each weight and contraction, kept for the statistics and printed on request.
#ifndef ECF8_PIPELINES_COMPILEREMARKS_H
#define ECF8_PIPELINES_COMPILEREMARKS_H

#include "mlir/IR/MLIRContext.h"
#include "mlir/Support/LLVM.h"
#include "llvm/Support/JSON.h"
#include <string>
#include <utility>
#include <vector>

namespace mlir::ecf8 {

/// Which remarks a compilation prints, as MLIR's remarks at their places in the program.
enum class RemarkSelection {
  None,
  Missed, ///< what was not done, with the reason
  All,
};

/// One remark (mlir/IR/Remarks.h). docs/Passes.md lists the names and reasons of each pass.
struct CompileRemark {
  std::string pass;     ///< the flag of the pass, such as "ecf8-fuse-decode"
  std::string outcome;  ///< "Passed", "Missed" or "Analysis"
  std::string name;     ///< such as "NotFused"
  std::string function; ///< the function or global that it is about
  std::string location;
  std::vector<std::pair<std::string, std::string>> arguments; ///< such as ("Reason", "reader: 'func.return'")
};

/// From here on the remarks of this project's passes in `context` are appended to `remarks`, which must outlive it,
/// and those of `selection` become diagnostics.
LogicalResult collectRemarks(MLIRContext &context, RemarkSelection selection, std::vector<CompileRemark> &remarks);

/// Sorts by pass and function; within a function the order of the pass stays. Functions are worked on side by side.
void sortRemarks(std::vector<CompileRemark> &remarks);

void printJson(llvm::json::OStream &stream, const std::vector<CompileRemark> &remarks);

} // namespace mlir::ecf8

#endif // ECF8_PIPELINES_COMPILEREMARKS_H
