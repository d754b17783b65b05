// The pipeline of GPU kernels.
#include "ecf8/Conversion/Passes.h"
#include "ecf8/Pipelines/Pipelines.h"

#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"

namespace mlir::ecf8 {

void buildGPUKernelPipeline(OpPassManager &manager, const GPUPipelineOptions &options) {
  manager.addNestedPass<func::FuncOp>(createCheckBoundsPass());
  manager.addPass(createLowerStoragePass());
  EmitGpuKernelsPassOptions kernels;
  kernels.architecture = options.architecture;
  manager.addPass(createEmitGpuKernelsPass(kernels));
  OpPassManager &device = manager.nest<gpu::GPUModuleOp>();
  device.addPass(createSCFToControlFlowPass());
  device.addPass(createCanonicalizerPass());
  device.addPass(createCSEPass());
  device.addPass(createConvertGpuOpsToNVVMOps());
  device.addPass(createReconcileUnrealizedCastsPass());
  device.addPass(createCanonicalizerPass());
  device.addPass(createCSEPass());
}

void registerGPUPipelines() {
  PassPipelineRegistration<GPUPipelineOptions>(
      "ecf8-gpu-kernel-pipeline", "Compile contractions and decodes on memrefs to GPU kernels", buildGPUKernelPipeline);
}

} // namespace mlir::ecf8
