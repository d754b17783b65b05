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

/// The whole weight.
static MatrixSlice wholeMatrix(LaneBuilder &b, const PayloadLayout &layout) {
  return {b.index(0), b.index(0), layout.rows, layout.columns};
}

void ContractionEmitter::emit() {
  if (contraction.epilogue)
    epilogue = emitEpilogue(function, contraction);
  b.setInsertionPointToStart(function.addEntryBlock());
  checkHeaderFits(b, function.getArgument(0));
  PayloadLayout layout = readLayout(b, spec, function.getArgument(0));
  checkLayout(b, spec, layout, wholeMatrix(b, layout));
  checkShapes(layout);
  weightRows = layout.rows;
  useVector = isForVector(layout);
  // A tile begins at a block of packed pairs.
  const bool aligned = spec.encoding.getTileColumnCount() % (2 * kPackedSlots) == 0;
  if (target.multipliesBF16 && contraction.activations.isBF16() && aligned) {
    usePairs = isForPairs(layout);
    packedPairs = pack(b.getI32Type(), /*columnsPerSlot=*/2, usePairs);
  }
  Value useVectors = usePairs ? arith::XOrIOp::create(b, usePairs, b.constant(b.getI1Type(), 1)) : Value();
  packed = pack(b.getF32Type(), /*columnsPerSlot=*/1, useVectors);
  emitForEveryCode(layout);
  for (Value buffer : {packed, packedPairs})
    if (buffer)
      memref::DeallocOp::create(b, buffer);
  func::ReturnOp::create(b);
}

void ContractionEmitter::checkShapes(const PayloadLayout &layout) {
  Value activations = function.getArgument(1), out = function.getArgument(2);
  auto expectEqual = [&](Value left, Value right, const char *message) {
    cf::AssertOp::create(b, b.compare(arith::CmpIPredicate::eq, left, right), b.getStringAttr(message));
  };
  auto size = [&](Value memref, int64_t dim) -> Value { return memref::DimOp::create(b, memref, dim); };
  expectEqual(size(activations, 1), layout.columns, "expected activations of as many columns as the weight");
  expectEqual(size(out, 1), layout.rows, "expected an output of as many columns as the weight has rows");
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
  expectEqual(size(scale, 0), blocks(layout.rows, function.getArgument(4)),
              "expected one scale for each block of rows");
  expectEqual(size(scale, 1), blocks(layout.columns, function.getArgument(5)),
              "expected one scale for each block of columns");
}

/// The activations as the kernels read them (ContractionSinks.h), in elements of `type`. Empty where `used`, an i1, is
/// false.
Value ContractionEmitter::pack(Type type, int64_t columnsPerSlot, Value used) {
  const int64_t blockColumns = kPackedSlots * columnsPerSlot;
  Value source = function.getArgument(1);
  Value rows = memref::DimOp::create(b, source, 0), columns = memref::DimOp::create(b, source, 1);
  Value blocks = b.ceilDivU(columns, blockColumns);
  if (used)
    blocks = b.select(used, blocks, b.index(0));
  auto packedType = MemRefType::get({ShapedType::kDynamic, ShapedType::kDynamic, kPackedSlots}, type);
  Value target = memref::AllocOp::create(b, packedType, ValueRange{blocks, rows}, b.getI64IntegerAttr(64));
  Value wholeBlocks = b.minU(blocks, b.divU(columns, blockColumns));
  auto rowType = VectorType::get({blockColumns}, contraction.activations);
  auto rowsOfAThread = scf::ParallelOp::create(b, ValueRange{b.index(0)}, ValueRange{b.ceilDivU(rows, kPackedRows)},
                                               ValueRange{b.index(1)});
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(rowsOfAThread.getBody());
  Value begin = b.mul(rowsOfAThread.getInductionVars()[0], kPackedRows);
  b.forRange(begin, b.minU(b.add(begin, kPackedRows), rows), 1, [&](Value row) {
    b.forRange(wholeBlocks, [&](Value block) {
      Value own = vector::LoadOp::create(b, rowType, source, ValueRange{row, b.mul(block, blockColumns)});
      if (columnsPerSlot == 1) {
        own = extendToF32(b, own);
      } else { // the first column in the upper half
        Value pairs = vector::BitCastOp::create(b, VectorType::get({kPackedSlots}, type), own);
        own = b.orI(b.shl(pairs, 16), b.shrU(pairs, 16));
      }
      vector::StoreOp::create(b, own, target, ValueRange{block, row, b.index(0)});
    });
    b.forRange(wholeBlocks, blocks, 1, [&](Value block) {
      Value first = b.mul(block, blockColumns);
      b.forRange(b.divU(b.sub(columns, first), columnsPerSlot), [&](Value slot) {
        auto load = [&](int64_t offset) -> Value {
          Value column = b.add(b.add(first, b.mul(slot, columnsPerSlot)), offset);
          return memref::LoadOp::create(b, source, ValueRange{row, column});
        };
        auto bits = [&](Value value) {
          return b.extend(arith::BitcastOp::create(b, b.getI16Type(), value), b.getI32Type());
        };
        Value value = columnsPerSlot == 1 ? extendToF32(b, load(0)) : b.orI(b.shl(bits(load(0)), 16), bits(load(1)));
        memref::StoreOp::create(b, value, target, ValueRange{block, row, slot});
      });
    });
  });
  return target;
}

