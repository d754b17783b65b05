// Activations in FP8: multiplied as they are (W8A8), by wgmma where GPUs have it, and scaled in the epilogue.
// RUN: %python %inputs/make_safetensors.py %t.safetensors 'w=F8_E4M3[64,1280]'
// RUN: ecf8-compile %s --target=cuda --gpu-arch=sm_90a --weights %t.safetensors --emit=ptx --remarks -o %t.ptx 2>&1 | FileCheck %s --check-prefix=REMARKS
// RUN: FileCheck %s --check-prefix=WGMMA < %t.ptx
// RUN: ecf8-compile %s --target=cuda --gpu-arch=sm_89 --weights %t.safetensors --emit=ptx | FileCheck %s --check-prefix=MMA
// RUN: ecf8-compile %s --target=cuda --gpu-arch=sm_80 --weights %t.safetensors --emit=bufferized -o /dev/null --remarks 2>&1 | FileCheck %s --check-prefix=OLD
// The same program on a CPU extends.
// RUN: ecf8-compile %s --weights %t.safetensors --emit=bufferized | FileCheck %s --check-prefix=CPU

// REMARKS: remark: [Passed] Fused | Category:ecf8-fuse-decode | Function=main | Name=w, Path=W8A8, Scale=none
// REMARKS: remark: [Passed] Fused | Category:ecf8-fuse-epilogue | Function=main | Name=w, Operands=2, Result=bf16

// WGMMA: .extern .shared .align 1024 .b8 ecf8_shared[]
// WGMMA: .visible .entry ecf8_contract_huffman_mma_g4_L11_S1024_f8E4M3FN_f8E4M3FN_epilogue_0_Mx1_1xN_n8(
// WGMMA: fence.proxy.async.shared::cta
// WGMMA: wgmma.fence.sync.aligned;
// WGMMA-NEXT: wgmma.mma_async.sync.aligned.m64n8k32.f32.e4m3.e4m3 {{.*}}, begins, 1, 1;
// WGMMA-NEXT: wgmma.mma_async.sync.aligned.m64n8k32.f32.e4m3.e4m3 {{.*}}, continues, 1, 1;
// WGMMA-NEXT: wgmma.mma_async
// WGMMA-NEXT: wgmma.mma_async
// WGMMA-NEXT: wgmma.commit_group.sync.aligned;
// WGMMA: m64n64k32

// MMA: .target sm_89
// MMA-NOT: wgmma
// MMA: mma.sync.aligned.m16n8k32.row.col.f32.e4m3.e4m3.f32
// MMA: st.global.b16

// OLD: remark: [Passed] Fused | Category:ecf8-fuse-decode | Function=main | Name=w, Path=W8A16, Scale=none

// CPU: arith.extf %{{.*}} : f8E4M3FN to f32
// CPU: ecf8.contract ins(%{{.*}}, %{{.*}} : memref<?x1280xf32>

#x = affine_map<(m, n, k) -> (m, k)>
#w = affine_map<(m, n, k) -> (n, k)>
#y = affine_map<(m, n, k) -> (m, n)>
#id = affine_map<(m, n) -> (m, n)>
func.func @main(%x: tensor<?x1280xf8E4M3FN>, %token: tensor<?x1xf32>, %channel: tensor<64xf32>,
                %w: tensor<64x1280xf8E4M3FN> {ecf8.weight = "w"}) -> tensor<?x64xbf16> {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %m = tensor.dim %x, %c0 : tensor<?x1280xf8E4M3FN>
  %empty = tensor.empty(%m) : tensor<?x64xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<?x64xf32>) -> tensor<?x64xf32>
  %a = arith.extf %x : tensor<?x1280xf8E4M3FN> to tensor<?x1280xf32>
  %b = arith.extf %w : tensor<64x1280xf8E4M3FN> to tensor<64x1280xf32>
  %y = linalg.matmul indexing_maps = [#x, #w, #y]
      ins(%a, %b : tensor<?x1280xf32>, tensor<64x1280xf32>) outs(%init : tensor<?x64xf32>) -> tensor<?x64xf32>
  %out = tensor.empty(%m) : tensor<?x64xbf16>
  %z = linalg.generic {indexing_maps = [#id, affine_map<(m, n) -> (m, 0)>, affine_map<(m, n) -> (n)>, #id],
                       iterator_types = ["parallel", "parallel"]}
      ins(%y, %token, %channel : tensor<?x64xf32>, tensor<?x1xf32>, tensor<64xf32>) outs(%out : tensor<?x64xbf16>) {
  ^bb0(%sum: f32, %st: f32, %sc: f32, %o: bf16):
    %0 = arith.mulf %sum, %st : f32
    %1 = arith.mulf %0, %sc : f32
    %2 = arith.truncf %1 : f32 to bf16
    linalg.yield %2 : bf16
  } -> tensor<?x64xbf16>
  return %z : tensor<?x64xbf16>
}
