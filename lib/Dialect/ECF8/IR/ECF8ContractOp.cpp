// ecf8.contract: constraints, effects, bufferization.
#include "ecf8/Dialect/ECF8/IR/ECF8Ops.h"

#include "SliceOffsets.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/TypeUtilities.h"
#include "mlir/Interfaces/ViewLikeInterface.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mlir::ecf8;
using namespace mlir::bufferization;

void ContractOp::build(OpBuilder &builder, OperationState &state, Value activations, Value weight, Value scale,
                       ArrayRef<int64_t> block, Value accumulator, ArrayRef<OpFoldResult> offsets) {
  SmallVector<Value> dynamicOffsets;
  SmallVector<int64_t> staticOffsets;
  dispatchIndexOpFoldResults(offsets, dynamicOffsets, staticOffsets);
  build(builder, state, accumulator.getType(), activations, weight, dynamicOffsets,
        builder.getDenseI64ArrayAttr(staticOffsets), scale, accumulator,
        /*extras=*/ValueRange(), builder.getDenseI64ArrayAttr(block),
        /*scales_sums=*/false, /*divides=*/false);
}

SmallVector<OpFoldResult> ContractOp::getMixedOffsets() {
  return ::mlir::getMixedValues(getStaticOffsets(), getOffsets(), getContext());
}

SmallVector<int64_t> ContractOp::getSliceSizes() {
  SmallVector<int64_t> sizes(getWeightType().getRank(), 1);
  sizes[sizes.size() - 2] = getWeightRowCount();
  sizes.back() = getWeightType().getShape().back();
  return sizes;
}

//===----------------------------------------------------------------------===//
// Constraints
//===----------------------------------------------------------------------===//

bool ContractOp::isValidBlock(CompressedType weight, int64_t rows, ArrayRef<int64_t> block) {
  int64_t columns = weight.getShape().back();
  bool coversRows = block[0] >= rows, coversColumns = block[1] >= columns;
  if (block[0] == 1)
    return coversColumns;
  // Kernels take 64 columns of a tile at a time, all with the same scale; those of GPUs 128.
  const int64_t step = weight.getEncoding().getElementOrder() == Order::mma ? 128 : 64;
  int64_t tileColumns = weight.getEncoding().getTileColumnCount();
  bool startsBlocks = tileColumns % 64 == 0 || tileColumns >= columns;
  return (coversRows || block[0] % 32 == 0) && (coversColumns || (block[1] % step == 0 && startsBlocks));
}

bool ContractOp::isValidInEpilogue(Operation *op) {
  return op->getNumResults() == 1 && op->getNumRegions() == 0 &&
         (op->hasTrait<OpTrait::ConstantLike>() || OpTrait::hasElementwiseMappableTraits(op)) &&
         op->getResult(0).getType().isIntOrFloat();
}

/// Whether a kernel can take it: a pointer and two strides, the last of which is 1.
static bool isRowMajorMatrix(MemRefType memref) {
  SmallVector<int64_t> strides;
  int64_t offset;
  return succeeded(memref.getStridesAndOffset(strides, offset)) && strides.back() == 1 && !memref.getMemorySpace();
}

/// contract_c1
static LogicalResult verifyKinds(ContractOp op, ShapedType activations, ShapedType scale, ShapedType accumulator) {
  bool onTensors = isa<RankedTensorType>(accumulator);
  SmallVector<ShapedType> others{activations, scale};
  for (Type extra : op.getExtras().getTypes())
    others.push_back(cast<ShapedType>(extra));
  for (ShapedType type : others)
    if (type && isa<RankedTensorType>(type) != onTensors)
      return op.emitOpError() << "expected operands that are all tensors or all memrefs, got " << type << " and "
                              << accumulator;
  Value result = op.getResult();
  if (onTensors ? !result || result.getType() != accumulator : result != nullptr)
    return op.emitOpError() << "expected " << (onTensors ? "a result of the accumulator's type" : "no result")
                            << " for an accumulator " << accumulator;
  others.push_back(accumulator);
  for (auto [index, type] : llvm::enumerate(others)) {
    auto memref = dyn_cast_or_null<MemRefType>(type);
    bool isExtra = index >= 2 && index + 1 < others.size();
    if (memref && !(isExtra && memref.getDimSize(1) == 1 && !memref.getMemorySpace()) && !isRowMajorMatrix(memref))
      return op.emitOpError() << "expected unit stride along the last dimension and no memory space, got " << memref;
  }
  return success();
}

