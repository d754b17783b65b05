// Globals, constants and encode: verifiers and folders. Decode has its own file.
#include "ecf8/Dialect/ECF8/IR/ECF8Ops.h"

#include "SliceOffsets.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "mlir/IR/OpImplementation.h"
#include "llvm/Support/Endian.h"

using namespace mlir;
using namespace mlir::ecf8;

/// visibility ::= `public` | `private` | `nested`
static OptionalParseResult parseVisibility(OpAsmParser &parser, StringAttr &visibility) {
  StringRef keyword;
  if (failed(parser.parseOptionalKeyword(&keyword, {"public", "private", "nested"})))
    return std::nullopt;
  visibility = parser.getBuilder().getStringAttr(keyword);
  return ParseResult::success();
}

static void printVisibility(OpAsmPrinter &printer, Operation *, StringAttr visibility) {
  printer << visibility.getValue();
}

#define GET_OP_CLASSES
#include "ecf8/Dialect/ECF8/IR/ECF8Ops.cpp.inc"

void ECF8Dialect::registerOps() {
  addOperations<
#define GET_OP_LIST
#include "ecf8/Dialect/ECF8/IR/ECF8Ops.cpp.inc"
      >();
}

//===----------------------------------------------------------------------===//
// Payloads
//===----------------------------------------------------------------------===//

ArrayRef<char> mlir::ecf8::getPayloadBytes(ElementsAttr payload) {
  if (auto resource = dyn_cast<DenseResourceElementsAttr>(payload)) {
    AsmResourceBlob *blob = resource.getRawHandle().getBlob();
    return blob ? blob->getData() : ArrayRef<char>();
  }
  if (auto dense = dyn_cast<DenseElementsAttr>(payload); dense && !dense.isSplat())
    return dense.getRawData();
  return {};
}

/// constant_c1 to constant_c3, for `ecf8.constant` and for compressed globals with a value.
static LogicalResult verifyPayload(Operation *op, ElementsAttr payload, CompressedType type) {
  constexpr size_t headerBytes = 192;
  auto payloadType = dyn_cast<RankedTensorType>(payload.getType());
  if (!payloadType || payloadType.getRank() != 1 || !payloadType.getElementType().isSignlessInteger(8)) // constant_c1
    return op->emitOpError() << "expected a payload of type 'tensor<Nxi8>', got " << payload.getType();
  int64_t size = payloadType.getNumElements();
  if (size % 64 != 0 || size < static_cast<int64_t>(headerBytes)) // constant_c2
    return op->emitOpError() << "expected a payload of a multiple of 64 bytes and 192 at least, got " << size;
  ArrayRef<char> bytes = getPayloadBytes(payload);
  if (bytes.empty())
    return success();
  if (bytes.size() != static_cast<size_t>(size)) // constant_c2
    return op->emitOpError() << "expected a resource of " << size << " bytes, got " << bytes.size();

  // constant_c3; offsets as in the format's description of the header.
  auto byteAt = [&](size_t offset) -> uint64_t { return static_cast<uint8_t>(bytes[offset]); };
  auto mismatch = [&](StringRef field, size_t offset, uint64_t expected, uint64_t got) {
    return op->emitOpError() << "expected the payload's " << field << " (byte " << offset << ") to be " << expected
                             << ", got " << got;
  };
  if (StringRef(bytes.data(), 4) != "ECF8")
    return op->emitOpError() << "expected a payload that begins with 'ECF8'";
  struct ByteField {
    StringRef name;
    size_t offset;
    uint64_t expected;
  };
  auto huffman = dyn_cast<HuffmanAttr>(type.getEncoding());
  const ByteField fields[] = {
      {"major version", 4, 1},
      {"element type", 40, isa<Float8E5M2Type>(type.getElementType()) ? 1u : 0u},
      {"encoding", 41, type.getEncoding().getEncodingNumber()},
      {"order", 42, static_cast<uint64_t>(type.getEncoding().getElementOrder())},
      {"stream", 43, huffman ? static_cast<uint64_t>(huffman.getStream()) : 0u},
      {"rank", 44, static_cast<uint64_t>(type.getRank())},
      {"group", 45, huffman ? static_cast<uint64_t>(huffman.getGroup()) : 0u},
      {"raw exponent bits", 46, huffman ? static_cast<uint64_t>(huffman.getRawExponentBits()) : 0u},
      {"code length limit", 47, huffman ? static_cast<uint64_t>(huffman.getMaxCodeLength()) : 0u},
  };
  for (const ByteField &field : fields)
    if (byteAt(field.offset) != field.expected)
      return mismatch(field.name, field.offset, field.expected, byteAt(field.offset));
  uint64_t tileColumns = llvm::support::endian::read32le(bytes.data() + 48);
  if (tileColumns != static_cast<uint64_t>(type.getEncoding().getTileColumnCount()))
    return mismatch("tile columns", 48, type.getEncoding().getTileColumnCount(), tileColumns);
  for (auto [index, dim] : llvm::enumerate(type.getShape())) {
    size_t offset = 128 + 8 * index;
    uint64_t stored = llvm::support::endian::read64le(bytes.data() + offset);
    if (stored != static_cast<uint64_t>(dim))
      return mismatch("dimension " + std::to_string(index), offset, dim, stored);
  }
  return success();
}

