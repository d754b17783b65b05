// A contraction checks its operands and picks a kernel by the number of rows of the activations.
#include "ContractionEmitter.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"

using namespace mlir;
using namespace mlir::ecf8;

/// The whole weight.
static MatrixSlice wholeMatrix(LaneBuilder &b, const PayloadLayout &layout) {
  return {b.index(0), b.index(0), layout.rows, layout.columns};
}

void ContractionEmitter::emit() {
  b.setInsertionPointToStart(function.addEntryBlock());
  checkHeaderFits(b, function.getArgument(0));
  PayloadLayout layout = readLayout(b, spec, function.getArgument(0));
  checkLayout(b, spec, layout, wholeMatrix(b, layout));
  checkShapes(layout);
  weightRows = layout.rows;
  useVector = isForVector(layout);
  vectorOperands.assign(function.getArguments().begin(), function.getArguments().end());
  panelOperands = vectorOperands;
  SmallVector<Value> scratch{panelOperands[1] = packActivations()};
  if (!contraction.activations.isF32() || (foldsFactor() && contraction.scaleKind == ScaleKind::None))
    scratch.push_back(vectorOperands[1] = copyRow());
  emitForEveryCode(layout);
  for (Value buffer : scratch)
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
  if (contraction.scaleKind == ScaleKind::None)
    return;
  Value scale = function.getArgument(3);
  auto blocks = [&](Value count, Value block) -> Value { return arith::CeilDivUIOp::create(b, count, block); };
  expectEqual(size(scale, 0), blocks(layout.rows, function.getArgument(4)),
              "expected one scale for each block of rows");
  expectEqual(size(scale, 1), blocks(layout.columns, function.getArgument(5)),
              "expected one scale for each block of columns");
}

/// The activations for the panel kernel, where it is going to run.
Value ContractionEmitter::packActivations() {
  Value source = function.getArgument(1);
  Value rows = memref::DimOp::create(b, source, 0), columns = memref::DimOp::create(b, source, 1);
  Value blocks = b.select(useVector, b.index(0), b.ceilDivU(columns, kPackedColumns));
  auto type = MemRefType::get({ShapedType::kDynamic, ShapedType::kDynamic, kPackedColumns}, b.getF32Type());
  Value packed = memref::AllocOp::create(b, type, ValueRange{blocks, rows}, b.getI64IntegerAttr(64));
  // Row by row, which reads in order.
  b.forRange(b.select(useVector, b.index(0), rows), [&](Value row) {
    b.forRange(blocks, [&](Value block) {
      Value first = b.mul(block, kPackedColumns);
      b.forRange(b.minU(b.sub(columns, first), b.index(kPackedColumns)), [&](Value column) {
        Value value = memref::LoadOp::create(b, source, ValueRange{row, b.add(first, column)});
        memref::StoreOp::create(b, extendToF32(b, value), packed, ValueRange{block, row, column});
      });
    });
  });
  return packed;
}

/// Whether the vector kernel leaves a factor of the weights to the scale or, without one, to the activations.
bool ContractionEmitter::foldsFactor() const { return target.extendsF16 && spec.isE4M3(); }

/// The row of activations for the vector kernel, where it is going to run: as f32, and with the factor that its weights
/// lack where no scale has it.
Value ContractionEmitter::copyRow() {
  Value source = function.getArgument(1);
  Value rows = b.select(useVector, b.index(1), b.index(0)), columns = memref::DimOp::create(b, source, 1);
  auto type = MemRefType::get({1, ShapedType::kDynamic}, b.getF32Type());
  Value copy = memref::AllocOp::create(b, type, columns, b.getI64IntegerAttr(64));
  bool folds = foldsFactor() && contraction.scaleKind == ScaleKind::None;
  Value factor = arith::ConstantOp::create(b, b.getF32FloatAttr(folds ? kFoldedFactor : 1));
  b.forRange(rows, [&](Value row) {
    b.forRange(columns, [&](Value column) {
      Value value = extendToF32(b, memref::LoadOp::create(b, source, ValueRange{row, column}));
      memref::StoreOp::create(b, arith::MulFOp::create(b, value, factor), copy, ValueRange{row, column});
    });
  });
  return copy;
}

