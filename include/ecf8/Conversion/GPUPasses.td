// The conversion passes of programs for GPUs.
#ifndef ECF8_CONVERSION_GPUPASSES
#define ECF8_CONVERSION_GPUPASSES

include "mlir/Pass/PassBase.td"

def EmitGpuKernelsPass : Pass<"ecf8-emit-gpu-kernels", "::mlir::ModuleOp"> {
  let summary = "Fill in the decode and contraction functions with launches of GPU kernels";
  let description = [{
    In: private function declarations with the attribute `ecf8.decoder` or `ecf8.contraction`, for weights in order `mma`.
    Out: bodies that launch kernels, and these in the `gpu.module @ecf8_kernels`: one for each decoder, and for each contraction
    one for up to 8, 16, 32 and 64 rows of activations at a time. All memory that they get is the device's. A warp decodes a tile:
    codes are copied to shared memory a tile ahead, the stored plane is loaded into registers two groups ahead, and decoded
    registers are the operands of `mma.m16n8k16`, in f16 or bf16 as the activations. Sums of a row of tiles that several warps work on are
    added in the order of the columns, so that results do not depend on how many run at once.
    Left alone: everything else. An encoding in another order, activations of f32 and epilogues are errors.
    Place in the pipeline: after `ecf8-lower-storage`, instead of `ecf8-emit-decoders`.

    Example: `test/Conversion/emit-gpu-kernels.mlir`.
  }];
  let options = [Option<"architecture", "arch", "std::string", /*default=*/"\"sm_90\"",
                        "GPU architecture: sm_80, sm_89, sm_90, sm_90a or sm_100">];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::cf::ControlFlowDialect",
                           "::mlir::func::FuncDialect", "::mlir::gpu::GPUDialect", "::mlir::LLVM::LLVMDialect",
                           "::mlir::memref::MemRefDialect", "::mlir::NVVM::NVVMDialect", "::mlir::scf::SCFDialect",
                           "::mlir::math::MathDialect", "::mlir::vector::VectorDialect"];
}

def LaunchLoopsPass : Pass<"ecf8-launch-loops", "::mlir::ModuleOp"> {
  let summary = "Run outermost parallel loops as GPU kernels, one thread for each iteration";
  let description = [{
    In: functions on memrefs with `scf.parallel` without results, such as `ecf8-lower-linalg=for-threads` leaves.
    Out: for each outermost loop a kernel in `gpu.module @ecf8_kernels`, whose threads are the iterations, last dimension
    fastest, in blocks of 256, and a `gpu.launch_func` with what the body takes from outside, where there is an iteration. Loops
    with equal bodies share a kernel. `cf.assert` in a body gets a number, by which the attribute `ecf8.assertions` of the
    module has its message; such a kernel has the address of the call's status as its last parameter.
    Left alone: everything outside of parallel loops. Place in the pipeline: after loops have their arithmetic, before
    `ecf8-gpu-to-runtime`.

    Example: `test/Conversion/launch-loops.mlir`.
  }];
  let options = [Option<"architecture", "arch", "std::string", /*default=*/"\"sm_90\"",
                        "GPU architecture: sm_80, sm_89, sm_90, sm_90a or sm_100">];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::func::FuncDialect", "::mlir::gpu::GPUDialect",
                           "::mlir::LLVM::LLVMDialect", "::mlir::NVVM::NVVMDialect", "::mlir::scf::SCFDialect"];
}

def LowerDeviceAssertsPass : Pass<"ecf8-lower-device-asserts", "::mlir::gpu::GPUModuleOp"> {
  let summary = "Turn assertions in kernels into a status that the runtime reads";
  let description = [{
    In: kernels of `ecf8-launch-loops` with `cf.assert` in blocks. Out: a thread whose assertion fails stores 1 + its number where the
    kernel's last parameter leads, and ends; the GPU and the process go on. An assertion without a number, or inside of the region
    of another op, is an error.
    Left alone: everything else. Place in the pipeline: after `convert-scf-to-cf`, before kernels become LLVM.

    Example: `test/Conversion/lower-device-asserts.mlir`.
  }];
  let dependentDialects = ["::mlir::cf::ControlFlowDialect", "::mlir::gpu::GPUDialect", "::mlir::LLVM::LLVMDialect"];
}

def ExpandDeviceMathPass : Pass<"ecf8-expand-device-math", "::mlir::gpu::GPUModuleOp"> {
  let summary = "Write out the functions of kernels that have no instruction";
  let description = [{
    In: kernels with `math` ops on scalars. Out: intrinsics of LLVM for what has an instruction, such as `math.sqrt`; exponentials,
    logarithms, powers, trigonometric and hyperbolic functions and their inverses as arithmetic in f64, rounded once to the type of the
    result, f64, f32, f16 or bf16: no library of device code is needed. Errors in f64 are below 4 units in the last place; zeros,
    infinities and NaN are as in C99, but sine, cosine and tangent are NaN from 2^45 on.
    Left alone: tests for infinities and NaN and counts of bits. Every other function is an error, `math.erf`, `math.erfc` and
    `arith.remf` among them. What is to have the bytes of the CPU is written out by `ecf8-expand-math` before.
    Place in the pipeline: after `ecf8-launch-loops`, before `convert-math-to-llvm`.

    Example: `test/Conversion/expand-device-math.mlir`.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::LLVM::LLVMDialect", "::mlir::math::MathDialect"];
}

def GpuToRuntimePass : Pass<"ecf8-gpu-to-runtime", "::mlir::ModuleOp"> {
  let summary = "Launch kernels and reach the memory of the GPU through the runtime";
  let description = [{
    In: functions on memrefs, all of which lie on a GPU, with `gpu.launch_func`. Out: calls of the functions in
    `ecf8/Conversion/RuntimeImports.h`: launches, by the kernel's name and a list of parameters, memrefs as the values of their
    descriptors; single loads and stores of the host; copies between buffers of identity layout; and for `memref.get_global` the
    copy that the GPU has of it.
    Left alone: allocations, views and all arithmetic. Buffers on the stack and vectors are errors.
    Place in the pipeline: after `ecf8-launch-loops`, before the conversion to LLVM.

    Example: `test/Conversion/gpu-to-runtime.mlir`.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::func::FuncDialect", "::mlir::LLVM::LLVMDialect",
                           "::mlir::memref::MemRefDialect"];
}

#endif // ECF8_CONVERSION_GPUPASSES