/// i1: whether one of the vector kernels can take the call: one row, and no padding among the columns.
Value ContractionEmitter::isForVector(const PayloadLayout &layout) {
  Value rows = memref::DimOp::create(b, function.getArgument(1), 0);
  Value padding = arith::RemUIOp::create(b, layout.columns, b.index(spec.columnsPerUnit()));
  return b.andI(b.compare(arith::CmpIPredicate::eq, rows, 1), b.compare(arith::CmpIPredicate::eq, padding, 0));
}

/// i1: whether the kernels of pairs can.
Value ContractionEmitter::isForPairs(const PayloadLayout &layout) {
  Value even = b.compare(arith::CmpIPredicate::eq, b.andI(layout.columns, 1), 0);
  Value scale = contraction.scaleKind == ScaleKind::None ? Value() : function.getArgument(3);
  Value firstSums = contraction.epilogue ? Value() : function.getArgument(2); // null: zeros
  return b.andI(even, arePairsExact(b, contraction, layout, function.getArgument(1), firstSums, scale));
}

void ContractionEmitter::emitLoops(Value tables) {
  if (!usePairs)
    return emitKernels(tables, Products::Vectors, useVector);
  auto branch = scf::IfOp::create(b, TypeRange{}, usePairs, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(branch.thenBlock());
  emitKernels(tables, Products::Pairs, useVector);
  b.setInsertionPointToStart(branch.elseBlock());
  emitKernels(tables, Products::Vectors, Value()); // rare: the panel kernel takes one row, too
}

/// The kernel for one row, where `vector` (an i1, or null for never) says so, and the kernel for any.
void ContractionEmitter::emitKernels(Value tables, Products products, Value vector) {
  Value activations = products == Products::Pairs ? packedPairs : packed;
  SmallVector<Value> operands(function.getArguments());
  StringRef suffix = products == Products::Pairs ? "_pairs" : "";
  OpBuilder::InsertionGuard guard(b);
  if (vector) {
    auto branch = scf::IfOp::create(b, TypeRange{}, vector, /*withElseRegion=*/true);
    b.setInsertionPointToStart(branch.thenBlock());
    operands[1] = memref::CollapseShapeOp::create(b, activations, ArrayRef<ReassociationIndices>{{0, 1, 2}});
    emitParallel(("_vector" + suffix).str(), operands, tables, weightRows,
                 [&](func::FuncOp body) { emitVectorGroup(body, products); });
    b.setInsertionPointToStart(branch.elseBlock());
  }
  operands[1] = activations;
  emitParallel(("_panel" + suffix).str(), operands, tables, weightRows,
               [&](func::FuncOp body) { emitPanelGroup(body, products); });
}

ContractionOperands ContractionEmitter::operandsOf(func::FuncOp body) const {
  auto extra = body.getArguments().slice(contraction.getFirstExtra(), contraction.extra.size());
  return {body.getArgument(1), body.getArgument(2), epilogue, llvm::to_vector_of<Value>(extra)};
}

std::unique_ptr<StepArithmetic> ContractionEmitter::createArithmetic(func::FuncOp body, Products products) const {
  ScaleOperands scale;
  if (contraction.scaleKind != ScaleKind::None)
    scale = {body.getArgument(3), body.getArgument(4), body.getArgument(5)};
  if (products == Products::Pairs)
    return std::make_unique<WeightPairs>(contraction, scale);
  Extension extension = target.permutesBytes ? Extension::Table
                        : target.extendsF16  ? Extension::Half
                                             : Extension::Integer;
  return std::make_unique<WeightVectors>(contraction, scale, extension);
}

void ContractionEmitter::emitVectorGroup(func::FuncOp body, Products products) {
  PayloadLayout layout = readLayout(b, spec, body.getArgument(0));
  unsigned last = body.getNumArguments() - 1;
  std::unique_ptr<StepArithmetic> weights = createArithmetic(body, products);
  std::unique_ptr<DecodeSink> sink = createVectorSink(operandsOf(body), *weights);
  StripDecoder strips(b, spec, lanes, *sink);
  strips.enterFunction(layout, wholeMatrix(b, layout), body.getArgument(last - 1));
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
  strips.enterFunction(layout, wholeMatrix(b, layout), body.getArgument(last - 1));
  Value rows = memref::DimOp::create(b, body.getArgument(2), 0);
  b.forRange(b.index(0), rows, kChunkRows, [&](Value first) {
    sink->firstRow = first;
    sink->rowCount = b.minU(b.sub(rows, first), b.index(kChunkRows));
    strips.decodeGroup(body.getArgument(last));
  });
}
