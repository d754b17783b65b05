// RUN: ecf8-opt %s -ecf8-fuse-decode -canonicalize -cse | FileCheck %s

// Scales that are no products of the weight and a tensor: quotients, and scales that are rounded first.

#id = affine_map<(d0, d1) -> (d0, d1)>
#row = affine_map<(d0, d1) -> (d0, 0)>
#all = affine_map<(d0, d1) -> ()>
#x = affine_map<(m, n, k) -> (m, k)>
#w = affine_map<(m, n, k) -> (n, k)>
#y = affine_map<(m, n, k) -> (m, n)>

!weight = !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>
!plain = tensor<64x128xf8E4M3FN>
!wide = tensor<64x128xf32>
!half = tensor<64x128xbf16>

// CHECK-LABEL: func @divided_by_rows(
// CHECK-SAME:    %[[S:[a-z0-9]+]]: tensor<64x1xf32>)
// CHECK-NEXT:    ecf8.contract {{.*}} scale(%[[S]] : tensor<64x1xf32>) block [1, 128] outs({{.*}}) {divides} ->
// CHECK-NEXT:    return
func.func @divided_by_rows(%c: !weight, %x: tensor<?x128xbf16>, %acc: tensor<?x64xf32>, %s: tensor<64x1xf32>) -> tensor<?x64xf32> {
  %w = ecf8.decode %c : !weight
  %e = tensor.empty() : !half
  %g = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel"]}
      ins(%w, %s : !plain, tensor<64x1xf32>) outs(%e : !half) {
  ^bb0(%in: f8E4M3FN, %t: f32, %o: bf16):
    %a = arith.extf %in : f8E4M3FN to f32
    %b = arith.divf %a, %t : f32
    %v = arith.truncf %b : f32 to bf16
    linalg.yield %v : bf16
  } -> !half
  %y = linalg.matmul indexing_maps = [#x, #w, #y] ins(%x, %g : tensor<?x128xbf16>, !half) outs(%acc : tensor<?x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// An op on whole tensors, and a number of the program.
// CHECK-LABEL: func @divided_by_a_number(
// CHECK:         %[[S:.*]] = arith.constant dense<3.000000e+00> : tensor<1x1xf32>
// CHECK-NEXT:    ecf8.contract {{.*}} scale(%[[S]] : tensor<1x1xf32>) block [64, 128] outs({{.*}}) {divides} ->
// CHECK-NEXT:    return
func.func @divided_by_a_number(%c: !weight, %x: tensor<?x128xf32>, %acc: tensor<?x64xf32>) -> tensor<?x64xf32> {
  %w = ecf8.decode %c : !weight
  %a = arith.extf %w : !plain to !wide
  %three = arith.constant 3.0 : f32
  %e = tensor.empty() : !wide
  %s = linalg.fill ins(%three : f32) outs(%e : !wide) -> !wide
  %g = arith.divf %a, %s : !wide
  %y = linalg.matmul indexing_maps = [#x, #w, #y] ins(%x, %g : tensor<?x128xf32>, !wide) outs(%acc : tensor<?x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// The scale is rounded to the type of the product: once, outside of the contraction.
// CHECK-LABEL: func @rounded_scale(
// CHECK-SAME:    %[[S:[a-z0-9]+]]: tensor<f32>)
// CHECK:         %[[MATRIX:.*]] = tensor.expand_shape %[[S]]
// CHECK:         %[[ROUNDED:.*]] = arith.truncf %[[MATRIX]] : tensor<1x1xf32> to tensor<1x1xbf16>
// CHECK:         ecf8.contract {{.*}} scale(%[[ROUNDED]] : tensor<1x1xbf16>) block [64, 128]
func.func @rounded_scale(%c: !weight, %x: tensor<?x128xbf16>, %acc: tensor<?x64xf32>, %s: tensor<f32>) -> tensor<?x64xf32> {
  %w = ecf8.decode %c : !weight
  %e = tensor.empty() : !half
  %g = linalg.generic {indexing_maps = [#id, #all, #id], iterator_types = ["parallel", "parallel"]}
      ins(%w, %s : !plain, tensor<f32>) outs(%e : !half) {
  ^bb0(%in: f8E4M3FN, %t: f32, %o: bf16):
    %a = arith.extf %in : f8E4M3FN to bf16
    %b = arith.truncf %t : f32 to bf16
    %v = arith.mulf %a, %b : bf16
    linalg.yield %v : bf16
  } -> !half
  %y = linalg.matmul indexing_maps = [#x, #w, #y] ins(%x, %g : tensor<?x128xbf16>, !half) outs(%acc : tensor<?x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}
