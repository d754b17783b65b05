// A decode whose readers are contractions becomes `ecf8.contract`s.
#include "WeightReaders.h"
#include "ecf8/Codec/Encoder.h"
#include "ecf8/Dialect/ECF8/Transforms/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/IndexingUtils.h"
#include "mlir/IR/Remarks.h"
#include "llvm/Support/FormatVariadic.h"

namespace mlir::ecf8 {
#define GEN_PASS_DEF_FUSEDECODEPASS
#include "ecf8/Dialect/ECF8/Transforms/Passes.h.inc"
} // namespace mlir::ecf8

using namespace mlir;
using namespace mlir::ecf8;

static constexpr StringLiteral kCategory = "ecf8-fuse-decode";

namespace {

struct FuseDecodePass : public ::mlir::ecf8::impl::FuseDecodePassBase<FuseDecodePass> {
  using FuseDecodePassBase::FuseDecodePassBase;

  void runOnOperation() override {
    if (arithmetic != "as-written" && arithmetic != "epilogue") {
      getOperation().emitError() << "expected arithmetic 'as-written' or 'epilogue', got '" << arithmetic << "'";
      return signalPassFailure();
    }
    getOperation().walk(hoistScalars);
    SmallVector<DecodeOp> decodes;
    getOperation().walk([&](DecodeOp decode) { decodes.push_back(decode); });
    for (DecodeOp decode : decodes)
      fuse(decode);
  }

private:
  /// Numbers that are the same for each element stand before `op`, where they can be a scale: frontends write a scale
  /// that is a number of the program as a constant of f64, rounded in the body.
  static void hoistScalars(linalg::GenericOp op) {
    for (Operation &inner : llvm::make_early_inc_range(op.getBody()->without_terminator()))
      if (isa<arith::ConstantOp, arith::TruncFOp>(inner) &&
          llvm::none_of(inner.getOperands(), [&](Value operand) { return operand.getParentBlock() == op.getBody(); }))
        inner.moveBefore(op);
  }

  void fuse(DecodeOp decode) {
    if (decode.getDestination())
      return;
    WeightReaders readers;
    readers.reason = declineAll(decode);
    if (readers.reason.empty())
      readers = WeightReaders::of(decode.getResult(), WeightChain::of(decode.getSourceType()));
    if (readers.reason.empty() && forGpu) {
      for (WeightContraction &contraction : readers.contractions)
        extendBehindReshapes(contraction.activations->get());
      readers.reason = declineForGpu(readers.contractions);
    }
    if (int64_t count = readers.ends.size(); count > 1) {
      auto several = remark::analysis(decode.getLoc(), remarkOptions("SeveralReaders", decode));
      addName(several, decode);
      several << remark::metric("Readers", count)
              << remark::metric("Decision", readers.reason.empty() ? "each decodes" : "decoded once for all");
    }
    if (!readers.reason.empty()) {
      auto missed = remark::missed(decode.getLoc(), remarkOptions("NotFused", decode));
      missed << remark::reason("{0}", readers.reason);
      addName(missed, decode);
      return;
    }
    SmallVectorImpl<WeightContraction> &candidates = readers.contractions;
    for (auto [index, candidate] : llvm::enumerate(candidates)) {
      auto fused = remark::passed(candidate.op.getLoc(), remarkOptions("Fused", decode));
      addName(fused, decode);
      fused << remark::metric("Weight", Type(candidate.chain.weight))
            << remark::metric("Scale", describe(candidate.chain));
      if (forGpu) {
        Type activations = getMultipliedType(getContracted(candidate));
        fused << remark::metric("Path", ("W8A" + Twine(activations.getIntOrFloatBitWidth())).str());
      }
      Value before = candidate.op->getResult(0), result = rewrite(candidate, decode.getSource());
      for (WeightContraction &next : llvm::drop_begin(candidates, index + 1))
        if (next.chain.scale.value == before)
          next.chain.scale.value = result;
      before.replaceAllUsesWith(result);
      candidate.op->erase();
    }
    for (Operation *link : llvm::reverse(readers.links))
      link->erase();
    decode.erase();
  }

