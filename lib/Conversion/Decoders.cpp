// Declarations of decode functions.
#include "ecf8/Conversion/Decoders.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;
using namespace mlir::ecf8;

static constexpr int64_t kDynamic = ShapedType::kDynamic;

MemRefType mlir::ecf8::getPayloadType(MLIRContext *context) {
  return MemRefType::get({kDynamic}, IntegerType::get(context, 8));
}

MemRefType mlir::ecf8::getKernelMatrixType(Type elementType) {
  auto layout = StridedLayoutAttr::get(elementType.getContext(), kDynamic, {kDynamic, 1});
  return MemRefType::get({kDynamic, kDynamic}, elementType, layout);
}

func::FuncOp mlir::ecf8::getOrCreateDecoder(ModuleOp module, CompressedType type) {
  std::string name;
  llvm::raw_string_ostream(name) << "ecf8_decode_" << type.getEncoding().getMangledName() << "_"
                                 << type.getElementType();
  if (auto existing = module.lookupSymbol<func::FuncOp>(name))
    return existing;
  MLIRContext *context = module.getContext();
  OpBuilder builder = OpBuilder::atBlockBegin(module.getBody());
  Type index = builder.getIndexType();
  auto functionType =
      builder.getFunctionType({getPayloadType(context), getKernelMatrixType(type.getElementType()), index, index}, {});
  auto decoder = func::FuncOp::create(builder, module.getLoc(), name, functionType);
  decoder.setPrivate();
  decoder->setAttr(kDecoderAttrName, TypeAttr::get(type));
  return decoder;
}

LogicalResult mlir::ecf8::verifyDecoderType(func::FuncOp decoder) {
  auto compressed = cast<CompressedType>(decoder->getAttrOfType<TypeAttr>(kDecoderAttrName).getValue());
  MLIRContext *context = decoder.getContext();
  Type index = IndexType::get(context), payload = getPayloadType(context);
  for (Type out : {getKernelMatrixType(compressed.getElementType()), getPayloadType(context)})
    if (decoder.getFunctionType() == FunctionType::get(context, {payload, out, index, index}, {}))
      return success();
  return decoder.emitOpError() << "expected a decoder type, (" << payload << ", "
                               << getKernelMatrixType(compressed.getElementType()) << " or " << payload
                               << ", index, index) -> (), got " << decoder.getFunctionType();
}
