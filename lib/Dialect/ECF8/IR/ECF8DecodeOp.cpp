// ecf8.decode: syntax, constraints, effects, folding.
#include "ecf8/Dialect/ECF8/IR/ECF8Ops.h"

#include "SliceOffsets.h"
#include "mlir/Interfaces/ViewLikeInterface.h"

using namespace mlir;
using namespace mlir::ecf8;

//===----------------------------------------------------------------------===//
// Building and accessors
//===----------------------------------------------------------------------===//

void DecodeOp::build(OpBuilder &builder, OperationState &state, Value source) {
  build(builder, state, cast<CompressedType>(source.getType()).getDecodedType(), source, ArrayRef<OpFoldResult>());
}

void DecodeOp::build(OpBuilder &builder, OperationState &state, RankedTensorType resultType, Value source,
                     ArrayRef<OpFoldResult> offsets) {
  SmallVector<Value> dynamicOffsets;
  SmallVector<int64_t> staticOffsets;
  dispatchIndexOpFoldResults(offsets, dynamicOffsets, staticOffsets);
  build(builder, state, resultType, source, dynamicOffsets, builder.getDenseI64ArrayAttr(staticOffsets), Value());
}

void DecodeOp::build(OpBuilder &builder, OperationState &state, Value source, ArrayRef<OpFoldResult> offsets,
                     Value destination) {
  SmallVector<Value> dynamicOffsets;
  SmallVector<int64_t> staticOffsets;
  dispatchIndexOpFoldResults(offsets, dynamicOffsets, staticOffsets);
  build(builder, state, Type(), source, dynamicOffsets, builder.getDenseI64ArrayAttr(staticOffsets), destination);
}

SmallVector<OpFoldResult> DecodeOp::getMixedOffsets() {
  return ::mlir::getMixedValues(getStaticOffsets(), getOffsets(), getContext());
}

ShapedType DecodeOp::getDecodedShape() {
  return cast<ShapedType>(getDestination() ? Type(getDestination().getType()) : Type(getResult().getType()));
}

//===----------------------------------------------------------------------===//
// Syntax
//===----------------------------------------------------------------------===//

// decode ::= source (`[` offsets `]`)? (`into` destination)? attr-dict `:` source-type
//            (`,` memref-type | `to` tensor-type)?
ParseResult DecodeOp::parse(OpAsmParser &parser, OperationState &state) {
  OpAsmParser::UnresolvedOperand source, destination;
  SmallVector<OpAsmParser::UnresolvedOperand> offsets;
  DenseI64ArrayAttr staticOffsets;
  if (parser.parseOperand(source) || parseSliceOffsets(parser, offsets, staticOffsets))
    return failure();
  bool hasDestination = succeeded(parser.parseOptionalKeyword("into"));
  CompressedType sourceType;
  if ((hasDestination && parser.parseOperand(destination)) || parser.parseOptionalAttrDict(state.attributes) ||
      parser.parseColon() || parser.parseType(sourceType))
    return failure();

  Type indexType = parser.getBuilder().getIndexType();
  if (parser.resolveOperand(source, sourceType, state.operands) ||
      parser.resolveOperands(offsets, indexType, state.operands))
    return failure();
  if (hasDestination) {
    MemRefType destinationType;
    if (parser.parseComma() || parser.parseType(destinationType) ||
        parser.resolveOperand(destination, destinationType, state.operands))
      return failure();
  } else if (!staticOffsets.empty()) {
    RankedTensorType resultType;
    if (parser.parseKeyword("to") || parser.parseType(resultType))
      return failure();
    state.addTypes(resultType);
  } else {
    state.addTypes(sourceType.getDecodedType());
  }
  auto &properties = state.getOrAddProperties<Properties>();
  properties.static_offsets = staticOffsets;
  properties.operandSegmentSizes = {1, static_cast<int32_t>(offsets.size()), hasDestination ? 1 : 0};
  return success();
}

