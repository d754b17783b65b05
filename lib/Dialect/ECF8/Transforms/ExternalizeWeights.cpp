// Constants and weight arguments become globals, so that the IR's text stays small and functions share their weights.
#include "Loads.h"
#include "ecf8/Dialect/ECF8/Transforms/Passes.h"

#include "mlir/IR/DialectResourceBlobManager.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/CallInterfaces.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "llvm/ADT/MapVector.h"

namespace mlir::ecf8 {
#define GEN_PASS_DEF_EXTERNALIZEWEIGHTSPASS
#include "ecf8/Dialect/ECF8/Transforms/Passes.h.inc"
} // namespace mlir::ecf8

using namespace mlir;
using namespace mlir::ecf8;

namespace {

StringAttr getWeightName(FunctionOpInterface function, unsigned index) {
  return function.getArgAttrOfType<StringAttr>(index, ECF8Dialect::kWeightAttrName);
}

/// The weight that `value` is: a marked argument, or a load of a global with a key. Null for anything else.
StringAttr getBoundWeight(Value value, SymbolTable &symbols) {
  if (auto argument = dyn_cast<BlockArgument>(value)) {
    auto function = dyn_cast<FunctionOpInterface>(argument.getOwner()->getParentOp());
    if (function && argument.getOwner()->isEntryBlock())
      return getWeightName(function, argument.getArgNumber());
    return {};
  }
  if (auto load = value.getDefiningOp<GlobalLoadOp>())
    if (auto global = symbols.lookup<GlobalOp>(load.getGlobal()))
      return global.getKeyAttr();
  return {};
}

struct ExternalizeWeightsPass : public ::mlir::ecf8::impl::ExternalizeWeightsPassBase<ExternalizeWeightsPass> {
  using ExternalizeWeightsPassBase::ExternalizeWeightsPassBase;

  void runOnOperation() override {
    SymbolTable symbolTable(getOperation());
    symbols = &symbolTable;
    globalsByKey.clear();
    globalsByValue.clear();
    for (auto global : getOperation().getOps<GlobalOp>()) {
      if (global.getKey())
        globalsByKey.try_emplace(global.getKeyAttr(), global);
      else
        globalsByValue.try_emplace(*global.getValue(), global);
    }
    if (failed(checkArguments()))
      return signalPassFailure();
    dropCallOperands();
    for (auto function : getOperation().getOps<FunctionOpInterface>()) {
      if (failed(externalizeArguments(function)))
        return signalPassFailure();
      externalizeConstants(function);
    }
  }

private:
  bool hasWeights(FunctionOpInterface function) {
    for (unsigned index = 0; index < function.getNumArguments(); ++index)
      if (getWeightName(function, index))
        return true;
    return false;
  }

  LogicalResult checkArguments() {
    for (auto function : getOperation().getOps<FunctionOpInterface>()) {
      if (!hasWeights(function))
        continue;
      if (function.isExternal())
        return function.emitError() << "expected a body in a function with '" << ECF8Dialect::kWeightAttrName
                                    << "' arguments, got a declaration";
      if (failed(checkTypes(function)) || failed(checkUses(function)))
        return failure();
    }
    return success();
  }

  /// One type per weight name, over all functions and the globals that are there.
  LogicalResult checkTypes(FunctionOpInterface function) {
    for (unsigned index = 0; index < function.getNumArguments(); ++index) {
      StringAttr name = getWeightName(function, index);
      if (!name)
        continue;
      Type type = function.getArgumentTypes()[index];
      auto tensor = dyn_cast<RankedTensorType>(type);
      if (!tensor)
        return function.emitError() << "weight '" << name.getValue()
                                    << "': expected an argument of tensor type, before bufferization, got " << type;
      Type expected = types.try_emplace(name, type).first->second;
      if (auto global = globalsByKey.find(name); global != globalsByKey.end())
        expected = global->second.getType();
      if (type != expected)
        return function.emitError() << "weight '" << name.getValue() << "': expected type " << expected
                                    << " as elsewhere in the module, got " << type;
    }
    return success();
  }

  /// Only direct calls that hand over the same weight.
  LogicalResult checkUses(FunctionOpInterface function) {
    std::optional<SymbolTable::UseRange> uses =
        SymbolTable::getSymbolUses(StringAttr::get(&getContext(), function.getName()), getOperation());
    if (!uses)
      return function.emitError() << "expected a module whose symbol uses are known";
    for (SymbolTable::SymbolUse use : *uses) {
      auto call = dyn_cast<CallOpInterface>(use.getUser());
      auto callee = call ? dyn_cast<SymbolRefAttr>(call.getCallableForCallee()) : SymbolRefAttr();
      if (callee != use.getSymbolRef())
        return use.getUser()->emitError() << "expected direct calls alone of '" << function.getName()
                                          << "', which has weight arguments, got '" << use.getUser()->getName() << "'";
      for (auto [index, operand] : llvm::enumerate(call.getArgOperands())) {
        StringAttr name = getWeightName(function, index);
        if (name && getBoundWeight(operand, *symbols) != name)
          return call.emitError() << "argument " << index << " of '" << function.getName() << "': expected the weight '"
                                  << name.getValue() << "', got a value that is not that weight";
      }
      calls.emplace_back(call, function);
    }
    return success();
  }

