// ecf8-expand-device-math: functions in kernels without a library of device code.
#include "WideMath.h"
#include "ecf8/Conversion/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "llvm/ADT/TypeSwitch.h"

namespace mlir::ecf8 {
#define GEN_PASS_DEF_EXPANDDEVICEMATHPASS
#include "ecf8/Conversion/Passes.h.inc"
} // namespace mlir::ecf8

using namespace mlir;
using namespace mlir::ecf8;

namespace {

/// The intrinsic of LLVM that NVPTX has instructions for; empty for other ops. (MLIR's conversion of kernels would call
/// a library of device code for the `math` op as well as for the op of the LLVM dialect.)
StringRef getIntrinsic(Operation *op) {
  return llvm::TypeSwitch<Operation *, StringRef>(op)
      .Case<math::AbsFOp>([](Operation *) { return "llvm.fabs"; })
      .Case<math::CeilOp>([](Operation *) { return "llvm.ceil"; })
      .Case<math::CopySignOp>([](Operation *) { return "llvm.copysign"; })
      .Case<math::CtPopOp>([](Operation *) { return "llvm.ctpop"; })
      .Case<math::FloorOp>([](Operation *) { return "llvm.floor"; })
      .Case<math::FmaOp>([](Operation *) { return "llvm.fma"; })
      .Case<math::RoundEvenOp>([](Operation *) { return "llvm.roundeven"; })
      .Case<math::RoundOp>([](Operation *) { return "llvm.round"; })
      .Case<math::SqrtOp>([](Operation *) { return "llvm.sqrt"; })
      .Case<math::TruncOp>([](Operation *) { return "llvm.trunc"; })
      .Default(StringRef());
}

/// What has no intrinsic of its own, but is written with others or left to the conversion to LLVM.
bool isLeft(Operation *op) {
  return isa<math::AbsIOp, math::CountLeadingZerosOp, math::CountTrailingZerosOp, math::IsFiniteOp, math::IsInfOp,
             math::IsNaNOp, math::IsNormalOp>(op);
}

struct ExpandDeviceMathPass : public ::mlir::ecf8::impl::ExpandDeviceMathPassBase<ExpandDeviceMathPass> {
  using ExpandDeviceMathPassBase::ExpandDeviceMathPassBase;

  void runOnOperation() override {
    SmallVector<Operation *> ops;
    getOperation().walk([&](Operation *op) {
      if ((isa<math::MathDialect>(op->getDialect()) && !isLeft(op)) || isa<arith::RemFOp>(op))
        ops.push_back(op);
    });
    bool isKnown = true;
    for (Operation *op : ops) {
      Value result = expand(op);
      if (!result) {
        op->emitOpError() << "expected a function that GPUs have code for, got one on " << op->getResult(0).getType();
        isKnown = false;
        continue;
      }
      op->getResult(0).replaceAllUsesWith(result);
      op->erase();
    }
    if (!isKnown)
      return signalPassFailure();
    // What those in f64 are made of.
    getOperation().walk([&](Operation *op) {
      if (isa<math::MathDialect>(op->getDialect()) && !isLeft(op)) {
        op->getResult(0).replaceAllUsesWith(expand(op));
        op->erase();
      }
    });
  }

private:
  /// What stands for `op`; null where there is nothing.
  static Value expand(Operation *op) {
    Type type = op->getResult(0).getType();
    ImplicitLocOpBuilder b(op->getLoc(), op);
    auto callIntrinsic = [&](StringRef name) {
      return LLVM::CallIntrinsicOp::create(b, type, b.getStringAttr(name), op->getOperands()).getResult(0);
    };
    if (StringRef name = getIntrinsic(op); !name.empty())
      return callIntrinsic(name);
    if (isa<math::RsqrtOp>(op)) {
      Value one = arith::ConstantOp::create(b, b.getFloatAttr(type, 1));
      return arith::DivFOp::create(b, one, callIntrinsic("llvm.sqrt"));
    }
    return emitWideMath(op);
  }
};

} // namespace
