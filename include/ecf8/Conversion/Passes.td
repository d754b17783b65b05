// The conversion passes. Each description says what goes in, what comes out, what is left alone, and where it stands.
#ifndef ECF8_CONVERSION_PASSES
#define ECF8_CONVERSION_PASSES

include "ecf8/Conversion/GPUPasses.td"
include "mlir/Pass/PassBase.td"

def ExpandFP8Pass : Pass<"ecf8-expand-fp8"> {
  let summary = "Expand arithmetic on FP8 and other small floats to integer and f32 ops";
  let description = [{
    In: `arith` and `math` ops on scalars and vectors of f8E4M3FN, f8E5M2, f16 and bf16.
    Out: `arith.extf` and `arith.truncf` of FP8 (and of bf16 and f16 where the options say so) as branch-free integer ops,
    exact for every code: subnormals, signed zeros, infinities, NaNs with their signs and payloads. An extension does not
    depend on the CPU's treatment of subnormals. A truncation rounds to the nearest, ties to even; what is too large for
    f8E4M3FN becomes NaN. Other arithmetic is done in f32 and rounded after each op; negation and absolute value on the bits.
    Left alone: constants, bitcasts, selects, loads and stores, which the conversion to LLVM treats as integers, and
    tensors. Another rounding mode is an error.
    Place in the pipeline: after linalg has become loops, before the conversion to LLVM, which has no FP8 arithmetic and
    leaves the ops in silence.

    Example: `test/Conversion/expand-fp8.mlir`.
  }];
  let options = [
    Option<"expandBF16", "bf16", "bool", /*default=*/"true",
           "Convert between bf16 and f32 by integer ops (the CPU's way is a call of compiler-rt without AVX512_BF16)">,
    Option<"expandF16", "f16", "bool", /*default=*/"true",
           "Convert between f16 and f32 by integer ops (the CPU's way is a call of compiler-rt without F16C)">];
  let dependentDialects = ["::mlir::arith::ArithDialect"];
}

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

def PrepareEntryPointsPass : Pass<"ecf8-prepare-entry-points", "::mlir::ModuleOp"> {
  let summary = "Mark the public functions as entry points of the compiled module";
  let description = [{
    In: a program on tensors. Out: each public function has `llvm.emit_c_interface`, and its tensor arguments
    `bufferization.writable = false`, so that no call changes an input. A public function with types other than ranked
    tensors, memrefs of identity layout and scalars is an error, and so is a value anywhere that has 2^56 elements or
    more by its static sizes: counts of elements and bytes are numbers of 64 bits.
    Left alone: private functions. Place in the pipeline: before bufferization. The n-th public function becomes
    `ecf8_entry_<n>` in `ecf8-finalize-module`.

    Example: `test/Conversion/prepare-entry-points.mlir`.
  }];
}

def FuseElementwisePass : Pass<"ecf8-fuse-elementwise", "::mlir::func::FuncOp"> {
  let summary = "Fuse chains of elementwise ops where that computes nothing twice";
  let description = [{
    In: `linalg` ops on tensors. Out: elementwise named ops, transposes among them, as `linalg.generic`, and each
    elementwise producer inside its only reader, if that reads each element once: another elementwise op, or a sum or
    maximum along some dimensions. So the extension, scaling, rounding and transposition of an FP8 weight become one loop,
    no decode is done twice, and the squares of a norm are added where they are computed. An op that only extends numbers
    (`arith.extf`) becomes part of each of several such readers.
    Left alone: producers with other readers or several results, broadcast reads, and contractions.
    Place in the pipeline: before bufferization.

    Example: `test/Conversion/fuse-elementwise.mlir`.
  }];
  let dependentDialects = ["::mlir::affine::AffineDialect", "::mlir::linalg::LinalgDialect",
                           "::mlir::memref::MemRefDialect", "::mlir::tensor::TensorDialect"];
}

