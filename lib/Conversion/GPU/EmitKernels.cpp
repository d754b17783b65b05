// Gives the functions that `ecf8-lower-storage` declared bodies that launch GPU kernels, and generates these.
#include "DeviceKernel.h"
#include "ecf8/Codec/Format.h"
#include "ecf8/Conversion/Decoders.h"
#include "ecf8/Conversion/Passes.h"
#include "ecf8/Conversion/RuntimeImports.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Pass/PassManager.h"

namespace mlir::ecf8 {
#define GEN_PASS_DEF_EMITGPUKERNELSPASS
#include "ecf8/Conversion/Passes.h.inc"
} // namespace mlir::ecf8

using namespace mlir;
using namespace mlir::ecf8;
namespace field = ::ecf8::header_offset;

namespace {

/// Behind the payload, at a multiple of this, lies the table of its code.
constexpr int64_t kTableAlignment = 256;

/// Emits the body of one function.
class LaunchEmitter {
public:
  LaunchEmitter(func::FuncOp function, const DeviceSpec &spec, gpu::GPUModuleOp kernels)
      : function(function), spec(spec), kernels(kernels), b(function.getLoc(), function.getContext()) {
    b.setInsertionPointToStart(function.addEntryBlock());
  }

  void emitDecode(gpu::GPUFuncOp kernel) {
    Value payload = function.getArgument(0), out = function.getArgument(1);
    auto metadata = memref::ExtractStridedMetadataOp::create(b, out);
    Value rows = metadata.getSizes()[0], columns = metadata.getSizes()[1];
    ifNotEmpty({rows, columns}, [&] {
      SmallVector<Value> operands =
          weightOperands(payload, function.getArgument(2), function.getArgument(3), rows, columns);
      operands.append({addressOf(out, 1), asI64(metadata.getStrides()[0])});
      launch(kernel, operands, spec.tableBytes(), kDecodeStagingBytes, b.index(1),
             warpsBeside(getSharedBytes(), spec.tableBytes(), kDecodeStagingBytes));
    });
    func::ReturnOp::create(b);
  }

  /// `kernelFor(n)` is the kernel for n blocks of 8 rows of activations.
  void emitContraction(const ContractionSpec &contraction, llvm::function_ref<gpu::GPUFuncOp(int64_t)> kernelFor) {
    Value payload = function.getArgument(0), activations = function.getArgument(1), out = function.getArgument(2);
    auto x = memref::ExtractStridedMetadataOp::create(b, activations);
    auto y = memref::ExtractStridedMetadataOp::create(b, out);
    Value count = x.getSizes()[0], columns = x.getSizes()[1], rows = y.getSizes()[1];
    Value row = function.getArguments().back();
    const int64_t elementBytes = contraction.activations.getIntOrFloatBitWidth() / 8;
    ifNotEmpty({count, columns, rows}, [&] {
      SmallVector<Value> operands = weightOperands(payload, row, b.index(0), rows, columns);
      operands.append({addressOf(activations, elementBytes), asI64(x.getStrides()[0]), asI32(count),
                       addressOf(out, contraction.result.getIntOrFloatBitWidth() / 8), asI64(y.getStrides()[0])});
      if (contraction.scaleKind != ScaleKind::None) {
        Value scale = function.getArgument(3);
        auto s = memref::ExtractStridedMetadataOp::create(b, scale);
        operands.append({addressOf(scale, contraction.scale.getIntOrFloatBitWidth() / 8), asI64(s.getStrides()[0]),
                         asI32(function.getArgument(4)), asI32(groupReciprocal(function.getArgument(5)))});
      }
      for (auto [extra, type] :
           llvm::zip(function.getArguments().drop_front(contraction.getFirstExtra()), contraction.extra)) {
        auto strides = memref::ExtractStridedMetadataOp::create(b, extra).getStrides();
        operands.append({addressOf(extra, type.getElementTypeBitWidth() / 8), asI64(strides[0])});
      }
      emitForSizes(contraction.activations, count, operands, kernelFor);
    });
    func::ReturnOp::create(b);
  }

private:
  static constexpr int64_t kColumnBlocks[] = {1, 2, 4, 8};

