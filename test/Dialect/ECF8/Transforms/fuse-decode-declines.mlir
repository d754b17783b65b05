// RUN: ecf8-opt %s -ecf8-fuse-decode --remarks-filter=ecf8-fuse-decode --remark-format=emitRemark \
// RUN:   -verify-diagnostics | FileCheck %s

// What is not fused, and the remark that says why (kinds of weights and readers): the weight stays decoded as a whole, once.

#id = affine_map<(d0, d1) -> (d0, d1)>
#x = affine_map<(m, n, k) -> (m, k)>
#w = affine_map<(m, n, k) -> (n, k)>
#y = affine_map<(m, n, k) -> (m, n)>

!weight = !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>
!plain = tensor<64x128xf8E4M3FN>
!wide = tensor<64x128xf32>

// CHECK-LABEL: func @slice(
// CHECK:         ecf8.decode
func.func @slice(%c: !weight) -> tensor<32x128xf8E4M3FN> {
  // expected-remark@+1 {{[Missed] NotFused | Category:ecf8-fuse-decode | Function=slice | Reason="slice: a part of the weight"}}
  %w = ecf8.decode %c[32, 0] : !weight to tensor<32x128xf8E4M3FN>
  return %w : tensor<32x128xf8E4M3FN>
}

// CHECK-LABEL: func @rank_1(
// CHECK:         ecf8.decode
// CHECK-NOT:     ecf8.contract
func.func @rank_1(%c: !ecf8.compressed<128xf8E4M3FN, #ecf8.huffman>) -> tensor<128xf8E4M3FN> {
  // expected-remark@+1 {{Function=rank_1 | Reason="rank: 1 dimensions, and a contraction takes a matrix or one of several"}}
  %w = ecf8.decode %c : !ecf8.compressed<128xf8E4M3FN, #ecf8.huffman>
  return %w : tensor<128xf8E4M3FN>
}

// CHECK-LABEL: func @row_major(
// CHECK:         ecf8.decode
// CHECK-NOT:     ecf8.contract
func.func @row_major(%c: !ecf8.compressed<64x128xf8E4M3FN, #ecf8.raw>, %x: tensor<?x128xf32>, %acc: tensor<?x64xf32>) -> tensor<?x64xf32> {
  // expected-remark@+1 {{Function=row_major | Reason="encoding: no tiles"}}
  %w = ecf8.decode %c : !ecf8.compressed<64x128xf8E4M3FN, #ecf8.raw>
  %e = arith.extf %w : !plain to !wide
  %y = linalg.matmul indexing_maps = [#x, #w, #y] ins(%x, %e : tensor<?x128xf32>, tensor<64x128xf32>) outs(%acc : tensor<?x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// CHECK-LABEL: func @unused(
// CHECK:         ecf8.decode
// CHECK-NOT:     ecf8.contract
func.func @unused(%c: !weight) {
  // expected-remark@+1 {{Function=unused | Reason="unused: nothing reads the weight"}}
  %w = ecf8.decode %c : !weight
  return
}

// CHECK-LABEL: func @returned(
// CHECK:         ecf8.decode
// CHECK-NOT:     ecf8.contract
func.func @returned(%c: !weight) -> !plain {
  // expected-remark@+1 {{Function=returned | Reason="reader: 'func.return'"}}
  %w = ecf8.decode %c : !weight
  return %w : !plain
}

// CHECK-LABEL: func @extracted(
// CHECK:         ecf8.decode
// CHECK-NOT:     ecf8.contract
func.func @extracted(%c: !weight, %i: index) -> f8E4M3FN {
  // expected-remark@+1 {{Function=extracted | Reason="reader: 'tensor.extract'"}}
  %w = ecf8.decode %c : !weight
  %f = tensor.extract %w[%i, %i] : !plain
  return %f : f8E4M3FN
}

// Decoded once for both readers, though one is a contraction.
// CHECK-LABEL: func @one_reader_of_two(
// CHECK:         ecf8.decode
// CHECK-NOT:     ecf8.contract
func.func @one_reader_of_two(%c: !weight, %x: tensor<?x128xf32>, %acc: tensor<?x64xf32>) -> (tensor<?x64xf32>, !wide) {
  // expected-remark@+2 {{[Analysis] SeveralReaders | Category:ecf8-fuse-decode | Function=one_reader_of_two | Decision="decoded once for all", Readers=2}}
  // expected-remark@+1 {{Function=one_reader_of_two | Reason="reader: 'func.return'"}}
  %w = ecf8.decode %c : !weight
  %e = arith.extf %w : !plain to !wide
  %y = linalg.matmul indexing_maps = [#x, #w, #y] ins(%x, %e : tensor<?x128xf32>, tensor<64x128xf32>) outs(%acc : tensor<?x64xf32>) -> tensor<?x64xf32>
  return %y, %e : tensor<?x64xf32>, !wide
}

// CHECK-LABEL: func @elementwise_op(
// CHECK:         ecf8.decode
// CHECK-NOT:     ecf8.contract
func.func @elementwise_op(%c: !weight) -> !wide {
  // expected-remark@+1 {{Function=elementwise_op | Reason="arithmetic: 'arith.addf'"}}
  %w = ecf8.decode %c : !weight
  %e = arith.extf %w : !plain to !wide
  %f = tensor.empty() : !wide
  %g = linalg.add ins(%e, %e : !wide, !wide) outs(%f : !wide) -> !wide
  return %g : !wide
}

// CHECK-LABEL: func @reduced(
// CHECK:         ecf8.decode
func.func @reduced(%c: !weight, %acc: tensor<64xf32>) -> tensor<64xf32> {
  // expected-remark@+1 {{Function=reduced | Reason="reader: 'linalg.generic' that is not elementwise on one result"}}
  %w = ecf8.decode %c : !weight
  %y = linalg.generic {indexing_maps = [#id, affine_map<(d0, d1) -> (d0)>], iterator_types = ["parallel", "reduction"]}
      ins(%w : !plain) outs(%acc : tensor<64xf32>) {
  ^bb0(%in: f8E4M3FN, %o: f32):
    %v = arith.extf %in : f8E4M3FN to f32
    %s = arith.addf %o, %v : f32
    linalg.yield %s : f32
  } -> tensor<64xf32>
  return %y : tensor<64xf32>
}

// CHECK-LABEL: func @accumulator(
// CHECK:         ecf8.decode
// CHECK-NOT:     ecf8.contract
func.func @accumulator(%c: !weight, %x: tensor<64x32xf32>, %z: tensor<32x128xf32>) -> !wide {
  // expected-remark@+1 {{Function=accumulator | Reason="reader: a contraction that adds to the weight"}}
  %w = ecf8.decode %c : !weight
  %e = arith.extf %w : !plain to !wide
  %y = linalg.matmul ins(%x, %z : tensor<64x32xf32>, tensor<32x128xf32>) outs(%e : !wide) -> !wide
  return %y : !wide
}
