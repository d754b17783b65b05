// RUN: ecf8-opt %s -ecf8-fuse-decode -canonicalize -cse | FileCheck %s

// A weight that is repeated for each matrix of a batch, and activations and results in other orders than [M, K] and [M, N].

#w = affine_map<(m, n, k) -> (n, k)>
#y = affine_map<(m, n, k) -> (m, n)>

!weight = !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>
!plain = tensor<64x128xf8E4M3FN>
!wide = tensor<64x128xf32>

// What torch-mlir makes of matmul with activations that do not lie in one piece.
// CHECK-LABEL: func @batch_matmul(
// CHECK-SAME:    %[[C:[a-z0-9]+]]: !ecf8.compressed<{{.*}}>, %[[X:[a-z0-9]+]]: tensor<?x?x128xf32>, %[[ACC:[a-z0-9]+]]: tensor<?x?x64xf32>
// CHECK:         %[[M:.*]] = tensor.collapse_shape %[[X]] {{\[}}[0, 1], [2]]
// CHECK:         %[[A:.*]] = tensor.collapse_shape %[[ACC]] {{\[}}[0, 1], [2]]
// CHECK:         %[[R:.*]] = ecf8.contract ins(%[[M]], %[[C]] : tensor<?x128xf32>, {{.*}}) outs(%[[A]]
// CHECK:         %[[E:.*]] = tensor.expand_shape %[[R]] {{\[}}[0, 1], [2]]
// CHECK:         return %[[E]]
func.func @batch_matmul(%c: !weight, %x: tensor<?x?x128xf32>, %acc: tensor<?x?x64xf32>, %batch: index) -> tensor<?x?x64xf32> {
  %w = ecf8.decode %c : !weight
  %a = arith.extf %w : !plain to !wide
  %e0 = tensor.empty() : tensor<128x64xf32>
  %t = linalg.transpose ins(%a : !wide) outs(%e0 : tensor<128x64xf32>) permutation = [1, 0]
  %e1 = tensor.empty(%batch) : tensor<?x128x64xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d1, d2)>, affine_map<(d0, d1, d2) -> (d0, d1, d2)>], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%t : tensor<128x64xf32>) outs(%e1 : tensor<?x128x64xf32>) {
  ^bb0(%in: f32, %o: f32):
    linalg.yield %in : f32
  } -> tensor<?x128x64xf32>
  %y = linalg.batch_matmul ins(%x, %r : tensor<?x?x128xf32>, tensor<?x128x64xf32>) outs(%acc : tensor<?x?x64xf32>) -> tensor<?x?x64xf32>
  return %y : tensor<?x?x64xf32>
}

// Two dimensions of matrices, which become one.
// CHECK-LABEL: func @broadcast(
// CHECK:         ecf8.contract ins(%{{.*}} : tensor<24x128xf32>,
// CHECK-NOT:     linalg.broadcast
func.func @broadcast(%c: !weight, %x: tensor<6x4x128xf32>, %acc: tensor<6x4x64xf32>) -> tensor<6x4x64xf32> {
  %w = ecf8.decode %c : !weight
  %a = arith.extf %w : !plain to !wide
  %e = tensor.empty() : tensor<2x3x64x128xf32>
  %b = linalg.broadcast ins(%a : !wide) outs(%e : tensor<2x3x64x128xf32>) dimensions = [0, 1]
  %j = tensor.collapse_shape %b [[0, 1], [2], [3]] : tensor<2x3x64x128xf32> into tensor<6x64x128xf32>
  %y = linalg.batch_matmul indexing_maps = [affine_map<(b, m, n, k) -> (b, m, k)>, affine_map<(b, m, n, k) -> (b, n, k)>, affine_map<(b, m, n, k) -> (b, m, n)>]
      ins(%x, %j : tensor<6x4x128xf32>, tensor<6x64x128xf32>) outs(%acc : tensor<6x4x64xf32>) -> tensor<6x4x64xf32>
  return %y : tensor<6x4x64xf32>
}

// einsum: a batch of one.
// CHECK-LABEL: func @batch_of_one(
// CHECK:         ecf8.contract ins(%{{.*}} : tensor<4x128xf32>,
func.func @batch_of_one(%c: !weight, %x: tensor<1x4x128xf32>, %acc: tensor<1x4x64xf32>) -> tensor<1x4x64xf32> {
  %w = ecf8.decode %c : !weight
  %a = arith.extf %w : !plain to !wide
  %b = tensor.expand_shape %a [[0, 1], [2]] output_shape [1, 64, 128] : !wide into tensor<1x64x128xf32>
  %y = linalg.batch_matmul indexing_maps = [affine_map<(b, m, n, k) -> (b, m, k)>, affine_map<(b, m, n, k) -> (b, n, k)>, affine_map<(b, m, n, k) -> (b, m, n)>]
      ins(%x, %b : tensor<1x4x128xf32>, tensor<1x64x128xf32>) outs(%acc : tensor<1x4x64xf32>) -> tensor<1x4x64xf32>
  return %y : tensor<1x4x64xf32>
}

