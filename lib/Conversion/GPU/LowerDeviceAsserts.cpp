// ecf8-lower-device-asserts: a thread whose assertion fails leaves its number in the status of the call, and ends.
#include "DeviceKernel.h"
#include "ecf8/Conversion/Passes.h"

#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"

namespace mlir::ecf8 {
#define GEN_PASS_DEF_LOWERDEVICEASSERTSPASS
#include "ecf8/Conversion/Passes.h.inc"
} // namespace mlir::ecf8

using namespace mlir;
using namespace mlir::ecf8;

namespace {

struct LowerDeviceAssertsPass : public ::mlir::ecf8::impl::LowerDeviceAssertsPassBase<LowerDeviceAssertsPass> {
  using LowerDeviceAssertsPassBase::LowerDeviceAssertsPassBase;

  void runOnOperation() override {
    SmallVector<cf::AssertOp> assertions;
    getOperation().walk([&](cf::AssertOp op) { assertions.push_back(op); });
    for (cf::AssertOp op : assertions)
      if (failed(lower(op)))
        signalPassFailure();
  }

private:
  static LogicalResult lower(cf::AssertOp op) {
    auto kernel = dyn_cast<gpu::GPUFuncOp>(op->getParentOp());
    auto number = op->getAttrOfType<IntegerAttr>(kAssertionAttrName);
    if (!kernel || !number)
      return op.emitOpError() << "expected an assertion with a number directly in a kernel of ecf8-launch-loops; run "
                                 "convert-scf-to-cf first";
    IRRewriter rewriter(op);
    Location loc = op.getLoc();
    Block *before = op->getBlock();
    Block *after = rewriter.splitBlock(before, std::next(op->getIterator()));
    rewriter.createBlock(before->getParent(), before->getParent()->end());
    Block *failed = rewriter.getInsertionBlock();
    auto pointer = LLVM::LLVMPointerType::get(op.getContext(), DeviceBuilder::globalSpace);
    Value status = LLVM::IntToPtrOp::create(rewriter, loc, pointer, kernel.getArguments().back());
    Value value = LLVM::ConstantOp::create(rewriter, loc, rewriter.getI32IntegerAttr(int32_t(number.getInt()) + 1));
    LLVM::StoreOp::create(rewriter, loc, value, status);
    gpu::ReturnOp::create(rewriter, loc);
    rewriter.setInsertionPoint(op);
    cf::CondBranchOp::create(rewriter, loc, op.getArg(), after, failed);
    rewriter.eraseOp(op);
    return success();
  }
};

} // namespace