/// i1: whether all elements of `matrix`, of f32, bf16 or f16, times kFoldedFactor are finite.
Value ContractionEmitter::areSmall(Value matrix) {
  Value largest = b.constant(b.getI32Type(), 0);
  Value rows = memref::DimOp::create(b, matrix, 0), columns = memref::DimOp::create(b, matrix, 1);
  auto outer = scf::ForOp::create(b, b.index(0), rows, b.index(1), largest);
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(outer.getBody());
    auto inner = scf::ForOp::create(b, b.index(0), columns, b.index(1), outer.getRegionIterArgs());
    {
      OpBuilder::InsertionGuard innerGuard(b);
      b.setInsertionPointToStart(inner.getBody());
      Value value = memref::LoadOp::create(b, matrix, ValueRange{outer.getInductionVar(), inner.getInductionVar()});
      Value bits = arith::BitcastOp::create(b, b.getI32Type(), extendToF32(b, value));
      Value magnitude = b.andI(bits, 0x7fffffff);
      scf::YieldOp::create(b, arith::MaxUIOp::create(b, inner.getRegionIterArg(0), magnitude).getResult());
    }
    scf::YieldOp::create(b, inner.getResults());
  }
  constexpr int64_t bitsOf2To119 = int64_t(119 + 127) << 23; // greater ones include infinity and NaN
  return b.compare(arith::CmpIPredicate::ult, outer.getResult(0), bitsOf2To119);
}

/// i1: whether the vector kernel can take the call: one row, no padding among the columns, and no value for which
/// folding the factor is not exact.
Value ContractionEmitter::isForVector(const PayloadLayout &layout) {
  Value rows = memref::DimOp::create(b, function.getArgument(1), 0);
  Value isOneRow = b.compare(arith::CmpIPredicate::eq, rows, 1);
  Value padding = arith::RemUIOp::create(b, layout.columns, b.index(spec.columnsPerUnit()));
  Value possible = b.andI(isOneRow, b.compare(arith::CmpIPredicate::eq, padding, 0));
  if (!foldsFactor())
    return possible;
  possible = b.andI(possible, hasNoNaN(b, layout));
  auto branch = scf::IfOp::create(b, b.getI1Type(), possible, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(branch.thenBlock());
  Value small = areSmall(function.getArgument(contraction.scaleKind == ScaleKind::None ? 1 : 3));
  scf::YieldOp::create(b, small);
  b.setInsertionPointToStart(branch.elseBlock());
  scf::YieldOp::create(b, possible);
  return branch.getResult(0);
}

void ContractionEmitter::emitLoops(Value tables) {
  auto branch = scf::IfOp::create(b, TypeRange{}, useVector, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(branch.thenBlock());
  emitParallel("_vector", vectorOperands, tables, weightRows, [&](func::FuncOp body) { emitVectorGroup(body); });
  b.setInsertionPointToStart(branch.elseBlock());
  emitParallel("_panel", panelOperands, tables, weightRows, [&](func::FuncOp body) { emitPanelGroup(body); });
}

static ContractionOperands operandsOf(func::FuncOp body) { return {body.getArgument(1), body.getArgument(2)}; }

static WeightVectors weightsOf(func::FuncOp body, const ContractionSpec &spec, Extension extension) {
  if (spec.scaleKind == ScaleKind::None)
    return WeightVectors(spec, Value(), Value(), Value(), extension);
  return WeightVectors(spec, body.getArgument(3), body.getArgument(4), body.getArgument(5), extension);
}

void ContractionEmitter::emitVectorGroup(func::FuncOp body) {
  PayloadLayout layout = readLayout(b, spec, body.getArgument(0));
  unsigned last = body.getNumArguments() - 1;
  Extension extension = foldsFactor()       ? Extension::FoldedHalf
                        : target.extendsF16 ? Extension::Half
                                            : Extension::Integer;
  std::unique_ptr<DecodeSink> sink = createVectorSink(operandsOf(body), weightsOf(body, contraction, extension));
  StripDecoder strips(b, spec, lanes, *sink);
  strips.enterFunction(layout, wholeMatrix(b, layout), body.getArgument(last - 1));
  strips.decodeGroup(body.getArgument(last));
}

void ContractionEmitter::emitPanelGroup(func::FuncOp body) {
  PayloadLayout layout = readLayout(b, spec, body.getArgument(0));
  unsigned last = body.getNumArguments() - 1;
  // Two sums for each vector register, and some left for the panel and the activations.
  int64_t rowsInRegisters = target.vectorBits >= 512 ? 8 : target.vectorBits >= 256 ? 2 : 1;
  Extension extension = target.extendsF16 ? Extension::Half : Extension::Integer;
  std::unique_ptr<PanelSink> sink =
      createPanelSink(operandsOf(body), weightsOf(body, contraction, extension), rowsInRegisters);
  StripDecoder strips(b, spec, lanes, *sink);
  strips.enterFunction(layout, wholeMatrix(b, layout), body.getArgument(last - 1));
  Value rows = memref::DimOp::create(b, body.getArgument(2), 0);
  b.forRange(b.index(0), rows, kChunkRows, [&](Value first) {
    sink->firstRow = first;
    sink->rowCount = b.minU(b.sub(rows, first), b.index(kChunkRows));
    strips.decodeGroup(body.getArgument(last));
  });
}
