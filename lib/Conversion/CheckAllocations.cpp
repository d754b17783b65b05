// ecf8-check-allocations: sizes that do not fit 64 bits end the call, instead of allocating what is left of them.
#include "ecf8/Conversion/Passes.h"
#include "ecf8/Dialect/ECF8/IR/ECF8.h"

#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mlir::ecf8 {
#define GEN_PASS_DEF_CHECKALLOCATIONSPASS
#include "ecf8/Conversion/Passes.h.inc"
} // namespace mlir::ecf8

using namespace mlir;
using namespace mlir::ecf8;

namespace {

class CheckAllocationsPass : public mlir::ecf8::impl::CheckAllocationsPassBase<CheckAllocationsPass> {
public:
  using CheckAllocationsPassBase::CheckAllocationsPassBase;

  void runOnOperation() override {
    getOperation().walk([](memref::AllocOp alloc) {
      if (!alloc.getDynamicSizes().empty())
        check(alloc);
    });
  }

private:
  static void check(memref::AllocOp alloc) {
    ImplicitLocOpBuilder builder(alloc.getLoc(), alloc);
    Type i64 = builder.getI64Type();
    auto constant = [&](int64_t value) { return arith::ConstantIntOp::create(builder, i64, value).getResult(); };
    MemRefType type = alloc.getType();
    int64_t known = std::max<int64_t>(DataLayout::closest(alloc).getTypeSize(type.getElementType()), 1);
    for (int64_t size : type.getShape())
      if (!ShapedType::isDynamic(size))
        known *= size; // less than 2^56 elements
    // Unsigned: a negative size is too large.
    Value bytes = constant(known), zero = constant(0), fits;
    auto require = [&](Value condition) {
      fits = fits ? arith::AndIOp::create(builder, fits, condition).getResult() : condition;
    };
    for (Value size : alloc.getDynamicSizes()) {
      auto product =
          arith::MulUIExtendedOp::create(builder, bytes, arith::IndexCastOp::create(builder, i64, size).getResult());
      bytes = product.getLow();
      require(arith::CmpIOp::create(builder, arith::CmpIPredicate::eq, product.getHigh(), zero));
    }
    require(arith::CmpIOp::create(builder, arith::CmpIPredicate::ult, bytes, constant(kCountLimit)));
    cf::AssertOp::create(builder, fits, "expected a tensor of less than 2^56 bytes");
  }
};

} // namespace
