// RUN: ecf8-opt %s -ecf8-fuse-decode --remarks-filter=ecf8-fuse-decode --remark-format=emitRemark \
// RUN:   -verify-diagnostics | FileCheck %s

// Quotients and rounded scales that are not fused.

#id = affine_map<(d0, d1) -> (d0, d1)>
#all = affine_map<(d0, d1) -> ()>
#x = affine_map<(m, n, k) -> (m, k)>
#w = affine_map<(m, n, k) -> (n, k)>
#y = affine_map<(m, n, k) -> (m, n)>

!weight = !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>
!plain = tensor<64x128xf8E4M3FN>
!wide = tensor<64x128xf32>

// CHECK-LABEL: func @number_by_weight(
// CHECK:         ecf8.decode
// CHECK-NOT:     ecf8.contract
func.func @number_by_weight(%c: !weight, %x: tensor<?x128xf32>, %acc: tensor<?x64xf32>, %s: f32) -> tensor<?x64xf32> {
  // expected-remark@+1 {{Function=number_by_weight | Reason="arithmetic: a division by the weight"}}
  %w = ecf8.decode %c : !weight
  %e = tensor.empty() : !wide
  %g = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%w : !plain) outs(%e : !wide) {
  ^bb0(%in: f8E4M3FN, %o: f32):
    %a = arith.extf %in : f8E4M3FN to f32
    %v = arith.divf %s, %a : f32
    linalg.yield %v : f32
  } -> !wide
  %y = linalg.matmul indexing_maps = [#x, #w, #y] ins(%x, %g : tensor<?x128xf32>, !wide) outs(%acc : tensor<?x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// CHECK-LABEL: func @tensor_by_weight(
// CHECK:         ecf8.decode
// CHECK-NOT:     ecf8.contract
func.func @tensor_by_weight(%c: !weight, %s: !wide) -> !wide {
  // expected-remark@+1 {{Function=tensor_by_weight | Reason="arithmetic: a division by the weight"}}
  %w = ecf8.decode %c : !weight
  %a = arith.extf %w : !plain to !wide
  %g = arith.divf %s, %a : !wide
  return %g : !wide
}

// CHECK-LABEL: func @product_and_quotient(
// CHECK:         ecf8.decode
// CHECK-NOT:     ecf8.contract
func.func @product_and_quotient(%c: !weight, %x: tensor<?x128xf32>, %acc: tensor<?x64xf32>, %s: f32, %d: f32) -> tensor<?x64xf32> {
  // expected-remark@+1 {{Function=product_and_quotient | Reason="scale: two factors"}}
  %w = ecf8.decode %c : !weight
  %e = tensor.empty() : !wide
  %g = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%w : !plain) outs(%e : !wide) {
  ^bb0(%in: f8E4M3FN, %o: f32):
    %a = arith.extf %in : f8E4M3FN to f32
    %b = arith.mulf %a, %s : f32
    %v = arith.divf %b, %d : f32
    linalg.yield %v : f32
  } -> !wide
  %y = linalg.matmul indexing_maps = [#x, #w, #y] ins(%x, %g : tensor<?x128xf32>, !wide) outs(%acc : tensor<?x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// A contraction would take the scale before it was rounded.
// CHECK-LABEL: func @rounded_and_extended_scale(
// CHECK:         ecf8.decode
// CHECK-NOT:     ecf8.contract
func.func @rounded_and_extended_scale(%c: !weight, %x: tensor<?x128xf32>, %acc: tensor<?x64xf32>, %s: tensor<f32>) -> tensor<?x64xf32> {
  // expected-remark@+1 {{Function=rounded_and_extended_scale | Reason="scale: computed by 'arith.truncf' in the same op"}}
  %w = ecf8.decode %c : !weight
  %e = tensor.empty() : !wide
  %g = linalg.generic {indexing_maps = [#id, #all, #id], iterator_types = ["parallel", "parallel"]}
      ins(%w, %s : !plain, tensor<f32>) outs(%e : !wide) {
  ^bb0(%in: f8E4M3FN, %t: f32, %o: f32):
    %a = arith.extf %in : f8E4M3FN to f32
    %b = arith.truncf %t : f32 to bf16
    %d = arith.extf %b : bf16 to f32
    %v = arith.mulf %a, %d : f32
    linalg.yield %v : f32
  } -> !wide
  %y = linalg.matmul indexing_maps = [#x, #w, #y] ins(%x, %g : tensor<?x128xf32>, !wide) outs(%acc : tensor<?x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// CHECK-LABEL: func @scale_rounded_down(
// CHECK:         ecf8.decode
// CHECK-NOT:     ecf8.contract
func.func @scale_rounded_down(%c: !weight, %x: tensor<?x128xbf16>, %acc: tensor<?x64xf32>, %s: tensor<f32>) -> tensor<?x64xf32> {
  // expected-remark@+1 {{Function=scale_rounded_down | Reason="scale: computed by 'arith.truncf' in the same op"}}
  %w = ecf8.decode %c : !weight
  %e = tensor.empty() : tensor<64x128xbf16>
  %g = linalg.generic {indexing_maps = [#id, #all, #id], iterator_types = ["parallel", "parallel"]}
      ins(%w, %s : !plain, tensor<f32>) outs(%e : tensor<64x128xbf16>) {
  ^bb0(%in: f8E4M3FN, %t: f32, %o: bf16):
    %a = arith.extf %in : f8E4M3FN to bf16
    %b = arith.truncf %t downward : f32 to bf16
    %v = arith.mulf %a, %b : bf16
    linalg.yield %v : bf16
  } -> tensor<64x128xbf16>
  %y = linalg.matmul indexing_maps = [#x, #w, #y] ins(%x, %g : tensor<?x128xbf16>, tensor<64x128xbf16>) outs(%acc : tensor<?x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}
