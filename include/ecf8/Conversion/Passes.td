// The conversion passes. Each description says what goes in, what comes out, what is left alone, and where it stands.
#ifndef ECF8_CONVERSION_PASSES
#define ECF8_CONVERSION_PASSES

include "mlir/Pass/PassBase.td"

def LowerAssertsPass : Pass<"ecf8-lower-asserts", "::mlir::ModuleOp"> {
  let summary = "Turn assertions of the model into error statuses of the runtime";
  let description = [{
    In: functions whose control flow is blocks and branches, with `cf.assert`.
    Out: a conditional branch to a block that calls `@ecf8_rt_fail` with code 7 (aborted) and the message
    `assertion failed: <text> at <file>:<line>:<column>`, followed by `llvm.unreachable`. The process is never aborted.
    Left alone: everything else. An assertion inside the region of another op is an error: blocks cannot be split there.
    Place in the pipeline: after `convert-scf-to-cf`, before the conversion to LLVM, which would call `abort`.

    Example: `test/Conversion/lower-asserts.mlir`.
  }];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect", "::mlir::cf::ControlFlowDialect"];
}

def CheckLoweredPass : Pass<"ecf8-check-lowered", "::mlir::ModuleOp"> {
  let summary = "Refuse a module that is not wholly in the LLVM dialect";
  let description = [{
    In: a module that is ready for the translation to LLVM IR.
    Out: the same module, or one error for each op that no pass has lowered: its name, its location and what to do.
    An op of another dialect, an unresolved `builtin.unrealized_conversion_cast`, and an operand or a result whose type
    is not of LLVM (an FP8 float, a compressed weight, a tensor) are such ops. Passes of MLIR leave them in silence.
    Place in the pipeline: last.

    Example: `test/Conversion/check-lowered.mlir`.
  }];
  let options = [Option<"maximumErrors", "max-errors", "unsigned", /*default=*/"10",
                        "Number of ops reported one by one; the others are counted">];
}

#endif // ECF8_CONVERSION_PASSES
