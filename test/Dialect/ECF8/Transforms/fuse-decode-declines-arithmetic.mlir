// RUN: ecf8-opt %s -ecf8-fuse-decode --remarks-filter=ecf8-fuse-decode --remark-format=emitRemark \
// RUN:   -verify-diagnostics | FileCheck %s

// What is not fused, and the remark that says why (what happens to the weight on its way): the weight stays decoded as a whole, once.

#id = affine_map<(d0, d1) -> (d0, d1)>
#x = affine_map<(m, n, k) -> (m, k)>
#w = affine_map<(m, n, k) -> (n, k)>
#y = affine_map<(m, n, k) -> (m, n)>

!weight = !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>
!plain = tensor<64x128xf8E4M3FN>
!wide = tensor<64x128xf32>
!half = tensor<64x128xbf16>

// CHECK-LABEL: func @cast_to_f64(
// CHECK:         ecf8.decode
// CHECK-NOT:     ecf8.contract
func.func @cast_to_f64(%c: !weight) -> tensor<64x128xf64> {
  // expected-remark@+1 {{Function=cast_to_f64 | Reason="arithmetic: a cast to f64"}}
  %w = ecf8.decode %c : !weight
  %e = arith.extf %w : !plain to tensor<64x128xf64>
  return %e : tensor<64x128xf64>
}

