// The contraction of the dialect and what ends its region.
#ifndef ECF8_DIALECT_ECF8_IR_ECF8CONTRACTOP_TD
#define ECF8_DIALECT_ECF8_IR_ECF8CONTRACTOP_TD

include "ecf8/Dialect/ECF8/IR/ECF8Types.td"
include "mlir/Dialect/Bufferization/IR/BufferizableOpInterface.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"
include "mlir/Interfaces/DestinationStyleOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def ECF8_Matrix : AnyTypeOf<[2DTensorOf<[F32, BF16, F16]>, StridedMemRefRankOf<[F32, BF16, F16], [2]>]>;
// Not a list with FP8 for all operands: what is added and what comes out has more bits.
def ECF8_Activations : AnyTypeOf<[2DTensorOf<[F32, BF16, F16, F8E4M3FN, F8E5M2]>,
                                  StridedMemRefRankOf<[F32, BF16, F16, F8E4M3FN, F8E5M2], [2]>]>;

def ECF8_ContractOp : ECF8_Op<"contract", [
    AttrSizedOperandSegments, IsolatedFromAbove, SingleBlock, DestinationStyleOpInterface,
    DeclareOpInterfaceMethods<MemoryEffectsOpInterface>,
    DeclareOpInterfaceMethods<BufferizableOpInterface,
                              ["bufferizesToMemoryRead", "bufferizesToMemoryWrite", "getAliasingValues", "bufferize"]>]> {
  let summary = "Multiply activations by a compressed weight that is never decoded as a whole";
  let description = [{
    Adds the product of `activations` [M, K] and the transposed `weight` [N, K] to `accumulator` [M, N]:

        result[m, n] = accumulator[m, n] + sum over k of activations[m, k] * w[n, k]
        w[n, k] = round(extend(weight[n, k]) * scale[n / block[0], k / block[1]])

    Each weight is extended to the element type of `scale`, multiplied by its scale, rounded, and then rounded to the
    element type of `activations`; without a scale it is extended to that type at once. Factors are extended to f32;
    products are rounded to f32 and added to `accumulator` one by one, in the order of k. So the result has the bytes
    that the loops of the unfused program give, whatever the encoding, the instruction set and the number of threads.

    With `scales_sums` the scales are applied to sums instead of weights, as serving kernels do:

        result[m, n] = accumulator[m, n] + sum over blocks b of scale[n / block[0], b] * s[m, n, b]
        s[m, n, b] = sum over the k of block b of activations[m, k] * extend(weight[n, k])

    Each s begins at zero and adds up its products in the order of k as above; its product with the scale, extended to
    f32, is rounded to f32 and added to `accumulator`, in the order of b. Weights are not rounded. The result is another
    than that of the unfused program, and as much the same for all encodings, instruction sets and numbers of threads.

    Where activations are FP8, weights are extended to f32. What scales the activations is applied to sums by an epilogue.

    With `divides` a scale divides instead: weights, or with `scales_sums` sums, are divided by it where the above says
    that they are multiplied.

    With offsets, one per dimension and in elements, `weight` is not the whole but the slice [1, ..., 1, N, K] that begins
    there: one expert's matrix of [E, N, K], or some rows of a matrix. Scales and blocks are those of the slice. Dynamic
    offsets must keep contract_c8 at run time, which is checked in the matrix view (all dimensions but the last as rows).

    With an `epilogue`, sums start at +0.0 in f32, and each becomes an element of the result by the ops of the region,
    from the sum and one element of each of `extras`: bias, residual, a factor. `accumulator` only takes the result:
    what was in it is not read. So no matrix of sums is written and read again.

    Constraints:

    * (contract_c1) `activations`, `scale`, `extras` and `accumulator` are tensors, and the result has the type of
      `accumulator`; or they are memrefs with unit stride along the last dimension and no memory space, and there is no
      result. In `extras`, a last dimension of size 1 may have any stride
    * (contract_c2) `weight` is a matrix [N, K], or has two dimensions at least where there are offsets; `activations` is
      [M, K], `accumulator` is [M, N]; M alone may be dynamic
    * (contract_c3) `accumulator` is f32, unless there is an epilogue
    * (contract_c4) `block` is there exactly if `scale` is, with two positive sizes; what is scaled has elements
    * (contract_c5) `scale` is [ceil(N / block[0]), ceil(K / block[1])]
    * (contract_c6) the element type of `scale` is f32 or that of `activations`
    * (contract_c7) `block` is one row by the whole of K, or a multiple of 32 rows, or the whole of N, by a multiple of 64
      columns (128 in order mma) or the whole of K; several blocks in a row of `weight` need tiles of a multiple of 64 columns, or one tile
    * (contract_c8) offsets and the slice [1, ..., 1, N, K] obey decode_c3 to decode_c5; the last offset is 0
    * (contract_c9) `scales_sums` and `divides` are there only if `scale` is
    * (contract_c10) each of `extras` is [M, N], [1, N], [M, 1] or [1, 1], the static size 1 meaning the same elements for
      all rows or columns; there are none without an epilogue
    * (contract_c11) the arguments of the epilogue are a sum in f32 and an element of each of `extras`; it yields an
      element of `accumulator`
    * (contract_c12) the ops of the epilogue are constants and elementwise: they work on vectors, too
    * (contract_c13) with activations of FP8 a scale is of f32 and there with `scales_sums`

    Example:

    ```mlir
    %0 = ecf8.contract ins(%x, %c : tensor<?x128xf32>, !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>)
        outs(%acc : tensor<?x64xf32>) -> tensor<?x64xf32>
    %1 = ecf8.contract ins(%x, %c : tensor<?x128xf32>, !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>)
        scale(%s : tensor<64x1xf32>) block [1, 128] outs(%acc : tensor<?x64xf32>) -> tensor<?x64xf32>
    %2 = ecf8.contract ins(%x, %experts[%e, 0, 0] : tensor<?x128xf32>, !ecf8.compressed<8x64x128xf8E4M3FN, #ecf8.huffman>)
        outs(%acc : tensor<?x64xf32>) -> tensor<?x64xf32>
    %3 = ecf8.contract ins(%x, %c : tensor<?x128xf32>, !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>)
        outs(%out : tensor<?x64xbf16>) epilogue(%bias : tensor<1x64xf32>) {
    ^bb0(%sum: f32, %b: f32):
      %4 = arith.addf %sum, %b : f32
      %5 = arith.truncf %4 : f32 to bf16
      ecf8.yield %5 : bf16
    } -> tensor<?x64xbf16>
    ```
  }];
  let arguments = (ins ECF8_Activations:$activations, ECF8_CompressedType:$weight, Variadic<Index>:$offsets,
                       DefaultValuedAttr<DenseI64ArrayAttr, "{}">:$static_offsets, Optional<ECF8_Matrix>:$scale,
                       ECF8_Matrix:$accumulator, Variadic<ECF8_Matrix>:$extras,
                       DefaultValuedAttr<DenseI64ArrayAttr, "{}">:$block,
                       UnitAttr:$scales_sums, UnitAttr:$divides);
  let regions = (region AnyRegion:$epilogue);
  let results = (outs Optional<2DTensorOf<[F32, BF16, F16]>>:$result);
  let assemblyFormat = [{
    `ins` `(` $activations `,` $weight `` custom<SliceOffsets>($offsets, $static_offsets) `:` type($activations) `,` qualified(type($weight)) `)`
    (`scale` `(` $scale^ `:` type($scale) `)` `block` $block)?
    `outs` `(` $accumulator `:` type($accumulator) `)`
    (`epilogue` (`(` $extras^ `:` type($extras) `)`)? $epilogue^)? attr-dict (`->` type($result)^)?
  }];
  let builders = [
    /// On tensors. `scale` may be null; then `block` is empty. Without offsets for the whole weight.
    OpBuilder<(ins "::mlir::Value":$activations, "::mlir::Value":$weight, "::mlir::Value":$scale,
                   "::llvm::ArrayRef<int64_t>":$block, "::mlir::Value":$accumulator,
                   CArg<"::llvm::ArrayRef<::mlir::OpFoldResult>", "{}">:$offsets)>
  ];
  let extraClassDeclaration = [{
    CompressedType getWeightType() { return ::llvm::cast<CompressedType>(getWeight().getType()); }
    ::mlir::ShapedType getActivationsType() { return ::llvm::cast<::mlir::ShapedType>(getActivations().getType()); }
    /// One entry per dimension of the weight, or none for the whole.
    ::llvm::SmallVector<::mlir::OpFoldResult> getMixedOffsets();
    ::mlir::Value getSliced() { return getWeight(); }
    /// The shape of the slice, 1 but for the last two dimensions.
    ::llvm::SmallVector<int64_t> getSliceSizes();
    /// N: the rows of the weight, or of the slice of it.
    int64_t getWeightRowCount() { return ::llvm::cast<::mlir::ShapedType>(getAccumulator().getType()).getDimSize(1); }
    /// Whether the op can have this block of scales for so many rows of a weight of this type. [contract_c7]
    static bool isValidBlock(CompressedType weight, int64_t rows, ::llvm::ArrayRef<int64_t> block);
    bool hasEpilogue() { return !getEpilogue().empty(); }
    /// Whether an epilogue can have this op, leaving aside its terminator. [contract_c12]
    static bool isValidInEpilogue(::mlir::Operation *op);
    ::mlir::MutableOperandRange getDpsInitsMutable() { return getAccumulatorMutable(); }
  }];
  let hasVerifier = 1;
  let hasRegionVerifier = 1;
  let hasCanonicalizer = 1;
}

def ECF8_YieldOp : ECF8_Op<"yield", [Pure, ReturnLike, Terminator, HasParent<"ContractOp">]> {
  let summary = "The element that an epilogue makes of a sum";
  let description = [{
    Ends the epilogue of an `ecf8.contract`, whose example has one.
  }];
  let arguments = (ins AnyFloat:$value);
  let assemblyFormat = "$value attr-dict `:` type($value)";
}

#endif // ECF8_DIALECT_ECF8_IR_ECF8CONTRACTOP_TD
