// Fills in the bodies of the decode functions that `ecf8-lower-storage` declared, for one instruction set.
//
// A decoder checks the header, expands the code tables and hands groups of strips to a function of its own, in
// parallel. That function decodes its strips (StripDecoder.h) and writes the bytes out (DecoderOutput.h).
#include "DecoderOutput.h"
#include "LanePlanes.h"
#include "ecf8/Conversion/Decoders.h"
#include "ecf8/Conversion/Passes.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/SymbolTable.h"

namespace mlir::ecf8 {
#define GEN_PASS_DEF_EMITDECODERSPASS
#include "ecf8/Conversion/Passes.h.inc"
} // namespace mlir::ecf8

using namespace mlir;
using namespace mlir::ecf8;

namespace {

/// Emits the body of one decoder.
class DecoderEmitter {
public:
  /// `backends`: each for the codes that those before it do not apply to. None: nothing is coded.
  DecoderEmitter(func::FuncOp decoder, const DecoderSpec &spec, ArrayRef<std::unique_ptr<LaneBackend>> backends)
      : decoder(decoder), spec(spec), backends(backends), b(decoder.getLoc(), decoder.getContext()),
        flat(cast<MemRefType>(decoder.getArgumentTypes()[1]).getRank() == 1) {}

  void emit() {
    b.setInsertionPointToStart(decoder.addEntryBlock());
    Value payload = decoder.getArgument(0), out = decoder.getArgument(1);
    PayloadLayout layout = readLayout(b, spec, payload);
    MatrixSlice slice = sliceOf(layout, decoder.getArguments());
    checkLayout(b, spec, layout, slice);
    if (flat)
      checkFlatOutput(layout, out);
    std::optional<CodeTables> bytes;
    if (isa<HuffmanAttr>(spec.encoding))
      bytes = expandCodeLengths(b, spec.huffman(), layout);
    else if (isa<PlanesAttr>(spec.encoding))
      bytes = expandRanks(b, spec.planes(), layout);
    emitWith(0, bytes, slice.rows);
    func::ReturnOp::create(b);
  }

private:
  /// Emits the tables and the parallel loop of back end number `first`; where it does not apply to every code, of the
  /// next one for the others.
  void emitWith(size_t first, const std::optional<CodeTables> &bytes, Value outRows) {
    lanes = first < backends.size() ? backends[first].get() : nullptr;
    Value tables = b.stackBuffer(lanes ? lanes->tableBytes() : 1, b.getI8Type());
    if (lanes)
      lanes->expandTables(b, *bytes, tables);
    Value applies = lanes ? lanes->applies(b, tables) : Value();
    if (!applies)
      return emitParallel(tables, outRows);
    auto branch = scf::IfOp::create(b, TypeRange{}, applies, /*withElseRegion=*/true);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(branch.thenBlock());
    emitParallel(tables, outRows);
    b.setInsertionPointToStart(branch.elseBlock());
    emitWith(first + 1, bytes, outRows);
  }

  void emitParallel(Value tables, Value outRows) {
    auto anyBytes = MemRefType::get({ShapedType::kDynamic}, b.getI8Type());
    tables = memref::CastOp::create(b, anyBytes, tables);
    Value groups = b.ceilDivU(outRows, 32 * stripsPerGroup());
    auto parallel = scf::ParallelOp::create(b, ValueRange{b.index(0)}, ValueRange{groups}, ValueRange{b.index(1)});
    func::FuncOp body = declareGroupFunction();
    {
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(parallel.getBody());
      SmallVector<Value> operands(decoder.getArguments());
      operands.append({tables, parallel.getInductionVars()[0]});
      func::CallOp::create(b, body, operands);
    }
    if (spec.isRows32())
      emitGroup(body);
    else
      emitRowCopy(body);
  }

  int64_t stripsPerGroup() const { return lanes ? lanes->tilesInLockstep() : 1; }

  void checkFlatOutput(const PayloadLayout &layout, Value out) {
    Value columns = paddedColumns(layout);
    Value needed = b.mul(b.mul(b.ceilDivU(layout.rows, 32), columns), 32);
    Value fits = b.compare(arith::CmpIPredicate::ule, needed, memref::DimOp::create(b, out, 0));
    cf::AssertOp::create(b, fits, b.getStringAttr("expected room for whole tiles in the output"));
  }

  func::FuncOp declareGroupFunction() {
    SmallVector<Type> inputs(decoder.getArgumentTypes());
    inputs.push_back(MemRefType::get({ShapedType::kDynamic}, b.getI8Type()));
    inputs.push_back(b.getIndexType());
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointAfter(decoder);
    std::string name = (decoder.getName() + "_strips").str();
    for (auto module = decoder->getParentOfType<ModuleOp>(); module.lookupSymbol(name);)
      name += "_any";
    auto body = func::FuncOp::create(b, name, b.getFunctionType(inputs, {}));
    body.setPrivate();
    return body;
  }