  /// A reshape of what is extended becomes an extension of what is reshaped: frontends make activations a matrix behind
  /// their extension.
  static void extendBehindReshapes(Value value) {
    if (Value source = getExtended(value))
      return extendBehindReshapes(source);
    Operation *op = value.getDefiningOp();
    if (!isa_and_nonnull<tensor::CollapseShapeOp, tensor::ExpandShapeOp>(op))
      return;
    extendBehindReshapes(op->getOperand(0));
    auto from = cast<RankedTensorType>(op->getOperand(0).getType()),
         to = cast<RankedTensorType>(op->getResult(0).getType());
    Value source = getExtended(op->getOperand(0));
    if (!source || cast<RankedTensorType>(source.getType()).getShape() != from.getShape())
      return;
    OpBuilder builder(op);
    Operation *reshape = builder.clone(*op);
    reshape->setOperand(0, source);
    reshape->getResult(0).setType(to.clone(getElementTypeOrSelf(source.getType())));
    op->getResult(0).replaceAllUsesWith(
        arith::ExtFOp::create(builder, op->getLoc(), to, reshape->getResult(0)).getResult());
    op->erase();
    extendBehindReshapes(reshape->getResult(0));
  }

  static remark::RemarkOpts remarkOptions(StringRef name, DecodeOp decode) {
    return remark::RemarkOpts::name(name).category(kCategory).function(
        decode->getParentOfType<func::FuncOp>().getName());
  }

  /// Whether scales of this weight are applied to sums.
  bool scalesSums(const WeightChain &chain) const {
    return chain.scale && arithmetic == "epilogue" && hasTilesWhenPlain(chain.weight);
  }

  /// The activations of one of these types that those of the program are an extension from; null where there are none.
  static Value getNarrow(const WeightContraction &candidate, ArrayRef<Type> types) {
    for (Type type : types)
      if (Value source = getBeforeExtension(candidate.activations->get(), type))
        return source;
    return {};
  }
  static Value getFP8Activations(const WeightContraction &candidate) {
    MLIRContext *context = candidate.activations->getOwner()->getContext();
    return getNarrow(candidate, {Float8E4M3FNType::get(context), Float8E5M2Type::get(context)});
  }

  /// What `ecf8.contract` takes as activations: those of the program, or what they are an extension from.
  Value getContracted(const WeightContraction &candidate) const {
    const WeightChain &chain = candidate.chain;
    Value activations = candidate.activations->get();
    // FP8 is exact in f16 and bf16: without scales of weights the factors of a product are those before extensions.
    if (forGpu && (!chain.scale || scalesSums(chain))) {
      MLIRContext *context = activations.getContext();
      Value fp8 = getFP8Activations(candidate);
      if (fp8 && fp8Activations)
        return fp8;
      if (Value source = getNarrow(candidate, {BFloat16Type::get(context), Float16Type::get(context)}))
        return source;
      if (fp8 && getElementTypeOrSelf(activations).isF32())
        return fp8;
    }
    return chain.extendedFrom ? getBeforeExtension(activations, chain.extendedFrom) : activations;
  }

  /// The type of these activations where kernels of GPUs multiply them.
  Type getMultipliedType(Value contracted) const {
    Type type = getElementTypeOrSelf(contracted.getType());
    bool extends = forGpu && !fp8Activations && CompressedType::isValidElementType(type);
    return extends ? Float16Type::get(type.getContext()) : type;
  }

  static std::string describe(const WeightChain &chain) {
    if (!chain.scale)
      return "none";
    return llvm::formatv("{0} x {1}", chain.scale.block[0], chain.scale.block[1]);
  }

  static void addName(remark::detail::InFlightRemark &remark, DecodeOp decode) {
    if (StringRef name = getWeightName(decode.getSource()); !name.empty())
      remark << remark::metric("Name", name);
  }

  /// Why no reader of a decode can be a contraction; empty where it depends on the reader.
  static std::string declineAll(DecodeOp decode) {
    CompressedType type = decode.getSourceType();
    if (!decode.isWhole())
      return "slice: a part of the weight";
    if (std::string reason = declineShape(type.getShape()); !reason.empty())
      return reason;
    if (type.getEncoding().getElementOrder() == Order::row_major)
      return "encoding: no tiles";
    return decode.use_empty() ? "unused: nothing reads the weight" : "";
  }

