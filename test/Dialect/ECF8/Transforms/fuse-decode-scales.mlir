// RUN: ecf8-opt %s -ecf8-fuse-decode -canonicalize -cse | FileCheck %s

// Scales that the program repeats for each row and column: they are found behind the ops that repeat them.

#id = affine_map<(d0, d1) -> (d0, d1)>
#x = affine_map<(m, n, k) -> (m, k)>
#w = affine_map<(m, n, k) -> (n, k)>
#y = affine_map<(m, n, k) -> (m, n)>

!weight = !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>
!wide = tensor<64x128xf32>
!large = tensor<576x7168xf32>

// torch.repeat_interleave(s, 128, 0)[:576].repeat_interleave(128, 1)[:, :7168], as torch-mlir lowers it.
// CHECK-LABEL: func @repeat_interleave(
// CHECK-SAME:    %[[S:[a-z0-9]+]]: tensor<5x56xf32>)
// CHECK-NEXT:    ecf8.contract {{.*}} scale(%[[S]] : tensor<5x56xf32>) block [128, 128]
// CHECK-NEXT:    return
func.func @repeat_interleave(%c: !ecf8.compressed<576x7168xf8E4M3FN, #ecf8.huffman>, %x: tensor<?x7168xf32>, %acc: tensor<?x576xf32>, %s: tensor<5x56xf32>) -> tensor<?x576xf32> {
  %w = ecf8.decode %c : !ecf8.compressed<576x7168xf8E4M3FN, #ecf8.huffman>
  %e0 = tensor.empty() : tensor<5x128x56xf32>
  %r0 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d2)>, affine_map<(d0, d1, d2) -> (d0, d1, d2)>], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%s : tensor<5x56xf32>) outs(%e0 : tensor<5x128x56xf32>) {
  ^bb0(%in: f32, %o: f32):
    linalg.yield %in : f32
  } -> tensor<5x128x56xf32>
  %c0 = tensor.collapse_shape %r0 [[0, 1], [2]] : tensor<5x128x56xf32> into tensor<640x56xf32>
  %s0 = tensor.extract_slice %c0[0, 0] [576, 56] [1, 1] : tensor<640x56xf32> to tensor<576x56xf32>
  %e1 = tensor.empty() : tensor<576x56x128xf32>
  %r1 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d1)>, affine_map<(d0, d1, d2) -> (d0, d1, d2)>], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%s0 : tensor<576x56xf32>) outs(%e1 : tensor<576x56x128xf32>) {
  ^bb0(%in: f32, %o: f32):
    linalg.yield %in : f32
  } -> tensor<576x56x128xf32>
  %c1 = tensor.collapse_shape %r1 [[0], [1, 2]] : tensor<576x56x128xf32> into !large
  %e2 = tensor.empty() : !large
  %a = arith.extf %w : tensor<576x7168xf8E4M3FN> to !large
  %g = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]} ins(%a, %c1 : !large, !large) outs(%e2 : !large) {
  ^bb0(%in: f32, %t: f32, %o: f32):
    %v = arith.mulf %in, %t : f32
    linalg.yield %v : f32
  } -> !large
  %y = linalg.matmul indexing_maps = [#x, #w, #y] ins(%x, %g : tensor<?x7168xf32>, !large) outs(%acc : tensor<?x576xf32>) -> tensor<?x576xf32>
  return %y : tensor<?x576xf32>
}