/// contract_c3, contract_c10
static LogicalResult verifyEpilogueOperands(ContractOp op, ShapedType accumulator) {
  if (!op.hasEpilogue()) {
    if (!accumulator.getElementType().isF32()) // contract_c3
      return op.emitOpError() << "expected an accumulator of f32, got " << accumulator;
    if (!op.getExtras().empty()) // contract_c10
      return op.emitOpError() << "expected an epilogue that reads the " << op.getExtras().size() << " extras, got none";
    return success();
  }
  for (Type type : op.getExtras().getTypes()) {
    ArrayRef<int64_t> shape = cast<ShapedType>(type).getShape();
    for (int64_t dim : {0, 1})
      if (shape[dim] != 1 && failed(verifyCompatibleShape(shape[dim], accumulator.getDimSize(dim)))) // contract_c10
        return op.emitOpError() << "expected extras with the rows and columns of " << accumulator << ", or one, got "
                                << type;
  }
  return success();
}

LogicalResult ContractOp::verify() {
  auto activations = getActivationsType();
  auto accumulator = cast<ShapedType>(getAccumulator().getType());
  auto scale = getScale() ? cast<ShapedType>(getScale().getType()) : ShapedType();
  if (failed(verifyKinds(*this, activations, scale, accumulator))) // contract_c1
    return failure();

  CompressedType weight = getWeightType();
  bool isWhole = getStaticOffsets().empty();
  if (isWhole ? weight.getRank() != 2 : weight.getRank() < 2) // contract_c2
    return emitOpError() << "expected a weight of rank 2" << (isWhole ? "" : " at least") << ", got " << weight;
  int64_t rows = isWhole ? weight.getShape()[0] : getWeightRowCount(), columns = weight.getShape().back();
  if (activations.getDimSize(1) != columns) // contract_c2
    return emitOpError() << "expected activations of " << columns << " columns, got " << activations;
  if (accumulator.getDimSize(1) != rows) // contract_c2
    return emitOpError() << "expected an accumulator of " << rows << " columns, got " << accumulator;
  if (ShapedType::isDynamic(rows)) // contract_c2
    return emitOpError() << "expected an accumulator of as many columns as the slice has rows, got " << accumulator;
  if (failed(verifyCompatibleShape({activations.getDimSize(0)}, {accumulator.getDimSize(0)}))) // contract_c2
    return emitOpError() << "expected as many rows of activations as of the accumulator, got " << activations << " and "
                         << accumulator;
  if (failed(verifyEpilogueOperands(*this, accumulator))) // contract_c3, contract_c10
    return failure();

  std::string message = findBrokenSliceRule(weight, getStaticOffsets(), getOffsets().size(), getSliceSizes());
  if (!message.empty()) // contract_c8
    return emitOpError() << message;
  if (!isWhole && getStaticOffsets().back() != 0) // contract_c8
    return emitOpError() << "expected a slice of whole rows, with a last offset 0";

  ArrayRef<int64_t> block = getBlock();
  if (!scale && (getScalesSums() || getDivides())) // contract_c9
    return emitOpError() << "expected a scale with '" << (getScalesSums() ? "scales_sums" : "divides") << "', got none";
  if (!scale && block.empty())
    return success();
  if (!scale || block.size() != 2 || block[0] <= 0 || block[1] <= 0) // contract_c4
    return emitOpError() << "expected a scale with two positive block sizes or neither, got "
                         << (scale ? "a scale" : "no scale") << " and block [" << block << "]";
  if (rows == 0 || columns == 0) // contract_c4
    return emitOpError() << "expected a weight with elements to scale, got " << weight;
  int64_t expected[] = {static_cast<int64_t>(llvm::divideCeil(rows, block[0])),
                        static_cast<int64_t>(llvm::divideCeil(columns, block[1]))};
  if (scale.getShape() != ArrayRef<int64_t>(expected)) // contract_c5
    return emitOpError() << "expected a scale of shape [" << ArrayRef<int64_t>(expected) << "], got " << scale;
  Type scaleElement = scale.getElementType();
  if (CompressedType::isValidElementType(activations.getElementType()) &&
      (!scaleElement.isF32() || !getScalesSums())) // contract_c13
    return emitOpError() << "expected a scale of f32 with 'scales_sums' for " << activations << ", got " << scale;
  if (!scaleElement.isF32() && scaleElement != activations.getElementType()) // contract_c6
    return emitOpError() << "expected a scale of f32 or of the activations' element type, got " << scale;
  if (!isValidBlock(weight, rows, block)) // contract_c7
    return emitOpError() << "expected a block of one row by all columns, or of a multiple of 32 rows by a multiple of "
                         << "64 columns (128 in order mma) in tiles of such a multiple, got [" << block << "] for "
                         << weight;
  return success();
}