// The product was rounded to bf16 before, and the activations were not.
// CHECK-LABEL: func @extended_behind_the_scale(
// CHECK:         ecf8.decode
// CHECK-NOT:     ecf8.contract
func.func @extended_behind_the_scale(%c: !weight, %x: tensor<?x128xf32>, %acc: tensor<?x64xf32>, %s: bf16) -> tensor<?x64xf32> {
  // expected-remark@+1 {{Function=extended_behind_the_scale | Reason="type: a scaled weight of bf16 with activations that are not extended from it"}}
  %w = ecf8.decode %c : !weight
  %f = tensor.empty() : !wide
  %g = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%w : !plain) outs(%f : !wide) {
  ^bb0(%in: f8E4M3FN, %o: f32):
    %a = arith.extf %in : f8E4M3FN to bf16
    %b = arith.mulf %a, %s : bf16
    %v = arith.extf %b : bf16 to f32
    linalg.yield %v : f32
  } -> !wide
  %y = linalg.matmul indexing_maps = [#x, #w, #y] ins(%x, %g : tensor<?x128xf32>, tensor<64x128xf32>) outs(%acc : tensor<?x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// CHECK-LABEL: func @rounded_twice(
// CHECK:         ecf8.decode
// CHECK-NOT:     ecf8.contract
func.func @rounded_twice(%c: !weight, %x: tensor<?x128xbf16>, %acc: tensor<?x64xf32>, %s: f32) -> tensor<?x64xf32> {
  // expected-remark@+1 {{Function=rounded_twice | Reason="arithmetic: a cast to f8E4M3FN"}}
  %w = ecf8.decode %c : !weight
  %f = tensor.empty() : !half
  %g = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%w : !plain) outs(%f : !half) {
  ^bb0(%in: f8E4M3FN, %o: bf16):
    %a = arith.extf %in : f8E4M3FN to f32
    %b = arith.mulf %a, %s : f32
    %d = arith.truncf %b : f32 to bf16
    %h = arith.truncf %d : bf16 to f8E4M3FN
    %v = arith.extf %h : f8E4M3FN to bf16
    linalg.yield %v : bf16
  } -> !half
  %y = linalg.matmul indexing_maps = [#x, #w, #y] ins(%x, %g : tensor<?x128xbf16>, tensor<64x128xbf16>) outs(%acc : tensor<?x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// CHECK-LABEL: func @rounded_to_two_types(
// CHECK:         ecf8.decode
// CHECK-NOT:     ecf8.contract
func.func @rounded_to_two_types(%c: !weight, %x: tensor<?x128xf16>, %acc: tensor<?x64xf32>, %s: f32) -> tensor<?x64xf32> {
  // expected-remark@+1 {{Function=rounded_to_two_types | Reason="arithmetic: two roundings behind the scale"}}
  %w = ecf8.decode %c : !weight
  %f = tensor.empty() : tensor<64x128xf16>
  %g = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%w : !plain) outs(%f : tensor<64x128xf16>) {
  ^bb0(%in: f8E4M3FN, %o: f16):
    %a = arith.extf %in : f8E4M3FN to f32
    %b = arith.mulf %a, %s : f32
    %d = arith.truncf %b : f32 to bf16
    %h = arith.extf %d : bf16 to f32
    %v = arith.truncf %h : f32 to f16
    linalg.yield %v : f16
  } -> tensor<64x128xf16>
  %y = linalg.matmul indexing_maps = [#x, #w, #y] ins(%x, %g : tensor<?x128xf16>, tensor<64x128xf16>) outs(%acc : tensor<?x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// CHECK-LABEL: func @rounded_down(
// CHECK:         ecf8.decode
// CHECK-NOT:     ecf8.contract
func.func @rounded_down(%c: !weight, %x: tensor<?x128xbf16>, %acc: tensor<?x64xf32>, %s: f32) -> tensor<?x64xf32> {
  // expected-remark@+1 {{Function=rounded_down | Reason="arithmetic: a rounding 'downward'"}}
  %w = ecf8.decode %c : !weight
  %f = tensor.empty() : !half
  %g = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%w : !plain) outs(%f : !half) {
  ^bb0(%in: f8E4M3FN, %o: bf16):
    %a = arith.extf %in : f8E4M3FN to f32
    %b = arith.mulf %a, %s : f32
    %v = arith.truncf %b downward : f32 to bf16
    linalg.yield %v : bf16
  } -> !half
  %y = linalg.matmul indexing_maps = [#x, #w, #y] ins(%x, %g : tensor<?x128xbf16>, tensor<64x128xbf16>) outs(%acc : tensor<?x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// CHECK-LABEL: func @added(
// CHECK:         ecf8.decode
// CHECK-NOT:     ecf8.contract
func.func @added(%c: !weight, %x: tensor<?x128xf32>, %acc: tensor<?x64xf32>, %s: f32) -> tensor<?x64xf32> {
  // expected-remark@+1 {{Function=added | Reason="arithmetic: 'arith.addf'"}}
  %w = ecf8.decode %c : !weight
  %e = arith.extf %w : !plain to !wide
  %f = tensor.empty() : !wide
  %g = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%e : !wide) outs(%f : !wide) {
  ^bb0(%in: f32, %o: f32):
    %v = arith.addf %in, %s : f32
    linalg.yield %v : f32
  } -> !wide
  %y = linalg.matmul indexing_maps = [#x, #w, #y] ins(%x, %g : tensor<?x128xf32>, tensor<64x128xf32>) outs(%acc : tensor<?x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// CHECK-LABEL: func @dropped(
// CHECK:         ecf8.decode
// CHECK-NOT:     ecf8.contract
func.func @dropped(%c: !weight, %x: tensor<?x128xf32>, %acc: tensor<?x64xf32>, %s: f32) -> tensor<?x64xf32> {
  // expected-remark@+1 {{Function=dropped | Reason="arithmetic: a result without the weight"}}
  %w = ecf8.decode %c : !weight
  %e = arith.extf %w : !plain to !wide
  %f = tensor.empty() : !wide
  %g = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%e : !wide) outs(%f : !wide) {
  ^bb0(%in: f32, %o: f32):
    linalg.yield %o : f32
  } -> !wide
  %y = linalg.matmul indexing_maps = [#x, #w, #y] ins(%x, %g : tensor<?x128xf32>, tensor<64x128xf32>) outs(%acc : tensor<?x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// CHECK-LABEL: func @squared(
// CHECK:         ecf8.decode
// CHECK-NOT:     ecf8.contract
func.func @squared(%c: !weight, %x: tensor<?x128xf32>, %acc: tensor<?x64xf32>) -> tensor<?x64xf32> {
  // expected-remark@+1 {{Function=squared | Reason="arithmetic: the weight with itself"}}
  %w = ecf8.decode %c : !weight
  %e = arith.extf %w : !plain to !wide
  %f = tensor.empty() : !wide
  %g = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%e : !wide) outs(%f : !wide) {
  ^bb0(%in: f32, %o: f32):
    %v = arith.mulf %in, %in : f32
    linalg.yield %v : f32
  } -> !wide
  %y = linalg.matmul indexing_maps = [#x, #w, #y] ins(%x, %g : tensor<?x128xf32>, tensor<64x128xf32>) outs(%acc : tensor<?x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}
