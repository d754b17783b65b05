// ecf8-parallel-to-runtime: the body of a parallel loop becomes a function that the runtime's threads call.
#include "EqualFunctions.h"
#include "LoopIndex.h"
#include "ecf8/Conversion/Passes.h"
#include "ecf8/Conversion/RuntimeImports.h"

#include "mlir/Conversion/LLVMCommon/MemRefBuilder.h"
#include "mlir/Conversion/LLVMCommon/TypeConverter.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/SCF/Transforms/Transforms.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/PatternMatch.h"

namespace mlir::ecf8 {
#define GEN_PASS_DEF_PARALLELTORUNTIMEPASS
#include "ecf8/Conversion/Passes.h.inc"
} // namespace mlir::ecf8

using namespace mlir;
using namespace mlir::ecf8;

namespace {

/// The attribute of a loop: the least number of iterations worth a thread.
constexpr llvm::StringLiteral kGrain = "ecf8.grain";

/// Values that a body makes again instead of taking them through the context.
bool isCheapToClone(Operation *op) {
  return op && op->getNumOperands() == 0 && op->getNumRegions() == 0 &&
         (op->hasTrait<OpTrait::ConstantLike>() || isa<memref::GetGlobalOp>(op));
}

/// Whether the type of a buffer says all that its descriptor holds but for the address. (Its two pointers differ only
/// for arguments, which no body frees.)
bool isAddressOnly(Type type) {
  auto buffer = dyn_cast<MemRefType>(type);
  if (!buffer || !buffer.hasStaticShape())
    return false;
  SmallVector<int64_t> strides;
  int64_t offset;
  return succeeded(buffer.getStridesAndOffset(strides, offset)) && ShapedType::isStatic(offset) &&
         ShapedType::isStaticShape(strides);
}

class ParallelToRuntimePass : public mlir::ecf8::impl::ParallelToRuntimePassBase<ParallelToRuntimePass> {
public:
  using ParallelToRuntimePassBase::ParallelToRuntimePassBase;

  void runOnOperation() override {
    if (failed(foralls()))
      return signalPassFailure();
    SmallVector<scf::ParallelOp> outermost;
    for (auto function : getOperation().getOps<func::FuncOp>())
      function.walk<WalkOrder::PreOrder>([&](scf::ParallelOp op) {
        if (op.getNumResults() == 0)
          outermost.push_back(op);
        return WalkResult::skip();
      });
    symbols.emplace(getOperation());
    for (scf::ParallelOp op : outermost)
      if (failed(outline(op)))
        return signalPassFailure();
  }

private:
  /// Loops over `scf.forall` without mapping and results are parallel loops.
  LogicalResult foralls() {
    SmallVector<scf::ForallOp> loops;
    getOperation().walk([&](scf::ForallOp op) {
      if (op.getNumResults() == 0 && !op.getMapping())
        loops.push_back(op);
    });
    for (scf::ForallOp op : loops) {
      IRRewriter rewriter(op);
      rewriter.setInsertionPoint(op);
      Attribute grainOfLoop = op->getAttr(kGrain);
      scf::ParallelOp parallel;
      if (failed(scf::forallToParallelLoop(rewriter, op, &parallel)))
        return failure();
      if (grainOfLoop)
        parallel->setAttr(kGrain, grainOfLoop);
    }
    return success();
  }

  int64_t grainOf(scf::ParallelOp op) const {
    auto attribute = op->getAttrOfType<IntegerAttr>(kGrain);
    return attribute ? std::max<int64_t>(attribute.getInt(), 1) : std::max<int64_t>(grain, 1);
  }

  LogicalResult outline(scf::ParallelOp op) {
    ImplicitLocOpBuilder builder(op.getLoc(), op);
    IterationCounts iterations = countIterations(builder, op);
    SmallVector<Value> packed;
    SmallVector<Operation *> cloned;
    for (Value value : getCapturedValues(op, iterations.counts)) {
      if (isCheapToClone(value.getDefiningOp()))
        cloned.push_back(value.getDefiningOp());
      else
        packed.push_back(value);
    }
    LLVMTypeConverter converter(&getContext());
    SmallVector<Type> fields;
    for (Value value : packed) {
      Type field = isAddressOnly(value.getType()) ? LLVM::LLVMPointerType::get(&getContext())
                                                  : converter.convertType(value.getType());
      if (!field)
        return op.emitOpError() << "expected captured values with a type of LLVM, got one of type " << value.getType();
      fields.push_back(field);
    }
    auto contextType = LLVM::LLVMStructType::getLiteral(&getContext(), fields);

    func::FuncOp body = deduplicated(createBody(op, packed, cloned, iterations.counts, contextType, converter));
    Value context = packContext(builder, op->getParentOfType<func::FuncOp>(), packed, contextType, converter);
    Value function = func::ConstantOp::create(builder, body.getFunctionType(), SymbolRefAttr::get(body));
    auto runtimeType = builder.getFunctionType(
        {builder.getIndexType(), builder.getIndexType(), body.getFunctionType(), context.getType()}, {});
    func::FuncOp runtime = getOrCreateRuntimeFunction(getOperation(), kRuntimeParallelFor, runtimeType);
    Value grainValue = arith::ConstantIndexOp::create(builder, grainOf(op));
    func::CallOp::create(builder, runtime, ValueRange{iterations.total, grainValue, function, context});
    op.erase();
    return success();
  }

