// RUN: ecf8-opt %s -split-input-file -ecf8-emit-gpu-kernels=arch=sm_90 -verify-diagnostics | FileCheck %s

// The host checks what it launches with; blocks are as many as the GPU runs at once, and no more than there are tiles.
// CHECK-LABEL: func.func private @decode(
// CHECK:         scf.if
// CHECK:           %[[HEADER:.*]] = func.call @ecf8_rt_gpu_header(
// CHECK:           llvm.getelementptr %[[HEADER]][72]
// CHECK:           func.call @ecf8_rt_gpu_slot(
// CHECK:           cf.assert %{{.*}}, "expected a weight whose codes fit the shared memory of the GPU"
// CHECK:           call @ecf8_rt_gpu_processors()
// CHECK:           gpu.launch_func  @ecf8_kernels::@decode
// CHECK-LABEL: gpu.module @ecf8_kernels [#nvvm.target<O = 3, chip = "sm_90", features = "+ptx84">]
// CHECK:         llvm.mlir.global external @ecf8_shared() {addr_space = 3 : i32, alignment = 16 : i64} : !llvm.array<0 x i8>
// CHECK:         gpu.func @decode({{.*}}) kernel attributes {nvvm.maxntid = array<i32: 512, 1, 1>}
// CHECK:           llvm.nvvm.cp.async.cg.shared.global.16
// CHECK:           llvm.nvvm.cp.async.wait.group
// CHECK:           llvm.intr.fshr
!m = memref<?x?xf8E4M3FN, strided<[?, 1], offset: ?>>
func.func private @decode(memref<?xi8>, !m, index, index) attributes {ecf8.decoder = !ecf8.compressed<64x2048xf8E4M3FN,
  #ecf8.huffman<group = 4, raw_exponent_bits = 2, max_code_length = 11, stream = segments, order = mma>>}

// -----

// One kernel for up to 8, 16, 32 and 64 rows of activations; sums of blocks are scaled where that is asked for.
// CHECK-LABEL: func.func private @contract(
// CHECK:         gpu.launch_func  @ecf8_kernels::@contract_n8
// CHECK:         gpu.launch_func  @ecf8_kernels::@contract_n16
// CHECK:         gpu.launch_func  @ecf8_kernels::@contract_n32
// CHECK:         gpu.launch_func  @ecf8_kernels::@contract_n64
// CHECK:       gpu.func @contract_n8(
// CHECK-NOT:     cp.async
// CHECK:         llvm.nvvm.e4m3x2.to.f16x2.rn
// CHECK:         llvm.nvvm.ff2bf16x2.rn
// CHECK:         llvm.nvvm.mma.m16n8k16.row.col.bf16
// CHECK:         llvm.atomicrmw add {{.*}} syncscope("device") monotonic
!x = memref<?x?xbf16, strided<[?, 1], offset: ?>>
!y = memref<?x?xf32, strided<[?, 1], offset: ?>>
func.func private @contract(memref<?xi8>, !x, !y, !y, index, index, index) attributes {ecf8.contraction =
  !ecf8.compressed<64x2048xf8E4M3FN, #ecf8.raw<order = mma, tile_columns = 1024>>, ecf8.scale = "blocks", ecf8.scales_sums}

// -----

!m = memref<?x?xf8E4M3FN, strided<[?, 1], offset: ?>>
// expected-error @below {{expected a weight in order mma for a GPU, got '!ecf8.compressed<64x2048xf8E4M3FN, #ecf8.planes>'}}
func.func private @planes(memref<?xi8>, !m, index, index) attributes {ecf8.decoder = !ecf8.compressed<64x2048xf8E4M3FN, #ecf8.planes>}

// -----

!x = memref<?x?xf32, strided<[?, 1], offset: ?>>
// expected-error @below {{expected activations of f16, bf16, f8E4M3FN or f8E5M2 on a GPU, got 'f32'}}
func.func private @single(memref<?xi8>, !x, !x, index) attributes {ecf8.contraction =
  !ecf8.compressed<64x2048xf8E4M3FN, #ecf8.raw<order = mma, tile_columns = 1024>>}

// -----

// FP8 activations where there is no wgmma: mma of m16n8k32, and an epilogue with what it reads.
// CHECK-LABEL: func.func private @bytes(
// CHECK-NOT:   func.func private @finish
// CHECK:       gpu.func @bytes_n8(
// CHECK:         llvm.nvvm.mma.m16n8k32.row.col.f32.e4m3.e5m2.f32
// CHECK:         arith.mulf
// CHECK:         arith.trunci {{.*}} : i32 to i16
// CHECK:         llvm.store {{.*}} : bf16, !llvm.ptr<1>
!x = memref<?x?xf8E5M2, strided<[?, 1], offset: ?>>
!y = memref<?x?xbf16, strided<[?, 1], offset: ?>>
!e = memref<?x1xf32, strided<[?, 1], offset: ?>>
func.func private @finish(%sum: f32, %token: f32) -> bf16 {
  %0 = arith.mulf %sum, %token : f32
  %1 = arith.truncf %0 : f32 to bf16
  return %1 : bf16
}
func.func private @bytes(memref<?xi8>, !x, !y, !e, index) attributes {ecf8.contraction =
  !ecf8.compressed<64x2048xf8E4M3FN, #ecf8.raw<order = mma, tile_columns = 1024>>, ecf8.epilogue = @finish}

// -----

!x = memref<?x?xf8E4M3FN, strided<[?, 1], offset: ?>>
!y = memref<?x?xf32, strided<[?, 1], offset: ?>>
// expected-error @below {{expected a scale of f32 with 'ecf8.scales_sums' for activations of FP8, got 'f32'}}
func.func private @contract_c13(memref<?xi8>, !x, !y, !y, index, index, index) attributes {ecf8.contraction =
  !ecf8.compressed<64x2048xf8E4M3FN, #ecf8.raw<order = mma, tile_columns = 1024>>, ecf8.scale = "blocks"}