void DecodeOp::print(OpAsmPrinter &printer) {
  printer << ' ' << getSource();
  printSliceOffsets(printer, *this, getOffsets(), getStaticOffsetsAttr());
  if (getDestination())
    printer << " into " << getDestination();
  printer.printOptionalAttrDict((*this)->getAttrs(), {getStaticOffsetsAttrName(), getOperandSegmentSizesAttrName()});
  printer << " : " << getSource().getType();
  if (getDestination())
    printer << ", " << getDestination().getType();
  else if (!isWhole())
    printer << " to " << getResult().getType();
}

//===----------------------------------------------------------------------===//
// Constraints
//===----------------------------------------------------------------------===//

LogicalResult DecodeOp::verify() {
  bool hasResult = getResult() != nullptr, hasDestination = getDestination() != nullptr;
  if (hasResult == hasDestination) // decode_c1
    return emitOpError() << "expected either a result or a destination, got " << (hasResult ? "both" : "neither");
  CompressedType source = getSourceType();
  ShapedType decoded = getDecodedShape();
  StringRef what = hasResult ? "result" : "destination";
  if (decoded.getElementType() != source.getElementType()) // decode_c2
    return emitOpError() << "expected a " << what << " of element type " << source.getElementType() << ", got "
                         << decoded;
  if (decoded.getRank() != source.getRank()) // decode_c2
    return emitOpError() << "expected a " << what << " of rank " << source.getRank() << ", got " << decoded;
  if (auto memref = dyn_cast<MemRefType>(decoded)) {
    SmallVector<int64_t> strides;
    int64_t offset;
    if (failed(memref.getStridesAndOffset(strides, offset)) || (!strides.empty() && strides.back() != 1)) // decode_c7
      return emitOpError() << "expected a destination with unit stride along the last dimension, got " << memref;
  }
  if (isWhole() && getOffsets().empty() && decoded.getShape() != source.getShape()) // decode_c2
    return emitOpError() << "expected a " << what << " of shape [" << source.getShape() << "], got " << decoded;
  std::string message = findBrokenSliceRule(source, getStaticOffsets(), getOffsets().size(), decoded.getShape());
  if (!message.empty())
    return emitOpError() << message;
  return success();
}

//===----------------------------------------------------------------------===//
// Effects
//===----------------------------------------------------------------------===//

void DecodeOp::getEffects(SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>> &effects) {
  if (getDestination())
    effects.emplace_back(MemoryEffects::Write::get(), &getDestinationMutable()[0]);
}

Speculation::Speculatability DecodeOp::getSpeculatability() {
  // A dynamic offset is only known to lie inside the tensor where the program reaches the op.
  return getDestination() || !getOffsets().empty() ? Speculation::NotSpeculatable : Speculation::Speculatable;
}

//===----------------------------------------------------------------------===//
// Folding
//===----------------------------------------------------------------------===//

LogicalResult DecodeOp::fold(FoldAdaptor, SmallVectorImpl<OpFoldResult> &results) {
  auto encode = getSource().getDefiningOp<EncodeOp>();
  if (!encode || getDestination() || !isWhole())
    return failure();
  results.push_back(encode.getSource());
  return success();
}

namespace {

/// A slice that is the whole tensor loses its offsets.
struct FoldWholeSlice : public OpRewritePattern<DecodeOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(DecodeOp op, PatternRewriter &rewriter) const override {
    if (op.isWhole() || op.getDecodedShape().getShape() != op.getSourceType().getShape())
      return rewriter.notifyMatchFailure(op, "not a slice, or a part of the tensor only");
    if (op.getDestination())
      rewriter.replaceOpWithNewOp<DecodeOp>(op, op.getSource(), ArrayRef<OpFoldResult>(), op.getDestination());
    else
      rewriter.replaceOpWithNewOp<DecodeOp>(op, op.getSource());
    return success();
  }
};

} // namespace

void DecodeOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<FoldConstantOffsets<DecodeOp>, FoldWholeSlice>(context);
}
