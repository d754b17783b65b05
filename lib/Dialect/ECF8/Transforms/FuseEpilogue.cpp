// ecf8-fuse-epilogue: elementwise ops on the result of an `ecf8.contract` become its epilogue.
#include "EpilogueOperands.h"
#include "ecf8/Dialect/ECF8/Transforms/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/Remarks.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/Support/FormatVariadic.h"

namespace mlir::ecf8 {
#define GEN_PASS_DEF_FUSEEPILOGUEPASS
#include "ecf8/Dialect/ECF8/Transforms/Passes.h.inc"
} // namespace mlir::ecf8

using namespace mlir;
using namespace mlir::ecf8;

static constexpr StringLiteral kCategory = "ecf8-fuse-epilogue";

namespace {

/// An elementwise op that reads the result of a contraction, and what lies between the two.
struct Candidate {
  ContractOp contract;
  Operation *reshape = nullptr; ///< tensor.expand_shape or tensor.collapse_shape that keeps the columns; may be null
  linalg::GenericOp op;
  SmallVector<EpilogueOperand> operands; ///< of `op`, but for the contraction's result
  llvm::SetVector<Value> scalars;        ///< that the body takes from outside, but for constants

  Value sums() { return reshape ? Value(reshape->getResult(0)) : Value(contract.getResult()); }
};

bool isElementType(Type type) { return type.isF32() || type.isBF16() || type.isF16(); }

/// Whether a tensor holds nothing but +0.0.
bool isZero(Value tensor) {
  while (Operation *op = tensor.getDefiningOp()) {
    if (isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp, tensor::CastOp>(op))
      tensor = op->getOperand(0);
    else if (auto fill = dyn_cast<linalg::FillOp>(op))
      return matchPattern(fill.getInputs()[0], m_PosZeroFloat());
    else
      return matchPattern(tensor, m_PosZeroFloat());
  }
  return false;
}

/// Whether a reshape makes rows of several dimensions of the rows of a matrix, or a vector of its only row.
bool keepsColumns(Operation *op) {
  auto keeps = [](ArrayRef<ReassociationIndices> groups) { return groups.size() == 2 && groups[1].size() == 1; };
  if (auto expand = dyn_cast<tensor::ExpandShapeOp>(op))
    return keeps(expand.getReassociationIndices());
  auto collapse = dyn_cast<tensor::CollapseShapeOp>(op);
  return collapse && collapse.getResultType().getRank() == 1 && collapse.getSrcType().getDimSize(0) == 1;
}

/// The one op that reads `value`, or null.
Operation *onlyReader(Value value) {
  Operation *reader = value.use_empty() ? nullptr : *value.user_begin();
  return llvm::all_of(value.getUsers(), [&](Operation *user) { return user == reader; }) ? reader : nullptr;
}

bool isElementwise(Operation *op) {
  auto linalgOp = dyn_cast_or_null<linalg::LinalgOp>(op);
  return linalgOp && linalgOp.getNumLoops() == linalgOp.getNumParallelLoops();
}

/// Whether an operand gives a shape only: that of a result which is overwritten, or a size.
bool givesShape(OpOperand &use) {
  if (auto op = dyn_cast<linalg::GenericOp>(use.getOwner()))
    return op.isDpsInit(&use) && op.getMatchingBlockArgument(&use).use_empty();
  return isa<tensor::DimOp>(use.getOwner()) && use.getOperandNumber() == 0;
}

/// Takes shapes that are read off the result of a contraction, or its `reshape`, from what it is written into.
void takeShapesFromOutput(ContractOp contract, Operation *reshape) {
  Value value = reshape ? Value(reshape->getResult(0)) : Value(contract.getResult());
  if (llvm::none_of(value.getUses(), givesShape))
    return;
  Value output = contract.getAccumulator();
  if (auto fill = output.getDefiningOp<linalg::FillOp>())
    output = fill.getOutputs()[0];
  if (reshape) {
    OpBuilder builder(reshape);
    Operation *copy = builder.clone(*reshape);
    copy->setOperand(0, output);
    output = copy->getResult(0);
    output.setType(cast<RankedTensorType>(output.getType()).clone(getElementTypeOrSelf(copy->getOperand(0).getType())));
  }
  value.replaceUsesWithIf(output, givesShape);
}

/// Fills in all of `candidate` but its contraction. A failure has a reason where an elementwise op reads the result.
LogicalResult match(Candidate &candidate, bool scaledSums, std::string &reason) {
  Value value = candidate.contract.getResult();
  takeShapesFromOutput(candidate.contract, nullptr);
  Operation *reader = onlyReader(value);
  if (reader && keepsColumns(reader)) {
    candidate.reshape = reader;
    takeShapesFromOutput(candidate.contract, reader);
    value = reader->getResult(0);
    reader = onlyReader(value);
  }
  if (!reader) {
    if (int64_t count = llvm::range_size(value.getUsers()); count > 1 && llvm::any_of(value.getUsers(), isElementwise))
      reason = llvm::formatv("readers: {0} ops read the result", count);
    return failure();
  }
  if (!isElementwise(reader))
    return failure();
  linalg::GenericOp op = candidate.op = dyn_cast<linalg::GenericOp>(reader);
  if (!op || op->getNumResults() != 1)
    return reason = llvm::formatv("reader: '{0}' with {1} results", reader->getName(), reader->getNumResults()),
           failure();
  if (op->getBlock() != candidate.contract->getBlock())
    return reason = "block: the reader is in another block", failure();
  if (candidate.contract.getScalesSums() && !scaledSums)
    return reason = "arithmetic: sums that are scaled", failure();
  if (!candidate.contract.hasEpilogue() && !isZero(candidate.contract.getAccumulator()))
    return reason = "accumulator: sums that do not start at zero", failure();
  auto type = cast<RankedTensorType>(op.getResultTypes()[0]);
  if (!isElementType(type.getElementType()))
    return reason = llvm::formatv("type: a result of {0}", type.getElementType()), failure();
  if (!op.getIndexingMapMatchingResult(op->getResult(0)).isIdentity())
    return reason = "layout: a result that is transposed", failure();

  Block &body = *op.getBody();
  EpilogueSpace space(op.getStaticLoopRanges());
  for (OpOperand &operand : op->getOpOperands()) {
    BlockArgument argument = op.getMatchingBlockArgument(&operand);
    AffineMap map = op.getMatchingIndexingMap(&operand);
    if (argument.use_empty()) // as all first elements of the result that are overwritten
      continue;
    if (operand.get() == value) {
      if (!space.isIdentity(map))
        return reason = "layout: sums that are transposed or repeated", failure();
      continue;
    }
    if (!isElementType(argument.getType()))
      return reason = llvm::formatv("operand: elements of {0}", argument.getType()), failure();
    std::optional<EpilogueOperand> found = space.classify(operand, map);
    if (!found)
      return reason = llvm::formatv("operand: {0} by {1}", operand.get().getType(), map), failure();
    candidate.operands.push_back(*found);
  }
  for (Operation &inner : body.without_terminator()) {
    if (!ContractOp::isValidInEpilogue(&inner))
      return reason = llvm::formatv("body: '{0}'", inner.getName()), failure();
    for (Value used : inner.getOperands())
      if (used.getParentBlock() != &body && !matchPattern(used, m_Constant()))
        candidate.scalars.insert(used);
  }
  for (Value scalar : candidate.scalars)
    if (!isElementType(scalar.getType()))
      return reason = llvm::formatv("body: a value of {0} from outside", scalar.getType()), failure();
  Value yielded = body.getTerminator()->getOperand(0);
  if (yielded.getParentBlock() != &body)
    return reason = "body: the result does not depend on the sums", failure();
  return success();
}

/// Makes the region of `result` of the one of the contraction and the body of the reader.
void fillIn(OpBuilder &builder, Candidate &candidate, ContractOp result) {
  OpBuilder::InsertionGuard guard(builder);
  SmallVector<Type> types{builder.getF32Type()};
  for (Value extra : result.getExtras())
    types.push_back(getElementTypeOrSelf(extra.getType()));
  SmallVector<Location> locations(types.size(), candidate.op.getLoc());
  Block *target = builder.createBlock(&result.getEpilogue(), {}, types, locations);
  IRMapping mapping;
  Value sum = target->getArgument(0);
  unsigned next = 1;
  if (candidate.contract.hasEpilogue()) {
    Block &before = candidate.contract.getEpilogue().front();
    next = before.getNumArguments();
    mapping.map(before.getArguments(), target->getArguments().take_front(next));
    for (Operation &inner : before.without_terminator())
      builder.clone(inner, mapping);
    sum = mapping.lookup(before.getTerminator()->getOperand(0));
  }
  Block &body = *candidate.op.getBody();
  for (OpOperand &operand : candidate.op->getOpOperands())
    if (operand.get() == candidate.sums())
      mapping.map(candidate.op.getMatchingBlockArgument(&operand), sum);
  for (EpilogueOperand &operand : candidate.operands)
    mapping.map(candidate.op.getMatchingBlockArgument(operand.operand), target->getArgument(next++));
  for (Value scalar : candidate.scalars)
    mapping.map(scalar, target->getArgument(next++));
  for (Operation &inner : body.without_terminator()) {
    for (Value used : inner.getOperands())
      if (!mapping.contains(used)) // a constant from outside
        mapping.map(used, builder.clone(*used.getDefiningOp())->getResult(0));
    builder.clone(inner, mapping);
  }
  YieldOp::create(builder, candidate.op.getLoc(), mapping.lookup(body.getTerminator()->getOperand(0)));
}

/// `matrix` in the shape of the reader's result.
Value likeResult(OpBuilder &builder, Candidate &candidate, Value matrix) {
  linalg::GenericOp op = candidate.op;
  auto wanted = cast<RankedTensorType>(op.getResultTypes()[0]);
  if (candidate.reshape) {
    Operation *reshape = builder.clone(*candidate.reshape);
    reshape->setOperand(0, matrix);
    auto type = cast<RankedTensorType>(reshape->getResult(0).getType());
    reshape->getResult(0).setType(type.clone(wanted.getElementType()));
    matrix = reshape->getResult(0);
  }
  return matrix.getType() == wanted ? matrix : tensor::CastOp::create(builder, op.getLoc(), wanted, matrix).getResult();
}

/// The contraction with the reader in its epilogue, in place of both.
ContractOp rewrite(Candidate &candidate) {
  ContractOp contract = candidate.contract;
  linalg::GenericOp op = candidate.op;
  OpBuilder builder(op);
  Location loc = op.getLoc();
  auto shape = cast<RankedTensorType>(contract.getResult().getType());
  RankedTensorType type = shape.clone(cast<RankedTensorType>(op.getResultTypes()[0]).getElementType());
  SmallVector<Value> extras(contract.getExtras());
  for (EpilogueOperand &operand : candidate.operands)
    extras.push_back(operand.materialize(builder, loc, type));
  for (Value scalar : candidate.scalars)
    extras.push_back(
        tensor::FromElementsOp::create(builder, loc, RankedTensorType::get({1, 1}, scalar.getType()), scalar));
  SmallVector<Value> rows;
  if (type.isDynamicDim(0))
    rows.push_back(tensor::DimOp::create(builder, loc, contract.getActivations(), 0));
  Value out = tensor::EmptyOp::create(builder, loc, type, rows);
  auto result =
      ContractOp::create(builder, loc, type, contract.getActivations(), contract.getWeight(), contract.getOffsets(),
                         contract.getStaticOffsetsAttr(), contract.getScale(), out, extras, contract.getBlockAttr(),
                         contract.getScalesSumsAttr(), contract.getDividesAttr());
  fillIn(builder, candidate, result);
  op->getResult(0).replaceAllUsesWith(likeResult(builder, candidate, result.getResult()));
  op.erase();
  if (candidate.reshape)
    candidate.reshape->erase();
  contract.erase();
  return result;
}

struct FuseEpiloguePass : public ::mlir::ecf8::impl::FuseEpiloguePassBase<FuseEpiloguePass> {
  using FuseEpiloguePassBase::FuseEpiloguePassBase;

