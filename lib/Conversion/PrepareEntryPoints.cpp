// ecf8-prepare-entry-points: what a caller of a public function may rely on, said in attributes.
#include "ecf8/Conversion/Passes.h"
#include "ecf8/Dialect/ECF8/IR/ECF8.h"

#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

namespace mlir::ecf8 {
#define GEN_PASS_DEF_PREPAREENTRYPOINTSPASS
#include "ecf8/Conversion/Passes.h.inc"
} // namespace mlir::ecf8

using namespace mlir;

namespace {

class PrepareEntryPointsPass : public mlir::ecf8::impl::PrepareEntryPointsPassBase<PrepareEntryPointsPass> {
public:
  using PrepareEntryPointsPassBase::PrepareEntryPointsPassBase;

  void runOnOperation() override {
    Builder builder(&getContext());
    getOperation().walk([&](Operation *op) {
      if (failed(checkSizes(op, op->getResultTypes())))
        signalPassFailure();
      for (Region &region : op->getRegions())
        for (Block &block : region)
          if (failed(checkSizes(op, block.getArgumentTypes())))
            signalPassFailure();
    });
    for (auto function : getOperation().getOps<func::FuncOp>()) {
      if (!function.isPublic())
        continue;
      if (failed(checkTypes(function, function.getArgumentTypes(), "argument")) ||
          failed(checkTypes(function, function.getResultTypes(), "result"))) {
        signalPassFailure();
        continue;
      }
      function->setAttr(LLVM::LLVMDialect::getEmitCWrapperAttrName(), builder.getUnitAttr());
      for (unsigned index = 0; index < function.getNumArguments(); ++index)
        if (isa<TensorType>(function.getArgument(index).getType()))
          function.setArgAttr(index, bufferization::BufferizationDialect::kWritableAttrName,
                              builder.getBoolAttr(false));
    }
  }

private:
  /// Later passes and the code multiply sizes in 64 bits. Those that are known are refused here.
  static LogicalResult checkSizes(Operation *op, TypeRange types) {
    for (Type type : types)
      if (auto shaped = dyn_cast<ShapedType>(type); shaped && shaped.hasRank() && !ecf8::isCountable(shaped.getShape()))
        return op->emitOpError() << "expected tensors of less than 2^56 elements, got " << type;
    return success();
  }

  static LogicalResult checkTypes(func::FuncOp function, TypeRange types, StringRef what) {
    for (auto [index, type] : llvm::enumerate(types)) {
      Type element = type;
      if (auto tensor = dyn_cast<RankedTensorType>(type); tensor && !tensor.getEncoding())
        element = tensor.getElementType();
      else if (auto buffer = dyn_cast<MemRefType>(type); buffer && buffer.getLayout().isIdentity())
        element = buffer.getElementType();
      if (!element.isIntOrIndexOrFloat())
        return function.emitOpError() << "expected tensors and scalars at the boundary of a public function, got "
                                      << what << " " << index << " of type " << type;
    }
    return success();
  }
};

} // namespace
