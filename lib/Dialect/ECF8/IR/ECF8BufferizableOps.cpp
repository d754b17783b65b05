// Bufferization: loads of plain weights become read-only memrefs, decodes get a buffer to write into. Compressed values
// are no tensors and pass untouched.
#include "ecf8/Dialect/ECF8/IR/ECF8Ops.h"

#include "mlir/Dialect/Bufferization/IR/Bufferization.h"

using namespace mlir;
using namespace mlir::ecf8;
using namespace mlir::bufferization;

/// The identity layout, whatever the options say about unknown types: the runtime hands out contiguous memory.
static MemRefType getIdentityMemRefType(Type tensor) {
  auto ranked = cast<RankedTensorType>(tensor);
  return MemRefType::get(ranked.getShape(), ranked.getElementType());
}

//===----------------------------------------------------------------------===//
// GlobalLoadOp
//===----------------------------------------------------------------------===//

bool GlobalLoadOp::isWritable(Value, const AnalysisState &) { return false; }

FailureOr<BufferLikeType> GlobalLoadOp::getBufferType(Value value, const BufferizationOptions &,
                                                      const BufferizationState &, SmallVector<Value> &) {
  return cast<BufferLikeType>(getIdentityMemRefType(value.getType()));
}

LogicalResult GlobalLoadOp::bufferize(RewriterBase &rewriter, const BufferizationOptions &, BufferizationState &) {
  auto load = GlobalLoadOp::create(rewriter, getLoc(), getIdentityMemRefType(getType()), getGlobal());
  replaceOpWithBufferizedValues(rewriter, *this, load.getResult());
  return success();
}

//===----------------------------------------------------------------------===//
// DecodeOp
//===----------------------------------------------------------------------===//

bool DecodeOp::bufferizesToAllocation(Value) { return true; }

FailureOr<BufferLikeType> DecodeOp::getBufferType(Value value, const BufferizationOptions &, const BufferizationState &,
                                                  SmallVector<Value> &) {
  return cast<BufferLikeType>(getIdentityMemRefType(value.getType()));
}

LogicalResult DecodeOp::bufferize(RewriterBase &rewriter, const BufferizationOptions &options, BufferizationState &) {
  FailureOr<Value> buffer =
      options.createAlloc(rewriter, getLoc(), getIdentityMemRefType(getResult().getType()), ValueRange());
  if (failed(buffer))
    return failure();
  DecodeOp::create(rewriter, getLoc(), getSource(), getMixedOffsets(), *buffer);
  replaceOpWithBufferizedValues(rewriter, *this, *buffer);
  return success();
}