  /// Launches one of the kernels for 8, 16, 32 and 64 rows of activations: that with the fewest passes over the weight
  /// for the warps of a block, which have to share its shared memory with the activations.
  void emitForSizes(Type activations, Value count, ArrayRef<Value> operands,
                    llvm::function_ref<gpu::GPUFuncOp(int64_t)> kernelFor) {
    Value sharedBytes = getSharedBytes(), best, bestPasses, bestWarps;
    for (auto [index, blocks] : llvm::enumerate(kColumnBlocks)) {
      LaunchLayout layout = LaunchLayout::of(spec, activations, blocks);
      Value passes = b.ceilDivU(count, 8 * blocks),
            warps = warpsBeside(sharedBytes, layout.sharedBytes, 0, layout.warps);
      if (!best) {
        best = b.index(0), bestPasses = passes, bestWarps = warps;
        continue;
      }
      Value isBetter = b.compare(arith::CmpIPredicate::ult, b.mul(passes, bestWarps), b.mul(bestPasses, warps));
      best = b.select(isBetter, b.index(int64_t(index)), best);
      bestPasses = b.select(isBetter, passes, bestPasses);
      bestWarps = b.select(isBetter, warps, bestWarps);
    }
    for (auto [index, blocks] : llvm::enumerate(kColumnBlocks)) {
      auto branch = scf::IfOp::create(b, b.compare(arith::CmpIPredicate::eq, best, int64_t(index)), false);
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(branch.thenBlock());
      Value partialBytes = b.mul(b.mul(b.mul(bestPasses, rowTiles), chunks), 512 * blocks);
      Value counterBytes = b.mul(b.mul(bestPasses, rowTiles), 4);
      SmallVector<Value> all(operands);
      for (auto [which, bytes] :
           {std::pair<int64_t, Value>(0, partialBytes), std::pair<int64_t, Value>(1, counterBytes)}) {
        Value address = callRuntime(kRuntimeGpuWorkspace, {b.constant(b.getI64Type(), which), asI64(bytes)});
        all.push_back(LLVM::IntToPtrOp::create(b, globalPointer(), address));
      }
      launch(kernelFor(blocks), all, LaunchLayout::of(spec, activations, blocks).sharedBytes, 0, bestPasses, bestWarps);
    }
  }

  Type globalPointer() { return LLVM::LLVMPointerType::get(b.getContext(), DeviceBuilder::globalSpace); }
  Value asI64(Value index) { return b.fromIndex(index, b.getI64Type()); }
  Value asI32(Value index) { return b.fromIndex(index, b.getI32Type()); }

  /// Calls a function of the runtime from i64s to an i64.
  Value callRuntime(StringRef name, ValueRange arguments) { return callGpuRuntime(b, name, arguments, b.getI64Type()); }

  Value addressOf(Value memref, int64_t elementBytes) {
    Value base = memref::ExtractAlignedPointerAsIndexOp::create(b, memref);
    auto metadata = memref::ExtractStridedMetadataOp::create(b, memref);
    Value address = b.add(base, b.mul(metadata.getOffset(), elementBytes));
    return LLVM::IntToPtrOp::create(b, globalPointer(), asI64(address));
  }

  /// The WeightArguments of a part of the weight. What they say of the payload is in its header.
  SmallVector<Value> weightOperands(Value payload, Value row, Value column, Value rows, Value columns) {
    Value base = memref::ExtractAlignedPointerAsIndexOp::create(b, payload);
    Value header = callGpuRuntime(b, kRuntimeGpuHeader, asI64(base), LLVM::LLVMPointerType::get(b.getContext()));
    auto read = [&](Type type, uint64_t offset) {
      Value address = LLVM::GEPOp::create(b, header.getType(), b.getI8Type(), header, LLVM::GEPArg(int32_t(offset)));
      return LLVM::LoadOp::create(b, type, address, type.getIntOrFloatBitWidth() / 8).getResult();
    };
    auto size = [&](uint64_t offset) { return b.toIndex(read(b.getI64Type(), offset)); };
    auto address = [&](Value offset) {
      return LLVM::IntToPtrOp::create(b, globalPointer(), asI64(b.add(base, offset))).getResult();
    };
    Value allColumns = size(field::columns);
    Value stripTiles = b.ceilDivU(allColumns, spec.tileColumns);
    Value stripGroups = b.ceilDivU(allColumns, DeviceSpec::columnsPerGroup);
    Value firstRowTile = b.divU(row, DeviceSpec::rowsPerTile), firstChunk = b.divU(column, spec.tileColumns);
    Value group = b.add(b.mul(firstRowTile, stripGroups), b.mul(firstChunk, spec.groupsPerTile()));
    SmallVector<Value> operands{address(b.add(size(field::restOffset), b.mul(group, spec.bytesPerGroup())))};
    slot = b.constant(b.getI64Type(), 0);
    if (spec.hasCodes()) {
      Value tile = b.add(b.mul(firstRowTile, stripTiles), firstChunk);
      Value payloadBytes = memref::DimOp::create(b, payload, 0);
      operands.push_back(address(size(field::codesOffset)));
      operands.push_back(address(b.add(size(field::tileTableOffset), b.mul(tile, 4))));
      operands.push_back(address(b.mul(b.ceilDivU(payloadBytes, kTableAlignment), kTableAlignment)));
      slot = callRuntime(kRuntimeGpuSlot, asI64(base));
    } else {
      operands.append(3, operands[0]); // nothing reads it
    }
    rowTiles = b.ceilDivU(rows, DeviceSpec::rowsPerTile);
    chunks = b.ceilDivU(columns, spec.tileColumns);
    for (Value value : {rows, columns, rowTiles, chunks, stripTiles, stripGroups})
      operands.push_back(asI32(value));
    operands.push_back(b.truncate(slot, b.getI32Type()));
    Value exponentOffset = read(b.getI8Type(), field::exponentOffset);
    operands.push_back(arith::ExtSIOp::create(b, b.getI32Type(), exponentOffset));
    operands.push_back(b.andI(read(b.getI32Type(), field::dataFlags), ::ecf8::DataHasNaN));
    return operands;
  }