  void runOnOperation() override {
    SmallVector<ContractOp> contracts;
    getOperation().walk([&](ContractOp contract) {
      if (contract.getResult())
        contracts.push_back(contract);
    });
    for (ContractOp contract : contracts)
      while (contract)
        contract = fuse(contract);
  }

private:
  /// The contraction that has one more reader in its epilogue, or null where there is none.
  ContractOp fuse(ContractOp contract) {
    Candidate candidate{contract, nullptr, {}, {}, {}};
    std::string reason;
    auto options = remark::RemarkOpts::name("").category(kCategory).function(getOperation().getName());
    if (failed(match(candidate, scaledSums, reason))) {
      if (!reason.empty()) {
        options.remarkName = "NotFused";
        auto missed = remark::missed(contract.getLoc(), options);
        missed << remark::reason("{0}", reason);
        addName(missed, contract);
      }
      return {};
    }
    options.remarkName = "Fused";
    auto fused = remark::passed(candidate.op.getLoc(), options);
    addName(fused, contract);
    fused << remark::metric("Operands", static_cast<int64_t>(candidate.operands.size() + candidate.scalars.size()))
          << remark::metric("Result", cast<RankedTensorType>(candidate.op.getResultTypes()[0]).getElementType());
    return rewrite(candidate);
  }

  static void addName(remark::detail::InFlightRemark &remark, ContractOp contract) {
    if (StringRef name = getWeightName(contract.getWeight()); !name.empty())
      remark << remark::metric("Name", name);
  }
};

} // namespace
