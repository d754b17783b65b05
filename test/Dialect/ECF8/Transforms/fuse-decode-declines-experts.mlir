// RUN: ecf8-opt %s -ecf8-fuse-decode --remarks-filter=ecf8-fuse-decode --remark-format=emitRemark \
// RUN:   -verify-diagnostics | FileCheck %s

// What is not fused, and the remark that says why (experts): the weight stays decoded as a whole, once.

#x = affine_map<(e, m, n, k) -> (e, m, k)>
#w = affine_map<(e, m, n, k) -> (e, n, k)>
#y = affine_map<(e, m, n, k) -> (e, m, n)>

!weight = !ecf8.compressed<8x64x128xf8E4M3FN, #ecf8.huffman>
!plain = tensor<8x64x128xf8E4M3FN>

// CHECK-LABEL: func @rank_4(
// CHECK:         ecf8.decode
func.func @rank_4(%c: !ecf8.compressed<2x8x64x128xf8E4M3FN, #ecf8.huffman>) -> tensor<2x8x64x128xf8E4M3FN> {
  // expected-remark@+1 {{Function=rank_4 | Reason="rank: 4 dimensions, and a contraction takes a matrix or one of several"}}
  %w = ecf8.decode %c : !ecf8.compressed<2x8x64x128xf8E4M3FN, #ecf8.huffman>
  return %w : tensor<2x8x64x128xf8E4M3FN>
}

// Stored as [E, K, N].
// CHECK-LABEL: func @sum_over_rows(
// CHECK:         ecf8.decode
// CHECK-NOT:     ecf8.contract
func.func @sum_over_rows(%c: !weight, %x: tensor<8x4x64xf32>, %acc: tensor<8x4x128xf32>) -> tensor<8x4x128xf32> {
  // expected-remark@+1 {{Function=sum_over_rows | Reason="layout: a sum over the rows of the stored weight"}}
  %w = ecf8.decode %c : !weight
  %y = linalg.batch_matmul ins(%x, %w : tensor<8x4x64xf32>, !plain) outs(%acc : tensor<8x4x128xf32>) -> tensor<8x4x128xf32>
  return %y : tensor<8x4x128xf32>
}

// CHECK-LABEL: func @sum_over_experts(
// CHECK:         ecf8.decode
// CHECK-NOT:     ecf8.contract
func.func @sum_over_experts(%c: !weight, %x: tensor<8x4x128xf32>, %acc: tensor<4x64xf32>) -> tensor<4x64xf32> {
  // expected-remark@+1 {{Function=sum_over_experts | Reason="layout: a sum over the experts"}}
  %w = ecf8.decode %c : !weight
  %y = linalg.batch_reduce_matmul indexing_maps = [#x, #w, affine_map<(e, m, n, k) -> (m, n)>] ins(%x, %w : tensor<8x4x128xf32>, !plain) outs(%acc : tensor<4x64xf32>) -> tensor<4x64xf32>
  return %y : tensor<4x64xf32>
}

// The second expert begins in the middle of a tile.
// CHECK-LABEL: func @uneven(
// CHECK:         ecf8.decode
// CHECK-NOT:     ecf8.contract
func.func @uneven(%c: !ecf8.compressed<2x60x128xf8E4M3FN, #ecf8.huffman>, %x: tensor<2x4x128xf32>, %acc: tensor<2x4x60xf32>) -> tensor<2x4x60xf32> {
  // expected-remark@+1 {{Function=uneven | Reason="slice: experts of 60 rows do not begin at tiles of 32 rows"}}
  %w = ecf8.decode %c : !ecf8.compressed<2x60x128xf8E4M3FN, #ecf8.huffman>
  %y = linalg.batch_matmul indexing_maps = [#x, #w, #y] ins(%x, %w : tensor<2x4x128xf32>, tensor<2x60x128xf8E4M3FN>) outs(%acc : tensor<2x4x60xf32>) -> tensor<2x4x60xf32>
  return %y : tensor<2x4x60xf32>
}

// CHECK-LABEL: func @two_experts(
// CHECK:         ecf8.decode
// CHECK-NOT:     ecf8.contract
func.func @two_experts(%c: !weight, %x: tensor<2x4x128xf32>, %acc: tensor<2x4x64xf32>, %e: index) -> tensor<2x4x64xf32> {
  // expected-remark@+1 {{Function=two_experts | Reason="slice: a part of the weight"}}
  %w = ecf8.decode %c : !weight
  %s = tensor.extract_slice %w[%e, 0, 0] [2, 64, 128] [1, 1, 1] : !plain to tensor<2x64x128xf8E4M3FN>
  %y = linalg.batch_matmul indexing_maps = [#x, #w, #y] ins(%x, %s : tensor<2x4x128xf32>, tensor<2x64x128xf8E4M3FN>) outs(%acc : tensor<2x4x64xf32>) -> tensor<2x4x64xf32>
  return %y : tensor<2x4x64xf32>
}

// One matrix of all experts' rows.
// CHECK-LABEL: func @experts_as_rows(
// CHECK:         ecf8.decode
// CHECK-NOT:     ecf8.contract
func.func @experts_as_rows(%c: !weight, %x: tensor<4x128xf32>, %acc: tensor<4x512xf32>) -> tensor<4x512xf32> {
  // expected-remark@+1 {{Function=experts_as_rows | Reason="reader: a contraction of a weight that is cut into blocks or padded"}}
  %w = ecf8.decode %c : !weight
  %j = tensor.collapse_shape %w [[0, 1], [2]] : !plain into tensor<512x128xf8E4M3FN>
  %y = linalg.matmul indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>]
      ins(%x, %j : tensor<4x128xf32>, tensor<512x128xf8E4M3FN>) outs(%acc : tensor<4x512xf32>) -> tensor<4x512xf32>
  return %y : tensor<4x512xf32>
}
