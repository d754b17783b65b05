// Fills in the bodies of the functions that `ecf8-lower-storage` declared, for one instruction set: decode functions
// here, contraction functions in ContractionEmitter.cpp.
//
// A decoder checks the header, expands the code tables and hands groups of strips to a function of its own, in
// parallel. That function decodes its strips (StripDecoder.h) and writes the bytes out (DecoderOutput.h).
#include "ContractionEmitter.h"
#include "DecoderOutput.h"
#include "KernelEmitter.h"
#include "ecf8/Conversion/Decoders.h"
#include "ecf8/Conversion/Passes.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/SetVector.h"

namespace mlir::ecf8 {
#define GEN_PASS_DEF_EMITDECODERSPASS
#include "ecf8/Conversion/Passes.h.inc"
} // namespace mlir::ecf8

using namespace mlir;
using namespace mlir::ecf8;

namespace {

/// Emits the body of one decoder.
class DecoderEmitter : public KernelEmitter {
public:
  DecoderEmitter(func::FuncOp decoder, const DecoderSpec &spec, ArrayRef<std::unique_ptr<LaneBackend>> backends)
      : KernelEmitter(decoder, spec, backends), flat(cast<MemRefType>(decoder.getArgumentTypes()[1]).getRank() == 1) {}

  void emit() {
    b.setInsertionPointToStart(function.addEntryBlock());
    checkHeaderFits(b, function.getArgument(0));
    PayloadLayout layout = readLayout(b, spec, function.getArgument(0));
    MatrixSlice slice = sliceOf(layout, function.getArguments());
    checkLayout(b, spec, layout, slice);
    if (flat)
      checkFlatOutput(layout, function.getArgument(1));
    outRows = slice.rows;
    emitForEveryCode(layout);
    func::ReturnOp::create(b);
  }

private:
  void emitLoops(Value tables) override {
    emitParallel("_strips", function.getArguments(), tables, outRows,
                 [&](func::FuncOp body) { spec.isRows32() ? emitGroup(body) : emitRowCopy(body); });
  }

  void checkFlatOutput(const PayloadLayout &layout, Value out) {
    Value columns = paddedColumns(layout);
    Value needed = b.mul(b.mul(b.ceilDivU(layout.rows, 32), columns), 32);
    Value fits = b.compare(arith::CmpIPredicate::ule, needed, memref::DimOp::create(b, out, 0));
    cf::AssertOp::create(b, fits, b.getStringAttr("expected room for whole tiles in the output"));
  }

  /// The group function for order `row_major`: copies 32 rows.
  void emitRowCopy(func::FuncOp body) {
    Value out = body.getArgument(1), row = body.getArgument(2), column = body.getArgument(3);
    PayloadLayout layout = readLayout(b, spec, body.getArgument(0));
    Value begin = b.mul(body.getArgument(5), 32);
    Value outRows = memref::DimOp::create(b, out, 0), outColumns = memref::DimOp::create(b, out, 1);
    Value end = b.minU(b.add(begin, 32), outRows);
    Type elementType = cast<MemRefType>(out.getType()).getElementType();
    Value whole = b.mul(b.divU(outColumns, 64), 64);
    b.forRange(begin, end, 1, [&](Value r) {
      Value source = b.add(b.add(layout.plane, b.mul(b.add(row, r), layout.columns)), column);
      b.forRange(b.index(0), whole, 64, [&](Value c) {
        Value bytes = b.loadBytes(layout.payload, b.add(source, c), 64);
        vector::StoreOp::create(b, arith::BitcastOp::create(b, VectorType::get({64}, elementType), bytes), out,
                                ValueRange{r, c});
      });
      b.forRange(whole, outColumns, 1, [&](Value c) {
        Value byte = b.loadInteger(layout.payload, b.add(source, c), b.getI8Type());
        memref::StoreOp::create(b, arith::BitcastOp::create(b, elementType, byte), out, ValueRange{r, c});
      });
    });
  }

