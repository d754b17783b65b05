// A contraction checks its operands and picks a kernel by the number of rows of the activations.
#include "ContractionEmitter.h"
#include "Epilogue.h"
#include "PairRange.h"
#include "WeightPairs.h"
#include "WeightVectors.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"

using namespace mlir;
using namespace mlir::ecf8;

/// Rows of activations that one thread packs at a time.
static constexpr int64_t kPackedRows = 8;
/// What the packed activations may take, but for the least number of rows.
static constexpr int64_t kPackedBytes = 4 << 20, kLeastChunkRows = 8;
/// Up to as many bytes of them are on the stack: 8 rows of 8192 columns in f32.
static constexpr int64_t kPackedStackBytes = 256 << 10;

void ContractionEmitter::emit() {
  if (contraction.epilogue)
    epilogue = emitEpilogue(function, contraction);
  b.setInsertionPointToStart(function.addEntryBlock());
  checkHeaderFits(b, function.getArgument(0));
  PayloadLayout layout = readLayout(b, spec, function.getArgument(0));
  MatrixSlice slice = sliceOf(layout, function);
  checkLayout(b, spec, layout, slice);
  checkShapes(slice);
  weightRows = slice.rows;
  rowCount = memref::DimOp::create(b, function.getArgument(1), 0);
  Value padding = arith::RemUIOp::create(b, layout.columns, b.index(spec.columnsPerUnit()));
  fillsUnits = b.compare(arith::CmpIPredicate::eq, padding, 0);
  // A tile begins at a block of packed pairs.
  const bool aligned = spec.encoding.getTileColumnCount() % (2 * kPackedSlots) == 0;
  if (target.multipliesBF16 && contraction.activations.isBF16() && aligned)
    usePairs = isForPairs(layout);
  emitForEveryCode(layout);
  func::ReturnOp::create(b);
}

/// The rows of the weight that `body`, the function or one for a group of strips, multiplies.
MatrixSlice ContractionEmitter::sliceOf(const PayloadLayout &layout, func::FuncOp body) {
  Value row = body.getArgument(function.getNumArguments() - 1), out = body.getArgument(2);
  return {row, b.index(0), memref::DimOp::create(b, out, 1), layout.columns};
}

void ContractionEmitter::checkShapes(const MatrixSlice &slice) {
  Value activations = function.getArgument(1), out = function.getArgument(2);
  auto expectEqual = [&](Value left, Value right, const char *message) {
    cf::AssertOp::create(b, b.compare(arith::CmpIPredicate::eq, left, right), b.getStringAttr(message));
  };
  auto size = [&](Value memref, int64_t dim) -> Value { return memref::DimOp::create(b, memref, dim); };
  expectEqual(size(activations, 1), slice.columns, "expected activations of as many columns as the weight");
  expectEqual(size(out, 0), size(activations, 0), "expected an output of as many rows as the activations");
  for (auto [index, type] : llvm::enumerate(contraction.extra)) {
    Value extra = function.getArgument(contraction.getFirstExtra() + index);
    for (auto [dim, message] : {std::pair(0, "expected an operand of the epilogue of as many rows as the output"),
                                std::pair(1, "expected an operand of the epilogue of as many columns as the output")})
      if (type.isDynamicDim(dim))
        expectEqual(size(extra, dim), size(out, dim), message);
  }
  if (contraction.scaleKind == ScaleKind::None)
    return;
  Value scale = function.getArgument(3);
  auto blocks = [&](Value count, Value block) -> Value { return arith::CeilDivUIOp::create(b, count, block); };
  expectEqual(size(scale, 0), blocks(slice.rows, function.getArgument(4)), "expected one scale for each block of rows");
  expectEqual(size(scale, 1), blocks(slice.columns, function.getArgument(5)),
              "expected one scale for each block of columns");
}

/// Columns of a slot of the packed activations, and the type of a slot.
static int64_t columnsPerSlot(bool pairs) { return pairs ? 2 : 1; }
static Type slotType(LaneBuilder &b, bool pairs) { return pairs ? Type(b.getI32Type()) : Type(b.getF32Type()); }

/// A buffer for `rows` rows of activations as the kernels read them (ContractionSinks.h). Few rows, as in a loop over
/// experts, take no memory from the heap.
ContractionEmitter::PackedBuffer ContractionEmitter::allocatePacked(bool pairs, Value blocks, Value rows) {
  auto type = MemRefType::get({ShapedType::kDynamic, ShapedType::kDynamic, kPackedSlots}, slotType(b, pairs));
  Value bytes = b.mul(b.mul(blocks, rows), 4 * kPackedSlots);
  Value isOnHeap = b.compare(arith::CmpIPredicate::ugt, bytes, kPackedStackBytes);
  SmallVector<Value> sizes{blocks, rows};
  IntegerAttr alignment = b.getI64IntegerAttr(64);
  auto buffer = scf::IfOp::create(
      b, isOnHeap,
      [&](OpBuilder &inner, Location loc) {
        scf::YieldOp::create(inner, loc, memref::AllocOp::create(inner, loc, type, sizes, alignment)->getResults());
      },
      [&](OpBuilder &inner, Location loc) {
        scf::YieldOp::create(inner, loc, memref::AllocaOp::create(inner, loc, type, sizes, alignment)->getResults());
      });
  return {buffer.getResult(0), isOnHeap};
}