  static Value castTo(ImplicitLocOpBuilder &builder, Type type, Value value) {
    return type == value.getType() ? value : UnrealizedConversionCastOp::create(builder, type, value).getResult(0);
  }

  /// Stores the values into a struct on the stack of the calling function.
  static Value packContext(ImplicitLocOpBuilder &builder, func::FuncOp function, ArrayRef<Value> values,
                           LLVM::LLVMStructType type, const LLVMTypeConverter &converter) {
    auto pointer = LLVM::LLVMPointerType::get(builder.getContext());
    Value context;
    {
      OpBuilder::InsertionGuard guard(builder);
      builder.setInsertionPointToStart(&function.getBody().front());
      Value one = LLVM::ConstantOp::create(builder, builder.getI64Type(), builder.getI64IntegerAttr(1));
      context = LLVM::AllocaOp::create(builder, pointer, type, one);
    }
    for (auto [index, value] : llvm::enumerate(values)) {
      Type field = type.getBody()[index];
      Value raw =
          castTo(builder, isAddressOnly(value.getType()) ? converter.convertType(value.getType()) : field, value);
      if (isAddressOnly(value.getType()))
        raw = MemRefDescriptor(raw).alignedPtr(builder, builder.getLoc());
      Value address =
          LLVM::GEPOp::create(builder, pointer, type, context, ArrayRef<LLVM::GEPArg>{0, static_cast<int32_t>(index)});
      LLVM::StoreOp::create(builder, raw, address);
    }
    return context;
  }

  func::FuncOp createBody(scf::ParallelOp op, ArrayRef<Value> packed, ArrayRef<Operation *> cloned,
                          ArrayRef<Value> counts, LLVM::LLVMStructType contextType,
                          const LLVMTypeConverter &converter) {
    MLIRContext *context = &getContext();
    auto pointer = LLVM::LLVMPointerType::get(context);
    Type index = IndexType::get(context);
    auto parent = op->getParentOfType<func::FuncOp>();
    OpBuilder moduleBuilder(parent);
    std::string name = (parent.getName() + "_parallel_" + Twine(nextBody++)).str();
    auto function =
        func::FuncOp::create(moduleBuilder, op.getLoc(), name, FunctionType::get(context, {index, index, pointer}, {}));
    function.setPrivate();
    symbols->insert(function); // makes the name unique

    Block *entry = function.addEntryBlock();
    ImplicitLocOpBuilder builder(op.getLoc(), context);
    builder.setInsertionPointToStart(entry);
    IRMapping mapping;
    for (Operation *constant : cloned)
      builder.clone(*constant, mapping);
    for (auto [field, value] : llvm::enumerate(packed)) {
      Type type = contextType.getBody()[field];
      Value address = LLVM::GEPOp::create(builder, pointer, contextType, entry->getArgument(2),
                                          ArrayRef<LLVM::GEPArg>{0, static_cast<int32_t>(field)});
      Value raw = LLVM::LoadOp::create(builder, type, address);
      if (isAddressOnly(value.getType()))
        raw =
            MemRefDescriptor::fromStaticShape(builder, op.getLoc(), converter, cast<MemRefType>(value.getType()), raw);
      mapping.map(value, castTo(builder, value.getType(), raw));
    }
    Value one = arith::ConstantIndexOp::create(builder, 1);
    auto loop = scf::ForOp::create(builder, entry->getArgument(0), entry->getArgument(1), one);
    func::ReturnOp::create(builder);

    builder.setInsertionPointToStart(loop.getBody());
    mapInductionVariables(builder, op, counts, loop.getInductionVar(), mapping);
    for (Operation &inner : op.getBody()->without_terminator())
      builder.clone(inner, mapping);
    return function;
  }

  /// `function`, or an equal one made before (the layers of a model share their code), in which case it is erased.
  func::FuncOp deduplicated(func::FuncOp function) {
    auto equal = cast_or_null<func::FuncOp>(bodies.findOrAdd(function));
    if (!equal)
      return function;
    symbols->erase(function);
    return equal;
  }

  std::optional<SymbolTable> symbols;
  EqualFunctions bodies;
  unsigned nextBody = 0;
};

} // namespace
