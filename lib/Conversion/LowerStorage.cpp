// Compressed values become the bytes of their payloads, decodes become calls of decode functions, and globals become
// weights of the runtime.
#include "ecf8/Conversion/Contractions.h"
#include "ecf8/Conversion/Decoders.h"
#include "ecf8/Conversion/Passes.h"
#include "ecf8/Conversion/RuntimeImports.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Func/Transforms/FuncConversions.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/Transforms/Patterns.h"
#include "mlir/Transforms/DialectConversion.h"

namespace mlir::ecf8 {
#define GEN_PASS_DEF_LOWERSTORAGEPASS
#include "ecf8/Conversion/Passes.h.inc"
} // namespace mlir::ecf8

using namespace mlir;
using namespace mlir::ecf8;

/// Row and column of the matrix view of a weight of this shape at which the slice with these offsets begins.
static std::pair<Value, Value> sliceBegin(OpBuilder &builder, Location loc, ArrayRef<int64_t> shape,
                                          ArrayRef<int64_t> staticOffsets, ValueRange dynamicOffsets) {
  Value row = arith::ConstantIndexOp::create(builder, loc, 0), column = row;
  for (auto [d, stated] : llvm::enumerate(staticOffsets)) {
    Value at;
    if (ShapedType::isDynamic(stated)) {
      at = dynamicOffsets.front();
      dynamicOffsets = dynamicOffsets.drop_front();
    } else {
      at = arith::ConstantIndexOp::create(builder, loc, stated);
    }
    if (d + 1 == shape.size()) {
      column = at;
      continue;
    }
    Value size = arith::ConstantIndexOp::create(builder, loc, shape[d]);
    row = arith::AddIOp::create(builder, loc, arith::MulIOp::create(builder, loc, row, size), at);
  }
  return {row, column};
}

namespace {

/// The number of each global: its position among the globals of the module, which is its index in the manifest.
using WeightIndices = DenseMap<StringAttr, int64_t>;

struct LowerGlobalLoad : public OpConversionPattern<GlobalLoadOp> {
  LowerGlobalLoad(const TypeConverter &converter, MLIRContext *context, const WeightIndices &indices)
      : OpConversionPattern(converter, context), indices(indices) {}

  LogicalResult matchAndRewrite(GlobalLoadOp op, OpAdaptor, ConversionPatternRewriter &rewriter) const override {
    auto found = indices.find(op.getGlobalAttr().getAttr());
    if (found == indices.end())
      return rewriter.notifyMatchFailure(op, "the symbol names no global");
    if (isa<RankedTensorType>(op.getType()))
      return rewriter.notifyMatchFailure(op, "not bufferized");
    MLIRContext *context = getContext();
    Location loc = op.getLoc();
    auto module = op->getParentOfType<ModuleOp>();
    auto type = rewriter.getFunctionType({rewriter.getIndexType()}, {getPayloadType(context)});
    func::FuncOp import = getOrCreateRuntimeFunction(module, kRuntimeWeight, type);
    Value index = arith::ConstantIndexOp::create(rewriter, loc, found->second);
    Value bytes = func::CallOp::create(rewriter, loc, import, index).getResult(0);
    if (auto memref = dyn_cast<MemRefType>(op.getType())) {
      Value zero = arith::ConstantIndexOp::create(rewriter, loc, 0);
      rewriter.replaceOpWithNewOp<memref::ViewOp>(op, memref, bytes, zero, ValueRange{});
    } else {
      rewriter.replaceOp(op, bytes);
    }
    return success();
  }

  const WeightIndices &indices;
};

struct LowerConstant : public OpConversionPattern<ConstantOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult matchAndRewrite(ConstantOp op, OpAdaptor, ConversionPatternRewriter &rewriter) const override {
    auto module = op->getParentOfType<ModuleOp>();
    Location loc = op.getLoc();
    auto payload = op.getPayload();
    auto type = MemRefType::get(payload.getShapedType().getShape(), rewriter.getI8Type());
    std::string name;
    for (unsigned i = 0; name.empty() || module.lookupSymbol(name); ++i)
      name = "ecf8_payload_" + std::to_string(i);
    {
      OpBuilder::InsertionGuard guard(rewriter);
      rewriter.setInsertionPointToStart(module.getBody());
      memref::GlobalOp::create(rewriter, loc, name, rewriter.getStringAttr("private"), type, payload,
                               /*constant=*/true, rewriter.getI64IntegerAttr(64));
    }
    Value global = memref::GetGlobalOp::create(rewriter, loc, type, name);
    rewriter.replaceOpWithNewOp<memref::CastOp>(op, getPayloadType(getContext()), global);
    return success();
  }
};