// CHECK-LABEL: func @activations_by_column(
// CHECK:         %[[T:.*]] = linalg.transpose ins(%{{.*}} : tensor<128x4xf32>) outs(%{{.*}} : tensor<4x128xf32>) permutation = [1, 0]
// CHECK:         ecf8.contract ins(%[[T]],
// CHECK-NOT:     linalg.transpose
func.func @activations_by_column(%c: !weight, %x: tensor<128x4xf32>, %acc: tensor<4x64xf32>) -> tensor<4x64xf32> {
  %w = ecf8.decode %c : !weight
  %y = linalg.matmul indexing_maps = [affine_map<(m, n, k) -> (k, m)>, #w, #y] ins(%x, %w : tensor<128x4xf32>, !plain) outs(%acc : tensor<4x64xf32>) -> tensor<4x64xf32>
  return %y : tensor<4x64xf32>
}

// The weight as the left operand. Sums that begin with a constant need no transposition.
// CHECK-LABEL: func @result_by_column(
// CHECK:         %[[T:.*]] = linalg.transpose ins(%{{.*}} : tensor<128x?xf32>) outs(%{{.*}} : tensor<?x128xf32>) permutation = [1, 0]
// CHECK:         %[[F:.*]] = linalg.fill {{.*}} outs(%{{.*}} : tensor<?x64xf32>)
// CHECK:         %[[R:.*]] = ecf8.contract ins(%[[T]], {{.*}}) outs(%[[F]] : tensor<?x64xf32>)
// CHECK:         %[[Y:.*]] = linalg.transpose ins(%[[R]] : tensor<?x64xf32>) outs(%{{.*}} : tensor<64x?xf32>) permutation = [1, 0]
// CHECK:         return %[[Y]]
func.func @result_by_column(%c: !weight, %x: tensor<128x?xf32>, %m: index) -> tensor<64x?xf32> {
  %w = ecf8.decode %c : !weight
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty(%m) : tensor<64x?xf32>
  %acc = linalg.fill ins(%zero : f32) outs(%e : tensor<64x?xf32>) -> tensor<64x?xf32>
  %y = linalg.matmul ins(%w, %x : !plain, tensor<128x?xf32>) outs(%acc : tensor<64x?xf32>) -> tensor<64x?xf32>
  return %y : tensor<64x?xf32>
}

// CHECK-LABEL: func @leading_dimensions_swapped(
// CHECK:         linalg.transpose ins(%{{.*}} : tensor<2x3x128xf32>) outs(%{{.*}} : tensor<3x2x128xf32>) permutation = [1, 0, 2]
// CHECK:         ecf8.contract ins(%{{.*}} : tensor<6x128xf32>,
// CHECK-NOT:     linalg.transpose
func.func @leading_dimensions_swapped(%c: !weight, %x: tensor<2x3x128xf32>, %acc: tensor<3x2x64xf32>) -> tensor<3x2x64xf32> {
  %w = ecf8.decode %c : !weight
  %y = linalg.generic {indexing_maps = [affine_map<(a, b, n, k) -> (a, b, k)>, affine_map<(a, b, n, k) -> (n, k)>, affine_map<(a, b, n, k) -> (b, a, n)>],
                       iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%x, %w : tensor<2x3x128xf32>, !plain) outs(%acc : tensor<3x2x64xf32>) {
  ^bb0(%a: f32, %in: f8E4M3FN, %o: f32):
    %v = arith.extf %in : f8E4M3FN to f32
    %p = arith.mulf %a, %v : f32
    %s = arith.addf %o, %p : f32
    linalg.yield %s : f32
  } -> tensor<3x2x64xf32>
  return %y : tensor<3x2x64xf32>
}

// A permutation that is not its own inverse.
// CHECK-LABEL: func @rows_first(
// CHECK:         linalg.transpose ins(%{{.*}} : tensor<64x2x3xf32>) outs(%{{.*}} : tensor<2x3x64xf32>) permutation = [1, 2, 0]
// CHECK:         ecf8.contract ins(%{{.*}} : tensor<6x128xf32>,
// CHECK:         linalg.transpose ins(%{{.*}} : tensor<2x3x64xf32>) outs(%{{.*}} : tensor<64x2x3xf32>) permutation = [2, 0, 1]
func.func @rows_first(%c: !weight, %x: tensor<2x3x128xf32>, %acc: tensor<64x2x3xf32>) -> tensor<64x2x3xf32> {
  %w = ecf8.decode %c : !weight
  %y = linalg.generic {indexing_maps = [affine_map<(n, a, b, k) -> (n, k)>, affine_map<(n, a, b, k) -> (a, b, k)>, affine_map<(n, a, b, k) -> (n, a, b)>],
                       iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%w, %x : !plain, tensor<2x3x128xf32>) outs(%acc : tensor<64x2x3xf32>) {
  ^bb0(%in: f8E4M3FN, %a: f32, %o: f32):
    %v = arith.extf %in : f8E4M3FN to f32
    %p = arith.mulf %a, %v : f32
    %s = arith.addf %o, %p : f32
    linalg.yield %s : f32
  } -> tensor<64x2x3xf32>
  return %y : tensor<64x2x3xf32>
}
