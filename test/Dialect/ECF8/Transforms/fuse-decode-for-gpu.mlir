// RUN: ecf8-opt %s -ecf8-fuse-decode="for-gpu" -canonicalize --remarks-filter=ecf8-fuse-decode --remark-format=emitRemark 2>&1 | FileCheck %s
// RUN: ecf8-opt %s -ecf8-fuse-decode="for-gpu fp8-activations" -canonicalize | FileCheck %s --check-prefix=FP8
// RUN: ecf8-opt %s -ecf8-fuse-decode -canonicalize | FileCheck %s --check-prefix=CPU

// Activations that a program extends to f32, as frontends do for a linear layer with a bias: kernels of GPUs take them
// before, since FP8 is exact in f16 and bf16.

// CHECK:     [Passed] Fused {{.*}} Function=bf16 | Path=W8A16, Scale=none
// CHECK:     [Missed] NotFused {{.*}} Function=scaled {{.*}}Reason="target: activations of f32 with weights that are scaled before the product, where kernels for GPUs take f16 and bf16 (arithmetic=epilogue scales sums)"
// CHECK:     [Missed] NotFused {{.*}} Function=only_f32 {{.*}}Reason="target: activations of f32, where kernels for GPUs take f16, bf16 and FP8"

!weight = !ecf8.compressed<64x128xf8E4M3FN, #ecf8.raw<order = mma, tile_columns = 1024>>
#x = affine_map<(m, n, k) -> (m, k)>
#w = affine_map<(m, n, k) -> (n, k)>
#y = affine_map<(m, n, k) -> (m, n)>
#id = affine_map<(d0, d1) -> (d0, d1)>