void ContractionEmitter::releasePacked(const PackedBuffer &buffer) {
  scf::IfOp::create(b, buffer.isOnHeap, [&](OpBuilder &inner, Location loc) {
    memref::DeallocOp::create(inner, loc, buffer.packed);
    scf::YieldOp::create(inner, loc);
  });
}

/// Packs `rows` rows of activations from `firstRow` on.
void ContractionEmitter::pack(bool pairs, Value packed, Value firstRow, Value rows) {
  const int64_t perSlot = columnsPerSlot(pairs), blockColumns = kPackedSlots * perSlot;
  Value source = function.getArgument(1), columns = memref::DimOp::create(b, source, 1);
  Value blocks = memref::DimOp::create(b, packed, 0), wholeBlocks = b.divU(columns, blockColumns);
  auto rowType = VectorType::get({blockColumns}, contraction.activations);
  auto rowsOfAThread = scf::ParallelOp::create(b, ValueRange{b.index(0)}, ValueRange{b.ceilDivU(rows, kPackedRows)},
                                               ValueRange{b.index(1)});
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(rowsOfAThread.getBody());
  Value begin = b.mul(rowsOfAThread.getInductionVars()[0], kPackedRows);
  b.forRange(begin, b.minU(b.add(begin, kPackedRows), rows), 1, [&](Value row) {
    Value sourceRow = b.add(firstRow, row);
    b.forRange(wholeBlocks, [&](Value block) {
      Value own = vector::LoadOp::create(b, rowType, source, ValueRange{sourceRow, b.mul(block, blockColumns)});
      if (pairs) { // the first column in the upper half
        Value words = vector::BitCastOp::create(b, VectorType::get({kPackedSlots}, slotType(b, pairs)), own);
        own = b.orI(b.shl(words, 16), b.shrU(words, 16));
      } else {
        own = extendToF32(b, own);
      }
      vector::StoreOp::create(b, own, packed, ValueRange{block, row, b.index(0)});
    });
    b.forRange(wholeBlocks, blocks, 1, [&](Value block) {
      Value first = b.mul(block, blockColumns);
      b.forRange(b.divU(b.sub(columns, first), perSlot), [&](Value slot) {
        auto load = [&](int64_t offset) -> Value {
          Value column = b.add(b.add(first, b.mul(slot, perSlot)), offset);
          return memref::LoadOp::create(b, source, ValueRange{sourceRow, column});
        };
        auto bits = [&](Value value) {
          return b.extend(arith::BitcastOp::create(b, b.getI16Type(), value), b.getI32Type());
        };
        Value value = pairs ? b.orI(b.shl(bits(load(0)), 16), bits(load(1))) : extendToF32(b, load(0));
        memref::StoreOp::create(b, value, packed, ValueRange{block, row, slot});
      });
    });
  });
}

/// i1: whether the kernels of pairs can.
Value ContractionEmitter::isForPairs(const PayloadLayout &layout) {
  Value even = b.compare(arith::CmpIPredicate::eq, b.andI(layout.columns, 1), 0);
  const bool scalesWeights = contraction.ofWeights().scaleKind != ScaleKind::None;
  Value scale = scalesWeights ? function.getArgument(3) : Value();
  Value sums =
      contraction.scalesSums || contraction.epilogue ? Value() : function.getArgument(2); // those begin at zero
  return b.andI(even, arePairsExact(b, contraction, layout, function.getArgument(1), sums, scale));
}

