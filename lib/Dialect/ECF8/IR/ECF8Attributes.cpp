// Encodings: constraints on the parameters, names for generated decoders.
#include "ecf8/Dialect/ECF8/IR/ECF8Attributes.h"

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

/// raw_c2, huffman_c5: the header stores the width in 32 bits.
static LogicalResult verifyTileColumns(function_ref<InFlightDiagnostic()> emitError, int64_t tileColumns) {
  if (tileColumns <= 0 || tileColumns % 16 != 0 || tileColumns > 0xFFFFFFF0LL)
    return emitError() << "expected tile_columns to be a positive multiple of 16 below 2^32, got " << tileColumns;
  return success();
}

//===----------------------------------------------------------------------===//
// RawAttr
//===----------------------------------------------------------------------===//

LogicalResult RawAttr::verify(function_ref<InFlightDiagnostic()> emitError, Order order, int64_t tileColumns) {
  if (order == Order::rows32)
    return verifyTileColumns(emitError, tileColumns);
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

LogicalResult HuffmanAttr::verify(function_ref<InFlightDiagnostic()> emitError, int64_t group, int64_t rawExponentBits,
                                  int64_t maxCodeLength, Stream, Order order, int64_t tileColumns) {
  if (group != 1) // huffman_c1
    return emitError() << "expected group 1, got " << group;
  if (rawExponentBits != 0) // huffman_c2
    return emitError() << "expected raw_exponent_bits 0, got " << rawExponentBits;
  if (maxCodeLength != 7 && maxCodeLength != 8) // huffman_c3
    return emitError() << "expected max_code_length 7 or 8, got " << maxCodeLength;
  if (order != Order::rows32) // huffman_c4
    return emitError() << "expected order rows32, got " << stringifyOrder(order);
  return verifyTileColumns(emitError, tileColumns);
}

uint8_t HuffmanAttr::getEncodingNumber() const { return 1; }

Order HuffmanAttr::getElementOrder() const { return getOrder(); }

int64_t HuffmanAttr::getTileColumnCount() const { return getTileColumns(); }

std::string HuffmanAttr::getMangledName() const {
  return "huffman_L" + std::to_string(getMaxCodeLength()) + "_S" + std::to_string(getTileColumns());
}

LogicalResult HuffmanAttr::verifyEncoding(function_ref<InFlightDiagnostic()>, ArrayRef<int64_t>, Type) const {
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
