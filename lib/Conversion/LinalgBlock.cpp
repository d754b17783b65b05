// Emits the code of one block: its inputs are loaded, its sequential loops run, its results are stored.
#include "LinalgBlock.h"
#include "CanonicalNaN.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace mlir::ecf8;

void BlockEmitter::emitBlock(Piece block) {
  SmallVector<unsigned> dims;
  for (unsigned dim : plan.innerDims)
    if (dim != plan.laneDim)
      dims.push_back(dim);

  SmallVector<Value> accumulators;
  if (hasReductions())
    for (auto [init, first] : llvm::zip_equal(op.getDpsInitsMutable(), firstSums))
      for (int64_t row = 0; row < block.rows; ++row)
        for (int64_t vector = 0; vector < block.vectors; ++vector)
          accumulators.push_back(first ? broadcast(first, block.lanes) : load(block, init, row, vector));
  SmallVector<Value> loaded(op.getNumDpsInputs() * block.size());
  loadInputs(block, loaded, /*beforeInnerLoops=*/true);
  SmallVector<Value> results = emitInnerLoops(block, dims, accumulators, loaded);
  if (!hasReductions())
    return;
  if (linalg::isaContractionOpInterface(op))
    for (Value &result : results)
      if (isa<FloatType>(getElementTypeOrSelf(result)))
        result = canonicalizeNaN(builder, result);
  auto result = results.begin();
  for (OpOperand &init : op.getDpsInitsMutable())
    for (int64_t row = 0; row < block.rows; ++row)
      for (int64_t vector = 0; vector < block.vectors; ++vector)
        store(block, init, row, vector, *result++);
}

SmallVector<Value> BlockEmitter::emitInnerLoops(Piece block, ArrayRef<unsigned> dims, SmallVector<Value> accumulators,
                                                SmallVector<Value> &loaded) {
  if (dims.empty()) {
    loadInputs(block, loaded, /*beforeInnerLoops=*/false);
    return emitBody(block, accumulators, loaded);
  }
  unsigned dim = dims.front();
  Value begin = index(0);
  if (dim == plan.transposedDim && block.lanes == plan.lanes) {
    Value end = roundedDown(sizes[dim], block.lanes);
    accumulators = emitTransposedBlocks(block, accumulators, loaded, end);
    begin = end;
    if (!ShapedType::isDynamic(staticSizes[dim]) && staticSizes[dim] % block.lanes == 0)
      return accumulators;
  }
  auto loop = scf::ForOp::create(builder, begin, sizes[dim], index(1), accumulators);
  {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(loop.getBody());
    variables[dim] = loop.getInductionVar();
    SmallVector<Value> inner = loaded;
    SmallVector<Value> results =
        emitInnerLoops(block, dims.drop_front(), llvm::to_vector_of<Value>(loop.getRegionIterArgs()), inner);
    if (!accumulators.empty())
      scf::YieldOp::create(builder, results);
  }
  return loop.getResults();
}

/// The innermost reduction up to `end`, a multiple of the lanes: one square of each strided input at a time.
SmallVector<Value> BlockEmitter::emitTransposedBlocks(Piece block, SmallVector<Value> accumulators,
                                                      ArrayRef<Value> loaded, Value end) {
  unsigned dim = *plan.transposedDim;
  auto loop = scf::ForOp::create(builder, index(0), end, index(block.lanes), accumulators);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(loop.getBody());
  variables[dim] = loop.getInductionVar();
  SmallVector<SmallVector<Value>> columns(loaded.size()); // by slot
  for (OpOperand *input : op.getDpsInputOperands()) {
    if (!op.payloadUsesValueFromOperand(input) || !isTransposable(op, *input, *plan.laneDim, dim))
      continue;
    auto type = VectorType::get({block.lanes}, getElementTypeOrSelf(input->get()));
    for (int64_t row = 0; row < block.rows; ++row) {
      SmallVector<Value> &square = columns[slot(block, *input, row, 0)];
      if (!square.empty())
        continue;
      for (int64_t lane = 0; lane < block.lanes; ++lane)
        square.push_back(vector::LoadOp::create(builder, type, input->get(), indices(*input, row, lane)));
      square = transposeInRegisters(builder, square);
    }
  }
  SmallVector<Value> results = llvm::to_vector_of<Value>(loop.getRegionIterArgs());
  for (int64_t step = 0; step < block.lanes; ++step) {
    variables[dim] = addIndex(loop.getInductionVar(), step);
    SmallVector<Value> values = llvm::to_vector(loaded);
    for (auto [value, square] : llvm::zip_equal(values, columns))
      if (!square.empty())
        value = square[step];
    loadInputs(block, values, /*beforeInnerLoops=*/false);
    results = emitBody(block, results, values);
  }
  scf::YieldOp::create(builder, results);
  return loop.getResults();
}