  /// The group function for order `rows32`.
  void emitGroup(func::FuncOp body) {
    Value out = body.getArgument(1);
    PayloadLayout layout = readLayout(b, spec, body.getArgument(0));
    MatrixSlice slice = sliceOf(layout, body.getArguments());
    std::unique_ptr<DecodeSink> sink = flat ? createTileOrderSink(out, paddedColumns(layout)) : createMatrixSink(out);
    StripDecoder strips(b, spec, lanes, *sink);
    strips.enterFunction(layout, slice, body.getArgument(4));
    strips.decodeGroup(body.getArgument(5));
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

  Value outRows;
  bool flat; ///< the output is a buffer in the order of the format instead of a matrix
};

struct EmitDecodersPass : public ::mlir::ecf8::impl::EmitDecodersPassBase<EmitDecodersPass> {
  using EmitDecodersPassBase::EmitDecodersPassBase;

  void runOnOperation() override {
    if (lanes != "permute" && lanes != "nibble" && lanes != "gather" && lanes != "scalar") {
      getOperation().emitError() << "expected lanes 'permute', 'nibble', 'gather' or 'scalar', got '" << lanes << "'";
      return signalPassFailure();
    }
    auto [decoders, contractions] = KernelDeclarations::of(getOperation());
    for (func::FuncOp decoder : decoders)
      if (failed(fillIn(decoder)))
        return signalPassFailure();
    llvm::SetVector<Operation *> epilogues;
    for (func::FuncOp contraction : contractions)
      if (failed(fillInContraction(contraction, epilogues)))
        return signalPassFailure();
    for (Operation *epilogue : epilogues)
      epilogue->erase();
  }

private:
  LogicalResult fillIn(func::FuncOp decoder) {
    // The dialect verifies that the attribute holds a compressed type.
    auto compressed = cast<CompressedType>(decoder->getAttrOfType<TypeAttr>(kDecoderAttrName).getValue());
    if (failed(verifyDecoderType(decoder)))
      return failure();
    DecoderSpec spec{compressed.getEncoding(), compressed.getElementType()};
    if (spec.encoding.getElementOrder() == Order::mma)
      return decoder.emitOpError() << "expected a weight in order row_major or rows32 for a CPU, got " << compressed,
             failure();
    auto backends = createLaneBackends(decoder, spec, lanes, StepUse::Stored);
    if (failed(backends))
      return failure();
    DecoderEmitter(decoder, spec, *backends).emit();
    decoder->removeAttr(kDecoderAttrName);
    return success();
  }

  LogicalResult fillInContraction(func::FuncOp function, llvm::SetVector<Operation *> &epilogues) {
    auto contraction = ContractionSpec::of(function);
    if (failed(contraction))
      return failure();
    DecoderSpec spec{contraction->weight.getEncoding(), contraction->weight.getElementType()};
    if (!spec.isRows32())
      return function.emitOpError() << "expected a weight in tiles of 32 rows, got " << contraction->weight, failure();
    if (contraction->hasFP8Activations())
      return function.emitOpError()
                 << "expected activations of f32, bf16 or f16 on a CPU, to which FP8 can be extended "
                    "before, got "
                 << contraction->activations,
             failure();
    if (contraction->epilogue && contraction->scalesSums)
      return function.emitOpError() << "expected no epilogue on sums that are scaled on a CPU", failure();
    auto backends = createLaneBackends(function, spec, lanes, StepUse::Multiplied);
    if (failed(backends))
      return failure();
    const bool permutesBytes = lanes == "permute";
    ContractionTarget target{vectorBits, f16, permutesBytes, permutesBytes && bf16};
    ContractionEmitter(function, *contraction, spec, *backends, target).emit();
    if (contraction->epilogue)
      epilogues.insert(contraction->epilogue->getParentOp());
    function->removeAttr(kEpilogueAttrName);
    function->removeAttr(kContractionAttrName);
    function->removeAttr(kScaleKindAttrName);
    function->removeAttr(kScalesSumsAttrName);
    function->removeAttr(kDividesAttrName);
    return success();
  }
};

} // namespace