//===----------------------------------------------------------------------===//
// GlobalOp
//===----------------------------------------------------------------------===//

LogicalResult GlobalOp::verify() {
  if (getKey().has_value() == getValue().has_value()) // global_c1
    return emitOpError() << "expected exactly one of 'key' and 'value', got " << (getKey() ? "both" : "neither");
  if (getKey() && getKey()->empty()) // global_c4
    return emitOpError() << "expected a key that is not empty";
  int64_t rank = isCompressed() || isa<RankedTensorType>(getType()) ? getDecodedType().getRank() : 0;
  Attribute transposed = (*this)->getAttr(kTransposedAttrName);
  if (transposed && (!isa<UnitAttr>(transposed) || !getKey() || (rank != 2 && rank != 3))) // global_c5
    return emitOpError() << "expected '" << kTransposedAttrName
                         << "' without a value, beside a key, for a type of two or three dimensions, got " << getType();
  if (auto compressed = dyn_cast<CompressedType>(getType()))
    return getValue() ? verifyPayload(*this, *getValue(), compressed) : success(); // global_c3
  auto tensor = dyn_cast<RankedTensorType>(getType());
  if (!tensor || !tensor.hasStaticShape()) // global_c2
    return emitOpError() << "expected a ranked tensor of static shape or a compressed type, got " << getType();
  if (!isCountable(tensor.getShape())) // global_c2
    return emitOpError() << "expected less than 2^56 elements, got " << getType();
  if (getValue() && getValue()->getType() != getType()) // global_c3
    return emitOpError() << "expected a value of type " << getType() << ", got " << getValue()->getType();
  return success();
}

RankedTensorType GlobalOp::getDecodedType() {
  if (auto compressed = dyn_cast<CompressedType>(getType()))
    return compressed.getDecodedType();
  return cast<RankedTensorType>(getType());
}

//===----------------------------------------------------------------------===//
// GlobalLoadOp
//===----------------------------------------------------------------------===//

LogicalResult GlobalLoadOp::verifySymbolUses(SymbolTableCollection &symbolTables) {
  auto global = symbolTables.lookupNearestSymbolFrom<GlobalOp>(*this, getGlobalAttr());
  if (!global) // load_c1
    return emitOpError() << "expected the symbol of an 'ecf8.global', got " << getGlobalAttr();
  Type expected = global.getType();
  if (getType() == expected)
    return success();
  if (auto memref = dyn_cast<MemRefType>(getType())) {
    auto tensor = dyn_cast<RankedTensorType>(expected);
    if (tensor && memref == MemRefType::get(tensor.getShape(), tensor.getElementType()))
      return success();
  }
  // load_c2
  return emitOpError() << "expected the type of " << getGlobalAttr() << ", " << expected << ", got " << getType();
}

StringRef mlir::ecf8::getWeightName(Value compressed) {
  auto load = compressed.getDefiningOp<GlobalLoadOp>();
  if (!load)
    return {};
  auto global = SymbolTable::lookupNearestSymbolFrom<GlobalOp>(load, load.getGlobalAttr());
  return global && global.getKey() ? *global.getKey() : load.getGlobal();
}

void GlobalLoadOp::getAsmResultNames(function_ref<void(Value, StringRef)> setNameFn) {
  setNameFn(getResult(), getGlobal());
}

//===----------------------------------------------------------------------===//
// ConstantOp
//===----------------------------------------------------------------------===//

LogicalResult ConstantOp::verify() { return verifyPayload(*this, getPayload(), getType()); }

OpFoldResult ConstantOp::fold(FoldAdaptor) { return getPayloadAttr(); }

//===----------------------------------------------------------------------===//
// EncodeOp
//===----------------------------------------------------------------------===//

OpFoldResult EncodeOp::fold(FoldAdaptor) {
  auto decode = getSource().getDefiningOp<DecodeOp>();
  if (decode && decode.isWhole() && decode.getSourceType() == getType())
    return decode.getSource();
  return {};
}
