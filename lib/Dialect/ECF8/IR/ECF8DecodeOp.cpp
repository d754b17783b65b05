// ecf8.decode: syntax, constraints, effects, folding.
#include "ecf8/Dialect/ECF8/IR/ECF8Ops.h"

#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Interfaces/ViewLikeInterface.h"
#include "llvm/Support/FormatVariadic.h"

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
  if (parser.parseOperand(source))
    return failure();
  bool isSlice = succeeded(parser.parseOptionalLSquare());
  if (isSlice && succeeded(parser.parseOptionalRSquare()))
    return parser.emitError(parser.getCurrentLocation(), "expected one offset at least between '[' and ']'");
  if (isSlice) {
    SmallVector<int64_t> numbers;
    auto parseOffset = [&]() -> ParseResult {
      OpAsmParser::UnresolvedOperand offset;
      OptionalParseResult operand = parser.parseOptionalOperand(offset);
      if (operand.has_value()) {
        offsets.push_back(offset);
        numbers.push_back(ShapedType::kDynamic);
        return *operand;
      }
      return parser.parseInteger(numbers.emplace_back());
    };
    if (parser.parseCommaSeparatedList(parseOffset) || parser.parseRSquare())
      return failure();
    staticOffsets = parser.getBuilder().getDenseI64ArrayAttr(numbers);
  }
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
  } else if (isSlice) {
    RankedTensorType resultType;
    if (parser.parseKeyword("to") || parser.parseType(resultType))
      return failure();
    state.addTypes(resultType);
  } else {
    state.addTypes(sourceType.getDecodedType());
  }
  auto &properties = state.getOrAddProperties<Properties>();
  if (staticOffsets)
    properties.static_offsets = staticOffsets;
  properties.operandSegmentSizes = {1, static_cast<int32_t>(offsets.size()), hasDestination ? 1 : 0};
  return success();
}

void DecodeOp::print(OpAsmPrinter &printer) {
  printer << ' ' << getSource();
  if (!isWhole()) {
    printer << '[';
    unsigned dynamicIndex = 0;
    llvm::interleaveComma(getStaticOffsets(), printer, [&](int64_t offset) {
      if (ShapedType::isDynamic(offset))
        printer << getOffsets()[dynamicIndex++];
      else
        printer << offset;
    });
    printer << ']';
  }
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

/// decode_c6, and the part of decode_c5 that concerns rows. Dimensions but the last; `offsets` may hold kDynamic.
static std::string findBrokenRowRule(CompressedType source, ArrayRef<int64_t> whole, ArrayRef<int64_t> offsets,
                                     ArrayRef<int64_t> sizes) {
  // The dimension that is cut: the first whose size in the slice is not 1.
  size_t cut = 0;
  while (cut < sizes.size() && sizes[cut] == 1)
    ++cut;
  for (size_t dim = cut + 1; dim < sizes.size(); ++dim)
    if (sizes[dim] != whole[dim]) // decode_c6
      return llvm::formatv("expected a slice that is a block of rows, got size {0} of {1} in dimension {2} behind "
                           "dimension {3} of size {4}",
                           sizes[dim], whole[dim], dim, cut, sizes[cut]);
  if (llvm::is_contained(offsets, ShapedType::kDynamic))
    return "";
  int64_t row = 0;
  for (auto [size, offset] : llvm::zip(whole, offsets))
    row = row * size + offset;
  int64_t tileRows = source.getEncoding().getTileRowCount();
  if (row % tileRows != 0) // decode_c5
    return llvm::formatv("expected the first row to be a multiple of {0}, got {1}", tileRows, row);
  return "";
}

/// Which of decode_c4 to decode_c6 a slice with one offset per dimension breaks, as a message; empty for none.
static std::string findBrokenSliceRule(CompressedType source, ArrayRef<int64_t> offsets, ArrayRef<int64_t> sizes) {
  if (offsets.empty())
    return "";
  for (auto [dim, offset] : llvm::enumerate(offsets)) {
    int64_t size = sizes[dim], whole = source.getShape()[dim];
    int64_t begin = ShapedType::isDynamic(offset) ? 0 : offset;
    if (begin < 0 || size > whole || begin > whole - size) // decode_c4
      return llvm::formatv("expected a slice inside of dimension {0} of size {1}, got offset {2} and size {3}", dim,
                           whole, begin, size);
  }
  int64_t tileColumns = std::max<int64_t>(1, source.getEncoding().getTileColumnCount());
  if (!ShapedType::isDynamic(offsets.back()) && offsets.back() % tileColumns != 0) // decode_c5
    return llvm::formatv("expected the first column to be a multiple of {0}, got {1}", tileColumns, offsets.back());
  return findBrokenRowRule(source, source.getShape().drop_back(), offsets.drop_back(), sizes.drop_back());
}

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
  ArrayRef<int64_t> offsets = getStaticOffsets();
  if (static_cast<size_t>(llvm::count(offsets, ShapedType::kDynamic)) != getOffsets().size()) // decode_c3
    return emitOpError() << "expected " << llvm::count(offsets, ShapedType::kDynamic)
                         << " dynamic offsets by 'static_offsets', got " << getOffsets().size();
  if (offsets.empty()) {
    if (decoded.getShape() != source.getShape()) // decode_c2
      return emitOpError() << "expected a " << what << " of shape [" << source.getShape() << "], got " << decoded;
    return success();
  }
  if (static_cast<int64_t>(offsets.size()) != source.getRank()) // decode_c3
    return emitOpError() << "expected " << source.getRank() << " offsets, got " << offsets.size();

  if (std::string message = findBrokenSliceRule(source, offsets, decoded.getShape()); !message.empty())
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

/// Turns dynamic offsets that are constants into static ones.
struct FoldConstantOffsets : public OpRewritePattern<DecodeOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(DecodeOp op, PatternRewriter &rewriter) const override {
    SmallVector<OpFoldResult> offsets = op.getMixedOffsets();
    if (failed(foldDynamicOffsetSizeList(offsets)))
      return rewriter.notifyMatchFailure(op, "no dynamic offset is a constant");
    // An offset that breaks a rule stays dynamic: it is the program's error, and may never be reached.
    SmallVector<int64_t> staticOffsets;
    SmallVector<Value> dynamicOffsets;
    dispatchIndexOpFoldResults(offsets, dynamicOffsets, staticOffsets);
    if (!findBrokenSliceRule(op.getSourceType(), staticOffsets, op.getDecodedShape().getShape()).empty())
      return rewriter.notifyMatchFailure(op, "a constant offset breaks a rule of the slice");
    if (op.getDestination())
      rewriter.replaceOpWithNewOp<DecodeOp>(op, op.getSource(), offsets, op.getDestination());
    else
      rewriter.replaceOpWithNewOp<DecodeOp>(op, cast<RankedTensorType>(op.getResult().getType()), op.getSource(),
                                            offsets);
    return success();
  }
};

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
  patterns.add<FoldConstantOffsets, FoldWholeSlice>(context);
}