// Padded to whole blocks, viewed as blocks, scaled, viewed as a matrix, cut.
// CHECK-LABEL: func @padded(
// CHECK-SAME:    %[[S:[a-z0-9]+]]: tensor<2x2xf32>)
// CHECK-NOT:     ecf8.decode
// CHECK:         ecf8.contract {{.*}} scale(%{{.*}} : tensor<2x2xf32>) block [32, 64]
// CHECK-NOT:     tensor.pad
func.func @padded(%c: !ecf8.compressed<40x100xf8E4M3FN, #ecf8.huffman>, %x: tensor<?x100xf32>, %acc: tensor<?x40xf32>, %s: tensor<2x2xf32>) -> tensor<?x40xf32> {
  %w = ecf8.decode %c : !ecf8.compressed<40x100xf8E4M3FN, #ecf8.huffman>
  %zero = arith.constant 0.0 : f32
  %a = arith.extf %w : tensor<40x100xf8E4M3FN> to tensor<40x100xf32>
  %p = tensor.pad %a low[0, 0] high[24, 28] {
  ^bb0(%i: index, %j: index):
    tensor.yield %zero : f32
  } : tensor<40x100xf32> to !wide
  %b = tensor.expand_shape %p [[0, 1], [2, 3]] output_shape [2, 32, 2, 64] : !wide into tensor<2x32x2x64xf32>
  %e = tensor.empty() : tensor<2x32x2x64xf32>
  %g = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>, affine_map<(d0, d1, d2, d3) -> (d0, d2)>, affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>],
                       iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%b, %s : tensor<2x32x2x64xf32>, tensor<2x2xf32>) outs(%e : tensor<2x32x2x64xf32>) {
  ^bb0(%in: f32, %t: f32, %o: f32):
    %v = arith.mulf %in, %t : f32
    linalg.yield %v : f32
  } -> tensor<2x32x2x64xf32>
  %j = tensor.collapse_shape %g [[0, 1], [2, 3]] : tensor<2x32x2x64xf32> into !wide
  %k = tensor.extract_slice %j[0, 0] [40, 100] [1, 1] : !wide to tensor<40x100xf32>
  %y = linalg.matmul indexing_maps = [#x, #w, #y] ins(%x, %k : tensor<?x100xf32>, tensor<40x100xf32>) outs(%acc : tensor<?x40xf32>) -> tensor<?x40xf32>
  return %y : tensor<?x40xf32>
}

