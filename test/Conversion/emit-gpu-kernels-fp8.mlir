// FP8 activations by architecture: none, mma, wgmma with the weights in registers.
// RUN: not ecf8-opt %s -ecf8-emit-gpu-kernels=arch=sm_80 2>&1 | FileCheck %s --check-prefix=SM80
// RUN: ecf8-opt %s -ecf8-emit-gpu-kernels=arch=sm_90 | FileCheck %s --check-prefix=MMA
// RUN: ecf8-opt %s -ecf8-emit-gpu-kernels=arch=sm_90a | FileCheck %s --check-prefix=WGMMA

// SM80: error: {{.*}}expected activations of f16 or bf16, since sm_80 has no products of FP8 (sm_89 is the first with them), got 'f8E4M3FN'

// Warps are a multiple of four, so that one host works with the kernels of all architectures.
// MMA: arith.constant -4 : index
// MMA: llvm.mlir.global external @ecf8_shared() {addr_space = 3 : i32, alignment = 16 : i64}
// MMA-NOT: wgmma
// MMA: gpu.func @contract_n8(
// MMA: llvm.nvvm.mma.m16n8k32.row.col.f32.e5m2.e4m3.f32

// WGMMA: arith.constant -4 : index
// WGMMA: llvm.mlir.global external @ecf8_shared() {addr_space = 3 : i32, alignment = 1024 : i64}
// WGMMA: gpu.func @contract_n16(
// WGMMA:   llvm.nvvm.fence.proxy.async.shared_cta
// WGMMA:   gpu.barrier
// WGMMA:   llvm.inline_asm has_side_effects
// WGMMA-SAME: wgmma.fence.sync.aligned;\0Awgmma.mma_async.sync.aligned.m64n16k32.f32.e5m2.e4m3 {$0, $1, $2, $3, $4, $5, $6, $7}, {$8, $9, $10, $11}, $24, begins, 1, 1;
// WGMMA-SAME: wgmma.commit_group.sync.aligned;\0Awgmma.wait_group.sync.aligned 0;
// WGMMA-NOT: mma.m16n8k32
!x = memref<?x?xf8E4M3FN, strided<[?, 1], offset: ?>>
!y = memref<?x?xf32, strided<[?, 1], offset: ?>>
func.func private @contract(memref<?xi8>, !x, !y, index) attributes {ecf8.contraction = !ecf8.compressed<64x2048xf8E5M2,
  #ecf8.huffman<group = 4, raw_exponent_bits = 3, max_code_length = 11, stream = segments, order = mma>>}
