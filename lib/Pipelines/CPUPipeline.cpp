// The CPU pipeline, stage by stage.
#include "ecf8/Conversion/Passes.h"
#include "ecf8/Dialect/ECF8/Transforms/Passes.h"
#include "ecf8/Pipelines/Pipelines.h"

#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/Affine/Transforms/Passes.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/Bufferization/Pipelines/Passes.h"
#include "mlir/Dialect/Bufferization/Transforms/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/Passes.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"

namespace mlir::ecf8 {

/// Buffers up to this size live on the stack.
static constexpr unsigned maximumStackBufferBytes = 4096;

static void addCleanup(OpPassManager &manager) {
  manager.addPass(createCanonicalizerPass());
  manager.addPass(createCSEPass());
}

void buildBufferizePipeline(OpPassManager &manager, const CPUPipelineOptions &options) {
  manager.addPass(createPrepareEntryPointsPass());
  if (options.fuseDecode) {
    FuseDecodePassOptions fuse;
    fuse.arithmetic = options.arithmetic;
    fuse.forGpu = options.forGpu;
    fuse.fp8Activations = options.fp8Activations;
    manager.addNestedPass<func::FuncOp>(createFuseDecodePass(fuse));
  }
  manager.addPass(createExpandPowersPass());
  manager.addPass(createConvertElementwiseToLinalgPass());
  manager.addPass(createConvertTensorToLinalgPass());
  addCleanup(manager);
  manager.addNestedPass<func::FuncOp>(createPrepareContractionsPass());
  manager.addNestedPass<func::FuncOp>(createFuseElementwisePass());
  if (options.fuseEpilogue) {
    FuseEpiloguePassOptions fuse;
    fuse.scaledSums = options.forGpu;
    manager.addNestedPass<func::FuncOp>(createFuseEpiloguePass(fuse));
  }
  if (options.tileAttention && !options.forGpu)
    manager.addNestedPass<func::FuncOp>(createTileAttentionPass());
  addCleanup(manager);
  manager.addNestedPass<func::FuncOp>(createSeparateFillsPass());
  manager.addNestedPass<func::FuncOp>(createSeparateEmptiesPass());

  manager.addPass(bufferization::createEmptyTensorEliminationPass());
  bufferization::OneShotBufferizePassOptions bufferize;
  bufferize.bufferizeFunctionBoundaries = true;
  bufferize.functionBoundaryTypeConversion = bufferization::LayoutMapOption::IdentityLayoutMap;
  bufferize.unknownTypeConversion = bufferization::LayoutMapOption::IdentityLayoutMap;
  bufferize.allowReturnAllocsFromLoops = true;
  manager.addPass(bufferization::createOneShotBufferizePass(bufferize));
  addCleanup(manager);

  manager.addNestedPass<func::FuncOp>(bufferization::createBufferHoistingPass());
  manager.addNestedPass<func::FuncOp>(bufferization::createBufferLoopHoistingPass());
  bufferization::PromoteBuffersToStackPassOptions stack;
  stack.maxAllocSizeInBytes = maximumStackBufferBytes;
  stack.maxRankOfAllocatedMemRef = 0; // only buffers whose size is known
  if (!options.forGpu)
    manager.addNestedPass<func::FuncOp>(bufferization::createPromoteBuffersToStackPass(stack));
  bufferization::buildBufferDeallocationPipeline(manager);
  manager.addPass(createConvertBufferizationToMemRefPass());
  manager.addNestedPass<func::FuncOp>(bufferization::createOptimizeAllocationLivenessPass());
  addCleanup(manager);
}

void buildLowerPipeline(OpPassManager &manager, const CPUPipelineOptions &options) {
  manager.addNestedPass<func::FuncOp>(createCheckBoundsPass());
  manager.addPass(createLowerStoragePass());
  EmitDecodersPassOptions decoders;
  decoders.lanes = options.lanes;
  decoders.vectorBits = options.vectorBits;
  decoders.f16 = options.hasF16Conversions;
  decoders.bf16 = options.hasBF16Products;
  manager.addPass(createEmitDecodersPass(decoders));

  LowerLinalgPassOptions linalg;
  linalg.vectorBits = options.vectorBits;
  manager.addNestedPass<func::FuncOp>(createLowerLinalgPass(linalg));
  manager.addPass(createExpandMathPass());
  addCleanup(manager);

  ExpandFP8PassOptions floats;
  floats.expandF16 = !options.hasF16Conversions;
  manager.addPass(createExpandFP8Pass(floats));
  if (options.threads)
    manager.addPass(createParallelToRuntimePass());
  addCleanup(manager);
}

void buildLLVMPipeline(OpPassManager &manager, const CPUPipelineOptions &options) {
  if (!options.forGpu)
    manager.addNestedPass<func::FuncOp>(createStackBuffersPass());
  manager.addNestedPass<func::FuncOp>(createCheckAllocationsPass());
  manager.addPass(memref::createExpandStridedMetadataPass());
  manager.addPass(createLowerAffinePass());
  manager.addPass(createConvertVectorToSCFPass());
  manager.addPass(createSCFToControlFlowPass());
  manager.addPass(createLowerAssertsPass());
  manager.addPass(arith::createArithExpandOpsPass());
  addCleanup(manager);

  ConvertMathToLLVMPassOptions math;
  math.approximateLog1p = false; // log(1 + x), without the digits of small x
  manager.addPass(createConvertMathToLLVMPass(math));
  manager.addPass(createConvertMathToLibmPass());
  manager.addPass(createConvertVectorToLLVMPass());
  manager.addPass(createConvertIndexToLLVMPass());
  manager.addPass(createArithToLLVMConversionPass());
  manager.addPass(createConvertComplexToLLVMPass());
  FinalizeMemRefToLLVMConversionPassOptions memory;
  memory.useAlignedAlloc = true;
  memory.useGenericFunctions = true;
  manager.addPass(createFinalizeMemRefToLLVMConversionPass(memory));
  manager.addPass(createConvertFuncToLLVMPass());
  manager.addPass(createConvertControlFlowToLLVMPass());
  manager.addPass(createUBToLLVMConversionPass());
  manager.addPass(createReconcileUnrealizedCastsPass());
  addCleanup(manager);
  manager.addPass(createFinalizeModulePass());
  manager.addPass(createCheckLoweredPass());
}

void buildCPUPipeline(OpPassManager &manager, const CPUPipelineOptions &options) {
  buildBufferizePipeline(manager, options);
  buildLowerPipeline(manager, options);
  buildLLVMPipeline(manager, options);
}

void registerCPUPipelines() {
  PassPipelineRegistration<CPUPipelineOptions>("ecf8-cpu-pipeline",
                                               "Compile linalg on tensors to the LLVM dialect for CPUs",
                                               [](OpPassManager &manager, const CPUPipelineOptions &options) {
                                                 buildBufferizePipeline(manager, options);
                                                 if (options.stopAfter == "bufferize")
                                                   return;
                                                 buildLowerPipeline(manager, options);
                                                 if (options.stopAfter != "lower")
                                                   buildLLVMPipeline(manager, options);
                                               });
}

} // namespace mlir::ecf8
