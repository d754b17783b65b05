// RUN: ecf8-opt %s -ecf8-fuse-decode --remarks-filter=ecf8-fuse-decode --remark-format=emitRemark \
// RUN:   -verify-diagnostics | FileCheck %s

// What is not fused, and the remark that says why (layouts and types of the contraction): the weight stays decoded as a whole, once.

#id = affine_map<(d0, d1) -> (d0, d1)>
#x = affine_map<(m, n, k) -> (m, k)>
#w = affine_map<(m, n, k) -> (n, k)>
#y = affine_map<(m, n, k) -> (m, n)>

!weight = !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>
!plain = tensor<64x128xf8E4M3FN>
!wide = tensor<64x128xf32>
!half = tensor<64x128xbf16>

// Stored as [K, N].
// CHECK-LABEL: func @sum_over_rows(
// CHECK:         ecf8.decode
// CHECK-NOT:     ecf8.contract
func.func @sum_over_rows(%c: !weight, %x: tensor<4x64xf32>, %acc: tensor<4x128xf32>) -> tensor<4x128xf32> {
  // expected-remark@+1 {{Function=sum_over_rows | Reason="layout: a sum over the rows of the stored weight"}}
  %w = ecf8.decode %c : !weight
  %y = linalg.matmul ins(%x, %w : tensor<4x64xf32>, tensor<64x128xf8E4M3FN>) outs(%acc : tensor<4x128xf32>) -> tensor<4x128xf32>
  return %y : tensor<4x128xf32>
}

