// The compressed type: syntax of its shape, constraints, derived types.
#include "ecf8/Dialect/ECF8/IR/ECF8Types.h"

#include "ecf8/Dialect/ECF8/IR/ECF8Dialect.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mlir::ecf8;

/// shape-and-element-type ::= (integer `x`)* type
static ParseResult parseShapeAndElementType(AsmParser &parser, SmallVectorImpl<int64_t> &shape, Type &elementType) {
  return failure(parser.parseDimensionList(shape, /*allowDynamic=*/false, /*withTrailingX=*/true) ||
                 parser.parseType(elementType));
}

static void printShapeAndElementType(AsmPrinter &printer, ArrayRef<int64_t> shape, Type elementType) {
  printer.printDimensionList(shape);
  if (!shape.empty())
    printer << 'x';
  printer << elementType;
}

/// An attribute with the encoding interface.
static ParseResult parseEncoding(AsmParser &parser, EncodingAttrInterface &encoding) {
  SMLoc loc = parser.getCurrentLocation();
  Attribute attribute;
  if (parser.parseAttribute(attribute))
    return failure();
  encoding = dyn_cast<EncodingAttrInterface>(attribute);
  if (!encoding)
    return parser.emitError(loc) << "expected an encoding such as '#ecf8.raw', got " << attribute;
  return success();
}

static void printEncoding(AsmPrinter &printer, EncodingAttrInterface encoding) { printer << encoding; }

#define GET_TYPEDEF_CLASSES
#include "ecf8/Dialect/ECF8/IR/ECF8Types.cpp.inc"

void ECF8Dialect::registerTypes() {
  addTypes<
#define GET_TYPEDEF_LIST
#include "ecf8/Dialect/ECF8/IR/ECF8Types.cpp.inc"
      >();
}

bool CompressedType::isValidElementType(Type type) { return isa<Float8E4M3FNType, Float8E5M2Type>(type); }

bool mlir::ecf8::isCountable(ArrayRef<int64_t> shape) {
  int64_t elements = 1;
  for (int64_t size : shape) {
    if (ShapedType::isDynamic(size) || size == 0)
      continue;
    if (size > (kCountLimit - 1) / elements)
      return false;
    elements *= size;
  }
  return true;
}

LogicalResult CompressedType::verify(function_ref<InFlightDiagnostic()> emitError, ArrayRef<int64_t> shape,
                                     Type elementType, EncodingAttrInterface encoding) {
  if (!isValidElementType(elementType)) // compressed_c1
    return emitError() << "expected element type 'f8E4M3FN' or 'f8E5M2', got " << elementType;
  if (shape.size() > 8) // compressed_c2
    return emitError() << "expected a rank of 8 at most, got " << shape.size();
  if (ShapedType::isDynamicShape(shape)) // compressed_c2
    return emitError() << "expected a static shape, got a dynamic dimension";
  if (!isCountable(shape)) // compressed_c2
    return emitError() << "expected less than 2^56 elements, got more in shape [" << shape << "]";
  return encoding.verifyEncoding(emitError, shape, elementType); // compressed_c3
}

RankedTensorType CompressedType::getDecodedType() const { return RankedTensorType::get(getShape(), getElementType()); }

int64_t CompressedType::getNumElements() const { return ShapedType::getNumElements(getShape()); }

int64_t CompressedType::getMatrixRows() const {
  return getShape().empty() ? 1 : ShapedType::getNumElements(getShape().drop_back());
}

int64_t CompressedType::getMatrixColumns() const { return getShape().empty() ? 1 : getShape().back(); }
