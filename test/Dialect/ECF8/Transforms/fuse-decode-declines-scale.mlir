// RUN: ecf8-opt %s -ecf8-fuse-decode --remarks-filter=ecf8-fuse-decode --remark-format=emitRemark \
// RUN:   -verify-diagnostics | FileCheck %s

// What is not fused, and the remark that says why (scales): the weight stays decoded as a whole, once.

#id = affine_map<(d0, d1) -> (d0, d1)>
#swap = affine_map<(d0, d1) -> (d1, d0)>
#x = affine_map<(m, n, k) -> (m, k)>
#w = affine_map<(m, n, k) -> (n, k)>
#y = affine_map<(m, n, k) -> (m, n)>

!weight = !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>
!plain = tensor<64x128xf8E4M3FN>
!wide = tensor<64x128xf32>

// CHECK-LABEL: func @two_factors(
// CHECK:         ecf8.decode
// CHECK-NOT:     ecf8.contract
func.func @two_factors(%c: !weight, %x: tensor<?x128xf32>, %acc: tensor<?x64xf32>, %s: f32) -> tensor<?x64xf32> {
  // expected-remark@+1 {{Function=two_factors | Reason="scale: two factors"}}
  %w = ecf8.decode %c : !weight
  %e = arith.extf %w : !plain to !wide
  %f = tensor.empty() : !wide
  %g = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%e : !wide) outs(%f : !wide) {
  ^bb0(%in: f32, %o: f32):
    %a = arith.mulf %in, %s : f32
    %v = arith.mulf %s, %a : f32
    linalg.yield %v : f32
  } -> !wide
  %y = linalg.matmul indexing_maps = [#x, #w, #y] ins(%x, %g : tensor<?x128xf32>, tensor<64x128xf32>) outs(%acc : tensor<?x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// CHECK-LABEL: func @product_in_fp8(
// CHECK:         ecf8.decode
// CHECK-NOT:     ecf8.contract
func.func @product_in_fp8(%c: !weight, %x: tensor<?x128xf32>, %acc: tensor<?x64xf32>, %s: f8E4M3FN) -> tensor<?x64xf32> {
  // expected-remark@+1 {{Function=product_in_fp8 | Reason="scale: a product in FP8"}}
  %w = ecf8.decode %c : !weight
  %f = tensor.empty() : !plain
  %g = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%w : !plain) outs(%f : !plain) {
  ^bb0(%in: f8E4M3FN, %o: f8E4M3FN):
    %v = arith.mulf %in, %s : f8E4M3FN
    linalg.yield %v : f8E4M3FN
  } -> !plain
  %e = arith.extf %g : !plain to !wide
  %y = linalg.matmul indexing_maps = [#x, #w, #y] ins(%x, %e : tensor<?x128xf32>, tensor<64x128xf32>) outs(%acc : tensor<?x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// CHECK-LABEL: func @empty_weight(
// CHECK:         ecf8.decode
// CHECK-NOT:     ecf8.contract
func.func @empty_weight(%c: !ecf8.compressed<64x0xf8E4M3FN, #ecf8.huffman>, %x: tensor<?x0xf32>, %acc: tensor<?x64xf32>, %s: tensor<64x1xf32>) -> tensor<?x64xf32> {
  // expected-remark@+1 {{Function=empty_weight | Reason="scale: a weight without elements"}}
  %w = ecf8.decode %c : !ecf8.compressed<64x0xf8E4M3FN, #ecf8.huffman>
  %e = arith.extf %w : tensor<64x0xf8E4M3FN> to tensor<64x0xf32>
  %f = tensor.empty() : tensor<64x0xf32>
  %g = linalg.generic {indexing_maps = [#id, affine_map<(d0, d1) -> (d0, 0)>, #id], iterator_types = ["parallel", "parallel"]}
      ins(%e, %s : tensor<64x0xf32>, tensor<64x1xf32>) outs(%f : tensor<64x0xf32>) {
  ^bb0(%in: f32, %t: f32, %o: f32):
    %v = arith.mulf %in, %t : f32
    linalg.yield %v : f32
  } -> tensor<64x0xf32>
  %y = linalg.matmul indexing_maps = [#x, #w, #y] ins(%x, %g : tensor<?x0xf32>, tensor<64x0xf32>) outs(%acc : tensor<?x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// CHECK-LABEL: func @dynamic_scale(
// CHECK:         ecf8.decode
// CHECK-NOT:     ecf8.contract
func.func @dynamic_scale(%c: !weight, %x: tensor<?x128xf32>, %acc: tensor<?x64xf32>, %s: tensor<?xf32>) -> tensor<?x64xf32> {
  // expected-remark@+1 {{Function=dynamic_scale | Reason="scale: a dynamic shape"}}
  %w = ecf8.decode %c : !weight
  %e = arith.extf %w : !plain to !wide
  %f = tensor.empty() : !wide
  %g = linalg.generic {indexing_maps = [#id, affine_map<(d0, d1) -> (d0)>, #id], iterator_types = ["parallel", "parallel"]}
      ins(%e, %s : !wide, tensor<?xf32>) outs(%f : !wide) {
  ^bb0(%in: f32, %t: f32, %o: f32):
    %v = arith.mulf %in, %t : f32
    linalg.yield %v : f32
  } -> !wide
  %y = linalg.matmul indexing_maps = [#x, #w, #y] ins(%x, %g : tensor<?x128xf32>, tensor<64x128xf32>) outs(%acc : tensor<?x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// CHECK-LABEL: func @elementwise_scale(
// CHECK:         ecf8.decode
// CHECK-NOT:     ecf8.contract
func.func @elementwise_scale(%c: !weight, %x: tensor<?x128xf32>, %acc: tensor<?x64xf32>, %s: !wide) -> tensor<?x64xf32> {
  // expected-remark@+1 {{Function=elementwise_scale | Reason="scale: blocks of 1 x 1 in tiles of 1024 columns"}}
  %w = ecf8.decode %c : !weight
  %e = arith.extf %w : !plain to !wide
  %f = tensor.empty() : !wide
  %g = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%e, %s : !wide, !wide) outs(%f : !wide) {
  ^bb0(%in: f32, %t: f32, %o: f32):
    %v = arith.mulf %in, %t : f32
    linalg.yield %v : f32
  } -> !wide
  %y = linalg.matmul indexing_maps = [#x, #w, #y] ins(%x, %g : tensor<?x128xf32>, tensor<64x128xf32>) outs(%acc : tensor<?x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// CHECK-LABEL: func @scale_for_each_column(
// CHECK:         ecf8.decode
// CHECK-NOT:     ecf8.contract
func.func @scale_for_each_column(%c: !weight, %x: tensor<?x128xf32>, %acc: tensor<?x64xf32>, %s: tensor<128xf32>) -> tensor<?x64xf32> {
  // expected-remark@+1 {{Function=scale_for_each_column | Reason="scale: blocks of 64 x 1 in tiles of 1024 columns"}}
  %w = ecf8.decode %c : !weight
  %e = arith.extf %w : !plain to !wide
  %f = tensor.empty() : !wide
  %g = linalg.generic {indexing_maps = [#id, affine_map<(d0, d1) -> (d1)>, #id], iterator_types = ["parallel", "parallel"]}
      ins(%e, %s : !wide, tensor<128xf32>) outs(%f : !wide) {
  ^bb0(%in: f32, %t: f32, %o: f32):
    %v = arith.mulf %in, %t : f32
    linalg.yield %v : f32
  } -> !wide
  %y = linalg.matmul indexing_maps = [#x, #w, #y] ins(%x, %g : tensor<?x128xf32>, tensor<64x128xf32>) outs(%acc : tensor<?x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// CHECK-LABEL: func @rows_twice(
// CHECK:         ecf8.decode
// CHECK-NOT:     ecf8.contract
func.func @rows_twice(%c: !weight, %x: tensor<?x128xf32>, %acc: tensor<?x64xf32>, %s: tensor<64x64xf32>) -> tensor<?x64xf32> {
  // expected-remark@+1 {{Function=rows_twice | Reason="scale: two indices along the rows, or along the columns"}}
  %w = ecf8.decode %c : !weight
  %e = arith.extf %w : !plain to !wide
  %f = tensor.empty() : !wide
  %g = linalg.generic {indexing_maps = [#id, affine_map<(d0, d1) -> (d0, d0)>, #id], iterator_types = ["parallel", "parallel"]}
      ins(%e, %s : !wide, tensor<64x64xf32>) outs(%f : !wide) {
  ^bb0(%in: f32, %t: f32, %o: f32):
    %v = arith.mulf %in, %t : f32
    linalg.yield %v : f32
  } -> !wide
  %y = linalg.matmul indexing_maps = [#x, #w, #y] ins(%x, %g : tensor<?x128xf32>, tensor<64x128xf32>) outs(%acc : tensor<?x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// CHECK-LABEL: func @scale_inside_of_blocks(
// CHECK:         ecf8.decode
// CHECK-NOT:     ecf8.contract
func.func @scale_inside_of_blocks(%c: !weight, %x: tensor<?x128xf32>, %acc: tensor<?x64xf32>, %s: tensor<32xf32>) -> tensor<?x64xf32> {
  // expected-remark@+1 {{Function=scale_inside_of_blocks | Reason="scale: an index that is no row, column or block of them"}}
  %w = ecf8.decode %c : !weight
  %e = arith.extf %w : !plain to !wide
  %b = tensor.expand_shape %e [[0, 1], [2, 3]] output_shape [2, 32, 2, 64] : !wide into tensor<2x32x2x64xf32>
  %f = tensor.empty() : tensor<2x32x2x64xf32>
  %g = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>, affine_map<(d0, d1, d2, d3) -> (d1)>, affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%b, %s : tensor<2x32x2x64xf32>, tensor<32xf32>) outs(%f : tensor<2x32x2x64xf32>) {
  ^bb0(%in: f32, %t: f32, %o: f32):
    %v = arith.mulf %in, %t : f32
    linalg.yield %v : f32
  } -> tensor<2x32x2x64xf32>
  %j = tensor.collapse_shape %g [[0, 1], [2, 3]] : tensor<2x32x2x64xf32> into !wide
  %y = linalg.matmul indexing_maps = [#x, #w, #y] ins(%x, %j : tensor<?x128xf32>, tensor<64x128xf32>) outs(%acc : tensor<?x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// CHECK-LABEL: func @small_blocks(
// CHECK:         ecf8.decode
// CHECK-NOT:     ecf8.contract
func.func @small_blocks(%c: !weight, %x: tensor<?x128xf32>, %acc: tensor<?x64xf32>, %s: tensor<4x2xf32>) -> tensor<?x64xf32> {
  // expected-remark@+1 {{Function=small_blocks | Reason="scale: blocks of 16 x 64 in tiles of 1024 columns"}}
  %w = ecf8.decode %c : !weight
  %e = arith.extf %w : !plain to !wide
  %b = tensor.expand_shape %e [[0, 1], [2, 3]] output_shape [4, 16, 2, 64] : !wide into tensor<4x16x2x64xf32>
  %f = tensor.empty() : tensor<4x16x2x64xf32>
  %g = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>, affine_map<(d0, d1, d2, d3) -> (d0, d2)>, affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%b, %s : tensor<4x16x2x64xf32>, tensor<4x2xf32>) outs(%f : tensor<4x16x2x64xf32>) {
  ^bb0(%in: f32, %t: f32, %o: f32):
    %v = arith.mulf %in, %t : f32
    linalg.yield %v : f32
  } -> tensor<4x16x2x64xf32>
  %j = tensor.collapse_shape %g [[0, 1], [2, 3]] : tensor<4x16x2x64xf32> into !wide
  %y = linalg.matmul indexing_maps = [#x, #w, #y] ins(%x, %j : tensor<?x128xf32>, tensor<64x128xf32>) outs(%acc : tensor<?x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// A tile that begins inside of a block.
// CHECK-LABEL: func @blocks_across_tiles(
// CHECK:         ecf8.decode
// CHECK-NOT:     ecf8.contract
func.func @blocks_across_tiles(%c: !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman<tile_columns = 48>>, %x: tensor<?x128xf32>, %acc: tensor<?x64xf32>, %s: tensor<2x2xf32>) -> tensor<?x64xf32> {
  // expected-remark@+1 {{Function=blocks_across_tiles | Reason="scale: blocks of 32 x 64 in tiles of 48 columns"}}
  %w = ecf8.decode %c : !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman<tile_columns = 48>>
  %e = arith.extf %w : !plain to !wide
  %b = tensor.expand_shape %e [[0, 1], [2, 3]] output_shape [2, 32, 2, 64] : !wide into tensor<2x32x2x64xf32>
  %f = tensor.empty() : tensor<2x32x2x64xf32>
  %g = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>, affine_map<(d0, d1, d2, d3) -> (d0, d2)>, affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%b, %s : tensor<2x32x2x64xf32>, tensor<2x2xf32>) outs(%f : tensor<2x32x2x64xf32>) {
  ^bb0(%in: f32, %t: f32, %o: f32):
    %v = arith.mulf %in, %t : f32
    linalg.yield %v : f32
  } -> tensor<2x32x2x64xf32>
  %j = tensor.collapse_shape %g [[0, 1], [2, 3]] : tensor<2x32x2x64xf32> into !wide
  %y = linalg.matmul indexing_maps = [#x, #w, #y] ins(%x, %j : tensor<?x128xf32>, tensor<64x128xf32>) outs(%acc : tensor<?x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// CHECK-LABEL: func @scale_is_old_value(
// CHECK:         ecf8.decode
// CHECK-NOT:     ecf8.contract
func.func @scale_is_old_value(%c: !weight, %x: tensor<?x128xf32>, %acc: tensor<?x64xf32>) -> tensor<?x64xf32> {
  // expected-remark@+1 {{Function=scale_is_old_value | Reason="scale: the output's old value"}}
  %w = ecf8.decode %c : !weight
  %e = arith.extf %w : !plain to !wide
  %f = tensor.empty() : !wide
  %g = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%e : !wide) outs(%f : !wide) {
  ^bb0(%in: f32, %o: f32):
    %v = arith.mulf %in, %o : f32
    linalg.yield %v : f32
  } -> !wide
  %y = linalg.matmul indexing_maps = [#x, #w, #y] ins(%x, %g : tensor<?x128xf32>, tensor<64x128xf32>) outs(%acc : tensor<?x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// CHECK-LABEL: func @scale_is_computed(
// CHECK:         ecf8.decode
// CHECK-NOT:     ecf8.contract
func.func @scale_is_computed(%c: !weight, %x: tensor<?x128xf32>, %acc: tensor<?x64xf32>, %s: tensor<64xf32>) -> tensor<?x64xf32> {
  // expected-remark@+1 {{Function=scale_is_computed | Reason="scale: computed by 'arith.negf' in the same op"}}
  %w = ecf8.decode %c : !weight
  %e = arith.extf %w : !plain to !wide
  %f = tensor.empty() : !wide
  %g = linalg.generic {indexing_maps = [#id, affine_map<(d0, d1) -> (d0)>, #id], iterator_types = ["parallel", "parallel"]}
      ins(%e, %s : !wide, tensor<64xf32>) outs(%f : !wide) {
  ^bb0(%in: f32, %t: f32, %o: f32):
    %n = arith.negf %t : f32
    %v = arith.mulf %in, %n : f32
    linalg.yield %v : f32
  } -> !wide
  %y = linalg.matmul indexing_maps = [#x, #w, #y] ins(%x, %g : tensor<?x128xf32>, tensor<64x128xf32>) outs(%acc : tensor<?x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// What repeats the scales changes them, too.
// CHECK-LABEL: func @computed_for_each_weight(
// CHECK:         ecf8.decode
// CHECK-NOT:     ecf8.contract
func.func @computed_for_each_weight(%c: !weight, %x: tensor<?x128xf32>, %acc: tensor<?x64xf32>, %s: tensor<64xf32>) -> tensor<?x64xf32> {
  // expected-remark@+1 {{Function=computed_for_each_weight | Reason="scale: blocks of 1 x 1 in tiles of 1024 columns, computed by 'linalg.generic'"}}
  %w = ecf8.decode %c : !weight
  %e = arith.extf %w : !plain to !wide
  %f = tensor.empty() : !wide
  %r = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0)>, #id], iterator_types = ["parallel", "parallel"]} ins(%s : tensor<64xf32>) outs(%f : !wide) {
  ^bb0(%in: f32, %o: f32):
    %v = arith.negf %in : f32
    linalg.yield %v : f32
  } -> !wide
  %g = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]} ins(%e, %r : !wide, !wide) outs(%f : !wide) {
  ^bb0(%in: f32, %t: f32, %o: f32):
    %v = arith.mulf %in, %t : f32
    linalg.yield %v : f32
  } -> !wide
  %y = linalg.matmul indexing_maps = [#x, #w, #y] ins(%x, %g : tensor<?x128xf32>, tensor<64x128xf32>) outs(%acc : tensor<?x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// CHECK-LABEL: func @for_each_matrix(
// CHECK:         ecf8.decode
// CHECK-NOT:     ecf8.contract
func.func @for_each_matrix(%c: !weight, %s: tensor<2xf32>) -> tensor<2x64x128xf32> {
  // expected-remark@+1 {{Function=for_each_matrix | Reason="scale: an index that is no row, column or block of them"}}
  %w = ecf8.decode %c : !weight
  %f = tensor.empty() : tensor<2x64x128xf32>
  %g = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d1, d2)>, affine_map<(d0, d1, d2) -> (d0)>, affine_map<(d0, d1, d2) -> (d0, d1, d2)>], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%w, %s : !plain, tensor<2xf32>) outs(%f : tensor<2x64x128xf32>) {
  ^bb0(%in: f8E4M3FN, %t: f32, %o: f32):
    %a = arith.extf %in : f8E4M3FN to f32
    %v = arith.mulf %a, %t : f32
    linalg.yield %v : f32
  } -> tensor<2x64x128xf32>
  return %g : tensor<2x64x128xf32>
}
