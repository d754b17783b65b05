// The passes on tensors: weights to globals, FP8 weights to compressed ones.
#ifndef ECF8_DIALECT_ECF8_TRANSFORMS_PASSES_TD
#define ECF8_DIALECT_ECF8_TRANSFORMS_PASSES_TD

include "mlir/Pass/PassBase.td"

def ExternalizeWeightsPass : Pass<"ecf8-externalize-weights", "::mlir::ModuleOp"> {
  let summary = "Turn constants and weight arguments into globals";
  let description = [{
    In: tensor constants of `min-bytes` at least, and function arguments that carry `ecf8.weight`.
    Out: one private `ecf8.global` per constant value and per weight name, loaded once at the start of each function that
    uses it. A constant keeps its content inline as the global's value; an argument becomes the global's key, and
    disappears from the function's signature and from the calls in the module.
    Left alone: smaller constants, splats, constants outside of functions.
    Errors: a weight name with two types; a weight argument of a function without a body, of a function that is used
    other than by a direct call, or that a caller binds to anything but the weight of the same name.
    Place in the pipeline: first, before `ecf8-compress-weights`.

    Example: `test/Dialect/ECF8/Transforms/externalize-weights.mlir`.
  }];
  let options = [Option<"minBytes", "min-bytes", "int64_t", /*default=*/"1024", "Smallest constant that becomes a global">];
  let dependentDialects = ["::mlir::ecf8::ECF8Dialect"];
}

def TransposeWeightsPass : Pass<"ecf8-transpose-weights", "::mlir::ModuleOp"> {
  let summary = "Store FP8 weights the way that contractions read them";
  let description = [{
    In: FP8 `ecf8.global`s of two dimensions, [K, N], or of three, [E, K, N], whose every reader leads to a contraction
    that `ecf8-fuse-decode` would take if the last two dimensions were exchanged: `x @ W`, the layers of GPT-2, experts
    that are multiplied by `bmm`. A contraction sums along the rows of the stored weight, so these lie the wrong way.
    Out: the global as [N, K], and a `linalg.transpose` back behind each load, which the fusion sees through. A `value` is
    transposed here; a global with a `key` gets the attribute `ecf8.transposed`, and whoever binds the file transposes.
    Left alone: weights with any other reader, of other types, and of fewer than `min-elements` elements. Remarks of the
    category `ecf8-transpose-weights` say what was transposed.
    Place in the pipeline: after `ecf8-externalize-weights`, before files are bound and before `ecf8-compress-weights`.

    Example: `test/Dialect/ECF8/Transforms/transpose-weights.mlir`.
  }];
  let options = [Option<"minElements", "min-elements", "int64_t", /*default=*/"1024", "Smallest weight that is transposed">];
  let dependentDialects = ["::mlir::ecf8::ECF8Dialect", "::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect"];
}

def CompressWeightsPass : Pass<"ecf8-compress-weights", "::mlir::ModuleOp"> {
  let summary = "Compress the FP8 weights and decode them before their use";
  let description = [{
    In: `ecf8.global`s and constants of element type `f8E4M3FN` or `f8E5M2`; the element type alone decides, never a name.
    Out: globals of compressed type, `ecf8.constant`s, and one `ecf8.decode` per function and weight, before the first use
    and outside of the loops around it. Contents that are inline are encoded here; what comes from a file by key keeps
    its key, and whoever binds the file encodes it. An `ecf8.encode` of a constant is evaluated. `codec=raw` means tiles of
    32 rows where a matrix fills one, or each of several in three dimensions fills them, so that `ecf8-fuse-decode` takes
    it like the others, and else row-major.
    With `codec=auto`, contents that are no smaller when encoded become `#ecf8.raw` in such tiles, if contractions that
    `ecf8-fuse-decode` takes are all that reads the weight: the fused contraction reads tiles. At most 31 rows and 15
    columns of padding are stored with them.
    Left alone: weights of fewer than `min-elements` elements, of more than 8 dimensions, of other element types, and
    with `codec=auto` other contents that are no smaller when encoded. Remarks of the category `ecf8-compress-weights` say
    what was compressed (passed, `Compressed`), what is in tiles and no smaller (passed, `Tiled`), what was left alone and
    why (missed), and which weights are not FP8 (analysis). The reason for what is no smaller begins with `size`.
    Errors: options that name no layout; a payload that cannot be built.
    Place in the pipeline: after `ecf8-externalize-weights`, before bufferization.

    Example: `test/Dialect/ECF8/Transforms/compress-weights.mlir`.
  }];
  let options = [
    Option<"codec", "codec", "std::string", /*default=*/"\"auto\"", "Encoding: auto (by target), raw, huffman, planes, or for GPUs quads, pairs, classic">,
    Option<"minElements", "min-elements", "int64_t", /*default=*/"1024", "Smallest weight that is compressed">,
    Option<"maxCodeLength", "max-code-length", "int64_t", /*default=*/"0",
           "Longest code in bits (0: 8 for huffman and classic, 11 for quads, 12 for pairs)">,
    Option<"tileColumns", "tile-columns", "int64_t", /*default=*/"0",
           "Columns of a tile (0: 256 for planes, 1024 for others)">,
    Option<"target", "target", "std::string", /*default=*/"\"cpu\"", "Machine that codec=auto chooses for: cpu">,
  ];
  let dependentDialects = ["::mlir::ecf8::ECF8Dialect"];
}