struct LowerDecode : public OpConversionPattern<DecodeOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult matchAndRewrite(DecodeOp op, OpAdaptor adaptor, ConversionPatternRewriter &rewriter) const override {
    if (!op.getDestination())
      return rewriter.notifyMatchFailure(op, "not bufferized");
    CompressedType source = op.getSourceType();
    FailureOr<Value> matrix = matrixView(op, adaptor.getDestination(), rewriter);
    if (failed(matrix))
      return failure();
    auto [row, column] =
        sliceBegin(rewriter, op.getLoc(), source.getShape(), op.getStaticOffsets(), adaptor.getOffsets());
    func::FuncOp decoder = getOrCreateDecoder(op->getParentOfType<ModuleOp>(), source);
    func::CallOp::create(rewriter, op.getLoc(), decoder, ValueRange{adaptor.getSource(), *matrix, row, column});
    rewriter.eraseOp(op);
    return success();
  }

private:
  /// The destination as rows of its last dimension, with any row stride.
  static FailureOr<Value> matrixView(DecodeOp op, Value destination, ConversionPatternRewriter &rewriter) {
    auto type = cast<MemRefType>(destination.getType());
    SmallVector<int64_t> strides;
    int64_t offset;
    if (failed(type.getStridesAndOffset(strides, offset)))
      return rewriter.notifyMatchFailure(op, "the destination's layout is not strided");
    ArrayRef<int64_t> shape = type.getShape();
    int64_t rank = type.getRank(), rows = 1;
    for (int64_t d = 0; d + 1 < rank; ++d) {
      rows *= shape[d];
      if (d + 2 < rank && shape[d] != 1 && strides[d] != strides[d + 1] * shape[d + 1])
        return op.emitOpError() << "expected a destination whose rows lie at one stride, got " << type, failure();
    }
    Location loc = op.getLoc();
    auto metadata = memref::ExtractStridedMetadataOp::create(rewriter, loc, destination);
    int64_t columns = rank == 0 ? 1 : shape.back();
    OpFoldResult rowStride =
        rank < 2 ? OpFoldResult(rewriter.getIndexAttr(columns)) : OpFoldResult(metadata.getStrides()[rank - 2]);
    auto view = memref::ReinterpretCastOp::create(
        rewriter, loc,
        MemRefType::get({rows, columns}, type.getElementType(),
                        StridedLayoutAttr::get(op.getContext(), ShapedType::kDynamic,
                                               {rank < 2 ? columns : ShapedType::kDynamic, 1})),
        metadata.getBaseBuffer(), OpFoldResult(metadata.getOffset()),
        ArrayRef<OpFoldResult>{rewriter.getIndexAttr(rows), rewriter.getIndexAttr(columns)},
        ArrayRef<OpFoldResult>{rowStride, rewriter.getIndexAttr(1)});
    func::FuncOp decoder = getOrCreateDecoder(op->getParentOfType<ModuleOp>(), op.getSourceType());
    return memref::CastOp::create(rewriter, loc, decoder.getArgumentTypes()[1], view).getResult();
  }
};

struct LowerContract : public OpConversionPattern<ContractOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult matchAndRewrite(ContractOp op, OpAdaptor adaptor, ConversionPatternRewriter &rewriter) const override {
    if (op.getResult())
      return rewriter.notifyMatchFailure(op, "not bufferized");
    Location loc = op.getLoc();
    checkRows(op, adaptor, rewriter);
    ContractionSpec spec = ContractionSpec::of(op);
    func::FuncOp function = getOrCreateContraction(op->getParentOfType<ModuleOp>(), spec);
    SmallVector<Value> operands{adaptor.getWeight(), adaptor.getActivations(), adaptor.getAccumulator()};
    if (spec.scaleKind != ScaleKind::None)
      operands.push_back(adaptor.getScale());
    for (auto [operand, type] : llvm::drop_begin(llvm::zip(operands, function.getArgumentTypes())))
      if (operand.getType() != type)
        operand = memref::CastOp::create(rewriter, loc, type, operand);
    for (int64_t size : op.getBlock())
      operands.push_back(arith::ConstantIndexOp::create(rewriter, loc, size));
    for (auto [extra, type] : llvm::zip_equal(adaptor.getExtras(), spec.extra))
      operands.push_back(castExtra(rewriter, loc, extra, type));
    operands.push_back(
        sliceBegin(rewriter, loc, spec.weight.getShape(), op.getStaticOffsets(), adaptor.getOffsets()).first);
    func::CallOp::create(rewriter, loc, function, operands);
    rewriter.eraseOp(op);
    return success();
  }

