// Looks ahead to ecf8-fuse-decode, for passes that run before weights are encoded.
#include "ecf8/Dialect/ECF8/Transforms/ContractedWeights.h"

#include "Loads.h"
#include "WeightReaders.h"

using namespace mlir;
using namespace mlir::ecf8;

bool mlir::ecf8::areContracted(ArrayRef<Value> weights, bool isTransposed) {
  if (weights.empty())
    return false;
  auto type = cast<RankedTensorType>(weights.front().getType());
  if (!CompressedType::isValidElementType(type.getElementType()) || (type.getRank() != 2 && type.getRank() != 3))
    return false;
  SmallVector<int64_t> stored(type.getShape());
  if (isTransposed)
    std::swap(stored.back(), stored[stored.size() - 2]);
  if (!declineShape(stored).empty())
    return false;
  // Any encoding will do: all that the fusion takes have tiles of 32 rows.
  auto encoding = HuffmanAttr::get(type.getContext(), /*max_code_length=*/8, /*tile_columns=*/1024);
  auto weight = CompressedType::get(type.clone(stored), encoding);
  bool isRead = false;
  for (Value value : weights) {
    WeightReaders readers = WeightReaders::of(value, WeightChain::of(weight, isTransposed));
    if (!readers.reason.empty())
      return false;
    isRead |= !readers.contractions.empty();
  }
  return isRead;
}

DenseSet<Operation *> mlir::ecf8::findContractedGlobals(ModuleOp module) {
  SymbolTableCollection symbolTables;
  SymbolUserMap users(symbolTables, module);
  DenseSet<Operation *> contracted;
  for (auto global : module.getOps<GlobalOp>()) {
    if (!isa<RankedTensorType>(global.getType()))
      continue;
    std::optional<SmallVector<GlobalLoadOp>> loads = getLoadsIfAlone(global, users);
    if (loads && areContracted(llvm::to_vector_of<Value>(*loads)))
      contracted.insert(global);
  }
  return contracted;
}