def TileAttentionPass : Pass<"ecf8-tile-attention", "::mlir::func::FuncOp"> {
  let summary = "Compute attention a block of rows at a time";
  let description = [{
    In: two batch matmuls, the first of which makes scores that the second reads after elementwise ops and reductions of
    rows, as mask and softmax are. Out: one `scf.forall` over batches, heads and blocks of up to 32 rows; in a block,
    each op works on its part, which stays in the cache and, after bufferization, on the stack of a thread. What only
    rearranges the result is part of a block, too. No sum is cut, so that the bytes are those of the ops one after
    another. What the ops of a block compute is up to 256 KiB, or blocks have 4 rows. Blocks of columns are taken where
    the second matmul reads scores as its right operand.
    Left alone: scores below 64 KiB, and scores that something else reads, too.
    Place in the pipeline: after `ecf8-fuse-elementwise`, before bufferization.

    Example: `test/Conversion/tile-attention.mlir`.
  }];
  let dependentDialects = ["::mlir::affine::AffineDialect", "::mlir::linalg::LinalgDialect",
                           "::mlir::scf::SCFDialect", "::mlir::tensor::TensorDialect"];
}

def SeparateFillsPass : Pass<"ecf8-separate-fills", "::mlir::func::FuncOp"> {
  let summary = "Fill each destination right before the op that writes it";
  let description = [{
    In: `linalg.fill` of a `tensor.empty`. Out: one of them for each op that begins with it as its destination, right
    before that op. A fill that several sums share, as CSE leaves it, would become a buffer that lives through the whole
    function and is copied for each of them; `ecf8-lower-linalg` needs no buffer for a fill that is the sum's own.
    Left alone: fills that are read as values or in another block.
    Place in the pipeline: last before bufferization; CSE would undo it.

    Example: `test/Conversion/separate-fills.mlir`.
  }];
  let dependentDialects = ["::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect"];
}

def SeparateEmptiesPass : Pass<"ecf8-separate-empties", "::mlir::func::FuncOp"> {
  let summary = "Give few readers to an empty tensor";
  let description = [{
    In: `tensor.empty`s with many uses: CSE makes one for all layers of a model. Out: one for each `max-readers` uses.
    Bufferization compares all readers with all writers of the tensors that can share a buffer: with one empty tensor for
    all, its time grows with the square of the number of layers and more, and with one for each op no buffer is used twice.
    Place in the pipeline: after `ecf8-separate-fills`, directly before `eliminate-empty-tensors` and bufferization; CSE
    would undo it.

    Example: `test/Conversion/separate-empties.mlir`.
  }];
  let options = [Option<"maximumReaders", "max-readers", "unsigned", /*default=*/"16", "Uses of one empty tensor, at least 1">];
}

