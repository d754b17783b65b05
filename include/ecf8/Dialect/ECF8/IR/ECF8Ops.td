// The operations.
#ifndef ECF8_DIALECT_ECF8_IR_ECF8OPS_TD
#define ECF8_DIALECT_ECF8_IR_ECF8OPS_TD

include "ecf8/Dialect/ECF8/IR/ECF8ContractOp.td"
include "ecf8/Dialect/ECF8/IR/ECF8Types.td"
include "mlir/Dialect/Bufferization/IR/BufferizableOpInterface.td"
include "mlir/IR/BuiltinAttributeInterfaces.td"
include "mlir/IR/OpAsmInterface.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"
include "mlir/Interfaces/DestinationStyleOpInterface.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def ECF8_FP8Tensor : StaticShapeTensorOf<[F8E4M3FN, F8E5M2]>;
def ECF8_FP8MemRef : StaticShapeMemRefOf<[F8E4M3FN, F8E5M2]>;

def ECF8_GlobalOp : ECF8_Op<"global", [Symbol]> {
  let summary = "A weight by symbol, bound to a weights file or given inline";
  let description = [{
    Declares a weight that any function of the module may load, so that functions share it structurally. `key` is the
    tensor's name in the weights file; `value` is the content itself: an attribute of the global's type, or the payload
    bytes where the type is compressed.

    With the attribute `ecf8.transposed`, a plain tensor under `key` in the weights file is the transpose of the global: its
    last two dimensions are exchanged when the program is compiled. A payload under `key` is taken as it is.

    A global is never written to. A private global that nothing loads is removed by `symbol-dce`.

    Constraints:

    * (global_c1) exactly one of `key` and `value` is there
    * (global_c2) `type` is a ranked tensor of static shape with less than 2^56 elements, or a compressed type
    * (global_c3) the type of `value` is `type`; for a compressed `type` see constant_c1 to constant_c3
    * (global_c4) `key` is not empty
    * (global_c5) `ecf8.transposed` is a unit attribute beside a `key`, and `type` has two dimensions or three

    Example:

    ```mlir
    ecf8.global private @weight key("layers.0.weight") : !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>
    ecf8.global private @bias value(dense<1.0> : tensor<64xf32>) : tensor<64xf32>
    ecf8.global private @down key("down") attributes {ecf8.transposed} : tensor<128x64xf8E4M3FN> // [64, 128] in the file
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, OptionalAttr<StrAttr>:$sym_visibility, TypeAttr:$type,
                       OptionalAttr<StrAttr>:$key, OptionalAttr<ElementsAttr>:$value);
  let assemblyFormat = [{
    (custom<Visibility>($sym_visibility)^)? $sym_name (`key` `(` $key^ `)`)? (`value` `(` $value^ `)`)?
    attr-dict-with-keyword `:` $type
  }];
  let builders = [
    OpBuilder<(ins "::llvm::StringRef":$name, "::mlir::Type":$type, "::llvm::StringRef":$key), [{
      build($_builder, $_state, name, $_builder.getStringAttr("private"), type, $_builder.getStringAttr(key), {});
    }]>,
    OpBuilder<(ins "::llvm::StringRef":$name, "::mlir::Type":$type, "::mlir::ElementsAttr":$value), [{
      build($_builder, $_state, name, $_builder.getStringAttr("private"), type, {}, value);
    }]>
  ];
  let extraClassDeclaration = [{
    /// The tensor type of the weight, decoded where the global is compressed.
    ::mlir::RankedTensorType getDecodedType();
    bool isCompressed() { return ::llvm::isa<CompressedType>(getType()); }
    static constexpr ::llvm::StringLiteral kTransposedAttrName = "ecf8.transposed";
    bool isTransposed() { return (*this)->hasAttr(kTransposedAttrName); }
  }];
  let hasVerifier = 1;
}

def ECF8_GlobalLoadOp : ECF8_Op<"global.load", [
    Pure, DeclareOpInterfaceMethods<SymbolUserOpInterface>, DeclareOpInterfaceMethods<OpAsmOpInterface, ["getAsmResultNames"]>,
    DeclareOpInterfaceMethods<BufferizableOpInterface, ["bufferize", "isWritable", "getBufferType"]>]> {
  let summary = "The value of a global";
  let description = [{
    Gives the whole weight: as a tensor, as a compressed value, or, after bufferization, as a memref that must not be
    written to. Pure, since a weight never changes.

    Constraints:

    * (load_c1) the symbol names an `ecf8.global`
    * (load_c2) the result type is the global's type, or the identity memref of the global's tensor type

    Example:

    ```mlir
    %w = ecf8.global.load @weight : !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>
    %b = ecf8.global.load @bias : tensor<64xf32>
    ```
  }];
  let arguments = (ins FlatSymbolRefAttr:$global);
  let results = (outs AnyTypeOf<[AnyStaticShapeTensor, AnyStaticShapeMemRef, ECF8_CompressedType]>:$result);
  let assemblyFormat = "$global attr-dict `:` qualified(type($result))";
}

def ECF8_ConstantOp : ECF8_Op<"constant", [Pure, ConstantLike]> {
  let summary = "A payload inline in the IR";
  let description = [{
    The compressed value whose payload stands in the attribute, usually a resource.

    Constraints:

    * (constant_c1) `payload` is a one-dimensional tensor of `i8`
    * (constant_c2) its size is a multiple of 64 and 192 (the header) at least, and a resource holds as many bytes
    * (constant_c3) the payload's header agrees with the type: magic, version, element type, encoding, shape. Not
      checked where the bytes are not there, as in IR printed with elided resources

    Example:

    ```mlir
    %c = ecf8.constant dense_resource<payload> : tensor<256xi8> : !ecf8.compressed<1x16xf8E4M3FN, #ecf8.raw>
    ```
  }];
  let arguments = (ins ElementsAttr:$payload);
  let results = (outs ECF8_CompressedType:$result);
  let assemblyFormat = "$payload attr-dict `:` qualified(type($result))";
  let hasFolder = 1;
  let hasVerifier = 1;
}

def ECF8_EncodeOp : ECF8_Op<"encode", [
    Pure,
    TypesMatchWith<"source is the decoded type of the result", // encode_c1
                   "result", "source", "::llvm::cast<CompressedType>($_self).getDecodedType()">]> {
  let summary = "Encode a tensor";
  let description = [{
    Compile-time only: `ecf8-compress-weights` evaluates it on constants, and `decode(encode(x))` folds to `x`. What is
    left over is an error when the program is lowered.

    Constraints:

    * (encode_c1) `type(source) = decoded(type(result))`

    Example:

    ```mlir
    %c = ecf8.encode %w : !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>
    ```
  }];
  let arguments = (ins ECF8_FP8Tensor:$source);
  let results = (outs ECF8_CompressedType:$result);
  let assemblyFormat = "$source attr-dict `:` qualified(type($result))";
  let hasFolder = 1;
}

def ECF8_DecodeOp : ECF8_Op<"decode", [
    AttrSizedOperandSegments, DeclareOpInterfaceMethods<MemoryEffectsOpInterface>,
    DeclareOpInterfaceMethods<ConditionallySpeculatable>,
    DeclareOpInterfaceMethods<BufferizableOpInterface, ["bufferize", "bufferizesToAllocation", "getBufferType"]>]> {
  let summary = "Decode a compressed tensor, or a slice of it, into plain FP8";
  let description = [{
    Produces the FP8 elements that `source` encodes, bit for bit: as a tensor, or written into `destination`. With
    offsets, one per dimension and in elements, the slice of the result's shape that begins there. Dynamic offsets must
    keep decode_c4 and decode_c5 at run time.

    Constraints:

    * (decode_c1) either one result or a `destination`
    * (decode_c2) element type and rank are those of the source; without offsets the shape is too
    * (decode_c3) as many offsets as dimensions, or none
    * (decode_c4) the slice lies inside the tensor
    * (decode_c5) an offset along the last dimension is a multiple of the tile's columns, and the row where the slice
      begins, in the matrix view (all dimensions but the last as rows), a multiple of the tile's rows
    * (decode_c6) the slice is a block of rows of the matrix view: of the dimensions but the last, those before some
      dimension have size 1 and those after it are whole
    * (decode_c7) the destination has a strided layout with a unit stride along the last dimension

    Example:

    ```mlir
    %w = ecf8.decode %c : !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>
    %s = ecf8.decode %c[%row, 0] : !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman> to tensor<32x128xf8E4M3FN>
    ecf8.decode %c into %m : !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>, memref<64x128xf8E4M3FN>
    ecf8.decode %c[32, 0] into %n : !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>, memref<32x128xf8E4M3FN>
    ```
  }];
  let arguments = (ins ECF8_CompressedType:$source, Variadic<Index>:$offsets,
                       DefaultValuedAttr<DenseI64ArrayAttr, "{}">:$static_offsets,
                       Optional<ECF8_FP8MemRef>:$destination);
  let results = (outs Optional<ECF8_FP8Tensor>:$result);
  let hasCustomAssemblyFormat = 1;
  let builders = [
    /// The whole tensor.
    OpBuilder<(ins "::mlir::Value":$source)>,
    /// The slice of `resultType`'s shape at `offsets`.
    OpBuilder<(ins "::mlir::RankedTensorType":$resultType, "::mlir::Value":$source,
                   "::llvm::ArrayRef<::mlir::OpFoldResult>":$offsets)>,
    /// The whole tensor, or the slice at `offsets` where there are any, into `destination`.
    OpBuilder<(ins "::mlir::Value":$source, "::llvm::ArrayRef<::mlir::OpFoldResult>":$offsets,
                   "::mlir::Value":$destination)>
  ];
  let extraClassDeclaration = [{
    /// Whether the op decodes the whole tensor by form: without offsets.
    bool isWhole() { return getStaticOffsets().empty(); }
    /// One entry per dimension, or none for the whole.
    ::llvm::SmallVector<::mlir::OpFoldResult> getMixedOffsets();
    /// The shape that is decoded: of the result or of the destination.
    ::mlir::ShapedType getDecodedShape();
    CompressedType getSourceType() { return ::llvm::cast<CompressedType>(getSource().getType()); }
    ::mlir::Value getSliced() { return getSource(); }
    ::llvm::ArrayRef<int64_t> getSliceSizes() { return getDecodedShape().getShape(); }
  }];
  let hasVerifier = 1;
  let hasFolder = 1;
  let hasCanonicalizer = 1;
}

#endif // ECF8_DIALECT_ECF8_IR_ECF8OPS_TD
