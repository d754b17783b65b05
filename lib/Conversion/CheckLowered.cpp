// ecf8-check-lowered: what no pass has lowered is an error with a name and a location, never silence or a crash.
#include "ecf8/Conversion/Passes.h"

#include "mlir/Analysis/CFGLoopInfo.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMTypes.h"
#include "mlir/IR/BuiltinOps.h"

namespace mlir::ecf8 {
#define GEN_PASS_DEF_CHECKLOWEREDPASS
#include "ecf8/Conversion/Passes.h.inc"
} // namespace mlir::ecf8

using namespace mlir;

namespace {

/// What the reader of the error can do about a leftover op of `dialect`.
StringRef advice(StringRef dialect) {
  return llvm::StringSwitch<StringRef>(dialect)
      .Case("ecf8", "run ecf8-lower-storage and ecf8-emit-decoders, or the whole CPU pipeline")
      .Case("tm_tensor", "decompose the torch op that it comes from before the import")
      .Case("torch", "lower the program to linalg on tensors in torch-mlir")
      .Cases({"tosa", "stablehlo"}, "lower the program to linalg on tensors first")
      .Cases({"linalg", "tensor", "bufferization"},
             "no pass of the CPU pipeline lowers this form; rewrite it in the frontend")
      .Default("no pass of the CPU pipeline lowers it");
}

class CheckLoweredPass : public mlir::ecf8::impl::CheckLoweredPassBase<CheckLoweredPass> {
public:
  using CheckLoweredPassBase::CheckLoweredPassBase;

  void runOnOperation() override {
    SmallVector<Operation *> casts, leftovers;
    getOperation().walk([&](Operation *op) {
      if (isa<UnrealizedConversionCastOp>(op))
        casts.push_back(op);
      else if (!isLowered(op))
        leftovers.push_back(op);
    });
    // Where another op was left, the casts around it are a consequence.
    ArrayRef<Operation *> reported = leftovers.empty() ? casts : leftovers;
    size_t errors = reported.size();
    for (Operation *op : reported.take_front(maximumErrors))
      report(op);
    if (errors == 0) {
      for (auto global : getOperation().getOps<LLVM::GlobalOp>())
        if (failed(checkSize(global)))
          signalPassFailure();
      getOperation().walk(reportAllocations);
      return;
    }
    if (errors > maximumErrors)
      getOperation().emitError() << "expected a module in the LLVM dialect, got " << errors
                                 << " ops that are not lowered; the first " << maximumErrors.getValue()
                                 << " are reported";
    signalPassFailure();
  }

private:
  static bool isLowered(Operation *op) {
    if (isa<ModuleOp>(op))
      return true;
    return isa_and_nonnull<LLVM::LLVMDialect>(op->getDialect()) && !foreignType(op);
  }

  /// The first operand or result type of `op` that LLVM does not have, or null.
  static Type foreignType(Operation *op) {
    for (Type type : op->getOperandTypes())
      if (!LLVM::isCompatibleType(type))
        return type;
    for (Type type : op->getResultTypes())
      if (!LLVM::isCompatibleType(type))
        return type;
    return {};
  }

  /// LLVM writes out a constant byte by byte, and code reaches no further than 2 GiB.
  static LogicalResult checkSize(LLVM::GlobalOp global) {
    constexpr uint64_t limit = uint64_t{1} << 31;
    if (uint64_t bytes = DataLayout::closest(global).getTypeSize(global.getGlobalType()); bytes >= limit)
      return global.emitOpError() << "expected constants of less than 2^31 bytes in code, got one of " << bytes
                                  << "; make it a weight, or compute it";
    return success();
  }

  /// Remarks on the calls of `function` that allocate memory inside a loop.
  static void reportAllocations(LLVM::LLVMFuncOp function) {
    if (function.isExternal() || function.getBody().hasOneBlock())
      return;
    DominanceInfo dominance(function);
    CFGLoopInfo loops(dominance.getDomTree(&function.getBody()));
    function.walk([&](LLVM::CallOp call) {
      std::optional<StringRef> callee = call.getCallee();
      if (callee && (*callee == "_mlir_memref_to_llvm_alloc" || *callee == "_mlir_memref_to_llvm_aligned_alloc") &&
          loops.getLoopFor(call->getBlock()))
        call.emitRemark("memory is allocated in each iteration of a loop; a buffer whose size is known before the loop "
                        "would be allocated once");
    });
  }

  static void report(Operation *op) {
    if (auto cast = dyn_cast<UnrealizedConversionCastOp>(op)) {
      InFlightDiagnostic diagnostic = cast.emitOpError()
                                      << "expected no conversion between types here, got one from ("
                                      << cast.getOperandTypes() << ") to (" << cast.getResultTypes()
                                      << "); an op that uses the result, or makes the operand, was not lowered";
      for (Operation *user : cast->getUsers())
        diagnostic.attachNote(user->getLoc()) << "used by '" << user->getName() << "'";
      return;
    }
    if (isa_and_nonnull<LLVM::LLVMDialect>(op->getDialect())) {
      op->emitOpError() << "expected types of the LLVM dialect, got " << foreignType(op);
      return;
    }
    op->emitOpError() << "expected an op of the LLVM dialect, got one that was not lowered; "
                      << advice(op->getName().getDialectNamespace());
  }
};

} // namespace
