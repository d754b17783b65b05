// Encodings: constraints on the parameters, names for generated decoders.
#include "ecf8/Dialect/ECF8/IR/ECF8Attributes.h"

#include "ecf8/Codec/Segments.h"
#include "ecf8/Dialect/ECF8/IR/ECF8Dialect.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mlir::ecf8;

#include "ecf8/Dialect/ECF8/IR/ECF8AttrInterfaces.cpp.inc"
#include "ecf8/Dialect/ECF8/IR/ECF8Enums.cpp.inc"

#define GET_ATTRDEF_CLASSES
#include "ecf8/Dialect/ECF8/IR/ECF8Attributes.cpp.inc"

void ECF8Dialect::registerAttributes() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "ecf8/Dialect/ECF8/IR/ECF8Attributes.cpp.inc"
      >();
}

/// raw_c2, raw_c3, huffman_c5: the header stores the width in 32 bits.
static LogicalResult verifyTileColumns(function_ref<InFlightDiagnostic()> emitError, Order order, int64_t tileColumns) {
  if (order == Order::mma) {
    if (tileColumns <= 0 || tileColumns % 128 != 0 || tileColumns > 1024)
      return emitError() << "expected tile_columns to be a positive multiple of 128, at most 1024, for order mma, got "
                         << tileColumns;
    return success();
  }
  if (tileColumns <= 0 || tileColumns % 16 != 0 || tileColumns > 0xFFFFFFF0LL)
    return emitError() << "expected tile_columns to be a positive multiple of 16 below 2^32, got " << tileColumns;
  return success();
}

//===----------------------------------------------------------------------===//
// RawAttr
//===----------------------------------------------------------------------===//

LogicalResult RawAttr::verify(function_ref<InFlightDiagnostic()> emitError, Order order, int64_t tileColumns) {
  if (order != Order::row_major)
    return verifyTileColumns(emitError, order, tileColumns);
  if (tileColumns != 0) // raw_c1
    return emitError() << "expected tile_columns 0 for order row_major, got " << tileColumns;
  return success();
}

uint8_t RawAttr::getEncodingNumber() const { return 0; }

Order RawAttr::getElementOrder() const { return getOrder(); }

int64_t RawAttr::getTileColumnCount() const { return getTileColumns(); }

std::string RawAttr::getMangledName() const {
  if (getOrder() == Order::row_major)
    return "raw";
  return "raw_" + stringifyOrder(getOrder()).str() + "_S" + std::to_string(getTileColumns());
}

LogicalResult RawAttr::verifyEncoding(function_ref<InFlightDiagnostic()>, ArrayRef<int64_t>, Type) const {
  return success();
}

//===----------------------------------------------------------------------===//
// HuffmanAttr
//===----------------------------------------------------------------------===//

/// huffman_c1 to huffman_c3 and huffman_c5 of order mma.
static LogicalResult verifyMma(function_ref<InFlightDiagnostic()> emitError, int64_t group, int64_t rawExponentBits,
                               int64_t maxCodeLength, int64_t tileColumns) {
  if (group != 1 && group != 2 && group != 4) // huffman_c1
    return emitError() << "expected group 1, 2 or 4 for order mma, got " << group;
  auto layout = *::ecf8::getGroupLayout(::ecf8::ElementType::F8E4M3FN, static_cast<unsigned>(group));
  auto other = *::ecf8::getGroupLayout(::ecf8::ElementType::F8E5M2, static_cast<unsigned>(group));
  // Which of the two it has to be depends on the element type: verifyEncoding.
  if (rawExponentBits != layout.rawExponentBits && rawExponentBits != other.rawExponentBits) // huffman_c2
    return emitError() << "expected raw_exponent_bits " << layout.rawExponentBits << " or " << other.rawExponentBits
                       << " for group " << group << " in order mma, got " << rawExponentBits;
  if (maxCodeLength < layout.minCodeLengthLimit || maxCodeLength > layout.maxCodeLengthLimit) // huffman_c3
    return emitError() << "expected max_code_length from " << layout.minCodeLengthLimit << " to "
                       << layout.maxCodeLengthLimit << " for group " << group << " in order mma, got " << maxCodeLength;
  return verifyTileColumns(emitError, Order::mma, tileColumns);
}