size_t BlockEmitter::slot(Piece block, OpOperand &operand, int64_t row, int64_t vector) {
  AffineMap map = op.getMatchingIndexingMap(&operand);
  if (!plan.rowDim || !map.isFunctionOfDim(*plan.rowDim))
    row = 0;
  if (!plan.laneDim || !map.isFunctionOfDim(*plan.laneDim))
    vector = 0;
  return operand.getOperandNumber() * block.size() + row * block.vectors + vector;
}

/// Loads the inputs that the inner loops do not change before them, and the others inside.
void BlockEmitter::loadInputs(Piece block, SmallVector<Value> &loaded, bool beforeInnerLoops) {
  for (OpOperand *input : op.getDpsInputOperands()) {
    AffineMap map = op.getMatchingIndexingMap(input);
    bool varies =
        llvm::any_of(plan.innerDims, [&](unsigned dim) { return dim != plan.laneDim && map.isFunctionOfDim(dim); });
    if (varies == beforeInnerLoops || !op.payloadUsesValueFromOperand(input))
      continue;
    for (int64_t row = 0; row < block.rows; ++row)
      for (int64_t vector = 0; vector < block.vectors; ++vector)
        if (Value &value = loaded[slot(block, *input, row, vector)]; !value)
          value = load(block, *input, row, vector);
  }
}

SmallVector<Value> BlockEmitter::emitBody(Piece block, ArrayRef<Value> accumulators, ArrayRef<Value> loaded) {
  unsigned numInits = op.getNumDpsInits();
  SmallVector<Value> results(accumulators.size());
  for (int64_t row = 0; row < block.rows; ++row) {
    for (int64_t vector = 0; vector < block.vectors; ++vector) {
      int64_t position = row * block.vectors + vector;
      SmallVector<Value> arguments;
      for (OpOperand *input : op.getDpsInputOperands())
        arguments.push_back(loaded[slot(block, *input, row, vector)]);
      for (auto [number, init] : llvm::enumerate(op.getDpsInitsMutable())) {
        if (hasReductions())
          arguments.push_back(accumulators[number * block.size() + position]);
        else
          arguments.push_back(op.payloadUsesValueFromOperand(&init) ? load(block, init, row, vector) : Value());
      }
      SmallVector<Value> yielded = cloneBody(block, row, vector, arguments);
      for (unsigned number = 0; number < numInits; ++number) {
        if (hasReductions())
          results[number * block.size() + position] = yielded[number];
        else
          store(block, op.getDpsInitsMutable()[number], row, vector, yielded[number]);
      }
    }
  }
  return results;
}

SmallVector<Value> BlockEmitter::cloneBody(Piece block, int64_t row, int64_t vector, ArrayRef<Value> arguments) {
  IRMapping mapping;
  Block *body = op.getBlock();
  for (auto [argument, value] : llvm::zip(body->getArguments(), arguments))
    if (value)
      mapping.map(argument, value);
  auto position = [&](unsigned dim) {
    if (dim == plan.rowDim)
      return addIndex(variables[dim], row);
    return dim == plan.laneDim ? addIndex(variables[dim], vector * block.lanes) : variables[dim];
  };
  auto vectorOf = [&](Type type) { return VectorType::get({block.lanes}, type); };

  for (Operation &inner : body->without_terminator()) {
    if (auto indexOp = dyn_cast<linalg::IndexOp>(inner)) {
      Value value = position(indexOp.getDim());
      if (block.lanes > 1) {
        value = broadcast(value, block.lanes);
        if (indexOp.getDim() == plan.laneDim)
          value =
              arith::AddIOp::create(builder, value, vector::StepOp::create(builder, vectorOf(builder.getIndexType())));
      }
      mapping.map(indexOp.getResult(), value);
      continue;
    }
    if (block.lanes == 1) {
      Operation *clone = builder.clone(inner, mapping);
      clone->walk([&](linalg::IndexOp nested) {
        nested.replaceAllUsesWith(position(nested.getDim()));
        nested.erase();
      });
      continue;
    }
    if (auto constant = dyn_cast<arith::ConstantOp>(inner)) {
      auto splat = DenseElementsAttr::get(vectorOf(constant.getType()), cast<Attribute>(constant.getValue()));
      mapping.map(constant.getResult(), arith::ConstantOp::create(builder, splat));
      continue;
    }
    for (Value operand : inner.getOperands())
      if (!mapping.contains(operand))
        mapping.map(operand, broadcast(operand, block.lanes));
    Operation *clone = builder.clone(inner, mapping);
    for (OpResult result : clone->getResults())
      result.setType(vectorOf(result.getType()));
  }

  SmallVector<Value> yielded;
  for (Value value : body->getTerminator()->getOperands()) {
    Value mapped = mapping.lookupOrDefault(value);
    if (block.lanes > 1 && !isa<VectorType>(mapped.getType()))
      mapped = broadcast(mapped, block.lanes);
    yielded.push_back(mapped);
  }
  return yielded;
}