// CHECK-LABEL: func @bf16(
// CHECK-SAME:    %[[X:.*]]: tensor<?x128xbf16>
// CHECK-NOT:     arith.extf
// CHECK:         ecf8.contract ins(%[[X]], %{{.*}} : tensor<?x128xbf16>,
// CPU-LABEL: func @bf16(
// CPU:         ecf8.contract ins(%{{.*}}, %{{.*}} : tensor<?x128xf32>,
func.func @bf16(%x: tensor<?x128xbf16>, %c: !weight, %acc: tensor<?x64xf32>) -> tensor<?x64xf32> {
  %w = ecf8.decode %c : !weight
  %a = arith.extf %x : tensor<?x128xbf16> to tensor<?x128xf32>
  %h = arith.extf %w : tensor<64x128xf8E4M3FN> to tensor<64x128xf16>
  %b = arith.extf %h : tensor<64x128xf16> to tensor<64x128xf32>
  %y = linalg.matmul indexing_maps = [#x, #w, #y]
      ins(%a, %b : tensor<?x128xf32>, tensor<64x128xf32>) outs(%acc : tensor<?x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// CHECK-LABEL: func @twice(
// CHECK-SAME:    %[[X:.*]]: tensor<?x128xf8E4M3FN>
// CHECK:         %[[H:.*]] = linalg.generic
// CHECK:         ecf8.contract ins(%[[H]], %{{.*}} : tensor<?x128xf16>,
// FP8-LABEL: func @twice(
// FP8-SAME:    %[[X:.*]]: tensor<?x128xf8E4M3FN>
// FP8:         ecf8.contract ins(%[[X]], %{{.*}} : tensor<?x128xf8E4M3FN>,
func.func @twice(%x: tensor<?x128xf8E4M3FN>, %h: tensor<?x128xf16>, %f: tensor<?x128xf32>, %c: !weight, %acc: tensor<?x64xf32>) -> tensor<?x64xf32> {
  %w = ecf8.decode %c : !weight
  %a = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%x : tensor<?x128xf8E4M3FN>) outs(%h : tensor<?x128xf16>) {
  ^bb0(%in: f8E4M3FN, %out: f16):
    %e = arith.extf %in : f8E4M3FN to f16
    linalg.yield %e : f16
  } -> tensor<?x128xf16>
  %d = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%a : tensor<?x128xf16>) outs(%f : tensor<?x128xf32>) {
  ^bb0(%in: f16, %out: f32):
    %e = arith.extf %in : f16 to f32
    linalg.yield %e : f32
  } -> tensor<?x128xf32>
  %b = arith.extf %w : tensor<64x128xf8E4M3FN> to tensor<64x128xf32>
  %y = linalg.matmul indexing_maps = [#x, #w, #y]
      ins(%d, %b : tensor<?x128xf32>, tensor<64x128xf32>) outs(%acc : tensor<?x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// CHECK-LABEL: func @scaled(
// CHECK-NOT:     ecf8.contract
// CHECK:         return
func.func @scaled(%x: tensor<?x128xf16>, %c: !weight, %acc: tensor<?x64xf32>) -> tensor<?x64xf32> {
  %w = ecf8.decode %c : !weight
  %a = arith.extf %x : tensor<?x128xf16> to tensor<?x128xf32>
  %b = arith.extf %w : tensor<64x128xf8E4M3FN> to tensor<64x128xf32>
  %d = arith.constant 0.5 : f32
  %e = tensor.empty() : tensor<64x128xf32>
  %p = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%b : tensor<64x128xf32>) outs(%e : tensor<64x128xf32>) {
  ^bb0(%in: f32, %out: f32):
    %q = arith.mulf %in, %d : f32
    linalg.yield %q : f32
  } -> tensor<64x128xf32>
  %y = linalg.matmul indexing_maps = [#x, #w, #y]
      ins(%a, %p : tensor<?x128xf32>, tensor<64x128xf32>) outs(%acc : tensor<?x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// CHECK-LABEL: func @only_f32(
// CHECK-NOT:     ecf8.contract
// CHECK:         return
func.func @only_f32(%x: tensor<?x128xf32>, %c: !weight, %acc: tensor<?x64xf32>) -> tensor<?x64xf32> {
  %w = ecf8.decode %c : !weight
  %b = arith.extf %w : tensor<64x128xf8E4M3FN> to tensor<64x128xf32>
  %y = linalg.matmul indexing_maps = [#x, #w, #y]
      ins(%x, %b : tensor<?x128xf32>, tensor<64x128xf32>) outs(%acc : tensor<?x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// A matrix made of activations behind their extensions: the reshape comes first.
// CHECK-LABEL: func @reshaped(
// CHECK-SAME:    %[[X:.*]]: tensor<?x4x128xbf16>
// CHECK:         %[[M:.*]] = tensor.collapse_shape %[[X]] {{.*}} : tensor<?x4x128xbf16> into tensor<?x128xbf16>
// CHECK:         ecf8.contract ins(%[[M]], %{{.*}} : tensor<?x128xbf16>,
func.func @reshaped(%x: tensor<?x4x128xbf16>, %c: !weight, %acc: tensor<?x64xf32>) -> tensor<?x64xf32> {
  %w = ecf8.decode %c : !weight
  %a = arith.extf %x : tensor<?x4x128xbf16> to tensor<?x4x128xf32>
  %m = tensor.collapse_shape %a [[0, 1], [2]] : tensor<?x4x128xf32> into tensor<?x128xf32>
  %b = arith.extf %w : tensor<64x128xf8E4M3FN> to tensor<64x128xf32>
  %y = linalg.matmul indexing_maps = [#x, #w, #y]
      ins(%m, %b : tensor<?x128xf32>, tensor<64x128xf32>) outs(%acc : tensor<?x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// FP8-LABEL: func @reshaped_between(
// FP8-SAME:    %[[X:.*]]: tensor<?x4x128xf8E5M2>
// FP8:         %[[M:.*]] = tensor.collapse_shape %[[X]] {{.*}} : tensor<?x4x128xf8E5M2> into tensor<?x128xf8E5M2>
// FP8:         ecf8.contract ins(%[[M]], %{{.*}} : tensor<?x128xf8E5M2>,
func.func @reshaped_between(%x: tensor<?x4x128xf8E5M2>, %c: !weight, %acc: tensor<?x64xf32>) -> tensor<?x64xf32> {
  %w = ecf8.decode %c : !weight
  %a = arith.extf %x : tensor<?x4x128xf8E5M2> to tensor<?x4x128xf16>
  %m = tensor.collapse_shape %a [[0, 1], [2]] : tensor<?x4x128xf16> into tensor<?x128xf16>
  %d = arith.extf %m : tensor<?x128xf16> to tensor<?x128xf32>
  %b = arith.extf %w : tensor<64x128xf8E4M3FN> to tensor<64x128xf32>
  %y = linalg.matmul indexing_maps = [#x, #w, #y]
      ins(%d, %b : tensor<?x128xf32>, tensor<64x128xf32>) outs(%acc : tensor<?x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}
