// What an access has to keep, asserted at run time where it is not known to hold.
#ifndef ECF8_LIB_CONVERSION_CONJUNCTION_H
#define ECF8_LIB_CONVERSION_CONJUNCTION_H

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mlir::ecf8 {

/// The conditions that are added to it, but for those that hold for constants.
class Conjunction {
public:
  explicit Conjunction(ImplicitLocOpBuilder &builder) : builder(builder) {}

  void add(arith::CmpIPredicate predicate, OpFoldResult a, OpFoldResult b) {
    std::optional<int64_t> constantA = getConstantIntValue(a), constantB = getConstantIntValue(b);
    bool holds = predicate == arith::CmpIPredicate::eq && a == b;
    if (constantA && constantB)
      holds = arith::applyCmpPredicate(predicate, APInt(64, *constantA, true), APInt(64, *constantB, true));
    if (holds)
      return;
    Value condition =
        arith::CmpIOp::create(builder, predicate, getValueOrCreateConstantIndexOp(builder, builder.getLoc(), a),
                              getValueOrCreateConstantIndexOp(builder, builder.getLoc(), b));
    value = value ? Value(arith::AndIOp::create(builder, value, condition)) : condition;
  }

  /// Asserts all of them, if there are any.
  void assertAll(StringRef message) {
    if (value)
      cf::AssertOp::create(builder, value, message);
  }

private:
  ImplicitLocOpBuilder &builder;
  Value value; ///< null while all are known to hold
};

} // namespace mlir::ecf8

#endif // ECF8_LIB_CONVERSION_CONJUNCTION_H
