// Encodings: how the payload of a compressed tensor is laid out.
#ifndef ECF8_DIALECT_ECF8_IR_ECF8ATTRIBUTES_TD
#define ECF8_DIALECT_ECF8_IR_ECF8ATTRIBUTES_TD

include "ecf8/Dialect/ECF8/IR/ECF8Dialect.td"
include "ecf8/Dialect/ECF8/IR/ECF8Interfaces.td"
include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"

// The numbers are those of the payload's header.
def ECF8_Order : I32EnumAttr<"Order", "order of the elements over lanes and steps", [
  I32EnumAttrCase<"row_major", 0>,
  I32EnumAttrCase<"rows32", 1>,
  I32EnumAttrCase<"mma", 2>,
]> {
  let cppNamespace = "::mlir::ecf8";
  let genSpecializedAttr = 0;
}

def ECF8_Stream : I32EnumAttr<"Stream", "layout of the coded bits", [
  I32EnumAttrCase<"interleaved", 1>,
  I32EnumAttrCase<"segments", 2>,
]> {
  let cppNamespace = "::mlir::ecf8";
  let genSpecializedAttr = 0;
}

class ECF8_EncodingAttr<string name, string attrMnemonic>
    : AttrDef<ECF8_Dialect, name, [DeclareAttrInterfaceMethods<ECF8_EncodingAttrInterface>]> {
  let mnemonic = attrMnemonic;
  let genVerifyDecl = 1;
  let assemblyFormat = "(`<` struct(params)^ `>`)?";
}

def ECF8_RawAttr : ECF8_EncodingAttr<"Raw", "raw"> {
  let summary = "Plain FP8 bytes in a payload";
  let description = [{
    Not compressed, through the same pipeline: the fallback where nothing is gained, and the dense baseline.

    Constraints:

    * (raw_c1) `tile_columns` is 0 for order `row_major`
    * (raw_c2) `tile_columns` is a positive multiple of 16 below 2^32 for order `rows32`
    * (raw_c3) `tile_columns` is a positive multiple of 128, at most 1024, for order `mma`

    Example:

    ```mlir
    %0 = ecf8.global.load @a : !ecf8.compressed<64x128xf8E4M3FN, #ecf8.raw>
    %1 = ecf8.global.load @b : !ecf8.compressed<64x128xf8E5M2, #ecf8.raw<order = rows32, tile_columns = 1024>>
    %2 = ecf8.global.load @c : !ecf8.compressed<64x128xf8E4M3FN, #ecf8.raw<order = mma, tile_columns = 1024>>
    ```
  }];
  let parameters = (ins
    DefaultValuedParameter<"::mlir::ecf8::Order", "::mlir::ecf8::Order::row_major", "order of the elements">:$order,
    DefaultValuedParameter<"int64_t", "0", "columns of a tile">:$tile_columns);
}

def ECF8_HuffmanAttr : ECF8_EncodingAttr<"Huffman", "huffman"> {
  let summary = "Canonical length-limited prefix code over the exponents";
  let description = [{
    The exponents of the tensor are coded with one prefix code per tensor, sign and mantissa are stored as they are.
    Tiles of 32 rows and `tile_columns` columns decode independently. For matrix units of GPUs, in order `mma` and tiles of
    16 rows, the codes of each lane lie together (`segments`), and a code stands for the upper exponent bits of `group`
    neighbours: quads (4), pairs (2) or single elements (1).

    Constraints:

    * (huffman_c1) `group` is 1; 1, 2 or 4 for order `mma`
    * (huffman_c2) `raw_exponent_bits` is 0; for order `mma` the exponent bits that are not coded: 2 of them are for group 4,
      4 for the groups 1 and 2
    * (huffman_c3) `max_code_length` is 7 or 8; for order `mma` 8 to 12 with group 2, 9 to 12 with group 4
    * (huffman_c4) `order` and `stream` are `rows32` and `interleaved`, or `mma` and `segments`
    * (huffman_c5) `tile_columns` is a positive multiple of 16 below 2^32; for order `mma` of 128, at most 1024

    Example:

    ```mlir
    %0 = ecf8.global.load @a : !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>
    %1 = ecf8.global.load @b : !ecf8.compressed<64x128xf8E5M2, #ecf8.huffman<max_code_length = 7, tile_columns = 256>>
    %2 = ecf8.global.load @c : !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman<group = 4, raw_exponent_bits = 2, max_code_length = 11, stream = segments, order = mma>>
    ```
  }];
  let parameters = (ins
    DefaultValuedParameter<"int64_t", "1", "neighbouring weights coded as one symbol">:$group,
    DefaultValuedParameter<"int64_t", "0", "low exponent bits that are not coded">:$raw_exponent_bits,
    DefaultValuedParameter<"int64_t", "8", "longest code in bits">:$max_code_length,
    DefaultValuedParameter<"::mlir::ecf8::Stream", "::mlir::ecf8::Stream::interleaved", "layout of the coded bits">:$stream,
    DefaultValuedParameter<"::mlir::ecf8::Order", "::mlir::ecf8::Order::rows32", "order of the elements">:$order,
    DefaultValuedParameter<"int64_t", "1024", "columns of a tile">:$tile_columns);
  let builders = [
    /// The given code length limit and tile width, everything else by default.
    AttrBuilder<(ins "int64_t":$maxCodeLength, "int64_t":$tileColumns), [{
      return $_get($_ctxt, 1, 0, maxCodeLength, Stream::interleaved, Order::rows32, tileColumns);
    }]>
  ];
}

def ECF8_PlanesAttr : ECF8_EncodingAttr<"Planes", "planes"> {
  let summary = "Exponents in three nested planes of fixed-width codes";
  let description = [{
    Two bits of each element name one of the three most frequent exponents or say escape, two bits of each escape one of
    the next three, and what is left gives its exponent itself. Some 0.1 bits per weight larger than `huffman` and
    faster to decode, most of all without AVX-512. The order is `rows32`; tiles of 32 rows and `tile_columns` columns
    decode independently.

    Constraints:

    * (planes_c1) `tile_columns` is a positive multiple of 16, at most 1024

    Example:

    ```mlir
    %0 = ecf8.global.load @a : !ecf8.compressed<64x128xf8E4M3FN, #ecf8.planes>
    %1 = ecf8.global.load @b : !ecf8.compressed<64x128xf8E5M2, #ecf8.planes<tile_columns = 64>>
    ```
  }];
  let parameters = (ins DefaultValuedParameter<"int64_t", "256", "columns of a tile">:$tile_columns);
}

#endif // ECF8_DIALECT_ECF8_IR_ECF8ATTRIBUTES_TD
