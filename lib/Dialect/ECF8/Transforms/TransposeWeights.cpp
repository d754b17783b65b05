// FP8 weights that contractions sum along the rows of are stored as their transposes.
#include "Loads.h"
#include "ecf8/Codec/Transpose.h"
#include "ecf8/Dialect/ECF8/Transforms/ContractedWeights.h"
#include "ecf8/Dialect/ECF8/Transforms/Passes.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "mlir/IR/Remarks.h"

namespace mlir::ecf8 {
#define GEN_PASS_DEF_TRANSPOSEWEIGHTSPASS
#include "ecf8/Dialect/ECF8/Transforms/Passes.h.inc"
} // namespace mlir::ecf8

using namespace mlir;
using namespace mlir::ecf8;

/// `type` with its last two dimensions exchanged.
static RankedTensorType transpose(RankedTensorType type) {
  SmallVector<int64_t> shape(type.getShape());
  std::swap(shape.back(), shape[shape.size() - 2]);
  return type.clone(shape);
}

/// `value` with its last two dimensions exchanged; null where its bytes are not there.
static ElementsAttr transpose(ElementsAttr value) {
  auto type = cast<RankedTensorType>(value.getType());
  RankedTensorType result = transpose(type);
  if (auto dense = dyn_cast<DenseElementsAttr>(value); dense && dense.isSplat())
    return dense.resizeSplat(result);
  ArrayRef<char> bytes;
  auto resource = dyn_cast<DenseResourceElementsAttr>(value);
  if (resource && resource.getRawHandle().getBlob())
    bytes = resource.getRawHandle().getBlob()->getData();
  else if (auto dense = dyn_cast<DenseElementsAttr>(value))
    bytes = dense.getRawData();
  if (static_cast<int64_t>(bytes.size()) != type.getNumElements())
    return {};
  std::vector<uint8_t> elements =
      ::ecf8::transposeMatrices({reinterpret_cast<const uint8_t *>(bytes.data()), bytes.size()},
                                type.getDimSize(type.getRank() - 2), type.getShape().back());
  ArrayRef<char> transposed(reinterpret_cast<const char *>(elements.data()), elements.size());
  if (!resource)
    return DenseElementsAttr::getFromRawBuffer(result, transposed);
  return DenseResourceElementsAttr::get(result, resource.getRawHandle().getKey(),
                                        HeapAsmResourceBlob::allocateAndCopyInferAlign<char>(transposed));
}

namespace {

struct TransposeWeightsPass : public ::mlir::ecf8::impl::TransposeWeightsPassBase<TransposeWeightsPass> {
  using TransposeWeightsPassBase::TransposeWeightsPassBase;

  void runOnOperation() override {
    SymbolTableCollection symbolTables;
    SymbolUserMap users(symbolTables, getOperation());
    for (auto global : getOperation().getOps<GlobalOp>()) {
      auto type = dyn_cast<RankedTensorType>(global.getType());
      if (!type || !CompressedType::isValidElementType(type.getElementType()) || type.getNumElements() < minElements ||
          global.isTransposed())
        continue;
      std::optional<SmallVector<GlobalLoadOp>> loads = getLoadsIfAlone(global, users);
      if (loads && areContracted(llvm::to_vector_of<Value>(*loads), /*isTransposed=*/true))
        store(global, transpose(type), *loads);
    }
  }

private:
  /// Makes `global` the transposed one, and transposes back what the program loads.
  static void store(GlobalOp global, RankedTensorType stored, ArrayRef<GlobalLoadOp> loads) {
    if (std::optional<ElementsAttr> value = global.getValue()) {
      ElementsAttr transposed = transpose(*value);
      if (!transposed)
        return; // IR that was printed without its resources
      global.setValueAttr(transposed);
    } else {
      global->setAttr(GlobalOp::kTransposedAttrName, UnitAttr::get(global.getContext()));
    }
    auto original = cast<RankedTensorType>(global.getType());
    global.setType(stored);
    remark::passed(
        global.getLoc(),
        remark::RemarkOpts::name("Transposed").category("ecf8-transpose-weights").function(global.getSymName()))
        << remark::metric("Type", Type(original)) << remark::metric("Stored", Type(stored));
    SmallVector<int64_t> order = llvm::to_vector(llvm::seq<int64_t>(0, stored.getRank()));
    std::swap(order.back(), order[order.size() - 2]);
    for (GlobalLoadOp load : loads) {
      OpBuilder builder(load);
      Location loc = load.getLoc();
      Value loaded = GlobalLoadOp::create(builder, loc, stored, global.getSymName());
      Value empty = tensor::EmptyOp::create(builder, loc, original.getShape(), original.getElementType());
      load.replaceAllUsesWith(linalg::TransposeOp::create(builder, loc, loaded, empty, order)->getResult(0));
      load.erase();
    }
  }
};

} // namespace
