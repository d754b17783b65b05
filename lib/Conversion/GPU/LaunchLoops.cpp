// ecf8-launch-loops: a parallel loop becomes a GPU kernel with one thread for each iteration, and its launch.
#include "../EqualFunctions.h"
#include "../LaneBuilder.h"
#include "../LoopIndex.h"
#include "DeviceKernel.h"
#include "ecf8/Conversion/Passes.h"
#include "ecf8/Conversion/RuntimeImports.h"

#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"

namespace mlir::ecf8 {
#define GEN_PASS_DEF_LAUNCHLOOPSPASS
#include "ecf8/Conversion/Passes.h.inc"
} // namespace mlir::ecf8

using namespace mlir;
using namespace mlir::ecf8;

namespace {

constexpr int64_t kBlockThreads = 256;

/// The type in which a scalar is passed to a kernel: parameters have no types of FP8, and no bits.
Type getParameterType(Type type) {
  if (type.isInteger(1))
    return IntegerType::get(type.getContext(), 32);
  if (auto real = dyn_cast<FloatType>(type); real && real.getWidth() == 8)
    return IntegerType::get(type.getContext(), 8);
  return type;
}

Value toParameter(LaneBuilder &b, Value value) {
  Type type = value.getType(), parameter = getParameterType(type);
  if (type == parameter)
    return value;
  if (type.isInteger())
    return b.extend(value, parameter);
  return arith::BitcastOp::create(b, parameter, value);
}

Value fromParameter(LaneBuilder &b, Value parameter, Type type) {
  if (type == parameter.getType())
    return parameter;
  if (type.isInteger())
    return b.truncate(parameter, type);
  return arith::BitcastOp::create(b, type, parameter);
}

/// Values that a kernel makes again instead of taking them as parameters.
bool isConstant(Value value) {
  Operation *op = value.getDefiningOp();
  return op && op->hasTrait<OpTrait::ConstantLike>();
}

struct LaunchLoopsPass : public ::mlir::ecf8::impl::LaunchLoopsPassBase<LaunchLoopsPass> {
  using LaunchLoopsPassBase::LaunchLoopsPassBase;

  void runOnOperation() override {
    FailureOr<const Architecture *> found = getArchitecture(getOperation(), architecture);
    if (failed(found))
      return signalPassFailure();
    SmallVector<scf::ParallelOp> loops;
    for (auto function : getOperation().getOps<func::FuncOp>())
      function.walk<WalkOrder::PreOrder>([&](scf::ParallelOp op) {
        loops.push_back(op);
        return WalkResult::skip();
      });
    if (loops.empty())
      return;
    kernels = getOrCreateKernelModule(getOperation(), **found);
    for (scf::ParallelOp op : loops)
      if (failed(launch(op)))
        return signalPassFailure();
    if (!messages.empty())
      kernels->setAttr(kAssertionsAttrName, Builder(&getContext()).getArrayAttr(messages));
  }

private:
  LogicalResult launch(scf::ParallelOp op) {
    if (op.getNumResults() != 0)
      return op.emitOpError("expected a parallel loop without reductions for a GPU");
    LaneBuilder b(op.getLoc(), op);
    auto [counts, total] = countIterations(b, op);
    llvm::SetVector<Value> captured = getCapturedValues(op, counts);
    captured.insert(total);
    SmallVector<Value> passed, constants;
    for (Value value : captured)
      (isConstant(value) ? constants : passed).push_back(value);

    gpu::GPUFuncOp kernel = deduplicated(createKernel(op, passed, constants, counts, total));
    auto branch = scf::IfOp::create(b, b.compare(arith::CmpIPredicate::ne, total, 0), /*withElseRegion=*/false);
    b.setInsertionPointToStart(branch.thenBlock());
    SmallVector<Value> operands;
    for (Value value : passed)
      operands.push_back(toParameter(b, value));
    if (kernel.getNumArguments() > operands.size()) {
      Value which = b.constant(b.getI64Type(), 2), bytes = b.constant(b.getI64Type(), 4);
      operands.push_back(callGpuRuntime(b, kRuntimeGpuWorkspace, {which, bytes}, b.getI64Type()));
    }
    auto symbol = SymbolRefAttr::get(&getContext(), kernels.getName(), {FlatSymbolRefAttr::get(kernel)});
    Value one = b.index(1);
    gpu::LaunchFuncOp::create(b, symbol, gpu::KernelDim3{b.ceilDivU(total, kBlockThreads), one, one},
                              gpu::KernelDim3{b.index(kBlockThreads), one, one}, b.constant(b.getI32Type(), 0),
                              operands);
    op.erase();
    return success();
  }

