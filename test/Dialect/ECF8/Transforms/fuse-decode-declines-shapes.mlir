// RUN: ecf8-opt %s -ecf8-fuse-decode --remarks-filter=ecf8-fuse-decode --remark-format=emitRemark \
// RUN:   -verify-diagnostics | FileCheck %s

// What is not fused, and the remark that says why (shapes on the way): the weight stays decoded as a whole, once.

#id = affine_map<(d0, d1) -> (d0, d1)>
#x = affine_map<(m, n, k) -> (m, k)>
#w = affine_map<(m, n, k) -> (n, k)>
#y = affine_map<(m, n, k) -> (m, n)>

!weight = !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>
!plain = tensor<64x128xf8E4M3FN>
!wide = tensor<64x128xf32>

// CHECK-LABEL: func @blocks_of_dynamic_size(
// CHECK:         ecf8.decode
// CHECK-NOT:     ecf8.contract
func.func @blocks_of_dynamic_size(%c: !weight, %f: tensor<?x128xf32>, %i: index) -> tensor<2x?x128xf32> {
  // expected-remark@+1 {{Function=blocks_of_dynamic_size | Reason="reader: 'tensor.expand_shape' of a dynamic size, or of weights with their repetitions"}}
  %w = ecf8.decode %c : !weight
  %e = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%w : !plain) outs(%f : tensor<?x128xf32>) {
  ^bb0(%in: f8E4M3FN, %o: f32):
    %v = arith.extf %in : f8E4M3FN to f32
    linalg.yield %v : f32
  } -> tensor<?x128xf32>
  %g = tensor.expand_shape %e [[0, 1], [2]] output_shape [2, %i, 128] : tensor<?x128xf32> into tensor<2x?x128xf32>
  return %g : tensor<2x?x128xf32>
}

// CHECK-LABEL: func @repetitions_joined(
// CHECK:         ecf8.decode
// CHECK-NOT:     ecf8.contract
func.func @repetitions_joined(%c: !weight) -> tensor<128x128xf8E4M3FN> {
  // expected-remark@+1 {{Function=repetitions_joined | Reason="reader: 'tensor.collapse_shape' of a dynamic size, or of weights with their repetitions"}}
  %w = ecf8.decode %c : !weight
  %e = tensor.empty() : tensor<2x64x128xf8E4M3FN>
  %b = linalg.broadcast ins(%w : !plain) outs(%e : tensor<2x64x128xf8E4M3FN>) dimensions = [0]
  %j = tensor.collapse_shape %b [[0, 1], [2]] : tensor<2x64x128xf8E4M3FN> into tensor<128x128xf8E4M3FN>
  return %j : tensor<128x128xf8E4M3FN>
}

