// RUN: ecf8-opt %s -ecf8-fuse-epilogue=scaled-sums | FileCheck %s

// On GPUs what is done to sums that were scaled moves into their contraction, too.

#id = affine_map<(m, n) -> (m, n)>

!weight = !ecf8.compressed<64x128xf8E4M3FN, #ecf8.raw<order = mma, tile_columns = 1024>>
!x = tensor<4x128xf8E4M3FN>
!y = tensor<4x64xf32>

// CHECK-LABEL: func @scaled(
// CHECK:         ecf8.contract {{.*}} scale(%{{.*}}) block [1, 128] outs({{.*}}) epilogue {
// CHECK:           arith.negf
// CHECK:         } {scales_sums} -> tensor<4x64xf32>
// CHECK-NOT:     linalg.generic
func.func @scaled(%c: !weight, %x: !x, %s: tensor<64x1xf32>) -> !y {
  %f = arith.constant dense<0.0> : !y
  %y = ecf8.contract ins(%x, %c : !x, !weight) scale(%s : tensor<64x1xf32>) block [1, 128] outs(%f : !y) {scales_sums} -> !y
  %z = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%y : !y) outs(%f : !y) {
  ^bb0(%in: f32, %o: f32):
    %0 = arith.negf %in : f32
    linalg.yield %0 : f32
  } -> !y
  return %z : !y
}