// Both operands are the weight.
// CHECK-LABEL: func @weight_by_itself(
// CHECK:         ecf8.decode
// CHECK-NOT:     ecf8.contract
func.func @weight_by_itself(%c: !weight, %acc: tensor<64x64xf32>) -> tensor<64x64xf32> {
  // expected-remark@+1 {{Function=weight_by_itself | Reason="reader: a contraction of the weight with itself"}}
  %w = ecf8.decode %c : !weight
  %e = arith.extf %w : !plain to !wide
  %y = linalg.matmul indexing_maps = [#x, #w, #y] ins(%e, %e : !wide, !wide) outs(%acc : tensor<64x64xf32>) -> tensor<64x64xf32>
  return %y : tensor<64x64xf32>
}

// CHECK-LABEL: func @sums_in_bf16(
// CHECK:         ecf8.decode
// CHECK-NOT:     ecf8.contract
func.func @sums_in_bf16(%c: !weight, %x: tensor<4x128xbf16>, %acc: tensor<4x64xbf16>) -> tensor<4x64xbf16> {
  // expected-remark@+1 {{Function=sums_in_bf16 | Reason="type: activations of bf16, sums in bf16"}}
  %w = ecf8.decode %c : !weight
  %e = arith.extf %w : !plain to !half
  %y = linalg.matmul indexing_maps = [#x, #w, #y] ins(%x, %e : tensor<4x128xbf16>, !half) outs(%acc : tensor<4x64xbf16>) -> tensor<4x64xbf16>
  return %y : tensor<4x64xbf16>
}

// CHECK-LABEL: func @activations_in_fp8(
// CHECK:         ecf8.decode
// CHECK-NOT:     ecf8.contract
func.func @activations_in_fp8(%c: !weight, %x: tensor<4x128xf8E4M3FN>, %acc: tensor<4x64xf32>) -> tensor<4x64xf32> {
  // expected-remark@+1 {{Function=activations_in_fp8 | Reason="type: activations of f8E4M3FN, sums in f32"}}
  %w = ecf8.decode %c : !weight
  %y = linalg.matmul indexing_maps = [#x, #w, #y] ins(%x, %w : tensor<4x128xf8E4M3FN>, !plain) outs(%acc : tensor<4x64xf32>) -> tensor<4x64xf32>
  return %y : tensor<4x64xf32>
}

// CHECK-LABEL: func @integers(
// CHECK:         ecf8.decode
// CHECK-NOT:     ecf8.contract
func.func @integers(%c: !weight, %x: tensor<4x128xi32>, %acc: tensor<4x64xi32>) -> tensor<4x64xi32> {
  // expected-remark@+1 {{Function=integers | Reason="type: activations of i32, sums in i32"}}
  %w = ecf8.decode %c : !weight
  %y = linalg.matmul indexing_maps = [#x, #w, #y] ins(%x, %w : tensor<4x128xi32>, !plain) outs(%acc : tensor<4x64xi32>) -> tensor<4x64xi32>
  return %y : tensor<4x64xi32>
}

// CHECK-LABEL: func @product_in_bf16(
// CHECK:         ecf8.decode
// CHECK-NOT:     ecf8.contract
func.func @product_in_bf16(%c: !weight, %x: tensor<?x128xbf16>, %acc: tensor<?x64xf32>) -> tensor<?x64xf32> {
  // expected-remark@+1 {{Function=product_in_bf16 | Reason="type: 'arith.mulf' in the contraction, or a product that is not of f32"}}
  %w = ecf8.decode %c : !weight
  %y = linalg.generic {indexing_maps = [#x, #w, #y], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %w : tensor<?x128xbf16>, !plain) outs(%acc : tensor<?x64xf32>) {
  ^bb0(%a: bf16, %in: f8E4M3FN, %o: f32):
    %v = arith.extf %in : f8E4M3FN to bf16
    %p = arith.mulf %a, %v : bf16
    %q = arith.extf %p : bf16 to f32
    %s = arith.addf %o, %q : f32
    linalg.yield %s : f32
  } -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// CHECK-LABEL: func @scaled_for_other_activations(
// CHECK:         ecf8.decode
// CHECK-NOT:     ecf8.contract
func.func @scaled_for_other_activations(%c: !weight, %x: tensor<?x128xbf16>, %acc: tensor<?x64xf32>, %s: tensor<64xf32>) -> tensor<?x64xf32> {
  // expected-remark@+1 {{Function=scaled_for_other_activations | Reason="type: a scaled weight of f32 with activations of bf16"}}
  %w = ecf8.decode %c : !weight
  %e = arith.extf %w : !plain to !wide
  %f = tensor.empty() : !wide
  %g = linalg.generic {indexing_maps = [#id, affine_map<(d0, d1) -> (d0)>, #id], iterator_types = ["parallel", "parallel"]}
      ins(%e, %s : !wide, tensor<64xf32>) outs(%f : !wide) {
  ^bb0(%in: f32, %t: f32, %o: f32):
    %v = arith.mulf %in, %t : f32
    linalg.yield %v : f32
  } -> !wide
  %y = linalg.matmul indexing_maps = [#x, #w, #y] ins(%x, %g : tensor<?x128xbf16>, !wide) outs(%acc : tensor<?x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// The rows are those of the activations, too: as many numbers of dimensions, but others.
// CHECK-LABEL: func @rows_of_the_activations(
// CHECK:         ecf8.decode
// CHECK-NOT:     ecf8.contract
func.func @rows_of_the_activations(%c: !weight, %x: tensor<64x128xf32>, %acc: tensor<64x4xf32>) -> tensor<64x4xf32> {
  // expected-remark@+1 {{Function=rows_of_the_activations | Reason="layout: activations and result that differ in more than columns and rows"}}
  %w = ecf8.decode %c : !weight
  %e = tensor.empty() : tensor<4x64x128xf8E4M3FN>
  %b = linalg.broadcast ins(%w : !plain) outs(%e : tensor<4x64x128xf8E4M3FN>) dimensions = [0]
  %y = linalg.generic {indexing_maps = [affine_map<(n, m, k) -> (n, k)>, affine_map<(n, m, k) -> (m, n, k)>, affine_map<(n, m, k) -> (n, m)>],
                       iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %b : tensor<64x128xf32>, tensor<4x64x128xf8E4M3FN>) outs(%acc : tensor<64x4xf32>) {
  ^bb0(%a: f32, %in: f8E4M3FN, %o: f32):
    %v = arith.extf %in : f8E4M3FN to f32
    %p = arith.mulf %a, %v : f32
    %s = arith.addf %o, %p : f32
    linalg.yield %s : f32
  } -> tensor<64x4xf32>
  return %y : tensor<64x4xf32>
}

// Each product three times: a contraction of the matrix would add it once.
#repeated = affine_map<(m, n, k, j) -> (n, k, j)>
// CHECK-LABEL: func @sum_over_a_repetition(
// CHECK:         ecf8.decode
// CHECK-NOT:     ecf8.contract
// CHECK:         return
func.func @sum_over_a_repetition(%c: !weight, %x: tensor<4x128xf32>, %acc: tensor<4x64xf32>) -> tensor<4x64xf32> {
  // expected-remark@+1 {{Function=sum_over_a_repetition | Reason="layout: a sum over more than the columns of the weight"}}
  %w = ecf8.decode %c : !weight
  %e = tensor.empty() : tensor<64x128x3xf8E4M3FN>
  %b = linalg.broadcast ins(%w : !plain) outs(%e : tensor<64x128x3xf8E4M3FN>) dimensions = [2]
  %y = linalg.generic {indexing_maps = [affine_map<(m, n, k, j) -> (m, k)>, #repeated, affine_map<(m, n, k, j) -> (m, n)>],
                       iterator_types = ["parallel", "parallel", "reduction", "reduction"]}
      ins(%x, %b : tensor<4x128xf32>, tensor<64x128x3xf8E4M3FN>) outs(%acc : tensor<4x64xf32>) {
  ^bb0(%a: f32, %v: f8E4M3FN, %o: f32):
    %0 = arith.extf %v : f8E4M3FN to f32
    %1 = arith.mulf %a, %0 : f32
    %2 = arith.addf %o, %1 : f32
    linalg.yield %2 : f32
  } -> tensor<4x64xf32>
  return %y : tensor<4x64xf32>
}
