// The dialect itself: name, dependencies, hooks.
#ifndef ECF8_DIALECT_ECF8_IR_ECF8DIALECT_TD
#define ECF8_DIALECT_ECF8_IR_ECF8DIALECT_TD

include "mlir/IR/OpBase.td"

def ECF8_Dialect : Dialect {
  let name = "ecf8";
  let cppNamespace = "::mlir::ecf8";
  let summary = "Lossless compressed FP8 weights";
  let description = [{
    Types and operations for FP8 weights that are stored compressed and decoded where they are used, bit for bit.

    `!ecf8.compressed` is opaque: it is no tensor, and only `ecf8.decode` turns it into one, so a pass that does not
    know it cannot lower it wrongly in silence. What depends on the data (NaN, code lengths, exponent window) is in the
    payload's header; the type holds only the layout, so that identical layers share one compiled function.

    The dialect has no ConvertToLLVM interface on purpose: `ecf8-lower-storage` turns types and operations into
    memrefs and calls first, and nothing is left to convert.

    Attributes on operations of other dialects:

    * `ecf8.weight = "name"` on a function argument: the argument is the weight of that name (weight_c1: a string that
      is not empty; weight_c2: on an argument of a static ranked tensor type, or of its memref after bufferization).
    * `ecf8.decoder = !ecf8.compressed<...>` on a function: its body decodes payloads of that type (decoder_c1: a type
      attribute with a compressed type).
  }];
  let useDefaultAttributePrinterParser = 1;
  let useDefaultTypePrinterParser = 1;
  let hasOperationAttrVerify = 1;
  let hasRegionArgAttrVerify = 1;
  let hasConstantMaterializer = 1;
  let extraClassDeclaration = [{
    /// The argument attribute that marks a weight: a string, the weight's name.
    static constexpr ::llvm::StringLiteral kWeightAttrName = "ecf8.weight";
    /// The function attribute that marks a decoder: a type attribute with the compressed type.
    static constexpr ::llvm::StringLiteral kDecoderAttrName = "ecf8.decoder";

  private:
    void registerAttributes();
    void registerTypes();
    void registerOps();
    void registerInterfaces();

  public:
  }];
}

class ECF8_Op<string mnemonic, list<Trait> traits = []> : Op<ECF8_Dialect, mnemonic, traits>;

#endif // ECF8_DIALECT_ECF8_IR_ECF8DIALECT_TD