  /// What divides by the groups of a block's columns in a kernel, where the product of quotient and divisor is below
  /// 2^31.
  Value groupReciprocal(Value blockColumns) {
    Value groups = b.ceilDivU(blockColumns, DeviceSpec::columnsPerGroup);
    Value below = arith::DivUIOp::create(b, b.index((int64_t(1) << 31) - 1), groups);
    return b.add(below, 1);
  }

  void ifNotEmpty(ValueRange sizes, llvm::function_ref<void()> then) {
    Value product = sizes[0];
    for (Value size : sizes.drop_front())
      product = b.mul(product, size);
    auto branch = scf::IfOp::create(b, b.compare(arith::CmpIPredicate::ne, product, 0), false);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(branch.thenBlock());
    then();
  }

  /// Shared memory of a warp: two slots of codes, and `own`.
  Value bytesPerWarp(int64_t own) { return b.add(b.mul(b.toIndex(slot), 2), own); }

  /// The most shared memory of a block.
  Value getSharedBytes() { return b.toIndex(callRuntime(kRuntimeGpuSharedBytes, {})); }

  /// How many warps of a block with `sharedBytes` have room beside `fixedBytes`: a multiple of `multiple`, and perhaps
  /// 0.
  Value warpsBeside(Value sharedBytes, int64_t fixedBytes, int64_t own, int64_t multiple = 1) {
    Value room = b.sub(b.maxU(sharedBytes, b.index(fixedBytes)), b.index(fixedBytes));
    // Without codes no warp needs any, but the block still has to fit.
    Value fits = arith::DivUIOp::create(b, room, b.maxU(bytesPerWarp(own), b.index(1)));
    Value warps = b.minU(fits, b.index(kMaxBlockThreads / DeviceSpec::warpSize));
    return b.andI(warps, ~(multiple - 1));
  }

  /// Launches `kernel` on as many blocks as the device runs at once, `blockRows` times.
  void launch(gpu::GPUFuncOp kernel, ArrayRef<Value> operands, int64_t fixedBytes, int64_t own, Value blockRows,
              Value warps) {
    cf::AssertOp::create(b, b.compare(arith::CmpIPredicate::ne, warps, 0),
                         b.getStringAttr("expected a weight whose codes fit the shared memory of the GPU"));
    Value shared = b.add(b.mul(warps, bytesPerWarp(own)), fixedBytes);
    Value jobs = b.mul(rowTiles, chunks);
    Value processors = b.toIndex(callRuntime(kRuntimeGpuProcessors, {}));
    Value one = b.index(1);
    auto symbol = SymbolRefAttr::get(b.getContext(), kernels.getName(), {FlatSymbolRefAttr::get(kernel)});
    gpu::LaunchFuncOp::create(b, symbol, gpu::KernelDim3{b.minU(jobs, processors), blockRows, one},
                              gpu::KernelDim3{b.mul(warps, DeviceSpec::warpSize), one, one},
                              b.fromIndex(shared, b.getI32Type()), operands);
  }

