// The interface that every encoding attribute implements.
#ifndef ECF8_DIALECT_ECF8_IR_ECF8INTERFACES_TD
#define ECF8_DIALECT_ECF8_IR_ECF8INTERFACES_TD

include "mlir/IR/OpBase.td"

def ECF8_EncodingAttrInterface : AttrInterface<"EncodingAttrInterface"> {
  let cppNamespace = "::mlir::ecf8";
  let description = [{
    The static layout of a payload. A new encoding joins the passes by implementing this interface.
  }];
  let methods = [
    InterfaceMethod<"The number of the encoding in the payload's header", "uint8_t", "getEncodingNumber">,
    InterfaceMethod<"The order of the elements in the payload", "::mlir::ecf8::Order", "getElementOrder">,
    InterfaceMethod<"Columns of a tile (S); 0 where the payload has no tiles", "int64_t", "getTileColumnCount">,
    InterfaceMethod<"Rows of a tile: offsets of slices are multiples of it; 1 where the payload has no tiles", "int64_t",
                    "getTileRowCount", (ins), "", [{
                      switch ($_attr.getElementOrder()) {
                      case ::mlir::ecf8::Order::row_major:
                        return 1;
                      case ::mlir::ecf8::Order::rows32:
                        return 32;
                      case ::mlir::ecf8::Order::mma:
                        break;
                      }
                      return 16;
                    }]>,
    InterfaceMethod<"The part of a decoder's function name that stands for this encoding, such as huffman_L8_S1024",
                    "std::string", "getMangledName">,
    InterfaceMethod<"Whether the payload can hold a tensor of this shape and element type", "::llvm::LogicalResult",
                    "verifyEncoding", (ins "::llvm::function_ref<::mlir::InFlightDiagnostic()>":$emitError,
                                       "::llvm::ArrayRef<int64_t>":$shape, "::mlir::Type":$elementType)>,
  ];
}

#endif // ECF8_DIALECT_ECF8_IR_ECF8INTERFACES_TD