  /// Why kernels of GPUs cannot do all of these contractions.
  std::string declineForGpu(ArrayRef<WeightContraction> contractions) const {
    for (const WeightContraction &contraction : contractions) {
      const WeightScale &scale = contraction.chain.scale;
      if (scale.divides)
        return "target: a scale that divides, which kernels for GPUs do not have";
      Type activations = getElementTypeOrSelf(getContracted(contraction).getType());
      if (activations.isF16() || activations.isBF16() || CompressedType::isValidElementType(activations))
        continue;
      if (contraction.chain.scale)
        return llvm::formatv(
            "target: activations of {0} with weights that are scaled before the product, where kernels "
            "for GPUs take f16 and bf16 (arithmetic=epilogue scales sums)",
            activations);
      return llvm::formatv("target: activations of {0}, where kernels for GPUs take f16, bf16 and FP8", activations);
    }
    return "";
  }

  //===--------------------------------------------------------------------===//
  // Rewriting
  //===--------------------------------------------------------------------===//

  /// The groups of dimensions that make a tensor of `rank` dimensions a matrix with the same last dimension.
  static SmallVector<ReassociationIndices> matrixGroups(int64_t rank) {
    ReassociationIndices rows = llvm::to_vector(llvm::seq<int64_t>(0, rank - 1));
    return {rows, {rank - 1}};
  }

  /// `value` with a last dimension of static size: as a contraction with a weight, it can have no other.
  static Value withColumns(OpBuilder &builder, Location loc, Value value, int64_t columns) {
    auto type = cast<RankedTensorType>(value.getType());
    SmallVector<int64_t> shape(type.getShape());
    if (shape.back() == columns)
      return value;
    shape.back() = columns;
    return tensor::CastOp::create(builder, loc, type.clone(shape), value);
  }

  static Value asMatrix(OpBuilder &builder, Location loc, Value value) {
    auto type = cast<RankedTensorType>(value.getType());
    if (type.getRank() == 2)
      return value;
    if (type.getRank() > 2)
      return tensor::CollapseShapeOp::create(builder, loc, value, matrixGroups(type.getRank()));
    auto row = RankedTensorType::get({1, type.getDimSize(0)}, type.getElementType());
    return tensor::ExpandShapeOp::create(builder, loc, row, value, ArrayRef<ReassociationIndices>{{0, 1}});
  }

  /// `value` with its dimensions in this order.
  static Value inOrder(OpBuilder &builder, Location loc, Value value, ArrayRef<int64_t> order) {
    if (isIdentityPermutation(order))
      return value;
    SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(builder, loc, value);
    applyPermutationToVector(sizes, order);
    Value empty = tensor::EmptyOp::create(builder, loc, sizes, getElementTypeOrSelf(value.getType()));
    return linalg::TransposeOp::create(builder, loc, value, empty, order)->getResult(0);
  }

  /// `value` for each index into the dimensions `dims` of `result`, which become the first ones.
  static Value repeat(OpBuilder &builder, Location loc, Value value, Value result, ArrayRef<int64_t> dims) {
    if (dims.empty())
      return value;
    SmallVector<OpFoldResult> sizes;
    for (int64_t dim : dims)
      sizes.push_back(tensor::getMixedSize(builder, loc, result, dim));
    llvm::append_range(sizes, tensor::getMixedSizes(builder, loc, value));
    Value empty = tensor::EmptyOp::create(builder, loc, sizes, getElementTypeOrSelf(value.getType()));
    auto first = llvm::to_vector(llvm::seq<int64_t>(0, dims.size()));
    return linalg::BroadcastOp::create(builder, loc, value, empty, first)->getResult(0);
  }

  /// [M, ...] of `value` at `expert` of its first dimension.
  static tensor::ExtractSliceOp sliceExpert(OpBuilder &builder, Location loc, Value value, Value expert) {
    auto type = cast<RankedTensorType>(value.getType());
    SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(builder, loc, value);
    SmallVector<OpFoldResult> offsets(sizes.size(), builder.getIndexAttr(0)),
        ones(sizes.size(), builder.getIndexAttr(1));
    offsets[0] = expert;
    sizes[0] = ones[0];
    return tensor::ExtractSliceOp::create(builder, loc, type.clone(type.getShape().drop_front()), value, offsets, sizes,
                                          ones);
  }

  /// Whether a weight of this shape has tiles in every encoding. A plain one of fewer rows or columns has none, and is
  /// not fused: there its scale cannot move to the sums, so it does not for the others either.
  static bool hasTilesWhenPlain(CompressedType weight) {
    SmallVector<uint64_t> dims(weight.getShape());
    return ::ecf8::EncodeOptions::rawFor({dims.data(), dims.size()}).order == ::ecf8::Order::Rows32;
  }