LogicalResult HuffmanAttr::verify(function_ref<InFlightDiagnostic()> emitError, int64_t group, int64_t rawExponentBits,
                                  int64_t maxCodeLength, Stream stream, Order order, int64_t tileColumns) {
  if (order == Order::row_major) // huffman_c4
    return emitError() << "expected order rows32 or mma, got " << stringifyOrder(order);
  Stream expected = order == Order::mma ? Stream::segments : Stream::interleaved;
  if (stream != expected) // huffman_c4
    return emitError() << "expected stream " << stringifyStream(expected) << " for order " << stringifyOrder(order)
                       << ", got " << stringifyStream(stream);
  if (order == Order::mma)
    return verifyMma(emitError, group, rawExponentBits, maxCodeLength, tileColumns);
  if (group != 1) // huffman_c1
    return emitError() << "expected group 1, got " << group;
  if (rawExponentBits != 0) // huffman_c2
    return emitError() << "expected raw_exponent_bits 0, got " << rawExponentBits;
  if (maxCodeLength != 7 && maxCodeLength != 8) // huffman_c3
    return emitError() << "expected max_code_length 7 or 8, got " << maxCodeLength;
  return verifyTileColumns(emitError, order, tileColumns);
}

uint8_t HuffmanAttr::getEncodingNumber() const { return 1; }

Order HuffmanAttr::getElementOrder() const { return getOrder(); }

int64_t HuffmanAttr::getTileColumnCount() const { return getTileColumns(); }

std::string HuffmanAttr::getMangledName() const {
  std::string order =
      getOrder() == Order::mma ? "_" + stringifyOrder(getOrder()).str() + "_g" + std::to_string(getGroup()) : "";
  return "huffman" + order + "_L" + std::to_string(getMaxCodeLength()) + "_S" + std::to_string(getTileColumns());
}

LogicalResult HuffmanAttr::verifyEncoding(function_ref<InFlightDiagnostic()> emitError, ArrayRef<int64_t>,
                                          Type elementType) const {
  if (getOrder() != Order::mma)
    return success();
  auto type = isa<Float8E5M2Type>(elementType) ? ::ecf8::ElementType::F8E5M2 : ::ecf8::ElementType::F8E4M3FN;
  int64_t expected = ::ecf8::getGroupLayout(type, static_cast<unsigned>(getGroup()))->rawExponentBits;
  if (getRawExponentBits() != expected) // huffman_c2
    return emitError() << "expected raw_exponent_bits " << expected << " for group " << getGroup() << " of "
                       << elementType << ", got " << getRawExponentBits();
  return success();
}

//===----------------------------------------------------------------------===//
// PlanesAttr
//===----------------------------------------------------------------------===//

LogicalResult PlanesAttr::verify(function_ref<InFlightDiagnostic()> emitError, int64_t tileColumns) {
  if (tileColumns <= 0 || tileColumns % 16 != 0 || tileColumns > 1024) // planes_c1
    return emitError() << "expected tile_columns to be a positive multiple of 16, at most 1024, got " << tileColumns;
  return success();
}

uint8_t PlanesAttr::getEncodingNumber() const { return 2; }

Order PlanesAttr::getElementOrder() const { return Order::rows32; }

int64_t PlanesAttr::getTileColumnCount() const { return getTileColumns(); }

std::string PlanesAttr::getMangledName() const { return "planes_S" + std::to_string(getTileColumns()); }

LogicalResult PlanesAttr::verifyEncoding(function_ref<InFlightDiagnostic()>, ArrayRef<int64_t>, Type) const {
  return success();
}