def FuseDecodePass : Pass<"ecf8-fuse-decode", "::mlir::func::FuncOp"> {
  let summary = "Move each decode into the contractions that read the weight";
  let description = [{
    In: `ecf8.decode`s of matrices, or of several in one tensor [E, N, K] (experts), whose readers extend, scale, round,
    transpose, reshape, pad, cut and repeat the weight, as `linalg.generic`s, named ops or elementwise ops on tensors, and
    end in contractions: `linalg.matmul` with any indexing maps, `matvec`, `vecmat`, `batch_matmul` with one weight for
    all matrices, and `linalg.generic`s that are contractions, with activations of any rank. Activations that are the same
    for an index of the result are repeated for it.
    A scale multiplies or divides the weight. It is one for the tensor, for each row, or for blocks, ragged ones included;
    where the program repeats it for each weight (`repeat_interleave`; `expand` and `view`), the tensor before the
    repetition is taken, transposed where its columns come before its rows. Padding must be cut off again before the contraction. Where a scaled and
    rounded weight is extended again, the activations must be an extension from the same type, and are taken before it.
    Out: one `ecf8.contract` for each contraction, between transpositions of activations and result where these do not
    lie as [..., K] and [..., N]. The decode and what was done to the weight are gone. Of experts, one contraction reads
    the matrix that the program takes as a slice, by a static or dynamic offset; or each reads its own, in a loop around
    an `ecf8.contract` on slices of activations and result, where the contraction has the experts as a dimension of the
    result and, unless all share them, of the activations (`batch_matmul`). Scales are those of the expert.
    With `arithmetic=epilogue` scales are applied to sums instead of weights (`scales_sums` of `ecf8.contract`): faster, and
    with another rounding than the program's. What has no scale stays as written, and so do weights of fewer than 32 rows
    or 16 columns, and experts whose tiles would have padding: with `codec=raw` they are not in tiles and so not fused,
    and the mode has one result for all encodings.
    With `for-gpu`, where the weight has no scale or its scales are applied to sums, activations are taken before
    extensions: as FP8 with `fp8-activations` (W8A8), else as f16 or bf16, which hold FP8 exactly (W8A16).
    Left alone: a decode with a reader that is none of these, weights of another rank than 2 and 3, and experts of a
    number of rows that is no multiple of 32, since only a tile can be the first.
    A weight with several readers: if all end in contractions, each of these decodes the weight for itself. Otherwise it
    is decoded once, as a whole, for all readers: reading it a second time, compressed, would gain nothing.
    Remarks of the category `ecf8-fuse-decode` say what was fused (passed; for GPUs `Path` is the bits of weights and
    activations: W8A8 or W8A16), what was not and why (missed), and which of the two was taken for a weight with several
    readers (analysis). A reason begins with its code: `encoding`, `rank`, `reader`, `arithmetic`, `scale`, `layout`,
    `type`, `slice`, `unused`, `target`. `Name` is the weight's key or symbol.
    Place in the pipeline: after `ecf8-compress-weights`, before bufferization and other fusions.

    Example: `test/Dialect/ECF8/Transforms/fuse-decode.mlir`.
  }];
  let options = [Option<"arithmetic", "arithmetic", "std::string", /*default=*/"\"as-written\"",
                        "Where scales are applied: as-written or epilogue">,
                 Option<"forGpu", "for-gpu", "bool", /*default=*/"false",
                        "Only what kernels of GPUs do: activations of f16, bf16 or FP8, scales that multiply">,
                 Option<"fp8Activations", "fp8-activations", "bool", /*default=*/"false",
                        "Take activations that are extended from FP8 as FP8">];
  let dependentDialects = ["::mlir::ecf8::ECF8Dialect", "::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect",
                           "::mlir::scf::SCFDialect", "::mlir::tensor::TensorDialect"];
}

def FuseEpiloguePass : Pass<"ecf8-fuse-epilogue", "::mlir::func::FuncOp"> {
  let summary = "Move elementwise ops on the result of a contraction into its epilogue";
  let description = [{
    In: `ecf8.contract`s on tensors whose result has one reader, an elementwise `linalg.generic` (all loops parallel) in the
    same block, directly or through a reshape that splits the rows: rounding, bias, activation, residual, the other half
    of a gated layer. Operands are matrices like the result, or repeated over its rows, its columns or both.
    Out: the op's body in the epilogue of the contraction, one reader after the other, and its operands in `extras`; the
    contraction stands where the op stood. The matrix of sums is gone, and so are its zeros.
    Left alone: contractions with several readers, those whose sums do not start at zero, and, without `scaled-sums`, those
    that scale their sums.
    Remarks of the category `ecf8-fuse-epilogue` say what was fused (passed), and which elementwise reader was not and why
    (missed). A reason begins with its code: `readers`, `reader`, `block`, `arithmetic`, `accumulator`, `type`, `layout`,
    `operand`, `body`. `Name` is the weight's key or symbol.
    Place in the pipeline: after `ecf8-fuse-decode`, and after `ecf8-fuse-elementwise`, which makes one reader of the ops
    of an activation that read each other's operand twice; before bufferization.

    Example: `test/Dialect/ECF8/Transforms/fuse-epilogue.mlir`.
  }];
  let options = [Option<"scaledSums", "scaled-sums", "bool", /*default=*/"false",
                        "Fuse into contractions that scale their sums, too">];
  let dependentDialects = ["::mlir::ecf8::ECF8Dialect", "::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect",
                           "::mlir::tensor::TensorDialect"];
}

#endif // ECF8_DIALECT_ECF8_TRANSFORMS_PASSES_TD
