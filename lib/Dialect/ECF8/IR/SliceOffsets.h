// The offsets at which a slice of a compressed value begins, in ops that take one: syntax, rules, folding.
#ifndef ECF8_LIB_DIALECT_ECF8_IR_SLICEOFFSETS_H
#define ECF8_LIB_DIALECT_ECF8_IR_SLICEOFFSETS_H

#include "ecf8/Dialect/ECF8/IR/ECF8Types.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/PatternMatch.h"

namespace mlir::ecf8 {

/// offsets ::= (`[` (operand | integer) (`,` (operand | integer))* `]`)?
ParseResult parseSliceOffsets(OpAsmParser &parser, SmallVectorImpl<OpAsmParser::UnresolvedOperand> &offsets,
                              DenseI64ArrayAttr &staticOffsets);
void printSliceOffsets(OpAsmPrinter &printer, Operation *op, ValueRange offsets, DenseI64ArrayAttr staticOffsets);

/// What breaks decode_c3 to decode_c6 in a slice of `source` of these `sizes`, as a message; empty for nothing.
/// `staticOffsets` holds kDynamic for each of `dynamicCount` dynamic offsets, or nothing for the whole.
std::string findBrokenSliceRule(CompressedType source, ArrayRef<int64_t> staticOffsets, size_t dynamicCount,
                                ArrayRef<int64_t> sizes);

/// Turns dynamic offsets that are constants into static ones. `Op` has getSliceSizes().
template <typename Op> struct FoldConstantOffsets : public OpRewritePattern<Op> {
  using OpRewritePattern<Op>::OpRewritePattern;
  LogicalResult matchAndRewrite(Op op, PatternRewriter &rewriter) const override {
    SmallVector<OpFoldResult> offsets = op.getMixedOffsets();
    if (failed(foldDynamicOffsetSizeList(offsets)))
      return rewriter.notifyMatchFailure(op, "no dynamic offset is a constant");
    // An offset that breaks a rule stays dynamic: it is the program's error, and may never be reached.
    SmallVector<int64_t> staticOffsets;
    SmallVector<Value> dynamicOffsets;
    dispatchIndexOpFoldResults(offsets, dynamicOffsets, staticOffsets);
    auto source = cast<CompressedType>(op.getSliced().getType());
    if (!findBrokenSliceRule(source, staticOffsets, dynamicOffsets.size(), op.getSliceSizes()).empty())
      return rewriter.notifyMatchFailure(op, "a constant offset breaks a rule of the slice");
    rewriter.modifyOpInPlace(op, [&] {
      op.getOffsetsMutable().assign(dynamicOffsets);
      op.setStaticOffsets(staticOffsets);
    });
    return success();
  }
};

} // namespace mlir::ecf8

#endif // ECF8_LIB_DIALECT_ECF8_IR_SLICEOFFSETS_H
