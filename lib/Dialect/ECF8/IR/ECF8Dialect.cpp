// The dialect: registration, inlining, attributes on operations of other dialects, constants.
#include "ecf8/Dialect/ECF8/IR/ECF8Dialect.h"

#include "ECF8BytecodeInterface.h"
#include "ecf8/Dialect/ECF8/IR/ECF8Ops.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "mlir/Transforms/InliningUtils.h"

using namespace mlir;
using namespace mlir::ecf8;

#include "ecf8/Dialect/ECF8/IR/ECF8Dialect.cpp.inc"

namespace {

/// Every operation may be inlined anywhere: none depends on the function that holds it, and no epilogue has a call.
struct ECF8InlinerInterface : public DialectInlinerInterface {
  using DialectInlinerInterface::DialectInlinerInterface;
  bool isLegalToInline(Operation *, Region *, bool, IRMapping &) const final { return true; }
};

} // namespace

void ECF8Dialect::initialize() {
  registerAttributes();
  registerTypes();
  registerOps();
  registerInterfaces();
}

void ECF8Dialect::registerInterfaces() {
  addInterfaces<ECF8InlinerInterface>();
  addBytecodeInterface(*this);
}

Operation *ECF8Dialect::materializeConstant(OpBuilder &builder, Attribute value, Type type, Location loc) {
  auto payload = dyn_cast<ElementsAttr>(value);
  if (!payload || !isa<CompressedType>(type))
    return nullptr;
  return ConstantOp::create(builder, loc, type, payload);
}

LogicalResult ECF8Dialect::verifyOperationAttribute(Operation *op, NamedAttribute attribute) {
  if (attribute.getName() == kWeightAttrName)
    return op->emitError() << "expected '" << kWeightAttrName << "' on a function argument, got it on an operation";
  if (attribute.getName() != kDecoderAttrName)
    return success();
  auto type = dyn_cast<TypeAttr>(attribute.getValue());
  if (!type || !isa<CompressedType>(type.getValue())) // decoder_c1
    return op->emitError() << "expected '" << kDecoderAttrName << "' to be a compressed type, got "
                           << attribute.getValue();
  return success();
}

LogicalResult ECF8Dialect::verifyRegionArgAttribute(Operation *op, unsigned regionIndex, unsigned argIndex,
                                                    NamedAttribute attribute) {
  // A misspelt name must not pass as no mark at all.
  if (attribute.getName() != kWeightAttrName)
    return op->emitError() << "argument " << argIndex << ": expected the attribute '" << kWeightAttrName << "', got '"
                           << attribute.getName().getValue() << "'";
  auto name = dyn_cast<StringAttr>(attribute.getValue());
  if (!name || name.empty()) // weight_c1
    return op->emitError() << "argument " << argIndex << ": expected '" << kWeightAttrName
                           << "' to be the weight's name, a string that is not empty, got " << attribute.getValue();
  auto function = dyn_cast<FunctionOpInterface>(op);
  if (!function)
    return op->emitError() << "expected '" << kWeightAttrName << "' on the argument of a function";
  auto type = dyn_cast<ShapedType>(function.getArgumentTypes()[argIndex]);
  if (!type || !isa<RankedTensorType, MemRefType>(type) || !type.hasStaticShape()) // weight_c2
    return op->emitError() << "argument " << argIndex << ": expected '" << kWeightAttrName
                           << "' on a tensor of static shape, got " << function.getArgumentTypes()[argIndex];
  return success();
}
