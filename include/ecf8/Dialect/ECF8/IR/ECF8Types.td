// The compressed tensor.
#ifndef ECF8_DIALECT_ECF8_IR_ECF8TYPES_TD
#define ECF8_DIALECT_ECF8_IR_ECF8TYPES_TD

include "ecf8/Dialect/ECF8/IR/ECF8Attributes.td"
include "mlir/IR/AttrTypeBase.td"

def ECF8_CompressedType : TypeDef<ECF8_Dialect, "Compressed"> {
  let mnemonic = "compressed";
  let summary = "A tensor in its encoded form";
  let description = [{
    Shape and element type of the decoded tensor, and the encoding with the static layout of the payload. Opaque: no
    tensor, no memref (see `docs/decisions/0002-opaque-type.md`).

    Constraints:

    * (compressed_c1) the element type is `f8E4M3FN` or `f8E5M2`
    * (compressed_c2) the shape is static, of rank 8 at most, with less than 2^56 elements
    * (compressed_c3) the encoding can hold this shape and element type

    Example:

    ```mlir
    func.func private @f(!ecf8.compressed<4096x4096xf8E4M3FN, #ecf8.huffman<tile_columns = 512>>)
    ```
  }];
  let parameters = (ins ArrayRefParameter<"int64_t">:$shape, "::mlir::Type":$elementType,
                        "::mlir::ecf8::EncodingAttrInterface":$encoding);
  let assemblyFormat = "`<` custom<ShapeAndElementType>($shape, $elementType) `,` custom<Encoding>($encoding) `>`";
  let genVerifyDecl = 1;
  let builders = [
    TypeBuilderWithInferredContext<(ins "::mlir::RankedTensorType":$decoded,
                                        "::mlir::ecf8::EncodingAttrInterface":$encoding), [{
      return $_get(decoded.getContext(), decoded.getShape(), decoded.getElementType(), encoding);
    }]>
  ];
  let extraClassDeclaration = [{
    /// The type of the whole decoded tensor.
    ::mlir::RankedTensorType getDecodedType() const;
    int64_t getRank() const { return getShape().size(); }
    int64_t getNumElements() const;
    /// The matrix view of the payload: columns = last dimension, rows = product of the others; 1 x 1 for rank 0.
    int64_t getMatrixRows() const;
    int64_t getMatrixColumns() const;
    /// The element types that a compressed tensor may have.
    static bool isValidElementType(::mlir::Type type);
  }];
}

#endif // ECF8_DIALECT_ECF8_IR_ECF8TYPES_TD
