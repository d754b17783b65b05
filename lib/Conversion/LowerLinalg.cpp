// ecf8-lower-linalg: structured ops on memrefs become loops over vectors that keep the order of every sum.
#include "LinalgNest.h"
#include "ecf8/Conversion/Passes.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/Linalg/Utils/Utils.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace mlir::ecf8 {
#define GEN_PASS_DEF_LOWERLINALGPASS
#include "ecf8/Conversion/Passes.h.inc"
} // namespace mlir::ecf8

using namespace mlir;
using namespace mlir::ecf8;

/// Asserts the sizes that `cast` promises and its source may not have: MLIR leaves a wrong promise undefined.
static void checkCast(memref::CastOp cast) {
  auto from = dyn_cast<MemRefType>(cast.getSource().getType()), to = dyn_cast<MemRefType>(cast.getType());
  if (!from || !to)
    return;
  OpBuilder builder(cast);
  Location loc = cast.getLoc();
  for (auto [dim, sizes] : llvm::enumerate(llvm::zip_equal(from.getShape(), to.getShape()))) {
    auto [known, promised] = sizes;
    if (known == promised || ShapedType::isDynamic(promised))
      continue;
    Value size = memref::DimOp::create(builder, loc, cast.getSource(), dim);
    Value expected = arith::ConstantIndexOp::create(builder, loc, promised);
    Value isEqual = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq, size, expected);
    cf::AssertOp::create(builder, loc, isEqual,
                         "expected size " + std::to_string(promised) + " in dimension " + std::to_string(dim));
  }
}

namespace {

class LowerLinalgPass : public mlir::ecf8::impl::LowerLinalgPassBase<LowerLinalgPass> {
public:
  using LowerLinalgPassBase::LowerLinalgPassBase;

  void runOnOperation() override {
    if (vectorBits < 32 || !llvm::isPowerOf2_32(vectorBits)) {
      getOperation().emitError() << "expected 'vector-bits' to be a power of two of at least 32, got "
                                 << vectorBits.getValue();
      return signalPassFailure();
    }
    getOperation().walk(checkCast);
    // The conversion to LLVM calls a function of MLIR's runner for copies that are not contiguous.
    SmallVector<memref::CopyOp> copies;
    getOperation().walk([&](memref::CopyOp op) {
      auto isPlain = [](Value buffer) {
        auto type = dyn_cast<MemRefType>(buffer.getType());
        return !type || type.getLayout().isIdentity();
      };
      if (!isPlain(op.getSource()) || !isPlain(op.getTarget()))
        copies.push_back(op);
    });
    for (memref::CopyOp op : copies) {
      OpBuilder builder(op);
      linalg::makeMemRefCopyOp(builder, op.getLoc(), op.getSource(), op.getTarget());
      op.erase();
    }

    dropUnitDims();
    SmallVector<linalg::LinalgOp> ops, sums;
    getOperation().walk([&](linalg::LinalgOp op) {
      if (op.hasPureBufferSemantics() && op.getNumReductionLoops() != 0)
        sums.push_back(op);
    });
    DenseMap<Operation *, SmallVector<Value>> firstSums;
    for (linalg::LinalgOp op : sums)
      firstSums[op] = takeFills(op);
    getOperation().walk([&](linalg::LinalgOp op) { ops.push_back(op); });
    for (linalg::LinalgOp op : ops) {
      if (!op.hasPureBufferSemantics()) {
        op->emitOpError() << "expected operands in buffers, got tensors; run one-shot-bufferize first";
        signalPassFailure();
        continue;
      }
      if (failed(checkNest(op))) {
        signalPassFailure();
        continue;
      }
      emitNest(op, forThreads ? planThreads(op) : planNest(op, vectorBits), firstSums.lookup(op));
    }
  }

private:
  /// Loops of one iteration, and dimensions of size 1, are not there for the plans.
  void dropUnitDims() {
    SmallVector<linalg::GenericOp> generics;
    getOperation().walk([&](linalg::GenericOp op) {
      if (op.hasPureBufferSemantics())
        generics.push_back(op);
    });
    IRRewriter rewriter(&getContext());
    for (linalg::GenericOp op : generics) {
      rewriter.setInsertionPoint(op);
      FailureOr<linalg::DropUnitDimsResult> dropped = linalg::dropUnitDims(rewriter, op, linalg::ControlDropUnitDims());
      if (succeeded(dropped)) // it fails where there are none, and for layouts that cannot be written without them
        rewriter.replaceOp(op, dropped->replacements);
    }
  }
};

} // namespace