  /// `name` as PTX takes it (PTX ISA, "Identifiers"): letters, digits and underscores, no digit first.
  static std::string toIdentifier(StringRef name) {
    std::string text = name.str();
    for (char &letter : text)
      if (!llvm::isAlnum(letter))
        letter = '_';
    return llvm::isDigit(text.front()) ? "_" + text : text;
  }

  /// Parameters: `passed`, and where there are assertions the address of the status.
  gpu::GPUFuncOp createKernel(scf::ParallelOp op, ArrayRef<Value> passed, ArrayRef<Value> constants,
                              ArrayRef<Value> counts, Value total) {
    SmallVector<Type> types;
    for (Value value : passed)
      types.push_back(getParameterType(value.getType()));
    bool hasAssertions = false;
    op.walk([&](cf::AssertOp assertion) {
      hasAssertions = true;
      assertion->setAttr(kAssertionAttrName, Builder(&getContext()).getI32IntegerAttr(numberOf(assertion)));
    });
    LaneBuilder b(op.getLoc(), &getContext());
    if (hasAssertions)
      types.push_back(b.getI64Type());
    b.setInsertionPointToEnd(kernels.getBody());
    std::string name, prefix = toIdentifier(op->getParentOfType<func::FuncOp>().getName());
    do
      name = prefix + "_loop_" + std::to_string(nextKernel++);
    while (kernels.lookupSymbol(name));
    auto kernel = gpu::GPUFuncOp::create(b, name, b.getFunctionType(types, {}));
    kernel->setAttr(gpu::GPUDialect::getKernelFuncAttrName(), b.getUnitAttr());
    kernel->setAttr("nvvm.maxntid", b.getDenseI32ArrayAttr({int32_t(kBlockThreads), 1, 1}));
    b.setInsertionPointToStart(&kernel.getBody().front());
    IRMapping mapping;
    for (Value value : constants)
      b.clone(*value.getDefiningOp(), mapping);
    for (auto [value, argument] : llvm::zip(passed, kernel.getArguments()))
      mapping.map(value, fromParameter(b, argument, value.getType()));
    Value block = gpu::BlockIdOp::create(b, gpu::Dimension::x), thread = gpu::ThreadIdOp::create(b, gpu::Dimension::x);
    Value linear = b.add(b.mul(block, kBlockThreads), thread);
    Value isInside = b.compare(arith::CmpIPredicate::ult, linear, mapping.lookup(total));
    auto branch = scf::IfOp::create(b, isInside, /*withElseRegion=*/false);
    gpu::ReturnOp::create(b);

    b.setInsertionPointToStart(branch.thenBlock());
    mapInductionVariables(b, op, counts, linear, mapping);
    for (Operation &inner : op.getBody()->without_terminator())
      b.clone(inner, mapping);
    return kernel;
  }

  /// The number of an assertion's message.
  int32_t numberOf(cf::AssertOp assertion) {
    Attribute message = StringAttr::get(&getContext(), describeAssertion(assertion));
    auto found = llvm::find(messages, message);
    if (found != messages.end())
      return int32_t(found - messages.begin());
    messages.push_back(message);
    return int32_t(messages.size() - 1);
  }

  gpu::GPUFuncOp deduplicated(gpu::GPUFuncOp kernel) {
    if (auto equal = cast_or_null<gpu::GPUFuncOp>(bodies.findOrAdd(kernel))) {
      kernel.erase();
      return equal;
    }
    return kernel;
  }

  gpu::GPUModuleOp kernels;
  EqualFunctions bodies;
  SmallVector<Attribute> messages; ///< of assertions, by their numbers
  unsigned nextKernel = 0;
};

} // namespace
