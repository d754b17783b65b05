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
  weightColumns = layout.columns;
  operands.assign(function.getArguments().begin(), function.getArguments().end());
  Value extended = contraction.activations.isF32() ? Value() : extendActivations();
  if (extended)
    operands[1] = extended;
  emitForEveryCode(layout);
  if (extended)
    memref::DeallocOp::create(b, extended);
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

/// The activations as f32, in memory of their own with the layout of the argument's type.
Value ContractionEmitter::extendActivations() {
  Value source = function.getArgument(1);
  Value rows = memref::DimOp::create(b, source, 0), columns = memref::DimOp::create(b, source, 1);
  auto type = MemRefType::get({ShapedType::kDynamic, ShapedType::kDynamic}, b.getF32Type());
  Value copy = memref::AllocOp::create(b, type, ValueRange{rows, columns}, b.getI64IntegerAttr(64));
  forRange(b.index(0), rows, 1, [&](Value row) {
    forRange(b.index(0), columns, 1, [&](Value column) {
      Value value = memref::LoadOp::create(b, source, ValueRange{row, column});
      memref::StoreOp::create(b, extendToF32(b, value), copy, ValueRange{row, column});
    });
  });
  return copy;
}

void ContractionEmitter::emitLoops(Value tables) {
  // One row, and no padding among the columns: weights go from registers into the sums.
  Value isVector = b.compare(arith::CmpIPredicate::eq, memref::DimOp::create(b, operands[1], 0), 1);
  Value unitsFull =
      b.compare(arith::CmpIPredicate::eq,
                arith::RemUIOp::create(b, weightColumns, b.index(spec.columnsPerUnit())).getResult(), int64_t(0));
  auto branch = scf::IfOp::create(b, TypeRange{}, b.andI(isVector, unitsFull), /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(branch.thenBlock());
  emitParallel("_vector", operands, tables, weightRows, [&](func::FuncOp body) { emitVectorGroup(body); });
  b.setInsertionPointToStart(branch.elseBlock());
  emitParallel("_panel", operands, tables, weightRows, [&](func::FuncOp body) { emitPanelGroup(body); });
}

static ContractionOperands operandsOf(func::FuncOp body) { return {body.getArgument(1), body.getArgument(2)}; }

static WeightVectors weightsOf(func::FuncOp body, const ContractionSpec &spec, const ContractionTarget &target) {
  if (spec.scaleKind == ScaleKind::None)
    return WeightVectors(spec, Value(), Value(), Value(), target.extendsF16);
  return WeightVectors(spec, body.getArgument(3), body.getArgument(4), body.getArgument(5), target.extendsF16);
}

void ContractionEmitter::emitVectorGroup(func::FuncOp body) {
  PayloadLayout layout = readLayout(b, spec, body.getArgument(0));
  unsigned last = body.getNumArguments() - 1;
  std::unique_ptr<DecodeSink> sink = createVectorSink(operandsOf(body), weightsOf(body, contraction, target));
  StripDecoder strips(b, spec, lanes, *sink);
  strips.enterFunction(layout, wholeMatrix(b, layout), body.getArgument(last - 1));
  strips.decodeGroup(body.getArgument(last));
}

void ContractionEmitter::emitPanelGroup(func::FuncOp body) {
  PayloadLayout layout = readLayout(b, spec, body.getArgument(0));
  unsigned last = body.getNumArguments() - 1;
  // Two sums for each vector register, and some left for the panel and the activations.
  int64_t rowsInRegisters = target.vectorBits >= 512 ? 8 : target.vectorBits >= 256 ? 2 : 1;
  std::unique_ptr<PanelSink> sink =
      createPanelSink(operandsOf(body), weightsOf(body, contraction, target), rowsInRegisters);
  StripDecoder strips(b, spec, lanes, *sink);
  strips.enterFunction(layout, wholeMatrix(b, layout), body.getArgument(last - 1));
  Value rows = memref::DimOp::create(b, body.getArgument(1), 0);
  forRange(b.index(0), rows, kChunkRows, [&](Value first) {
    sink->firstRow = first;
    sink->rowCount = b.minU(b.sub(rows, first), b.index(kChunkRows));
    strips.decodeGroup(body.getArgument(last));
  });
}