  /// `accumulator` [..., N] and the products of `activations` [..., K] and the weight, or the matrix of its `expert`.
  Value contract(OpBuilder &builder, const WeightContraction &candidate, Value activations, Value weight,
                 OpFoldResult expert, Value accumulator) {
    Location loc = candidate.op->getLoc();
    auto type = cast<RankedTensorType>(accumulator.getType());
    const WeightScale &found = candidate.chain.scale;
    Value scale = found ? found.materialize(builder, loc, candidate.chain.weight, expert) : Value();
    ArrayRef<int64_t> block = scale ? ArrayRef<int64_t>(found.block) : ArrayRef<int64_t>();
    SmallVector<OpFoldResult> offsets;
    if (expert)
      offsets.assign({expert, builder.getIndexAttr(0), builder.getIndexAttr(0)});
    auto contract = ContractOp::create(builder, loc, asMatrix(builder, loc, activations), weight, scale, block,
                                       asMatrix(builder, loc, accumulator), offsets);
    contract.setDivides(found.divides);
    contract.setScalesSums(scalesSums(candidate.chain));
    Value result = contract.getResult();
    if (type.getRank() == 1)
      return tensor::CollapseShapeOp::create(builder, loc, result, ArrayRef<ReassociationIndices>{{0, 1}});
    if (type.getRank() > 2)
      return tensor::ExpandShapeOp::create(builder, loc, type, result, matrixGroups(type.getRank()),
                                           tensor::getMixedSizes(builder, loc, accumulator));
    return result;
  }

  /// The same for each of the experts in turn, which are the first dimension of `accumulator`.
  Value contractExperts(OpBuilder &builder, const WeightContraction &candidate, Value activations, Value weight,
                        Value accumulator) {
    Location loc = candidate.op->getLoc();
    auto index = [&](int64_t value) { return arith::ConstantIndexOp::create(builder, loc, value); };
    auto body = [&](OpBuilder &inner, Location, Value expert, ValueRange sums) {
      Value own = candidate.sharesActivations ? activations : sliceExpert(inner, loc, activations, expert).getResult();
      tensor::ExtractSliceOp part = sliceExpert(inner, loc, sums.front(), expert);
      Value result = contract(inner, candidate, own, weight, expert, part);
      Value whole = tensor::InsertSliceOp::create(inner, loc, result, sums.front(), part.getMixedOffsets(),
                                                  part.getMixedSizes(), part.getMixedStrides());
      scf::YieldOp::create(inner, loc, whole);
    };
    return scf::ForOp::create(builder, loc, index(0), index(candidate.chain.weight.getShape()[0]), index(1),
                              ValueRange{accumulator}, body)
        .getResult(0);
  }

  /// The result of a contraction with the compressed weight.
  Value rewrite(const WeightContraction &candidate, Value weight) {
    linalg::LinalgOp op = candidate.op;
    Location loc = op.getLoc();
    OpBuilder builder(op);
    Value activations = getContracted(candidate);
    if (Type type = getMultipliedType(activations); type != getElementTypeOrSelf(activations.getType()))
      activations =
          arith::ExtFOp::create(builder, loc, cast<RankedTensorType>(activations.getType()).clone(type), activations);
    activations = repeat(builder, loc, activations, op.getDpsInits()[0], candidate.repeatedDims);
    activations = inOrder(builder, loc, activations, candidate.activationsOrder);
    Value accumulator = inOrder(builder, loc, op.getDpsInits()[0], candidate.resultOrder);
    activations = withColumns(builder, loc, activations, getColumnCount(candidate.chain.weight));
    accumulator = withColumns(builder, loc, accumulator, getRowCount(candidate.chain.weight));
    Value result = candidate.isPerExpert
                       ? contractExperts(builder, candidate, activations, weight, accumulator)
                       : contract(builder, candidate, activations, weight, candidate.chain.expert, accumulator);
    result = inOrder(builder, loc, result, invertPermutationVector(candidate.resultOrder));
    if (result.getType() != op->getResult(0).getType())
      result = tensor::CastOp::create(builder, loc, op->getResult(0).getType(), result);
    return result;
  }
};

} // namespace