void ContractionEmitter::emitLoops(Value tables) {
  if (!usePairs)
    return emitKernels(tables, Products::Vectors, 1);
  auto branch = scf::IfOp::create(b, TypeRange{}, usePairs, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(branch.thenBlock());
  // As many sums in registers as decoding and scaling leave room for.
  if (stripsPerGroup() == 1 && contraction.ofWeights().scaleKind != ScaleKind::Rows)
    emitKernels(tables, Products::Pairs, {1, 4});
  else
    emitKernels(tables, Products::Pairs, 1);
  b.setInsertionPointToStart(branch.elseBlock());
  emitKernels(tables, Products::Vectors, {}); // rare: the panel kernel takes few rows, too
}

/// The vector kernels for up to as many rows as each of `limits` says, and the panel kernel for any number.
void ContractionEmitter::emitKernels(Value tables, Products products, ArrayRef<int64_t> limits) {
  const bool pairs = products == Products::Pairs;
  Value columns = memref::DimOp::create(b, function.getArgument(1), 1);
  Value blocks = b.ceilDivU(columns, kPackedSlots * columnsPerSlot(pairs));
  // The panel kernel takes chunks of rows; few rows are one.
  Value fitting = arith::DivUIOp::create(b, b.index(kPackedBytes), b.mul(b.add(blocks, 1), 4 * kPackedSlots));
  Value chunk = b.minU(arith::MaxUIOp::create(b, b.andI(fitting, -kLeastChunkRows), b.index(kLeastChunkRows)),
                       b.index(kChunkRows));
  PackedBuffer buffer = allocatePacked(pairs, blocks, b.minU(rowCount, chunk));
  Value packed = buffer.packed;
  SmallVector<Value> operands(function.getArguments());
  std::string suffix = pairs ? "_pairs" : "";
  {
    OpBuilder::InsertionGuard guard(b);
    for (int64_t limit : limits) {
      // No rows are the panel kernel's.
      Value isFew = b.compare(arith::CmpIPredicate::ult, b.add(rowCount, -1), limit);
      auto branch = scf::IfOp::create(b, TypeRange{}, b.andI(isFew, fillsUnits), /*withElseRegion=*/true);
      b.setInsertionPointToStart(branch.thenBlock());
      pack(pairs, packed, b.index(0), rowCount);
      operands[1] = memref::CollapseShapeOp::create(b, packed, ArrayRef<ReassociationIndices>{{0, 1, 2}});
      std::string name = "_vector" + (limit == 1 ? "" : std::to_string(limit)) + suffix;
      emitParallel(name, operands, tables, weightRows,
                   [&](func::FuncOp body) { emitVectorGroup(body, products, limit); });
      b.setInsertionPointToStart(branch.elseBlock());
    }
    operands[1] = packed;
    auto chunks = scf::ForOp::create(b, b.index(0), rowCount, chunk);
    b.setInsertionPointToStart(chunks.getBody());
    Value first = chunks.getInductionVar(), count = b.minU(b.sub(rowCount, first), chunk);
    pack(pairs, packed, first, count);
    operands.append({first, count});
    emitParallel("_panel" + suffix, operands, tables, weightRows,
                 [&](func::FuncOp body) { emitPanelGroup(body, products); });
  }
  releasePacked(buffer);
}

static ScaleOperands scaleOf(func::FuncOp body, const ContractionSpec &contraction) {
  if (contraction.scaleKind == ScaleKind::None)
    return {};
  return {body.getArgument(3), body.getArgument(4), body.getArgument(5), contraction.divides};
}

ContractionOperands ContractionEmitter::operandsOf(func::FuncOp body) const {
  auto extra = body.getArguments().slice(contraction.getFirstExtra(), contraction.extra.size());
  ContractionOperands operands{body.getArgument(1), body.getArgument(2), std::nullopt, epilogue,
                               llvm::to_vector_of<Value>(extra)};
  if (contraction.scalesSums)
    operands.scaling.emplace(contraction.scaleKind, scaleOf(body, contraction));
  return operands;
}

std::unique_ptr<StepArithmetic> ContractionEmitter::createArithmetic(func::FuncOp body, Products products) const {
  ContractionSpec weights = contraction.ofWeights();
  ScaleOperands scale = scaleOf(body, weights);
  if (products == Products::Pairs)
    return std::make_unique<WeightPairs>(weights, scale);
  Extension extension = target.permutesBytes ? Extension::Table
                        : target.extendsF16  ? Extension::Half
                                             : Extension::Integer;
  return std::make_unique<WeightVectors>(weights, scale, extension);
}

void ContractionEmitter::emitVectorGroup(func::FuncOp body, Products products, int64_t rowLimit) {
  PayloadLayout layout = readLayout(b, spec, body.getArgument(0));
  unsigned last = body.getNumArguments() - 1;
  std::unique_ptr<StepArithmetic> weights = createArithmetic(body, products);
  std::unique_ptr<DecodeSink> sink = createVectorSink(operandsOf(body), *weights, rowLimit);
  StripDecoder strips(b, spec, lanes, *sink);
  strips.enterFunction(layout, sliceOf(layout, body), body.getArgument(last - 1));
  strips.decodeGroup(body.getArgument(last));
}

void ContractionEmitter::emitPanelGroup(func::FuncOp body, Products products) {
  PayloadLayout layout = readLayout(b, spec, body.getArgument(0));
  unsigned last = body.getNumArguments() - 1;
  // Two sums for each vector register, and some left for the panel and the activations.
  int64_t rowsInRegisters = target.vectorBits >= 512 ? 8 : target.vectorBits >= 256 ? 2 : 1;
  std::unique_ptr<StepArithmetic> weights = createArithmetic(body, products);
  std::unique_ptr<PanelSink> sink = createPanelSink(operandsOf(body), *weights, rowsInRegisters);
  StripDecoder strips(b, spec, lanes, *sink);
  strips.enterFunction(layout, sliceOf(layout, body), body.getArgument(last - 1));
  sink->firstRow = body.getArgument(last - 3);
  sink->rowCount = body.getArgument(last - 2);
  strips.decodeGroup(body.getArgument(last));
}
