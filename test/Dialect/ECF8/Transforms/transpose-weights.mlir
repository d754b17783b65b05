// RUN: ecf8-opt %s -ecf8-transpose-weights="min-elements=6" --remarks-filter=ecf8-transpose-weights --remark-format=emitRemark \
// RUN:   -verify-diagnostics | FileCheck %s

// Which weights are stored as their transposes: those that only contractions read, and these sum over their rows.

#x = affine_map<(m, n, k) -> (m, k)>
#w = affine_map<(m, n, k) -> (n, k)>
#y = affine_map<(m, n, k) -> (m, n)>

// CHECK:      ecf8.global private @by_column key("w") attributes {ecf8.transposed} : tensor<64x128xf8E4M3FN>
// expected-remark@+1 {{[Passed] Transposed | Category:ecf8-transpose-weights | Function=by_column | Stored=tensor<64x128xf8E4M3FN>, Type=tensor<128x64xf8E4M3FN>}}
ecf8.global private @by_column key("w") : tensor<128x64xf8E4M3FN>
// CHECK:      ecf8.global private @experts key("e") attributes {ecf8.transposed} : tensor<2x32x128xf8E5M2>
// expected-remark@+1 {{Function=experts | }}
ecf8.global private @experts key("e") : tensor<2x128x32xf8E5M2>
// CHECK:      ecf8.global private @inline value(dense<{{\[\[}}1.000000e+00, 3.000000e+00, 5.000000e+00], [2.000000e+00, 4.000000e+00, 6.000000e+00]]> : tensor<2x3xf8E4M3FN>) : tensor<2x3xf8E4M3FN>
// expected-remark@+1 {{Function=inline | }}
ecf8.global private @inline value(dense<[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]> : tensor<3x2xf8E4M3FN>) : tensor<3x2xf8E4M3FN>
// CHECK:      ecf8.global private @by_row key("r") : tensor<128x64xf8E4M3FN>
ecf8.global private @by_row key("r") : tensor<128x64xf8E4M3FN>
// CHECK:      ecf8.global private @tied key("t") : tensor<64x64xf8E4M3FN>
ecf8.global private @tied key("t") : tensor<64x64xf8E4M3FN>
// CHECK:      ecf8.global private @returned key("u") : tensor<128x64xf8E4M3FN>
ecf8.global private @returned key("u") : tensor<128x64xf8E4M3FN>
// CHECK:      ecf8.global private @small key("s") : tensor<1x2xf8E4M3FN>
ecf8.global private @small key("s") : tensor<1x2xf8E4M3FN>
// CHECK:      ecf8.global private @uneven key("v") : tensor<2x128x60xf8E4M3FN>
ecf8.global private @uneven key("v") : tensor<2x128x60xf8E4M3FN>
// CHECK:      ecf8.global private @wide key("f") : tensor<128x64xf32>
ecf8.global private @wide key("f") : tensor<128x64xf32>
// CHECK:      ecf8.global private @unread key("n") : tensor<128x64xf8E4M3FN>
ecf8.global private @unread key("n") : tensor<128x64xf8E4M3FN>