Value BlockEmitter::broadcast(Value scalar, int64_t lanes) {
  if (lanes == 1)
    return scalar;
  return vector::BroadcastOp::create(builder, VectorType::get({lanes}, scalar.getType()), scalar);
}

/// Where `operand` is read for `row`, `laneOffset` elements behind variables[laneDim].
SmallVector<Value> BlockEmitter::indices(OpOperand &operand, int64_t row, int64_t laneOffset) {
  SmallVector<OpFoldResult> position;
  for (auto [dim, variable] : llvm::enumerate(variables)) {
    Value value = variable;
    if (dim == plan.rowDim)
      value = addIndex(value, row);
    else if (dim == plan.laneDim)
      value = addIndex(value, laneOffset);
    position.push_back(value ? OpFoldResult(value) : OpFoldResult(builder.getIndexAttr(0)));
  }
  AffineMap map = op.getMatchingIndexingMap(&operand);
  SmallVector<Value> result;
  for (unsigned number = 0; number < map.getNumResults(); ++number) {
    OpFoldResult folded =
        affine::makeComposedFoldedAffineApply(builder, op.getLoc(), map.getSubMap({number}), position);
    result.push_back(getValueOrCreateConstantIndexOp(builder, op.getLoc(), folded));
  }
  return result;
}

Value BlockEmitter::load(Piece block, OpOperand &operand, int64_t row, int64_t vector) {
  Value source = operand.get();
  auto type = dyn_cast<MemRefType>(source.getType());
  if (!type) // a scalar operand
    return broadcast(source, block.lanes);
  int64_t offset = vector * block.lanes;
  LaneAccess access = plan.laneDim ? getLaneAccess(op, operand, *plan.laneDim) : LaneAccess::Invariant;
  if (block.lanes == 1 || access == LaneAccess::Invariant)
    return broadcast(memref::LoadOp::create(builder, source, indices(operand, row, offset)), block.lanes);
  auto resultType = VectorType::get({block.lanes}, type.getElementType());
  if (access == LaneAccess::Contiguous && !type.getElementType().isInteger(1)) // a boolean in memory is a byte
    return vector::LoadOp::create(builder, resultType, source, indices(operand, row, offset));
  SmallVector<Value> elements;
  for (int64_t lane = 0; lane < block.lanes; ++lane)
    elements.push_back(memref::LoadOp::create(builder, source, indices(operand, row, offset + lane)));
  return vector::FromElementsOp::create(builder, resultType, elements);
}

void BlockEmitter::store(Piece block, OpOperand &operand, int64_t row, int64_t vector, Value value) {
  SmallVector<Value> position = indices(operand, row, vector * block.lanes);
  if (block.lanes == 1) {
    memref::StoreOp::create(builder, value, operand.get(), position);
  } else if (getElementTypeOrSelf(operand.get()).isInteger(1)) {
    for (int64_t lane = 0; lane < block.lanes; ++lane)
      memref::StoreOp::create(builder, vector::ExtractOp::create(builder, value, lane), operand.get(),
                              indices(operand, row, vector * block.lanes + lane));
  } else {
    vector::StoreOp::create(builder, value, operand.get(), position);
  }
}