LogicalResult ContractOp::verifyRegions() {
  if (!hasEpilogue())
    return success();
  Block &body = getEpilogue().front();
  SmallVector<Type> expected{Float32Type::get(getContext())};
  for (Value extra : getExtras())
    expected.push_back(getElementTypeOrSelf(extra.getType()));
  if (body.getArgumentTypes() != TypeRange(expected)) // contract_c11
    return emitOpError() << "expected an epilogue of (" << expected << "), got (" << body.getArgumentTypes() << ")";
  auto yield = dyn_cast<YieldOp>(body.getTerminator());
  Type element = getElementTypeOrSelf(getAccumulator().getType());
  if (!yield || yield.getValue().getType() != element) // contract_c11
    return emitOpError() << "expected an epilogue that yields " << element;
  for (Operation &inner : body.without_terminator())
    if (!isValidInEpilogue(&inner)) // contract_c12
      return inner.emitOpError() << "in an epilogue: expected an elementwise op on numbers, or a constant";
  return success();
}

void ContractOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<FoldConstantOffsets<ContractOp>>(context);
}

//===----------------------------------------------------------------------===//
// Effects
//===----------------------------------------------------------------------===//

void ContractOp::getEffects(SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>> &effects) {
  if (getResult())
    return;
  effects.emplace_back(MemoryEffects::Read::get(), &getActivationsMutable());
  if (getScale())
    effects.emplace_back(MemoryEffects::Read::get(), &getScaleMutable()[0]);
  for (OpOperand &extra : getExtrasMutable())
    effects.emplace_back(MemoryEffects::Read::get(), &extra);
  if (!hasEpilogue())
    effects.emplace_back(MemoryEffects::Read::get(), &getAccumulatorMutable());
  effects.emplace_back(MemoryEffects::Write::get(), &getAccumulatorMutable());
}

//===----------------------------------------------------------------------===//
// Bufferization
//===----------------------------------------------------------------------===//

bool ContractOp::bufferizesToMemoryRead(OpOperand &operand, const AnalysisState &) {
  return &operand != &getAccumulatorMutable() || !hasEpilogue();
}

bool ContractOp::bufferizesToMemoryWrite(OpOperand &operand, const AnalysisState &) {
  return &operand == &getAccumulatorMutable();
}

AliasingValueList ContractOp::getAliasingValues(OpOperand &operand, const AnalysisState &) {
  if (&operand == &getAccumulatorMutable() && getResult())
    return {{getResult(), BufferRelation::Equivalent}};
  return {};
}

/// `buffer`, or where its rows are not contiguous a copy with contiguous ones: kernels read vectors.
static FailureOr<Value> getContiguousRows(RewriterBase &rewriter, Location loc, Value buffer,
                                          const BufferizationOptions &options) {
  auto type = cast<MemRefType>(buffer.getType());
  if (isRowMajorMatrix(type) || type.getMemorySpace())
    return buffer;
  SmallVector<Value> sizes;
  for (int64_t dim = 0; dim < type.getRank(); ++dim)
    if (type.isDynamicDim(dim))
      sizes.push_back(memref::DimOp::create(rewriter, loc, buffer, dim));
  FailureOr<Value> copy =
      options.createAlloc(rewriter, loc, MemRefType::get(type.getShape(), type.getElementType()), sizes);
  if (failed(copy) || failed(options.createMemCpy(rewriter, loc, buffer, *copy)))
    return failure();
  return copy;
}

LogicalResult ContractOp::bufferize(RewriterBase &rewriter, const BufferizationOptions &options,
                                    BufferizationState &state) {
  SmallVector<Value> buffers;
  SmallVector<Value> values{getActivations(), getScale(), getAccumulator()};
  llvm::append_range(values, getExtras());
  for (Value value : values) {
    buffers.emplace_back();
    if (!value)
      continue;
    FailureOr<Value> buffer = getBuffer(rewriter, value, options, state);
    if (succeeded(buffer) && value != getAccumulator())
      buffer = getContiguousRows(rewriter, getLoc(), *buffer, options);
    if (failed(buffer))
      return failure();
    buffers.back() = *buffer;
  }
  auto contract = ContractOp::create(rewriter, getLoc(), TypeRange{}, buffers[0], getWeight(), getOffsets(),
                                     getStaticOffsetsAttr(), buffers[1], buffers[2], ValueRange(buffers).drop_front(3),
                                     getBlockAttr(), getScalesSumsAttr(), getDividesAttr());
  rewriter.inlineRegionBefore(getEpilogue(), contract.getEpilogue(), contract.getEpilogue().begin());
  replaceOpWithBufferizedValues(rewriter, *this, buffers[2]);
  return success();
}
