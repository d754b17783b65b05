// The kernels of a program for GPUs, on matmuls with an FP8 weight from a file.
// RUN: %python %inputs/make_safetensors.py %t.safetensors 'w=F8_E4M3[64,1280]'
// RUN: ecf8-compile %s --target=cuda --weights %t.safetensors --emit=compressed | FileCheck %s --check-prefix=QUADS
// RUN: ecf8-compile %s --target=cuda --gpu-arch=sm_89 --weights %t.safetensors --emit=compressed | FileCheck %s --check-prefix=PAIRS
// RUN: ecf8-compile %s --target=cuda --codec=raw --weights %t.safetensors --emit=compressed | FileCheck %s --check-prefix=RAW
// RUN: ecf8-compile %s --target=cuda --weights %t.safetensors --emit=lowered | FileCheck %s --check-prefix=LOWERED
// RUN: ecf8-compile %s --target=cuda --weights %t.safetensors --emit=nvvm | FileCheck %s --check-prefix=NVVM
// RUN: ecf8-compile %s --target=cuda --weights %t.safetensors --emit=kernel-ir | FileCheck %s --check-prefix=IR
// RUN: ecf8-compile %s --target=cuda --weights %t.safetensors --emit=ptx -o %t.ptx
// RUN: FileCheck %s --check-prefix=PTX < %t.ptx
// RUN: ecf8-compile %s --target=cuda --weights %t.safetensors --emit=ptx -o %t.again.ptx
// RUN: cmp %t.ptx %t.again.ptx
// RUN: ecf8-compile %s --target=cuda --gpu-arch=sm_80 --weights %t.safetensors --emit=ptx | FileCheck %s --check-prefix=SM80
// RUN: ecf8-compile %s --target=cuda --gpu-arch=sm_90a --weights %t.safetensors --emit=ptx | FileCheck %s --check-prefix=SM90A
// RUN: ecf8-compile %s --target=cuda --gpu-arch=sm_100 --weights %t.safetensors --emit=ptx | FileCheck %s --check-prefix=SM100
// RUN: not env PATH=%ecf8_bin ecf8-compile %s --target=cuda --weights %t.safetensors --emit=cubin 2>&1 | FileCheck %s --check-prefix=NOPTXAS

// RUN: mkdir -p %t.bin
// RUN: %python -c "import os, sys; open(sys.argv[1], 'w').write('#!/bin/sh\necho no such arch; exit 3\n'); os.chmod(sys.argv[1], 0o755)" %t.bin/ptxas
// RUN: not env PATH=%t.bin:%ecf8_bin ecf8-compile %s --target=cuda --weights %t.safetensors --emit=cubin 2>&1 | FileCheck %s --check-prefix=BADPTXAS

// QUADS: #ecf8.huffman<group = 4, raw_exponent_bits = 2, max_code_length = 11, stream = segments, order = mma>
// PAIRS: #ecf8.huffman<group = 2, max_code_length = 12, stream = segments, order = mma>
// RAW: #ecf8.raw<order = mma, tile_columns = 1024>

// LOWERED: func.func private @ecf8_contract_huffman_mma_g4_L11_S1024_f8E4M3FN_f16(
// LOWERED:   gpu.launch_func @ecf8_kernels::@ecf8_contract_huffman_mma_g4_L11_S1024_f8E4M3FN_f16_n8
// NVVM: gpu.module @ecf8_kernels
// NVVM: llvm.func @ecf8_contract_huffman_mma_g4_L11_S1024_f8E4M3FN_f16_n8({{.*}}nvvm.kernel
// NVVM-NOT: = {{scf|arith|cf|gpu}}.
// IR: define ptx_kernel void @ecf8_contract_huffman_mma_g4_L11_S1024_f8E4M3FN_f16_n8
// IR: @llvm.nvvm.mma.m16n8k16.row.col.f32.f32

// PTX: .target sm_90
// PTX: .extern .shared .align 16 .b8 ecf8_shared[]
// PTX: .visible .entry ecf8_contract_huffman_mma_g4_L11_S1024_f8E4M3FN_f16_n8
// PTX: .maxntid 512
// PTX: cp.async.cg.shared.global
// PTX: cvt.rn.f16x2.e4m3x2
// PTX: mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32
// SM80: .target sm_80
// SM80-NOT: e4m3x2
// SM80: mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32
// SM90A: .target sm_90a
// SM100: .target sm_100
// NOPTXAS: {{^}}ecf8-compile: error: expected ptxas of the CUDA toolkit in PATH, got none; PTX needs no ptxas
// BADPTXAS: {{^}}ecf8-compile: error: {{.*}}ptxas failed (3): no such arch

func.func @main(%x: tensor<?x1280xf16>, %w: tensor<64x1280xf8E4M3FN> {ecf8.weight = "w"}) -> tensor<?x64xf32> {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %m = tensor.dim %x, %c0 : tensor<?x1280xf16>
  %empty = tensor.empty(%m) : tensor<?x64xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<?x64xf32>) -> tensor<?x64xf32>
  %w16 = arith.extf %w : tensor<64x1280xf8E4M3FN> to tensor<64x1280xf16>
  %y = linalg.matmul indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>]
      ins(%x, %w16 : tensor<?x1280xf16>, tensor<64x1280xf16>) outs(%init : tensor<?x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}