// CHECK-LABEL: func @one_row(
// CHECK:         ecf8.decode
// CHECK-NOT:     ecf8.contract
func.func @one_row(%c: !weight) -> tensor<128xf32> {
  // expected-remark@+1 {{Function=one_row | Reason="reader: 'linalg.generic' that selects weights"}}
  %w = ecf8.decode %c : !weight
  %e = tensor.empty() : tensor<128xf32>
  %g = linalg.generic {indexing_maps = [affine_map<(d0) -> (0, d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]}
      ins(%w : !plain) outs(%e : tensor<128xf32>) {
  ^bb0(%in: f8E4M3FN, %o: f32):
    %v = arith.extf %in : f8E4M3FN to f32
    linalg.yield %v : f32
  } -> tensor<128xf32>
  return %g : tensor<128xf32>
}

// CHECK-LABEL: func @half_of_the_rows(
// CHECK:         ecf8.decode
// CHECK-NOT:     ecf8.contract
func.func @half_of_the_rows(%c: !weight, %x: tensor<?x128xf32>, %acc: tensor<?x32xf32>) -> tensor<?x32xf32> {
  // expected-remark@+1 {{Function=half_of_the_rows | Reason="slice: a part of the weight"}}
  %w = ecf8.decode %c : !weight
  %s = tensor.extract_slice %w[32, 0] [32, 128] [1, 1] : !plain to tensor<32x128xf8E4M3FN>
  %y = linalg.matmul indexing_maps = [#x, #w, #y] ins(%x, %s : tensor<?x128xf32>, tensor<32x128xf8E4M3FN>) outs(%acc : tensor<?x32xf32>) -> tensor<?x32xf32>
  return %y : tensor<?x32xf32>
}

// CHECK-LABEL: func @padded_by_a_dynamic_size(
// CHECK:         ecf8.decode
// CHECK-NOT:     ecf8.contract
func.func @padded_by_a_dynamic_size(%c: !weight, %i: index, %v: f8E4M3FN) -> tensor<?x128xf8E4M3FN> {
  // expected-remark@+1 {{Function=padded_by_a_dynamic_size | Reason="reader: 'tensor.pad' of a dynamic size, or of repetitions"}}
  %w = ecf8.decode %c : !weight
  %p = tensor.pad %w low[0, 0] high[%i, 0] {
  ^bb0(%a: index, %b: index):
    tensor.yield %v : f8E4M3FN
  } : !plain to tensor<?x128xf8E4M3FN>
  return %p : tensor<?x128xf8E4M3FN>
}

// CHECK-LABEL: func @repetitions_padded(
// CHECK:         ecf8.decode
// CHECK-NOT:     ecf8.contract
func.func @repetitions_padded(%c: !weight, %v: f8E4M3FN) -> tensor<3x64x128xf8E4M3FN> {
  // expected-remark@+1 {{Function=repetitions_padded | Reason="reader: 'tensor.pad' of a dynamic size, or of repetitions"}}
  %w = ecf8.decode %c : !weight
  %e = tensor.empty() : tensor<2x64x128xf8E4M3FN>
  %r = linalg.broadcast ins(%w : !plain) outs(%e : tensor<2x64x128xf8E4M3FN>) dimensions = [0]
  %p = tensor.pad %r low[0, 0, 0] high[1, 0, 0] {
  ^bb0(%a: index, %b: index, %d: index):
    tensor.yield %v : f8E4M3FN
  } : tensor<2x64x128xf8E4M3FN> to tensor<3x64x128xf8E4M3FN>
  return %p : tensor<3x64x128xf8E4M3FN>
}

// CHECK-LABEL: func @padding_multiplied(
// CHECK:         ecf8.decode
// CHECK-NOT:     ecf8.contract
func.func @padding_multiplied(%c: !weight, %x: tensor<?x128xf32>, %acc: tensor<?x72xf32>, %v: f8E4M3FN) -> tensor<?x72xf32> {
  // expected-remark@+1 {{Function=padding_multiplied | Reason="reader: a contraction of a weight that is cut into blocks or padded"}}
  %w = ecf8.decode %c : !weight
  %p = tensor.pad %w low[0, 0] high[8, 0] {
  ^bb0(%a: index, %b: index):
    tensor.yield %v : f8E4M3FN
  } : !plain to tensor<72x128xf8E4M3FN>
  %y = linalg.matmul indexing_maps = [#x, #w, #y] ins(%x, %p : tensor<?x128xf32>, tensor<72x128xf8E4M3FN>) outs(%acc : tensor<?x72xf32>) -> tensor<?x72xf32>
  return %y : tensor<?x72xf32>
}

// CHECK-LABEL: func @contraction_of_blocks(
// CHECK:         ecf8.decode
// CHECK-NOT:     ecf8.contract
func.func @contraction_of_blocks(%c: !weight, %x: tensor<4x2x64xf32>, %acc: tensor<4x64xf32>) -> tensor<4x64xf32> {
  // expected-remark@+1 {{Function=contraction_of_blocks | Reason="reader: a contraction of a weight that is cut into blocks or padded"}}
  %w = ecf8.decode %c : !weight
  %b = tensor.expand_shape %w [[0], [1, 2]] output_shape [64, 2, 64] : !plain into tensor<64x2x64xf8E4M3FN>
  %y = linalg.generic {indexing_maps = [affine_map<(m, n, j, k) -> (m, j, k)>, affine_map<(m, n, j, k) -> (n, j, k)>, affine_map<(m, n, j, k) -> (m, n)>],
                       iterator_types = ["parallel", "parallel", "reduction", "reduction"]}
      ins(%x, %b : tensor<4x2x64xf32>, tensor<64x2x64xf8E4M3FN>) outs(%acc : tensor<4x64xf32>) {
  ^bb0(%a: f32, %in: f8E4M3FN, %o: f32):
    %v = arith.extf %in : f8E4M3FN to f32
    %p = arith.mulf %a, %v : f32
    %s = arith.addf %o, %p : f32
    linalg.yield %s : f32
  } -> tensor<4x64xf32>
  return %y : tensor<4x64xf32>
}

// CHECK-LABEL: func @scaled_by_itself(
// CHECK:         ecf8.decode
// CHECK-NOT:     ecf8.contract
func.func @scaled_by_itself(%c: !ecf8.compressed<64x1xf8E4M3FN, #ecf8.huffman>, %x: tensor<?x1xf32>, %acc: tensor<?x64xf32>) -> tensor<?x64xf32> {
  // expected-remark@+2 {{[Analysis] SeveralReaders | Category:ecf8-fuse-decode | Function=scaled_by_itself | Decision="decoded once for all", Readers=2}}
  // expected-remark@+1 {{Function=scaled_by_itself | Reason="reader: 'linalg.generic' of the weight with itself"}}
  %w = ecf8.decode %c : !ecf8.compressed<64x1xf8E4M3FN, #ecf8.huffman>
  %a = arith.extf %w : tensor<64x1xf8E4M3FN> to tensor<64x1xf32>
  %e = tensor.empty() : tensor<64x1xf32>
  %g = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]} ins(%a, %a : tensor<64x1xf32>, tensor<64x1xf32>) outs(%e : tensor<64x1xf32>) {
  ^bb0(%in: f32, %t: f32, %o: f32):
    %v = arith.mulf %in, %t : f32
    linalg.yield %v : f32
  } -> tensor<64x1xf32>
  %y = linalg.matmul indexing_maps = [#x, #w, #y] ins(%x, %g : tensor<?x1xf32>, tensor<64x1xf32>) outs(%acc : tensor<?x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}
