// ecf8-stack-buffers: what an iteration of a loop needs for itself is on the stack, or allocated once before the loop.
#include "ecf8/Conversion/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/Interfaces/DataLayoutInterfaces.h"
#include "mlir/Interfaces/LoopLikeInterface.h"
#include "mlir/Interfaces/ValueBoundsOpInterface.h"
#include "mlir/Transforms/LoopInvariantCodeMotionUtils.h"

namespace mlir::ecf8 {
#define GEN_PASS_DEF_STACKBUFFERSPASS
#include "ecf8/Conversion/Passes.h.inc"
} // namespace mlir::ecf8

using namespace mlir;

/// Bytes of stack that the buffers of one function may take.
static constexpr int64_t kMaximumStackBytes = 1 << 20;
static constexpr int64_t kAlignment = 64;

namespace {

/// A buffer of one iteration.
struct LoopBuffer {
  memref::AllocOp alloc;
  memref::DeallocOp release;       ///< in the same iteration
  LoopLikeOpInterface loop;        ///< the outermost around it
  SmallVector<OpFoldResult> sizes; ///< an upper bound of each dimension, known before the loop
};

/// An upper bound of `size` that is known before `loop`, or null.
OpFoldResult boundBefore(LoopLikeOpInterface loop, Value size) {
  FailureOr<int64_t> bound =
      ValueBoundsConstraintSet::computeConstantBound(presburger::BoundType::UB, size, nullptr, /*closedUB=*/true);
  if (succeeded(bound))
    return Builder(size.getContext()).getIndexAttr(std::max<int64_t>(*bound, 0));
  return loop.isDefinedOutsideOfLoop(size) ? OpFoldResult(size) : OpFoldResult();
}

/// The buffer that `alloc` makes, if it is one of an iteration and of bounded size.
std::optional<LoopBuffer> findBuffer(memref::AllocOp alloc) {
  LoopBuffer buffer{alloc, {}, {}, {}};
  for (Operation *op = alloc->getParentOp(); op; op = op->getParentOp())
    if (auto loop = dyn_cast<LoopLikeOpInterface>(op))
      buffer.loop = loop;
  if (!buffer.loop || !alloc.getType().getLayout().isIdentity() || !alloc.getSymbolOperands().empty())
    return std::nullopt;
  for (Operation *user : alloc->getUsers())
    if (auto release = dyn_cast<memref::DeallocOp>(user)) {
      if (buffer.release || release->getBlock() != alloc->getBlock())
        return std::nullopt;
      buffer.release = release;
    }
  if (!buffer.release)
    return std::nullopt;
  for (OpFoldResult size : alloc.getMixedSizes()) {
    if (auto value = dyn_cast<Value>(size))
      size = boundBefore(buffer.loop, value);
    if (!size)
      return std::nullopt;
    buffer.sizes.push_back(size);
  }
  return buffer;
}

/// Bytes for `buffer` where they are known and fit the stack.
std::optional<int64_t> stackBytes(const LoopBuffer &buffer) {
  memref::AllocOp alloc = buffer.alloc;
  int64_t bytes = DataLayout::closest(alloc).getTypeSize(alloc.getType().getElementType());
  for (OpFoldResult size : buffer.sizes) {
    std::optional<int64_t> count = getConstantIntValue(size);
    if (!count || *count > kMaximumStackBytes || bytes > kMaximumStackBytes)
      return std::nullopt;
    bytes *= *count;
  }
  return bytes;
}

/// The part of `whole`, which has the bounds as its sizes, that has the sizes of this iteration.
Value viewOf(const LoopBuffer &buffer, Value whole) {
  memref::AllocOp alloc = buffer.alloc;
  ImplicitLocOpBuilder builder(alloc.getLoc(), alloc);
  Value begin = arith::ConstantIndexOp::create(builder, 0);
  return memref::ViewOp::create(builder, alloc.getType(), whole, begin, alloc.getDynamicSizes());
}

struct StackBuffersPass : public ::mlir::ecf8::impl::StackBuffersPassBase<StackBuffersPass> {
  using StackBuffersPassBase::StackBuffersPassBase;