  void dropCallOperands() {
    for (auto [call, function] : calls) {
      SmallVector<Value> kept;
      SmallVector<Attribute> keptAttributes;
      ArrayAttr attributes = call.getArgAttrsAttr();
      for (auto [index, operand] : llvm::enumerate(call.getArgOperands())) {
        if (getWeightName(function, index))
          continue;
        kept.push_back(operand);
        if (attributes)
          keptAttributes.push_back(attributes[index]);
      }
      call.getArgOperandsMutable().assign(kept);
      if (attributes)
        call.setArgAttrsAttr(ArrayAttr::get(&getContext(), keptAttributes));
    }
    calls.clear();
    types.clear();
  }

  LogicalResult externalizeArguments(FunctionOpInterface function) {
    if (!hasWeights(function))
      return success();
    Block &entry = function.getFunctionBody().front();
    OpBuilder builder(&entry, getLoadInsertionPoint(entry));
    llvm::BitVector erased(function.getNumArguments());
    llvm::MapVector<StringAttr, Value> loads;
    for (unsigned index = 0; index < function.getNumArguments(); ++index) {
      StringAttr name = getWeightName(function, index);
      if (!name)
        continue;
      Value &load = loads[name];
      BlockArgument argument = function.getArgument(index);
      if (!load)
        load = GlobalLoadOp::create(builder, argument.getLoc(), argument.getType(),
                                    getGlobalForKey(name, argument).getSymName());
      argument.replaceAllUsesWith(load);
      erased.set(index);
    }
    if (failed(function.eraseArguments(erased)))
      return function.emitError() << "expected a function whose weight arguments can be removed";
    return success();
  }

  GlobalOp getGlobalForKey(StringAttr key, BlockArgument argument) {
    GlobalOp &global = globalsByKey[key];
    if (!global) {
      OpBuilder builder(&getContext());
      global = GlobalOp::create(builder, argument.getLoc(), key.getValue(), argument.getType(), key.getValue());
      insertGlobal(global);
    }
    return global;
  }

  void externalizeConstants(FunctionOpInterface function) {
    if (function.isExternal())
      return;
    llvm::MapVector<Attribute, SmallVector<Operation *>> constants;
    function->walk([&](Operation *op) {
      ElementsAttr value;
      // A load at the function's start is not seen in regions that are isolated from it.
      if (op->hasTrait<OpTrait::ConstantLike>() && op->getNumResults() == 1 &&
          op->getParentWithTrait<OpTrait::IsIsolatedFromAbove>() == function && matchPattern(op, m_Constant(&value)) &&
          isWeight(value, op->getResult(0).getType()))
        constants[value].push_back(op);
    });
    Block &entry = function.getFunctionBody().front();
    for (auto &[value, ops] : constants) {
      GlobalOp global = getGlobalForValue(cast<ElementsAttr>(value), ops.front()->getLoc());
      OpBuilder builder(&entry, getLoadInsertionPoint(entry));
      Value load = GlobalLoadOp::create(builder, ops.front()->getLoc(), global.getType(), global.getSymName());
      for (Operation *op : ops) {
        op->getResult(0).replaceAllUsesWith(load);
        op->erase();
      }
    }
  }

  /// Sub-byte elements count as whole bytes. Splats cost nothing where they are.
  bool isWeight(ElementsAttr value, Type type) {
    auto tensor = dyn_cast<RankedTensorType>(type);
    if (!tensor || !tensor.hasStaticShape() || value.getType() != type || value.isSplat() ||
        !tensor.getElementType().isIntOrFloat())
      return false;
    int64_t elementBytes = (tensor.getElementTypeBitWidth() + 7) / 8;
    return tensor.getNumElements() >= (minBytes + elementBytes - 1) / elementBytes;
  }

  GlobalOp getGlobalForValue(ElementsAttr value, Location loc) {
    GlobalOp &global = globalsByValue[value];
    if (!global) {
      // A resource has a name, usually the parameter's.
      auto resource = dyn_cast<DenseResourceElementsAttr>(value);
      StringRef name = resource ? resource.getRawHandle().getKey() : "constant";
      OpBuilder builder(&getContext());
      global = GlobalOp::create(builder, loc, name, value.getType(), value);
      insertGlobal(global);
    }
    return global;
  }

  /// Behind the globals that are there, in the order of first use; renamed where the name is taken.
  void insertGlobal(GlobalOp global) {
    Block::iterator position = getOperation().getBody()->begin();
    for (auto existing : getOperation().getOps<GlobalOp>())
      position = std::next(Block::iterator(existing));
    symbols->insert(global, position);
  }

  SymbolTable *symbols = nullptr;
  DenseMap<StringAttr, GlobalOp> globalsByKey;
  DenseMap<Attribute, GlobalOp> globalsByValue;
  DenseMap<StringAttr, Type> types;
  SmallVector<std::pair<CallOpInterface, FunctionOpInterface>> calls;
};

} // namespace
