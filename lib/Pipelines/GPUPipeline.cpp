// The pipeline of GPU kernels.
#include "ecf8/Conversion/Passes.h"
#include "ecf8/Pipelines/Pipelines.h"

#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"

namespace mlir::ecf8 {

static void addCleanup(OpPassManager &manager) {
  manager.addPass(createCanonicalizerPass());
  manager.addPass(createCSEPass());
}

void buildGPUKernelPipeline(OpPassManager &manager, const GPUPipelineOptions &options) {
  OpPassManager &functions = manager.nest<func::FuncOp>();
  functions.addPass(createCheckBoundsPass());
  manager.addPass(createLowerStoragePass());
  EmitGpuKernelsPassOptions kernels;
  kernels.architecture = options.architecture;
  manager.addPass(createEmitGpuKernelsPass(kernels));

  OpPassManager &loops = manager.nest<func::FuncOp>();
  LowerLinalgPassOptions linalg;
  linalg.forThreads = true;
  loops.addPass(createLowerLinalgPass(linalg));
  loops.addPass(createExpandMathPass());
  addCleanup(loops);
  ExpandFP8PassOptions floats;
  floats.expandF16 = false;
  loops.addPass(createExpandFP8Pass(floats));
  addCleanup(loops);
  LaunchLoopsPassOptions launches;
  launches.architecture = options.architecture;
  manager.addPass(createLaunchLoopsPass(launches));

  OpPassManager &device = manager.nest<gpu::GPUModuleOp>();
  device.addPass(createLowerAffinePass());
  device.addPass(createExpandDeviceMathPass());
  device.addPass(createSCFToControlFlowPass());
  device.addPass(createLowerDeviceAssertsPass());
  device.addPass(arith::createArithExpandOpsPass());
  addCleanup(device);
  device.addPass(createConvertMathToLLVMPass());
  device.addPass(createConvertGpuOpsToNVVMOps());
  device.addPass(createReconcileUnrealizedCastsPass());
  addCleanup(device);
}

void buildGPUHostPipeline(OpPassManager &manager) {
  manager.addPass(createGpuToRuntimePass());
  OpPassManager &functions = manager.nest<func::FuncOp>();
  functions.addPass(createExpandFP8Pass());
  addCleanup(functions);
}

void registerGPUPipelines() {
  PassPipelineRegistration<GPUPipelineOptions>("ecf8-gpu-kernel-pipeline",
                                               "Compile functions on memrefs to GPU kernels and their launches",
                                               buildGPUKernelPipeline);
  PassPipelineRegistration<>("ecf8-gpu-host-pipeline", "Compile launches of GPU kernels to calls of the runtime",
                             buildGPUHostPipeline);
}

} // namespace mlir::ecf8