  void runOnOperation() override {
    if (getOperation().isExternal())
      return;
    Block &entry = getOperation().getBody().front();
    SmallVector<memref::AllocaOp> allocas;
    getOperation().walk([&](memref::AllocaOp alloca) {
      if (alloca->getParentOfType<LoopLikeOpInterface>() && alloca->getNumOperands() == 0)
        allocas.push_back(alloca);
    });
    // In a loop, the stack would grow with each iteration.
    for (memref::AllocaOp alloca : llvm::reverse(allocas))
      alloca->moveBefore(&entry, entry.begin());

    SmallVector<memref::AllocOp> allocs;
    SetVector<LoopLikeOpInterface> loops;
    getOperation().walk([&](memref::AllocOp alloc) {
      if (auto loop = alloc->getParentOfType<LoopLikeOpInterface>()) {
        allocs.push_back(alloc);
        loops.insert(loop);
      }
    });
    for (LoopLikeOpInterface loop : loops)
      for (; loop; loop = loop->getParentOfType<LoopLikeOpInterface>())
        moveLoopInvariantCode(loop); // sizes, among others
    int64_t left = kMaximumStackBytes;
    for (memref::AllocOp alloc : allocs)
      if (std::optional<LoopBuffer> buffer = findBuffer(alloc)) {
        std::optional<int64_t> bytes = stackBytes(*buffer);
        bool fits = bytes && *bytes <= left;
        if (fits)
          left -= llvm::alignTo(*bytes, kAlignment);
        replace(*buffer, fits ? allocateOnStack(*buffer, *bytes, entry) : allocateBeforeLoop(*buffer));
      }
  }

private:
  static Value allocateOnStack(const LoopBuffer &buffer, int64_t bytes, Block &entry) {
    memref::AllocOp alloc = buffer.alloc;
    ImplicitLocOpBuilder builder(alloc.getLoc(), &entry, entry.begin());
    auto alignment = builder.getI64IntegerAttr(kAlignment);
    if (alloc.getDynamicSizes().empty())
      return memref::AllocaOp::create(builder, alloc.getType(), alignment);
    auto type = MemRefType::get({bytes}, builder.getI8Type(), AffineMap(), alloc.getType().getMemorySpace());
    return viewOf(buffer, memref::AllocaOp::create(builder, type, alignment));
  }

  static Value allocateBeforeLoop(const LoopBuffer &buffer) {
    memref::AllocOp alloc = buffer.alloc;
    LoopLikeOpInterface loop = buffer.loop;
    MemRefType type = alloc.getType();
    ImplicitLocOpBuilder builder(alloc.getLoc(), loop);
    auto alignment = builder.getI64IntegerAttr(kAlignment);
    auto dynamicOf = [](ArrayRef<OpFoldResult> sizes) {
      SmallVector<Value> values;
      for (OpFoldResult size : sizes)
        if (auto value = dyn_cast<Value>(size))
          values.push_back(value);
      return values;
    };
    bool isExact = llvm::equal(buffer.sizes, alloc.getMixedSizes());
    if (!isExact) { // bytes, of which an iteration has a view
      SmallVector<int64_t> shape(llvm::map_range(
          buffer.sizes, [](OpFoldResult size) { return getConstantIntValue(size).value_or(ShapedType::kDynamic); }));
      shape.push_back(DataLayout::closest(alloc).getTypeSize(type.getElementType()));
      type = MemRefType::get(shape, builder.getI8Type(), AffineMap(), type.getMemorySpace());
    }
    Value whole = memref::AllocOp::create(builder, type, dynamicOf(buffer.sizes), alignment);
    Value bytes = whole;
    if (!isExact)
      bytes = memref::CollapseShapeOp::create(
          builder, whole, ArrayRef<ReassociationIndices>{llvm::to_vector(llvm::seq<int64_t>(0, type.getRank()))});
    builder.setInsertionPointAfter(loop);
    memref::DeallocOp::create(builder, whole);
    return isExact ? whole : viewOf(buffer, bytes);
  }

  static void replace(const LoopBuffer &buffer, Value replacement) {
    memref::AllocOp alloc = buffer.alloc;
    alloc.replaceAllUsesWith(replacement);
    Operation *release = buffer.release;
    release->erase();
    alloc.erase();
  }
};

} // namespace