// Both functions read the one weight.
// CHECK-LABEL: func @plain(
// CHECK:         %[[W:.*]] = ecf8.global.load @by_column : tensor<64x128xf8E4M3FN>
// CHECK:         %[[T:.*]] = linalg.transpose ins(%[[W]] : tensor<64x128xf8E4M3FN>) outs(%{{.*}} : tensor<128x64xf8E4M3FN>) permutation = [1, 0]
// CHECK:         arith.extf %[[T]]
func.func @plain(%x: tensor<?x128xf32>, %acc: tensor<?x64xf32>) -> tensor<?x64xf32> {
  %w = ecf8.global.load @by_column : tensor<128x64xf8E4M3FN>
  %a = arith.extf %w : tensor<128x64xf8E4M3FN> to tensor<128x64xf32>
  %y = linalg.matmul ins(%x, %a : tensor<?x128xf32>, tensor<128x64xf32>) outs(%acc : tensor<?x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// One scale for each column, which is a row of what is stored.
// CHECK-LABEL: func @scaled(
// CHECK:         ecf8.global.load @by_column : tensor<64x128xf8E4M3FN>
// CHECK:         linalg.transpose
func.func @scaled(%x: tensor<?x128xf32>, %s: tensor<64xf32>, %acc: tensor<?x64xf32>) -> tensor<?x64xf32> {
  %w = ecf8.global.load @by_column : tensor<128x64xf8E4M3FN>
  %e = tensor.empty() : tensor<128x64xf32>
  %g = linalg.generic {indexing_maps = [affine_map<(k, n) -> (k, n)>, affine_map<(k, n) -> (n)>, affine_map<(k, n) -> (k, n)>], iterator_types = ["parallel", "parallel"]}
      ins(%w, %s : tensor<128x64xf8E4M3FN>, tensor<64xf32>) outs(%e : tensor<128x64xf32>) {
  ^bb0(%in: f8E4M3FN, %t: f32, %o: f32):
    %a = arith.extf %in : f8E4M3FN to f32
    %v = arith.mulf %a, %t : f32
    linalg.yield %v : f32
  } -> tensor<128x64xf32>
  %y = linalg.matmul ins(%x, %g : tensor<?x128xf32>, tensor<128x64xf32>) outs(%acc : tensor<?x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// CHECK-LABEL: func @batch(
// CHECK:         linalg.transpose ins(%{{.*}} : tensor<2x32x128xf8E5M2>) outs(%{{.*}} : tensor<2x128x32xf8E5M2>) permutation = [0, 2, 1]
func.func @batch(%x: tensor<2x4x128xf32>, %acc: tensor<2x4x32xf32>) -> tensor<2x4x32xf32> {
  %w = ecf8.global.load @experts : tensor<2x128x32xf8E5M2>
  %y = linalg.batch_matmul ins(%x, %w : tensor<2x4x128xf32>, tensor<2x128x32xf8E5M2>) outs(%acc : tensor<2x4x32xf32>) -> tensor<2x4x32xf32>
  return %y : tensor<2x4x32xf32>
}

// CHECK-LABEL: func @value(
// CHECK:         linalg.transpose ins(%{{.*}} : tensor<2x3xf8E4M3FN>)
func.func @value(%x: tensor<4x3xf32>, %acc: tensor<4x2xf32>) -> tensor<4x2xf32> {
  %w = ecf8.global.load @inline : tensor<3x2xf8E4M3FN>
  %y = linalg.matmul ins(%x, %w : tensor<4x3xf32>, tensor<3x2xf8E4M3FN>) outs(%acc : tensor<4x2xf32>) -> tensor<4x2xf32>
  return %y : tensor<4x2xf32>
}

// CHECK-LABEL: func @negative_by_row(
// CHECK-NOT:     linalg.transpose
func.func @negative_by_row(%x: tensor<?x64xf32>, %acc: tensor<?x128xf32>) -> tensor<?x128xf32> {
  %w = ecf8.global.load @by_row : tensor<128x64xf8E4M3FN>
  %y = linalg.matmul indexing_maps = [#x, #w, #y] ins(%x, %w : tensor<?x64xf32>, tensor<128x64xf8E4M3FN>) outs(%acc : tensor<?x128xf32>) -> tensor<?x128xf32>
  return %y : tensor<?x128xf32>
}

// One reader sums over the rows, the other over the columns.
// CHECK-LABEL: func @negative_tied(
// CHECK-NOT:     linalg.transpose
func.func @negative_tied(%x: tensor<?x64xf32>, %acc: tensor<?x64xf32>) -> tensor<?x64xf32> {
  %w = ecf8.global.load @tied : tensor<64x64xf8E4M3FN>
  %y = linalg.matmul ins(%x, %w : tensor<?x64xf32>, tensor<64x64xf8E4M3FN>) outs(%acc : tensor<?x64xf32>) -> tensor<?x64xf32>
  %z = linalg.matmul indexing_maps = [#x, #w, #y] ins(%y, %w : tensor<?x64xf32>, tensor<64x64xf8E4M3FN>) outs(%acc : tensor<?x64xf32>) -> tensor<?x64xf32>
  return %z : tensor<?x64xf32>
}

// CHECK-LABEL: func @negative_returned(
// CHECK-NOT:     linalg.transpose
func.func @negative_returned(%x: tensor<?x128xf32>, %acc: tensor<?x64xf32>) -> (tensor<?x64xf32>, tensor<128x64xf8E4M3FN>) {
  %w = ecf8.global.load @returned : tensor<128x64xf8E4M3FN>
  %y = linalg.matmul ins(%x, %w : tensor<?x128xf32>, tensor<128x64xf8E4M3FN>) outs(%acc : tensor<?x64xf32>) -> tensor<?x64xf32>
  return %y, %w : tensor<?x64xf32>, tensor<128x64xf8E4M3FN>
}

// Too few elements, another type, experts that would begin inside of tiles.
// CHECK-LABEL: func @negative_types(
// CHECK-NOT:     linalg.transpose
func.func @negative_types(%x: tensor<?x1xf32>, %acc: tensor<?x2xf32>, %y: tensor<2x4x128xf32>, %sums: tensor<2x4x60xf32>, %z: tensor<?x128xf32>, %wide: tensor<?x64xf32>)
    -> (tensor<?x2xf32>, tensor<2x4x60xf32>, tensor<?x64xf32>) {
  %s = ecf8.global.load @small : tensor<1x2xf8E4M3FN>
  %u = ecf8.global.load @uneven : tensor<2x128x60xf8E4M3FN>
  %f = ecf8.global.load @wide : tensor<128x64xf32>
  %0 = linalg.matmul ins(%x, %s : tensor<?x1xf32>, tensor<1x2xf8E4M3FN>) outs(%acc : tensor<?x2xf32>) -> tensor<?x2xf32>
  %1 = linalg.batch_matmul ins(%y, %u : tensor<2x4x128xf32>, tensor<2x128x60xf8E4M3FN>) outs(%sums : tensor<2x4x60xf32>) -> tensor<2x4x60xf32>
  %2 = linalg.matmul ins(%z, %f : tensor<?x128xf32>, tensor<128x64xf32>) outs(%wide : tensor<?x64xf32>) -> tensor<?x64xf32>
  return %0, %1, %2 : tensor<?x2xf32>, tensor<2x4x60xf32>, tensor<?x64xf32>
}