  /// The group function for order `row_major`: copies 32 rows.
  void emitRowCopy(func::FuncOp body) {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(body.addEntryBlock());
    Value out = body.getArgument(1), row = body.getArgument(2), column = body.getArgument(3);
    PayloadLayout layout = readLayout(b, spec, body.getArgument(0));
    Value begin = b.mul(body.getArgument(5), 32);
    Value outRows = memref::DimOp::create(b, out, 0), outColumns = memref::DimOp::create(b, out, 1);
    Value end = b.minU(b.add(begin, 32), outRows);
    Type elementType = cast<MemRefType>(out.getType()).getElementType();
    Value whole = b.mul(b.divU(outColumns, 64), 64);
    forRange(begin, end, 1, [&](Value r) {
      Value source = b.add(b.add(layout.plane, b.mul(b.add(row, r), layout.columns)), column);
      forRange(b.index(0), whole, 64, [&](Value c) {
        Value bytes = b.loadBytes(layout.payload, b.add(source, c), 64);
        vector::StoreOp::create(b, arith::BitcastOp::create(b, VectorType::get({64}, elementType), bytes), out,
                                ValueRange{r, c});
      });
      forRange(whole, outColumns, 1, [&](Value c) {
        Value byte = b.loadInteger(layout.payload, b.add(source, c), b.getI8Type());
        memref::StoreOp::create(b, arith::BitcastOp::create(b, elementType, byte), out, ValueRange{r, c});
      });
    });
    func::ReturnOp::create(b);
  }

  /// The group function for order `rows32`.
  void emitGroup(func::FuncOp body) {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(body.addEntryBlock());
    Value out = body.getArgument(1);
    PayloadLayout layout = readLayout(b, spec, body.getArgument(0));
    MatrixSlice slice = sliceOf(layout, body.getArguments());
    std::unique_ptr<DecodeSink> sink = flat ? createTileOrderSink(out, paddedColumns(layout)) : createMatrixSink(out);
    StripDecoder strips(b, spec, lanes, *sink);
    strips.enterFunction(layout, slice, body.getArgument(4));
    strips.decodeGroup(body.getArgument(5));
    func::ReturnOp::create(b);
  }

  /// What is decoded, given the payload's layout and a function's arguments payload, output, row and column.
  MatrixSlice sliceOf(const PayloadLayout &layout, ValueRange arguments) {
    Value out = arguments[1], row = arguments[2], column = arguments[3];
    if (flat)
      return {row, column, b.sub(layout.rows, row), b.sub(layout.columns, column)};
    Value rows = memref::DimOp::create(b, out, 0);
    return {row, column, rows, memref::DimOp::create(b, out, 1)};
  }

  Value paddedColumns(const PayloadLayout &layout) {
    return b.mul(b.ceilDivU(layout.columns, spec.columnsPerUnit()), spec.columnsPerUnit());
  }

  template <typename Body> void forRange(Value begin, Value end, int64_t step, Body body) {
    auto loop = scf::ForOp::create(b, begin, end, b.index(step));
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(loop.getBody());
    body(loop.getInductionVar());
  }

  func::FuncOp decoder;
  DecoderSpec spec;
  ArrayRef<std::unique_ptr<LaneBackend>> backends;
  LaneBackend *lanes = nullptr; ///< the one that is being emitted
  LaneBuilder b;
  bool flat; ///< the output is a buffer in the order of the format instead of a matrix
};

struct EmitDecodersPass : public ::mlir::ecf8::impl::EmitDecodersPassBase<EmitDecodersPass> {
  using EmitDecodersPassBase::EmitDecodersPassBase;

  void runOnOperation() override {
    if (lanes != "permute" && lanes != "nibble" && lanes != "gather" && lanes != "scalar") {
      getOperation().emitError() << "expected lanes 'permute', 'nibble', 'gather' or 'scalar', got '" << lanes << "'";
      return signalPassFailure();
    }
    SmallVector<func::FuncOp> decoders;
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (function.isExternal() && function->hasAttr(kDecoderAttrName))
        decoders.push_back(function);
    for (func::FuncOp decoder : decoders)
      if (failed(fillIn(decoder)))
        return signalPassFailure();
  }

private:
  LogicalResult fillIn(func::FuncOp decoder) {
    // The dialect verifies that the attribute holds a compressed type.
    auto compressed = cast<CompressedType>(decoder->getAttrOfType<TypeAttr>(kDecoderAttrName).getValue());
    if (failed(verifyDecoderType(decoder)))
      return failure();
    DecoderSpec spec{compressed.getEncoding(), compressed.getElementType()};
    SmallVector<std::unique_ptr<LaneBackend>> backends;
    if (isa<HuffmanAttr>(spec.encoding)) {
      if (lanes == "permute")
        backends.push_back(createPermuteLanes(spec.huffman()));
      if (lanes == "nibble")
        for (unsigned prefixCount : {1, 2})
          backends.push_back(createNibbleLanes(spec.huffman(), prefixCount));
      if (lanes == "nibble" || lanes == "gather")
        backends.push_back(createTableLanes(spec.huffman(), 8));
      if (lanes == "scalar")
        backends.push_back(createTableLanes(spec.huffman(), 1));
    } else if (isa<PlanesAttr>(spec.encoding)) {
      backends.push_back(lanes == "permute"  ? createExpandPlanes(spec.planes())
                         : lanes == "scalar" ? createScalarPlanes(spec.planes())
                                             : createShufflePlanes(spec.planes()));
    } else if (!isa<RawAttr>(spec.encoding)) {
      return decoder.emitOpError() << "has no decoder for encoding " << spec.encoding;
    }
    DecoderEmitter(decoder, spec, backends).emit();
    decoder->removeAttr(kDecoderAttrName);
    return success();
  }
};

} // namespace
