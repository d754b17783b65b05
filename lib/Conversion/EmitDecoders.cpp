// Fills in the bodies of the decode functions that `ecf8-lower-storage` declared, for one instruction set.
//
// A decoder checks the header, expands the code tables and hands groups of strips to a function of its own, in
// parallel. That function decodes the tiles of its strips, several in lockstep where the lane back end asks for it,
// 64 columns at a time into a block on the stack, and writes the block out.
#include "DecoderLayout.h"
#include "DecoderOutput.h"
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
    Value row = decoder.getArgument(2), column = decoder.getArgument(3);
    checkHeaderFits(b, payload);
    PayloadLayout layout = readLayout(b, spec, payload);
    Value outRows = flat ? b.sub(layout.rows, row) : memref::DimOp::create(b, out, 0).getResult();
    Value outColumns = flat ? b.sub(layout.columns, column) : memref::DimOp::create(b, out, 1).getResult();
    checkLayout(b, spec, layout, row, column, outRows, outColumns);
    if (flat)
      checkFlatOutput(layout, out);
    std::optional<CodeTables> bytes;
    if (!backends.empty())
      bytes = expandCodeLengths(b, spec.huffman(), layout);
    emitWith(0, bytes, outRows);
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
  int64_t tileColumns() const { return spec.encoding.getTileColumnCount(); }

  void checkFlatOutput(const PayloadLayout &layout, Value out) {
    Value columns = b.mul(b.ceilDivU(layout.columns, spec.columnsPerUnit()), spec.columnsPerUnit());
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
    out = body.getArgument(1);
    row = body.getArgument(2);
    column = body.getArgument(3);
    layout = readLayout(b, spec, body.getArgument(0));
    outRows = flat ? b.sub(layout.rows, row) : memref::DimOp::create(b, out, 0).getResult();
    outColumns = flat ? b.sub(layout.columns, column) : memref::DimOp::create(b, out, 1).getResult();
    if (lanes)
      lanes->enterFunction(b, body.getArgument(4), stripsPerGroup());
    if (!flat) {
      block = b.stackBuffer(stripsPerGroup() * kBlockBytes, b.getI8Type());
      writer.emplace(b, out);
    }
    Value firstStrip = b.mul(body.getArgument(5), stripsPerGroup());
    Value stripEnd = b.minU(b.add(firstStrip, stripsPerGroup()), b.ceilDivU(outRows, 32));
    if (stripsPerGroup() == 1) {
      emitStrips(firstStrip, 1);
    } else {
      Value whole = b.compare(arith::CmpIPredicate::eq, b.sub(stripEnd, firstStrip), stripsPerGroup());
      auto branch = scf::IfOp::create(b, TypeRange{}, whole, /*withElseRegion=*/true);
      OpBuilder::InsertionGuard inner(b);
      b.setInsertionPointToStart(branch.thenBlock());
      emitStrips(firstStrip, stripsPerGroup());
      b.setInsertionPointToStart(branch.elseBlock());
      forRange(firstStrip, stripEnd, 1, [&](Value strip) { emitStrips(strip, 1); });
    }
    func::ReturnOp::create(b);
  }

  /// Decodes `count` strips of the slice, the first of which is `strip`, in lockstep.
  void emitStrips(Value strip, unsigned count) {
    Value firstTile = b.divU(column, tileColumns());
    Value endTile = b.ceilDivU(b.add(column, outColumns), tileColumns());
    forRange(firstTile, endTile, 1, [&](Value tile) { emitTiles(strip, tile, count); });
  }

  void emitTiles(Value strip, Value tile, unsigned count) {
    Value tileColumn = b.mul(tile, tileColumns());
    Value wanted = b.minU(b.sub(b.add(column, outColumns), tileColumn), b.index(tileColumns()));
    Value padded = b.mul(b.ceilDivU(wanted, spec.columnsPerUnit()), spec.columnsPerUnit());
    Value payloadStrip = b.add(b.divU(row, 32), strip);

    SmallVector<Value> carried;
    SmallVector<Value> planeAt, outAt;
    size_t perTile = 0;
    StreamView stream{layout.payload, layout.lastIndex};
    for (unsigned t = 0; t < count; ++t) {
      Value s = b.add(payloadStrip, t);
      planeAt.push_back(
          b.add(b.add(layout.plane, b.mul(s, layout.planePerStrip)), b.mul(tileColumn, spec.planeBytesPerColumn())));
      if (flat)
        outAt.push_back(b.add(b.mul(s, b.mul(planeColumns(), 32)), b.mul(tileColumn, 32)));
      if (!lanes)
        continue;
      Value entry = b.add(b.mul(s, layout.tilesPerStrip), tile);
      Value word = b.loadInteger(layout.payload, b.add(layout.tileTable, b.mul(entry, 4)), b.getI32Type());
      Value at = b.minU(b.add(layout.codes, b.shl(b.toIndex(word), 1)), layout.lastIndex);
      SmallVector<Value> state = lanes->openTile(b, stream, at, t);
      perTile = state.size();
      carried.append(state);
    }

    auto blocks = scf::ForOp::create(b, b.index(0), padded, b.index(kBlockColumns), carried);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(blocks.getBody());
    Value blockColumn = blocks.getInductionVar();
    Value blockEnd = b.minU(b.add(blockColumn, kBlockColumns), padded);
    auto units =
        scf::ForOp::create(b, blockColumn, blockEnd, b.index(spec.columnsPerUnit()), blocks.getRegionIterArgs());
    {
      OpBuilder::InsertionGuard inner(b);
      b.setInsertionPointToStart(units.getBody());
      Value unitColumn = units.getInductionVar();
      SmallVector<Value> state(units.getRegionIterArgs());
      SmallVector<Value> unitAt;
      for (unsigned t = 0; t < count; ++t)
        unitAt.push_back(b.add(planeAt[t], b.mul(unitColumn, spec.planeBytesPerColumn())));
      for (int64_t step = 0; step < spec.stepsPerRestUnit(); ++step)
        for (unsigned t = 0; t < count; ++t) {
          Value bytes = loadPlane(unitAt[t], step); // not before its use: registers are scarce
          if (lanes) {
            MutableArrayRef<Value> own = MutableArrayRef(state).slice(t * perTile, perTile);
            bytes = b.orI(lanes->decodeStep(b, stream, own, t), bytes);
          }
          Value offset = b.mul(flat ? unitColumn : b.sub(unitColumn, blockColumn), 32);
          Value target = b.add(offset, 64 * step + (flat ? 0 : t * kBlockBytes));
          b.storeBytes(bytes, flat ? out : block, flat ? b.add(outAt[t], target) : target);
        }
      if (!state.empty()) // a loop that carries nothing has its terminator already
        scf::YieldOp::create(b, state);
    }
    if (!flat) {
      Value outColumn = b.add(b.sub(tileColumn, column), blockColumn);
      Value columns = b.minU(b.sub(wanted, blockColumn), b.index(kBlockColumns));
      for (unsigned t = 0; t < count; ++t) {
        Value outRow = b.mul(b.add(strip, t), 32);
        Value rows = b.minU(b.sub(outRows, outRow), b.index(32));
        writer->writeBlock(b, block, b.index(t * kBlockBytes), outRow, outColumn, rows, columns);
      }
    }
    if (!carried.empty())
      scf::YieldOp::create(b, units.getResults());
  }

  Value planeColumns() { return b.mul(b.ceilDivU(layout.columns, spec.columnsPerUnit()), spec.columnsPerUnit()); }

  /// The stored bits of one step of the unit at byte `at`: vector<64xi8>, bits in their place in the element.
  Value loadPlane(Value at, int64_t step) {
    VectorType bytes = b.bytes(64), words = b.words(32);
    auto load = [&](int64_t offset) { return b.loadBytes(layout.payload, b.add(at, offset), 64); };
    if (isa<RawAttr>(spec.encoding))
      return load(64 * step);
    if (spec.isE4M3()) {
      Value unit = load(0);
      if (step == 0)
        return b.andI(unit, 0x87);
      // The second step's bits stand rotated by four: bit 3 is the sign, bits 6 to 4 the mantissa.
      Value wide = b.bitcast(unit, words);
      return b.bitcast(b.orI(b.andI(b.shl(wide, 4), 0x8080), b.andI(b.shrU(wide, 4), 0x0707)), bytes);
    }
    Value signs = b.bitcast(load(128), words), mantissas = b.bitcast(load(64 * (step / 4)), words);
    Value mantissa = b.andI(b.shrU(mantissas, 2 * (step % 4)), 0x0303);
    return b.bitcast(b.orI(mantissa, b.andI(b.shl(signs, 7 - step), 0x8080)), bytes);
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

  // Of the group function.
  PayloadLayout layout;
  Value out, row, column, outRows, outColumns, block;
  std::optional<MatrixWriter> writer;
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
    } else if (!isa<RawAttr>(spec.encoding)) {
      return decoder.emitOpError() << "has no decoder for encoding " << spec.encoding;
    }
    DecoderEmitter(decoder, spec, backends).emit();
    decoder->removeAttr(kDecoderAttrName);
    return success();
  }
};

} // namespace
