// RUN: ecf8-opt %s -ecf8-prepare-contractions | FileCheck %s

#both = affine_map<(d0, d1) -> (d0, d1)>
#swapped = affine_map<(d0, d1) -> (d1, d0)>
#row = affine_map<(d0, d1) -> (d0)>

// CHECK: #[[WEIGHT:.*]] = affine_map<(d0, d1, d2) -> (d1, d2)>

// A weight stored as [N, K] is read where it lies.
// CHECK-LABEL: func @linear(
// CHECK-NOT:     linalg.transpose
// CHECK:         linalg.generic {indexing_maps = [#{{.*}}, #[[WEIGHT]], #{{.*}}], {{.*}}} ins(%arg0, %arg1 : {{.*}})
// CHECK:           arith.mulf
func.func @linear(%x: tensor<4x8xf32>, %w: tensor<16x8xf32>, %i: tensor<4x16xf32>) -> tensor<4x16xf32> {
  %e = tensor.empty() : tensor<8x16xf32>
  %t = linalg.transpose ins(%w : tensor<16x8xf32>) outs(%e : tensor<8x16xf32>) permutation = [1, 0]
  %0 = linalg.matmul ins(%x, %t : tensor<4x8xf32>, tensor<8x16xf32>) outs(%i : tensor<4x16xf32>) -> tensor<4x16xf32>
  return %0 : tensor<4x16xf32>
}

// So is the input of a reduction, and where the transposition is spelled out.
// CHECK-LABEL: func @reduction(
// CHECK:         linalg.generic {{.*}} ins(%arg0 : tensor<8x4xf32>)
// CHECK:           arith.addf
func.func @reduction(%x: tensor<8x4xf32>, %e: tensor<4x8xf32>, %i: tensor<4xf32>) -> tensor<4xf32> {
  %t = linalg.generic {indexing_maps = [#swapped, #both], iterator_types = ["parallel", "parallel"]}
      ins(%x : tensor<8x4xf32>) outs(%e : tensor<4x8xf32>) {
  ^bb0(%a: f32, %o: f32):
    linalg.yield %a : f32
  } -> tensor<4x8xf32>
  %0 = linalg.generic {indexing_maps = [#both, #row], iterator_types = ["parallel", "reduction"]}
      ins(%t : tensor<4x8xf32>) outs(%i : tensor<4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %s = arith.addf %o, %a : f32
    linalg.yield %s : f32
  } -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// The activations are converted once, not for each column of outputs; the weight where it is read.
// CHECK-LABEL: func @bf16(
// CHECK:         %[[X:.*]] = linalg.generic {{.*}} ins(%arg0 : tensor<4x8xbf16>)
// CHECK:           arith.extf %{{.*}} : bf16 to f32
// CHECK:         linalg.generic {{.*}} ins(%[[X]], %arg1 : tensor<4x8xf32>, tensor<8x64xbf16>)
// CHECK-COUNT-1:   arith.extf
// CHECK-NOT:       arith.extf
// CHECK:           linalg.yield
func.func @bf16(%x: tensor<4x8xbf16>, %w: tensor<8x64xbf16>, %i: tensor<4x64xf32>) -> tensor<4x64xf32> {
  %0 = linalg.matmul ins(%x, %w : tensor<4x8xbf16>, tensor<8x64xbf16>) outs(%i : tensor<4x64xf32>) -> tensor<4x64xf32>
  return %0 : tensor<4x64xf32>
}

// Few columns, or nobody knows how many.
// CHECK-LABEL: func @negative_few_outputs(
// CHECK:         linalg.matmul
// CHECK:         linalg.matmul
func.func @negative_few_outputs(%x: tensor<4x8xbf16>, %w: tensor<8x16xbf16>, %i: tensor<4x16xf32>,
                                %v: tensor<8x?xbf16>, %j: tensor<4x?xf32>) -> (tensor<4x16xf32>, tensor<4x?xf32>) {
  %0 = linalg.matmul ins(%x, %w : tensor<4x8xbf16>, tensor<8x16xbf16>) outs(%i : tensor<4x16xf32>) -> tensor<4x16xf32>
  %1 = linalg.matmul ins(%x, %v : tensor<4x8xbf16>, tensor<8x?xbf16>) outs(%j : tensor<4x?xf32>) -> tensor<4x?xf32>
  return %0, %1 : tensor<4x16xf32>, tensor<4x?xf32>
}

// An elementwise reader of a transposed tensor is another pass's, and a broadcast is no transposition.
// CHECK-LABEL: func @negative_others(
// CHECK:         linalg.transpose
// CHECK:         linalg.exp
// CHECK:         linalg.broadcast
// CHECK:         linalg.matmul
func.func @negative_others(%x: tensor<4x8xf32>, %r: tensor<8xf32>, %i: tensor<8x4xf32>,
                           %j: tensor<8x8xf32>) -> (tensor<8x4xf32>, tensor<8x8xf32>) {
  %t = linalg.transpose ins(%x : tensor<4x8xf32>) outs(%i : tensor<8x4xf32>) permutation = [1, 0]
  %0 = linalg.exp ins(%t : tensor<8x4xf32>) outs(%i : tensor<8x4xf32>) -> tensor<8x4xf32>
  %e = tensor.empty() : tensor<4x8xf32>
  %b = linalg.broadcast ins(%r : tensor<8xf32>) outs(%e : tensor<4x8xf32>) dimensions = [0]
  %1 = linalg.matmul ins(%0, %b : tensor<8x4xf32>, tensor<4x8xf32>) outs(%j : tensor<8x8xf32>) -> tensor<8x8xf32>
  return %0, %1 : tensor<8x4xf32>, tensor<8x8xf32>
}