private:
  /// Asserts what the types leave open. The kernel does so, too, but it is shared by contractions in many places.
  static void checkRows(ContractOp op, OpAdaptor adaptor, OpBuilder &builder) {
    auto isDynamic = [](Value value) { return cast<MemRefType>(value.getType()).isDynamicDim(0); };
    if (!isDynamic(adaptor.getActivations()) && !isDynamic(adaptor.getAccumulator()))
      return;
    auto rows = [&](Value value) { return memref::DimOp::create(builder, op.getLoc(), value, 0).getResult(); };
    Value isEqual = arith::CmpIOp::create(builder, op.getLoc(), arith::CmpIPredicate::eq,
                                          rows(adaptor.getAccumulator()), rows(adaptor.getActivations()));
    cf::AssertOp::create(builder, op.getLoc(), isEqual, "expected an output of as many rows as the activations");
  }

  /// `extra` as an argument of `type`. The stride of a single column does not matter, but the type states 1.
  static Value castExtra(OpBuilder &builder, Location loc, Value extra, MemRefType type) {
    auto given = cast<MemRefType>(extra.getType());
    auto [strides, offset] = given.getStridesAndOffset();
    if (strides.back() != 1) {
      auto metadata = memref::ExtractStridedMetadataOp::create(builder, loc, extra);
      SmallVector<OpFoldResult> sizes = getAsOpFoldResult(metadata.getSizes());
      sizes.back() = builder.getIndexAttr(1);
      SmallVector<OpFoldResult> unit{metadata.getStrides().front(), builder.getIndexAttr(1)};
      if (type.getDimSize(0) == 1)
        sizes.front() = builder.getIndexAttr(1);
      return memref::ReinterpretCastOp::create(builder, loc, type, metadata.getBaseBuffer(),
                                               OpFoldResult(metadata.getOffset()), sizes, unit);
    }
    return given == type ? extra : memref::CastOp::create(builder, loc, type, extra).getResult();
  }
};

struct LowerStoragePass : public ::mlir::ecf8::impl::LowerStoragePassBase<LowerStoragePass> {
  using LowerStoragePassBase::LowerStoragePassBase;

  void runOnOperation() override {
    MLIRContext &context = getContext();
    WeightIndices indices;
    SmallVector<GlobalOp> globals;
    for (auto global : getOperation().getOps<GlobalOp>()) {
      indices.try_emplace(global.getSymNameAttr(), globals.size());
      globals.push_back(global);
    }

    TypeConverter converter;
    converter.addConversion([](Type type) { return type; });
    converter.addConversion([](CompressedType type) -> Type { return getPayloadType(type.getContext()); });

    RewritePatternSet patterns(&context);
    ConversionTarget target(context);
    patterns.add<LowerGlobalLoad>(converter, &context, indices);
    patterns.add<LowerConstant, LowerContract, LowerDecode>(converter, &context);
    populateFunctionOpInterfaceTypeConversionPattern<func::FuncOp>(patterns, converter);
    populateCallOpTypeConversionPattern(patterns, converter);
    populateReturnOpTypeConversionPattern(patterns, converter);
    populateBranchOpInterfaceTypeConversionPattern(patterns, converter);
    scf::populateSCFStructuralTypeConversionsAndLegality(converter, patterns, target);
    target.addIllegalOp<GlobalLoadOp, ConstantOp, ContractOp, DecodeOp>();
    target.addDynamicallyLegalOp<func::FuncOp>([&](func::FuncOp op) {
      return converter.isSignatureLegal(op.getFunctionType()) && converter.isLegal(&op.getBody());
    });
    target.markUnknownOpDynamicallyLegal([&](Operation *op) { return converter.isLegal(op); });
    target.addLegalOp<GlobalOp, ModuleOp>();
    if (failed(applyPartialConversion(getOperation(), target, std::move(patterns))))
      return signalPassFailure();
    for (GlobalOp global : globals)
      global.erase();
  }
};

} // namespace