  func::FuncOp function;
  const DeviceSpec &spec;
  gpu::GPUModuleOp kernels;
  LaneBuilder b;
  // Of the part of the weight, set by weightOperands.
  Value slot, rowTiles, chunks;
};

struct EmitGpuKernelsPass : public ::mlir::ecf8::impl::EmitGpuKernelsPassBase<EmitGpuKernelsPass> {
  using EmitGpuKernelsPassBase::EmitGpuKernelsPassBase;

  void runOnOperation() override {
    FailureOr<const Architecture *> found = getArchitecture(getOperation(), architecture);
    if (failed(found))
      return signalPassFailure();
    auto [decoders, contractions] = KernelDeclarations::of(getOperation());
    if (decoders.empty() && contractions.empty())
      return;
    gpu::GPUModuleOp kernels = getOrCreateKernelModule(getOperation(), **found);
    for (func::FuncOp function : decoders)
      if (failed(fillInDecoder(function, kernels, **found)))
        return signalPassFailure();
    llvm::SetVector<Operation *> epilogues;
    for (func::FuncOp function : contractions)
      if (failed(fillInContraction(function, kernels, **found, epilogues)))
        return signalPassFailure();
    for (Operation *epilogue : epilogues)
      epilogue->erase();
  }

private:
  static LogicalResult fillInDecoder(func::FuncOp function, gpu::GPUModuleOp kernels,
                                     const Architecture &architecture) {
    auto type = cast<CompressedType>(function->getAttrOfType<TypeAttr>(kDecoderAttrName).getValue());
    if (failed(verifyDecoderType(function)))
      return failure();
    auto spec = DeviceSpec::of(function, type, architecture);
    if (failed(spec))
      return failure();
    if (cast<MemRefType>(function.getArgumentTypes()[1]).getRank() != 2)
      return function.emitOpError() << "expected a matrix to decode into, got " << function.getArgumentTypes()[1];
    gpu::GPUFuncOp kernel = createDecodeKernel(kernels, function.getName(), *spec);
    LaunchEmitter(function, *spec, kernels).emitDecode(kernel);
    function->removeAttr(kDecoderAttrName);
    return success();
  }

  static LogicalResult verifyActivations(func::FuncOp function, const ContractionSpec &contraction,
                                         const Architecture &architecture) {
    Type type = contraction.activations;
    if (type.isF16() || type.isBF16())
      return success();
    if (!CompressedType::isValidElementType(type))
      return function.emitOpError() << "expected activations of f16, bf16, f8E4M3FN or f8E5M2 on a GPU, got " << type;
    if (architecture.multipliesFP8)
      return success();
    return function.emitOpError() << "expected activations of f16 or bf16, since " << architecture.name
                                  << " has no products of FP8 (sm_89 is the first with them), got " << type;
  }

  /// Writes out what is left to other passes in loops: functions, and arithmetic on FP8.
  LogicalResult expandEpilogue(Operation *epilogue) {
    OpPassManager passes(epilogue->getName());
    passes.addPass(createExpandMathPass());
    ExpandFP8PassOptions floats;
    floats.expandF16 = false;
    passes.addPass(createExpandFP8Pass(floats));
    return runPipeline(passes, epilogue);
  }

  LogicalResult fillInContraction(func::FuncOp function, gpu::GPUModuleOp kernels, const Architecture &architecture,
                                  llvm::SetVector<Operation *> &epilogues) {
    auto contraction = ContractionSpec::of(function);
    if (failed(contraction))
      return failure();
    auto spec = DeviceSpec::of(function, contraction->weight, architecture);
    if (failed(spec))
      return failure();
    if (failed(verifyActivations(function, *contraction, architecture)))
      return failure();
    if (contraction->epilogue) {
      Operation *epilogue = contraction->epilogue->getParentOp();
      if (epilogues.insert(epilogue) && failed(expandEpilogue(epilogue)))
        return failure();
    }
    if (contraction->divides)
      return function.emitOpError() << "divides by a scale, which kernels for GPUs do not";
    auto kernelFor = [&](int64_t blocks) {
      std::string name = (function.getName() + "_n" + Twine(8 * blocks)).str();
      return createContractionKernel(kernels, name, *spec, *contraction, blocks);
    };
    LaunchEmitter(function, *spec, kernels).emitContraction(*contraction, kernelFor);
    function->removeAttr(kContractionAttrName);
    function->removeAttr(kScaleKindAttrName);
    function->removeAttr(kScalesSumsAttrName);
    function->removeAttr(kEpilogueAttrName);
    return success();
  }
};

} // namespace
