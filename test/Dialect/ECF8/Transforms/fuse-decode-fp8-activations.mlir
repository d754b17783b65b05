// RUN: ecf8-opt %s -ecf8-fuse-decode="for-gpu fp8-activations arithmetic=epilogue" -canonicalize | FileCheck %s
// RUN: ecf8-opt %s -ecf8-fuse-decode="for-gpu fp8-activations" --remarks-filter=ecf8-fuse-decode --remark-format=emitRemark 2>&1 | FileCheck %s --check-prefix=WRITTEN
// RUN: ecf8-opt %s -ecf8-fuse-decode="for-gpu arithmetic=epilogue" --remarks-filter=ecf8-fuse-decode --remark-format=emitRemark 2>&1 | FileCheck %s --check-prefix=OLD
// RUN: ecf8-opt %s -ecf8-fuse-decode=arithmetic=epilogue -canonicalize | FileCheck %s --check-prefix=CPU

// WRITTEN: [Passed] Fused | Category:ecf8-fuse-decode | Function=plain | Path=W8A8, Scale=none
// WRITTEN: [Missed] NotFused {{.*}} Function=scaled {{.*}}Reason="target: activations of f32 with weights that are scaled before the product, where kernels for GPUs take f16 and bf16 (arithmetic=epilogue scales sums)"
// OLD-DAG: [Passed] Fused | Category:ecf8-fuse-decode | Function=plain | Path=W8A16, Scale=none
// OLD-DAG: [Passed] Fused | Category:ecf8-fuse-decode | Function=scaled | Path=W8A16

!weight = !ecf8.compressed<64x128xf8E4M3FN, #ecf8.raw<order = mma, tile_columns = 1024>>
#x = affine_map<(m, n, k) -> (m, k)>
#w = affine_map<(m, n, k) -> (n, k)>
#y = affine_map<(m, n, k) -> (m, n)>
#id = affine_map<(d0, d1) -> (d0, d1)>

// CHECK-LABEL: func @plain(
// CHECK-SAME:    %[[X:.*]]: tensor<?x128xf8E5M2>
// CHECK-NOT:     arith.extf
// CHECK:         ecf8.contract ins(%[[X]], %{{.*}} : tensor<?x128xf8E5M2>,
// Without products of FP8: as f16, which holds them exactly.
// OLD-LABEL: func.func @plain(
// OLD-SAME:    %[[X:.*]]: tensor<?x128xf8E5M2>
// OLD:         %[[H:.*]] = arith.extf %[[X]] : tensor<?x128xf8E5M2> to tensor<?x128xf16>
// OLD:         ecf8.contract ins(%[[H]], %{{.*}} : tensor<?x128xf16>,
// CPU-LABEL: func @plain(
// CPU:         %[[E:.*]] = arith.extf
// CPU:         ecf8.contract ins(%[[E]], %{{.*}} : tensor<?x128xf32>,
func.func @plain(%x: tensor<?x128xf8E5M2>, %c: !weight, %acc: tensor<?x64xf32>) -> tensor<?x64xf32> {
  %w = ecf8.decode %c : !weight
  %a = arith.extf %x : tensor<?x128xf8E5M2> to tensor<?x128xf32>
  %b = arith.extf %w : tensor<64x128xf8E4M3FN> to tensor<64x128xf32>
  %y = linalg.matmul indexing_maps = [#x, #w, #y]
      ins(%a, %b : tensor<?x128xf32>, tensor<64x128xf32>) outs(%acc : tensor<?x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// CHECK-LABEL: func @scaled(
// CHECK:         ecf8.contract ins(%{{.*}}, %{{.*}} : tensor<?x128xf8E4M3FN>, {{.*}}) scale({{.*}}) block [64, 128] {{.*}} {scales_sums}
func.func @scaled(%x: tensor<?x128xf8E4M3FN>, %c: !weight, %s: f32, %acc: tensor<?x64xf32>) -> tensor<?x64xf32> {
  %w = ecf8.decode %c : !weight
  %a = arith.extf %x : tensor<?x128xf8E4M3FN> to tensor<?x128xf32>
  %b = arith.extf %w : tensor<64x128xf8E4M3FN> to tensor<64x128xf32>
  %e = tensor.empty() : tensor<64x128xf32>
  %d = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%b : tensor<64x128xf32>) outs(%e : tensor<64x128xf32>) {
  ^bb0(%in: f32, %out: f32):
    %p = arith.mulf %in, %s : f32
    linalg.yield %p : f32
  } -> tensor<64x128xf32>
  %y = linalg.matmul indexing_maps = [#x, #w, #y]
      ins(%a, %d : tensor<?x128xf32>, tensor<64x128xf32>) outs(%acc : tensor<?x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// Activations that are scaled before the product are not FP8.
// CHECK-LABEL: func @scaled_activations(
// CHECK:         ecf8.decode
// CHECK-NOT:     ecf8.contract
// CHECK:         return
func.func @scaled_activations(%x: tensor<?x128xf8E4M3FN>, %c: !weight, %s: tensor<?x128xf32>, %acc: tensor<?x64xf32>) -> tensor<?x64xf32> {
  %w = ecf8.decode %c : !weight
  %a = arith.extf %x : tensor<?x128xf8E4M3FN> to tensor<?x128xf32>
  %p = arith.mulf %a, %s : tensor<?x128xf32>
  %b = arith.extf %w : tensor<64x128xf8E4M3FN> to tensor<64x128xf32>
  %y = linalg.matmul indexing_maps = [#x, #w, #y]
      ins(%p, %b : tensor<?x128xf32>, tensor<64x128xf32>) outs(%acc : tensor<?x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}