def ExpandMathPass : Pass<"ecf8-expand-math"> {
  let summary = "Write out exp, expm1, log, log1p, tanh and erf, so that they work on vectors";
  let description = [{
    In: `math.exp`, `math.exp2`, `math.expm1`, `math.log`, `math.log1p`, `math.tanh` and `math.erf` on f32, f16 and bf16, scalars
    and vectors.
    Out: additions, multiplications, selections and bit patterns in f32, in an order that is the same for scalars and
    vectors of any width: all instruction sets give the same bytes. A result in f32 is at most 1.5 units in the last place
    from the exact one, subnormals included; infinities, zeros and their signs and NaN are as in C. f16 and bf16 are
    computed in f32 and rounded.
    `math.expm1` on f64 becomes `exp` and `log` such that small results keep their digits.
    Left alone: tensors, f64 otherwise, and all other functions, which are calls of libm.
    Place in the pipeline: after `ecf8-lower-linalg`, which plans with them as single ops, before `ecf8-expand-fp8`.

    Example: `test/Conversion/expand-math.mlir`.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::math::MathDialect"];
}

def ExpandPowersPass : Pass<"ecf8-expand-powers"> {
  let summary = "Turn powers with constant exponents into products";
  let description = [{
    In: `math.fpowi` and `math.powf` on scalars, vectors and tensors. Out: where the exponent is a constant whole number from
    -2 to 3, the products (and one division of 1 by them) that PyTorch computes, each rounded; other `math.fpowi` as
    `math.powf` of the exponent as a float, since LLVM has no code for vectors of it and libm no function.
    Left alone: `math.powf`, but for squares.
    Place in the pipeline: before bufferization, so that bodies get cheaper before loops are planned.

    Example: `test/Conversion/expand-powers.mlir`.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::math::MathDialect"];
}

def PrepareContractionsPass : Pass<"ecf8-prepare-contractions", "::mlir::func::FuncOp"> {
  let summary = "Let contractions read transposed tensors where they lie, and activations that are converted once";
  let description = [{
    In: `linalg` ops on tensors. Out: a contraction or reduction of a transposed tensor, such as a weight stored as [N, K],
    becomes a `linalg.generic` that reads the tensor itself; the transposition is gone if nothing else reads it. An input
    that is the same for at least 64 outputs side by side and is converted in the body of the op, such as the bf16
    activations of a matmul that adds in f32, is converted by an op before it. No value and no order of a sum changes.
    Left alone: elementwise ops, which `ecf8-fuse-elementwise` merges with transpositions, and transpositions that compute.
    Place in the pipeline: after decodes are fused, before elementwise ops are.

    Example: `test/Conversion/prepare-contractions.mlir`.
  }];
  let dependentDialects = ["::mlir::affine::AffineDialect", "::mlir::arith::ArithDialect",
                           "::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect"];
}

def LowerLinalgPass : Pass<"ecf8-lower-linalg", "::mlir::func::FuncOp"> {
  let summary = "Turn structured ops on memrefs into loops over vectors that keep the order of every sum";
  let description = [{
    In: `linalg` ops on memrefs. Out: an outer `scf.parallel` over blocks, with `ecf8.grain`, and sequential loops inside. A
    block is a few rows of vectors along a dimension in which the outputs are contiguous; the reduction loops run inside it,
    in the order of the op's loops, with one accumulator per output element, so that the results are the bytes that plain
    loops give; a contraction's NaNs end as the positive quiet one. Multiplications and additions are not fused. An input that
    lies contiguous along the innermost sum instead, such as a weight stored as [N, K], is read in square blocks that are
    transposed in registers. A sum whose destination was filled right before begins with that value, and the fill goes.
    Dimensions of size 1 are dropped first, so that a sum with shape [N, 1] is one in vectors, too. Ops that cannot work on
    vectors, such as look-ups with `cf.assert`, become scalar loops. Copies between strided memrefs become loops, others stay.
    What is known only at run time is checked by `cf.assert`: that the shapes of the operands match, that look-ups stay inside
    their tables, and that the sizes are there which a `memref.cast` promises.
    Left alone: everything else. Place in the pipeline: after bufferization, before `ecf8-expand-fp8`.

    Example: `test/Conversion/lower-linalg.mlir`.
  }];
  let options = [Option<"vectorBits", "vector-bits", "unsigned", /*default=*/"128", "Width of the CPU's vectors">,
                 Option<"forThreads", "for-threads", "bool", /*default=*/"false",
                        "For a GPU: one iteration of the parallel loop for each output element, without vectors">];
  let dependentDialects = ["::mlir::affine::AffineDialect", "::mlir::arith::ArithDialect",
                           "::mlir::cf::ControlFlowDialect", "::mlir::memref::MemRefDialect",
                           "::mlir::scf::SCFDialect", "::mlir::vector::VectorDialect"];
}

def ParallelToRuntimePass : Pass<"ecf8-parallel-to-runtime", "::mlir::ModuleOp"> {
  let summary = "Run outermost parallel loops on the threads of the runtime";
  let description = [{
    In: functions on memrefs with `scf.parallel` and `scf.forall` without mapping.
    Out: each outermost loop without results becomes a private function over a range of iterations and a call of
    `@ecf8_rt_parallel_for(count, grain, body, context)`; the values that the body takes from outside are stored in a
    struct on the caller's stack. Several dimensions become one count. Equal bodies share one function.
    The attribute `ecf8.grain` of a loop is the least number of iterations worth a thread.
    Left alone: loops inside others, and loops with reductions; `convert-scf-to-cf` makes them sequential.
    Place in the pipeline: after linalg has become loops, before `convert-scf-to-cf`.

    Example: `test/Conversion/parallel-to-runtime.mlir`.
  }];
  let options = [Option<"grain", "grain", "int64_t", /*default=*/"1",
                        "Least number of iterations worth a call, for loops without the attribute ecf8.grain">];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::func::FuncDialect", "::mlir::LLVM::LLVMDialect",
                           "::mlir::scf::SCFDialect"];
}

def FinalizeModulePass : Pass<"ecf8-finalize-module", "::mlir::ModuleOp"> {
  let summary = "Define the symbols of a compiled module and its calls of the runtime";
  let description = [{
    In: a module in the LLVM dialect. Out: the same with `ecf8_module_abi`, `ecf8_module_init`, one `ecf8_entry_<n>` for
    the n-th public function with a C interface, and bodies for the functions that reach the runtime through the table of
    `ecf8/Runtime/ModuleABI.h`: `ecf8_rt_fail`, `ecf8_rt_weight`, `ecf8_rt_parallel_for`, and the allocation functions
    of `finalize-memref-to-llvm{use-generic-functions}`. Everything else that is defined gets internal linkage.
    Left alone: declarations of libc and libm. Place in the pipeline: after the conversion to LLVM.

    Example: `test/Conversion/finalize-module.mlir`.
  }];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect"];
}

def CheckBoundsPass : Pass<"ecf8-check-bounds", "::mlir::func::FuncOp"> {
  let summary = "Assert that slices and look-ups lie inside of what they read or write";
  let description = [{
    In: bufferized functions with `memref.subview`, `memref.load` and `memref.store`, before weights are decoded by
    generated code and before structured ops become loops.
    Out: a `cf.assert` before each of them whose offsets, sizes or indices are known only at run time, so that the number
    of an expert that does not exist ends the call with an error. A `memref.subview` of a stride of less than 1 is an error.
    Left alone: what is inside for sure, by constants and the bounds of loops around it; the bodies of structured ops,
    which `ecf8-lower-linalg` checks.
    Place in the pipeline: after bufferization, before `ecf8-lower-storage`.

    Example: `test/Conversion/check-bounds.mlir`.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::cf::ControlFlowDialect",
                           "::mlir::memref::MemRefDialect"];
}

def StackBuffersPass : Pass<"ecf8-stack-buffers", "::mlir::func::FuncOp"> {
  let summary = "Put buffers of a loop's iterations on the stack";
  let description = [{
    In: `memref.alloc` in a loop that is released in the same iteration, and `memref.alloca` in a loop. Out: `memref.alloca`
    at the beginning of the function, so that a loop neither asks for memory nor lets the stack grow. Where a size is
    only known to have a bound, as that of the last tile of a dimension, the buffer is a `memref.view` of as many bytes.
    A function gets up to 1 MiB; buffers for which it does not suffice, or whose bound only the running program knows, are
    allocated once before the outermost loop and released behind it.
    Left alone: buffers without a bound that is known before the loop, and those that outlive an iteration.
    Place in the pipeline: when bodies of parallel loops are functions of their own, before `ecf8-check-allocations`.

    Example: `test/Conversion/stack-buffers.mlir`.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::memref::MemRefDialect"];
}

def CheckAllocationsPass : Pass<"ecf8-check-allocations", "::mlir::func::FuncOp"> {
  let summary = "Assert that the size of each allocation fits 56 bits";
  let description = [{
    In: functions with `memref.alloc`. Out: before each one with dynamic sizes the product of the sizes and of the
    bytes of an element, taken without overflow, and a `cf.assert` that it is less than 2^56. The conversion to LLVM
    multiplies in 64 bits: of an activation with too many rows it would allocate what is left modulo 2^64.
    Left alone: static shapes, which `ecf8-prepare-entry-points` checks.
    Place in the pipeline: when all buffers are there, before `ecf8-lower-asserts` and the conversion to LLVM.

    Example: `test/Conversion/check-allocations.mlir`.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::cf::ControlFlowDialect"];
}

def CheckLoweredPass : Pass<"ecf8-check-lowered", "::mlir::ModuleOp"> {
  let summary = "Refuse a module that is not wholly in the LLVM dialect";
  let description = [{
    In: a module that is ready for the translation to LLVM IR.
    Out: the same module, or one error for each op that no pass has lowered: its name, its location and what to do.
    An op of another dialect, an unresolved `builtin.unrealized_conversion_cast`, and an operand or a result whose type
    is not of LLVM (an FP8 float, a compressed weight, a tensor) are such ops. Passes of MLIR leave them in silence.
    A constant of 2^31 bytes or more is an error, too.
    A call that allocates memory inside a loop gets a remark: bufferization and hoisting leave none in loops of models.
    Place in the pipeline: last.

    Example: `test/Conversion/check-lowered.mlir`.
  }];
  let options = [Option<"maximumErrors", "max-errors", "unsigned", /*default=*/"10",
                        "Number of ops reported one by one; the others are counted">];
}

def LowerStoragePass : Pass<"ecf8-lower-storage", "::mlir::ModuleOp"> {
  let summary = "Turn compressed values into payload bytes and decodes into calls";
  let description = [{
    In: bufferized functions with `ecf8` ops, compressed values in signatures, calls and control flow.
    Out: a compressed value is a `memref<?xi8>`, the payload; `ecf8.global.load` is a call of `@ecf8_rt_weight` with the
    position of the global among the module's globals, and a view where the weight is plain; `ecf8.constant` is a
    `memref.global`; `ecf8.decode ... into` is a call of a private decode function, one per encoding and element type,
    declared with the attribute `ecf8.decoder`. The globals are erased.
    Left alone: everything else. An op of the dialect that is not bufferized is an error.
    Place in the pipeline: after bufferization, before `ecf8-emit-decoders`.

    Example: `test/Conversion/lower-storage.mlir`.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::func::FuncDialect", "::mlir::memref::MemRefDialect"];
}

def EmitDecodersPass : Pass<"ecf8-emit-decoders", "::mlir::ModuleOp"> {
  let summary = "Fill in the decode and contraction functions for one instruction set";
  let description = [{
    In: private function declarations with the attribute `ecf8.decoder` or `ecf8.contraction`.
    Out: their bodies: checks of the payload's header as `cf.assert`, code tables, a `scf.parallel` over groups of strips,
    and the decode loops over the lanes of one instruction set. A body never reads outside the payload, whatever the
    payload holds. `lanes` names the back end: `permute` needs avx512bw, avx512vbmi, avx512vbmi2 and gfni, `nibble` and
    `gather` need avx2 (`nibble` is the faster one and falls back to `gather` at run time for codes that it cannot take),
    `scalar` nothing. All give the same bytes. For planes `permute` expands bytes (avx512bw, avx512vbmi2, gfni), `nibble` and
    `gather` shuffle them (avx2, popcnt).
    A contraction picks its kernel by the rows of the activations: for few rows (1 to 4, by encoding and products) decoded
    weights go from registers into the sums; for more a panel of 128 slots is decoded into the first-level cache and
    multiplied by all of them.
    Left alone: everything else.
    Place in the pipeline: after `ecf8-lower-storage`, before `ecf8-parallel-to-runtime`; once per instruction set.

    Example: `test/Conversion/emit-decoders.mlir`.
  }];
  let options = [Option<"lanes", "lanes", "std::string", /*default=*/"\"scalar\"",
                        "Lane back end: permute, nibble, gather or scalar">,
                 Option<"vectorBits", "vector-bits", "int64_t", /*default=*/"128", "Width of the CPU's vectors">,
                 Option<"f16", "f16", "bool", /*default=*/"false", "The CPU converts f16 to f32 (F16C)">,
                 Option<"bf16", "bf16", "bool", /*default=*/"false",
                        "The CPU multiplies pairs of bf16 (AVX512_BF16); with the lanes `permute`">];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::cf::ControlFlowDialect",
                           "::mlir::func::FuncDialect", "::mlir::LLVM::LLVMDialect", "::mlir::memref::MemRefDialect",
                           "::mlir::scf::SCFDialect", "::mlir::vector::VectorDialect"];
}

#endif // ECF8_CONVERSION_PASSES