// One for each row, in bf16, extended while it is repeated; the second half of a longer tensor.
// CHECK-LABEL: func @rows_of_a_longer_tensor(
// CHECK-SAME:    %[[F:[a-z0-9]+]]: tensor<128xbf16>)
// CHECK:         %[[H:.*]] = tensor.extract_slice %[[F]][64] [64] [1] : tensor<128xbf16> to tensor<64xbf16>
// CHECK:         %[[S:.*]] = tensor.expand_shape %[[H]] {{\[}}[0, 1]] output_shape [64, 1]
// CHECK:         %[[WIDE:.*]] = arith.extf %[[S]] : tensor<64x1xbf16> to tensor<64x1xf32>
// CHECK:         ecf8.contract {{.*}} scale(%[[WIDE]] : tensor<64x1xf32>) block [1, 128]
func.func @rows_of_a_longer_tensor(%c: !weight, %x: tensor<?x128xf32>, %acc: tensor<?x64xf32>, %s: tensor<128xbf16>) -> tensor<?x64xf32> {
  %w = ecf8.decode %c : !weight
  %a = arith.extf %w : tensor<64x128xf8E4M3FN> to !wide
  %e0 = tensor.empty() : tensor<128x128xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0)>, #id], iterator_types = ["parallel", "parallel"]} ins(%s : tensor<128xbf16>) outs(%e0 : tensor<128x128xf32>) {
  ^bb0(%in: bf16, %o: f32):
    %v = arith.extf %in : bf16 to f32
    linalg.yield %v : f32
  } -> tensor<128x128xf32>
  %h = tensor.extract_slice %r[64, 0] [64, 128] [1, 1] : tensor<128x128xf32> to !wide
  %e = tensor.empty() : !wide
  %g = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]} ins(%a, %h : !wide, !wide) outs(%e : !wide) {
  ^bb0(%in: f32, %t: f32, %o: f32):
    %v = arith.mulf %in, %t : f32
    linalg.yield %v : f32
  } -> !wide
  %y = linalg.matmul indexing_maps = [#x, #w, #y] ins(%x, %g : tensor<?x128xf32>, !wide) outs(%acc : tensor<?x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// CHECK-LABEL: func @by_division(
// CHECK:         ecf8.contract {{.*}} scale(%{{.*}} : tensor<2x2xf32>) block [32, 64]
func.func @by_division(%c: !weight, %x: tensor<?x128xf32>, %acc: tensor<?x64xf32>, %s: tensor<2x2xf32>) -> tensor<?x64xf32> {
  %w = ecf8.decode %c : !weight
  %a = arith.extf %w : tensor<64x128xf8E4M3FN> to !wide
  %e = tensor.empty() : !wide
  %g = linalg.generic {indexing_maps = [#id, affine_map<(d0, d1) -> (d0 floordiv 32, d1 floordiv 64)>, #id], iterator_types = ["parallel", "parallel"]} ins(%a, %s : !wide, tensor<2x2xf32>) outs(%e : !wide) {
  ^bb0(%in: f32, %t: f32, %o: f32):
    %v = arith.mulf %in, %t : f32
    linalg.yield %v : f32
  } -> !wide
  %y = linalg.matmul indexing_maps = [#x, #w, #y] ins(%x, %g : tensor<?x128xf32>, !wide) outs(%acc : tensor<?x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// The scale of one contraction is the result of another one of the same weight.
// CHECK-LABEL: func @scaled_by_a_contraction(
// CHECK:         %[[R:.*]] = ecf8.contract {{.*}} -> tensor<1x64xf32>
// CHECK:         %[[F:.*]] = tensor.collapse_shape %[[R]]
// CHECK:         %[[S:.*]] = tensor.expand_shape %[[F]]
// CHECK:         ecf8.contract {{.*}} scale(%[[S]] : tensor<64x1xf32>) block [1, 128]
func.func @scaled_by_a_contraction(%c: !weight, %x: tensor<1x128xf32>, %acc: tensor<1x64xf32>) -> tensor<1x64xf32> {
  %w = ecf8.decode %c : !weight
  %a = arith.extf %w : tensor<64x128xf8E4M3FN> to !wide
  %s = linalg.matmul indexing_maps = [#x, #w, #y] ins(%x, %a : tensor<1x128xf32>, !wide) outs(%acc : tensor<1x64xf32>) -> tensor<1x64xf32>
  %e = tensor.empty() : !wide
  %g = linalg.generic {indexing_maps = [#id, affine_map<(d0, d1) -> (0, d0)>, #id], iterator_types = ["parallel", "parallel"]} ins(%a, %s : !wide, tensor<1x64xf32>) outs(%e : !wide) {
  ^bb0(%in: f32, %t: f32, %o: f32):
    %v = arith.mulf %in, %t : f32
    linalg.yield %v : f32
  } -> !wide
  %y = linalg.matmul indexing_maps = [#x, #w, #y] ins(%x, %g : tensor<1x128xf32>, !wide) outs(%acc : tensor<1x64xf32>) -> tensor<1x64xf32>
  return %y : tensor<1x64xf32>
}

// The weight is rounded to bf16, and both factors are extended to f32: what torch-mlir makes of a bf16 layer with a bias.
// CHECK-LABEL: func @factors_extended(
// CHECK-SAME:    %[[C:[a-z0-9]+]]: !ecf8.compressed<{{.*}}>, %[[X:[a-z0-9]+]]: tensor<?x128xbf16>
// CHECK:         %[[S:.*]] = tensor.expand_shape %{{.*}} : tensor<64xf32> into tensor<64x1xf32>
// CHECK-NEXT:    ecf8.contract ins(%[[X]], %[[C]] : {{.*}}) scale(%[[S]] : tensor<64x1xf32>) block [1, 128]
func.func @factors_extended(%c: !weight, %x: tensor<?x128xbf16>, %acc: tensor<?x64xf32>, %s: tensor<64xf32>, %m: index) -> tensor<?x64xf32> {
  %w = ecf8.decode %c : !weight
  %e = tensor.empty() : tensor<64x128xbf16>
  %g = linalg.generic {indexing_maps = [#id, affine_map<(d0, d1) -> (d0)>, #id], iterator_types = ["parallel", "parallel"]} ins(%w, %s : tensor<64x128xf8E4M3FN>, tensor<64xf32>) outs(%e : tensor<64x128xbf16>) {
  ^bb0(%in: f8E4M3FN, %t: f32, %o: bf16):
    %a = arith.extf %in : f8E4M3FN to f32
    %b = arith.mulf %a, %t : f32
    %v = arith.truncf %b : f32 to bf16
    linalg.yield %v : bf16
  } -> tensor<64x128xbf16>
  %h = arith.extf %g : tensor<64x128xbf16> to !wide
  %f = tensor.empty(%m) : tensor<?x128xf32>
  %z = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<?x128xbf16>) outs(%f : tensor<?x128xf32>) {
  ^bb0(%in: bf16, %o: f32):
    %v = arith.extf %in : bf16 to f32
    linalg.yield %v : f32
  } -> tensor<?x128xf32>
  %y = linalg.matmul indexing_maps = [#x, #w, #y] ins(%z, %h : tensor<?x128xf32>, !wide) outs(%acc : tensor<?x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// A weight of one row with several scales.
// CHECK-LABEL: func @one_row(
// CHECK:         ecf8.contract {{.*}} scale(%{{.*}} : tensor<1x2xf32>) block [32, 64]
func.func @one_row(%c: !ecf8.compressed<1x128xf8E4M3FN, #ecf8.huffman>, %x: tensor<?x128xf32>, %acc: tensor<?x1xf32>, %s: tensor<2xf32>) -> tensor<?x1xf32> {
  %w = ecf8.decode %c : !ecf8.compressed<1x128xf8E4M3FN, #ecf8.huffman>
  %a = arith.extf %w : tensor<1x128xf8E4M3FN> to tensor<1x128xf32>
  %e = tensor.empty() : tensor<1x128xf32>
  %g = linalg.generic {indexing_maps = [#id, affine_map<(d0, d1) -> (d1 floordiv 64)>, #id], iterator_types = ["parallel", "parallel"]} ins(%a, %s : tensor<1x128xf32>, tensor<2xf32>) outs(%e : tensor<1x128xf32>) {
  ^bb0(%in: f32, %t: f32, %o: f32):
    %v = arith.mulf %in, %t : f32
    linalg.yield %v : f32
  } -> tensor<1x128xf32>
  %y = linalg.matmul indexing_maps = [#x, #w, #y] ins(%x, %g : tensor<?x128xf32>, tensor<1x128xf32>) outs(%acc : tensor<?x1xf32>) -> tensor<?x1xf32>
  return %y : tensor<?x1xf32>
}

// A Python number times the weight: f64, rounded in the body, and not a number of f32 itself.
// CHECK-LABEL: func @number_of_the_program(
// CHECK:         %[[F64:.*]] = arith.constant 3.000000e-02 : f64
// CHECK:         %[[F32:.*]] = arith.truncf %[[F64]] : f64 to f32
// CHECK:         %[[S:.*]] = tensor.from_elements %[[F32]] : tensor<1x1xf32>
// CHECK:         ecf8.contract {{.*}} scale(%[[S]] : tensor<1x1xf32>) block [64, 128]
func.func @number_of_the_program(%c: !weight, %x: tensor<?x128xf32>, %acc: tensor<?x64xf32>) -> tensor<?x64xf32> {
  %number = arith.constant 0.03 : f64
  %w = ecf8.decode %c : !weight
  %e = tensor.empty() : !wide
  %g = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%w : tensor<64x128xf8E4M3FN>) outs(%e : !wide) {
  ^bb0(%in: f8E4M3FN, %o: f32):
    %a = arith.extf %in : f8E4M3FN to f32
    %t = arith.truncf %number : f64 to f32
    %v = arith.mulf %a, %t : f32
    linalg.yield %v : f32
  } -> !wide
  %y = linalg.matmul indexing_maps = [#x, #w, #y] ins(%x, %g : tensor<?x128xf32>, !wide) outs(%acc : tensor<?x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// A weight stored as the transpose of what the program multiplies, whose scales lie as the program has them.
// CHECK-LABEL: func @columns_before_rows(
// CHECK-SAME:    %[[S:[a-z0-9]+]]: tensor<2x1x2xf32>)
// CHECK:         %[[T:.*]] = linalg.transpose ins(%[[S]] : tensor<2x1x2xf32>) {{.*}} permutation = [2, 1, 0]
// CHECK-NOT:     ecf8.decode
// CHECK:         ecf8.contract {{.*}} scale(%{{.*}} : tensor<2x2xf32>) block [32, 64]
func.func @columns_before_rows(%c: !weight, %x: tensor<?x128xf32>, %acc: tensor<?x64xf32>, %s: tensor<2x1x2xf32>) -> tensor<?x64xf32> {
  %w = ecf8.decode %c : !weight
  %e = arith.extf %w : tensor<64x128xf8E4M3FN> to tensor<64x128xf32>
  %v = tensor.expand_shape %e [[0, 1], [2, 3]] output_shape [2, 32, 2, 64] : tensor<64x128xf32> into tensor<2x32x2x64xf32>
  %f = tensor.empty() : tensor<2x32x2x64xf32>
  %g = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>, affine_map<(d0, d1, d2, d3) -> (d2, 0, d0)>, affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%v, %s : tensor<2x32x2x64xf32>, tensor<2x1x2xf32>) outs(%f : tensor<2x32x2x64xf32>) {
  ^bb0(%in: f32, %t: f32, %o: f32):
    %p = arith.mulf %in, %t : f32
    linalg.yield %p : f32
  } -> tensor<2x32x2x64xf32>
  %m = tensor.collapse_shape %g [[0, 1], [2, 3]] : tensor<2x32x2x64xf32> into tensor<64x128xf32>
  %y = linalg.matmul indexing_maps = [#x, #w, #y] ins(%x, %m : tensor<?x128xf32>, tensor<64x128xf32>) outs(%acc : tensor<?x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}
