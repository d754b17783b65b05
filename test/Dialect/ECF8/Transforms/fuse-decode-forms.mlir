// RUN: ecf8-opt %s -ecf8-fuse-decode -canonicalize | FileCheck %s
// RUN: ecf8-opt %s -ecf8-fuse-decode | FileCheck %s --check-prefix=WHOLE

// Forms of contractions, scales and layouts that are fused.

// WHOLE-NOT: ecf8.decode

#id = affine_map<(d0, d1) -> (d0, d1)>
#swap = affine_map<(d0, d1) -> (d1, d0)>
#first = affine_map<(d0, d1) -> (d0)>
#x = affine_map<(m, n, k) -> (m, k)>
#w = affine_map<(m, n, k) -> (n, k)>
#y = affine_map<(m, n, k) -> (m, n)>

!weight = !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>
!plain = tensor<64x128xf8E4M3FN>
!wide = tensor<64x128xf32>

// The sums begin once, outside of the contraction. The transposed weight is a copy by linalg.generic.
// CHECK-LABEL: func @vecmat(
// CHECK:         %[[ACC:.*]] = linalg.fill
// CHECK:         ecf8.contract ins(%{{.*}} : tensor<1x128xf32>, {{.*}}) outs(%[[ACC]] : tensor<1x64xf32>)
func.func @vecmat(%c: !weight, %x: tensor<128xf32>) -> tensor<64xf32> {
  %w = ecf8.decode %c : !weight
  %t = tensor.empty() : tensor<128x64xf32>
  %g = linalg.generic {indexing_maps = [#id, #swap], iterator_types = ["parallel", "parallel"]}
      ins(%w : !plain) outs(%t : tensor<128x64xf32>) {
  ^bb0(%in: f8E4M3FN, %o: f32):
    %v = arith.extf %in : f8E4M3FN to f32
    linalg.yield %v : f32
  } -> tensor<128x64xf32>
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<64xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<64xf32>) -> tensor<64xf32>
  %y = linalg.vecmat ins(%x, %g : tensor<128xf32>, tensor<128x64xf32>) outs(%f : tensor<64xf32>) -> tensor<64xf32>
  return %y : tensor<64xf32>
}

// CHECK-LABEL: func @loop(
// CHECK:         linalg.fill
// CHECK:         scf.for
// CHECK-NOT:       linalg.fill
// CHECK:           ecf8.contract {{.*}} outs(%{{.*}} : tensor<4x64xf32>)
func.func @loop(%c: !weight, %x: tensor<4x128xf32>, %n: index) -> tensor<4x64xf32> {
  %w = ecf8.decode %c : !weight
  %zero = arith.constant 0.0 : f32
  %i0 = arith.constant 0 : index
  %i1 = arith.constant 1 : index
  %e = tensor.empty() : tensor<4x64xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<4x64xf32>) -> tensor<4x64xf32>
  %r = scf.for %i = %i0 to %n step %i1 iter_args(%acc = %f) -> tensor<4x64xf32> {
    %y = linalg.matmul indexing_maps = [#x, #w, #y] ins(%x, %w : tensor<4x128xf32>, !plain) outs(%acc : tensor<4x64xf32>) -> tensor<4x64xf32>
    scf.yield %y : tensor<4x64xf32>
  }
  return %r : tensor<4x64xf32>
}

// One weight for the whole batch, as batch_matmul's own broadcast.
// CHECK-LABEL: func @batch_matmul(
// CHECK:         tensor.collapse_shape %{{.*}} {{\[}}[0, 1], [2]] : tensor<?x?x128xf32> into tensor<?x128xf32>
// CHECK:         ecf8.contract {{.*}} -> tensor<?x64xf32>
// CHECK:         tensor.expand_shape %{{.*}} {{\[}}[0, 1], [2]] {{.*}} into tensor<?x?x64xf32>
func.func @batch_matmul(%c: !weight, %x: tensor<?x?x128xf32>, %acc: tensor<?x?x64xf32>) -> tensor<?x?x64xf32> {
  %w = ecf8.decode %c : !weight
  %e = arith.extf %w : !plain to !wide
  %t = tensor.empty() : tensor<128x64xf32>
  %b = linalg.transpose ins(%e : !wide) outs(%t : tensor<128x64xf32>) permutation = [1, 0]
  %y = linalg.batch_matmul indexing_maps = [affine_map<(b, m, n, k) -> (b, m, k)>, affine_map<(b, m, n, k) -> (k, n)>, affine_map<(b, m, n, k) -> (b, m, n)>]
      ins(%x, %b : tensor<?x?x128xf32>, tensor<128x64xf32>) outs(%acc : tensor<?x?x64xf32>) -> tensor<?x?x64xf32>
  return %y : tensor<?x?x64xf32>
}

// The weight says what sizes are.
// CHECK-LABEL: func @dynamic_columns(
// CHECK:         %[[X:.*]] = tensor.cast %{{.*}} : tensor<4x?xf32> to tensor<4x128xf32>
// CHECK:         %[[ACC:.*]] = tensor.cast %{{.*}} : tensor<?x?xf32> to tensor<?x64xf32>
// CHECK:         %[[R:.*]] = ecf8.contract ins(%[[X]], {{.*}}) outs(%[[ACC]] : tensor<?x64xf32>)
// CHECK:         tensor.cast %[[R]] : tensor<?x64xf32> to tensor<?x?xf32>
func.func @dynamic_columns(%c: !weight, %x: tensor<4x?xf32>, %acc: tensor<?x?xf32>) -> tensor<?x?xf32> {
  %w = ecf8.decode %c : !weight
  %y = linalg.matmul indexing_maps = [#x, #w, #y] ins(%x, %w : tensor<4x?xf32>, !plain) outs(%acc : tensor<?x?xf32>) -> tensor<?x?xf32>
  return %y : tensor<?x?xf32>
}

// CHECK-LABEL: func @dynamic_vectors(
// CHECK:         ecf8.contract ins(%{{.*}} : tensor<1x128xf32>, {{.*}}) outs(%{{.*}} : tensor<1x64xf32>)
// CHECK:         tensor.cast %{{.*}} : tensor<64xf32> to tensor<?xf32>
func.func @dynamic_vectors(%c: !weight, %x: tensor<?xf32>, %acc: tensor<?xf32>) -> tensor<?xf32> {
  %w = ecf8.decode %c : !weight
  %e = arith.extf %w : !plain to !wide
  %y = linalg.matvec ins(%e, %x : !wide, tensor<?xf32>) outs(%acc : tensor<?xf32>) -> tensor<?xf32>
  return %y : tensor<?xf32>
}

// CHECK-LABEL: func @dynamic_rank_3(
// CHECK:         ecf8.contract {{.*}} -> tensor<?x64xf32>
// CHECK:         tensor.expand_shape %{{.*}} {{\[}}[0, 1], [2]] {{.*}} : tensor<?x64xf32> into tensor<?x3x64xf32>
// CHECK:         tensor.cast %{{.*}} : tensor<?x3x64xf32> to tensor<?x3x?xf32>
func.func @dynamic_rank_3(%c: !weight, %x: tensor<2x?x?xf32>, %acc: tensor<?x3x?xf32>) -> tensor<?x3x?xf32> {
  %w = ecf8.decode %c : !weight
  %y = linalg.generic {indexing_maps = [affine_map<(b, m, n, k) -> (b, m, k)>, affine_map<(b, m, n, k) -> (n, k)>, affine_map<(b, m, n, k) -> (b, m, n)>],
                       iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%x, %w : tensor<2x?x?xf32>, !plain) outs(%acc : tensor<?x3x?xf32>) {
  ^bb0(%a: f32, %in: f8E4M3FN, %o: f32):
    %v = arith.extf %in : f8E4M3FN to f32
    %p = arith.mulf %a, %v : f32
    %s = arith.addf %o, %p : f32
    linalg.yield %s : f32
  } -> tensor<?x3x?xf32>
  return %y : tensor<?x3x?xf32>
}

// Loops in any order.
// CHECK-LABEL: func @loops_permuted(
// CHECK:         ecf8.contract {{.*}} -> tensor<2x64xf32>
func.func @loops_permuted(%c: !weight, %x: tensor<2x128xbf16>, %acc: tensor<2x64xf32>) -> tensor<2x64xf32> {
  %w = ecf8.decode %c : !weight
  %y = linalg.generic {indexing_maps = [affine_map<(k, n, m) -> (m, k)>, affine_map<(k, n, m) -> (n, k)>, affine_map<(k, n, m) -> (m, n)>],
                       iterator_types = ["reduction", "parallel", "parallel"]}
      ins(%x, %w : tensor<2x128xbf16>, !plain) outs(%acc : tensor<2x64xf32>) {
  ^bb0(%a: bf16, %in: f8E4M3FN, %o: f32):
    %b = arith.extf %in : f8E4M3FN to bf16
    %u = arith.extf %a : bf16 to f32
    %v = arith.extf %b : bf16 to f32
    %p = arith.mulf %v, %u : f32
    %s = arith.addf %p, %o : f32
    linalg.yield %s : f32
  } -> tensor<2x64xf32>
  return %y : tensor<2x64xf32>
}

// A scalar from outside of the body, of a type that the body extends.
// CHECK-LABEL: func @scalar_scale(
// CHECK-SAME:    %[[F:[a-z0-9]+]]: bf16)
// CHECK:         %[[S:.*]] = tensor.from_elements %[[F]] : tensor<1x1xbf16>
// CHECK:         %[[WIDE:.*]] = arith.extf %[[S]] : tensor<1x1xbf16> to tensor<1x1xf32>
// CHECK:         ecf8.contract {{.*}} scale(%[[WIDE]] : tensor<1x1xf32>) block [64, 128]
func.func @scalar_scale(%c: !weight, %x: tensor<2x128xf32>, %acc: tensor<2x64xf32>, %s: bf16) -> tensor<2x64xf32> {
  %w = ecf8.decode %c : !weight
  %f = tensor.empty() : !wide
  %g = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%w : !plain) outs(%f : !wide) {
  ^bb0(%in: f8E4M3FN, %o: f32):
    %a = arith.extf %in : f8E4M3FN to f32
    %b = arith.extf %s : bf16 to f32
    %v = arith.mulf %a, %b : f32
    linalg.yield %v : f32
  } -> !wide
  %y = linalg.matmul indexing_maps = [#x, #w, #y] ins(%x, %g : tensor<2x128xf32>, !wide) outs(%acc : tensor<2x64xf32>) -> tensor<2x64xf32>
  return %y : tensor<2x64xf32>
}

// CHECK-LABEL: func @row_scale_of_rank_1(
// CHECK-SAME:    %[[F:[a-z0-9]+]]: tensor<64xbf16>)
// CHECK:         %[[S:.*]] = tensor.expand_shape %[[F]] {{\[}}[0, 1]] output_shape [64, 1] : tensor<64xbf16> into tensor<64x1xbf16>
// CHECK:         %[[WIDE:.*]] = arith.extf %[[S]] : tensor<64x1xbf16> to tensor<64x1xf32>
// CHECK:         ecf8.contract {{.*}} scale(%[[WIDE]] : tensor<64x1xf32>) block [1, 128]
func.func @row_scale_of_rank_1(%c: !weight, %x: tensor<2x128xf32>, %acc: tensor<2x64xf32>, %s: tensor<64xbf16>) -> tensor<2x64xf32> {
  %w = ecf8.decode %c : !weight
  %f = tensor.empty() : !wide
  %g = linalg.generic {indexing_maps = [#id, #first, #id], iterator_types = ["parallel", "parallel"]} ins(%w, %s : !plain, tensor<64xbf16>) outs(%f : !wide) {
  ^bb0(%in: f8E4M3FN, %t: bf16, %o: f32):
    %a = arith.extf %in : f8E4M3FN to f32
    %b = arith.extf %t : bf16 to f32
    %v = arith.mulf %a, %b : f32
    linalg.yield %v : f32
  } -> !wide
  %y = linalg.matmul indexing_maps = [#x, #w, #y] ins(%x, %g : tensor<2x128xf32>, !wide) outs(%acc : tensor<2x64xf32>) -> tensor<2x64xf32>
  return %y : tensor<2x64xf32>
}

// The scale of a weight that was transposed before, as a scale for each column; the product is of bf16.
// CHECK-LABEL: func @scale_behind_the_transposition(
// CHECK:         %[[F:.*]] = tensor.collapse_shape %{{.*}} {{\[}}[0, 1]] : tensor<1x64xbf16> into tensor<64xbf16>
// CHECK:         %[[S:.*]] = tensor.expand_shape %[[F]] {{\[}}[0, 1]] output_shape [64, 1]
// CHECK:         ecf8.contract ins(%{{.*}} : tensor<2x128xbf16>, {{.*}}) scale(%[[S]] : tensor<64x1xbf16>) block [1, 128]
func.func @scale_behind_the_transposition(%c: !weight, %x: tensor<2x128xbf16>, %acc: tensor<2x64xf32>, %s: tensor<1x64xbf16>) -> tensor<2x64xf32> {
  %w = ecf8.decode %c : !weight
  %e = arith.extf %w : !plain to tensor<64x128xbf16>
  %t = tensor.empty() : tensor<128x64xbf16>
  %k = linalg.transpose ins(%e : tensor<64x128xbf16>) outs(%t : tensor<128x64xbf16>) permutation = [1, 0]
  %g = linalg.generic {indexing_maps = [#id, affine_map<(d0, d1) -> (0, d1)>, #id], iterator_types = ["parallel", "parallel"]}
      ins(%k, %s : tensor<128x64xbf16>, tensor<1x64xbf16>) outs(%t : tensor<128x64xbf16>) {
  ^bb0(%in: bf16, %f: bf16, %o: bf16):
    %v = arith.mulf %in, %f : bf16
    linalg.yield %v : bf16
  } -> tensor<128x64xbf16>
  %y = linalg.matmul ins(%x, %g : tensor<2x128xbf16>, tensor<128x64xbf16>) outs(%acc : tensor<2x64xf32>) -> tensor<2x64xf32>
  return %y : tensor<2x64xf32>
}

// Scales for the whole weight of rank 2 and of rank 0; see also @tensor_scale_rounded in fuse-decode.mlir.
// CHECK-LABEL: func @whole_scale(
// CHECK:         ecf8.contract {{.*}} scale(%{{.*}} : tensor<1x1xf32>) block [64, 128]
// CHECK:         %[[S:.*]] = tensor.expand_shape %{{.*}} [] output_shape [1, 1] : tensor<f32> into tensor<1x1xf32>
// CHECK:         ecf8.contract {{.*}} scale(%[[S]] : tensor<1x1xf32>) block [64, 128]
func.func @whole_scale(%c: !weight, %x: tensor<2x128xf32>, %acc: tensor<2x64xf32>, %s: tensor<1x1xf32>, %r: tensor<f32>) -> tensor<2x64xf32> {
  %w = ecf8.decode %c : !weight
  %e = arith.extf %w : !plain to !wide
  %f = tensor.empty() : !wide
  %g = linalg.generic {indexing_maps = [#id, affine_map<(d0, d1) -> (0, 0)>, #id], iterator_types = ["parallel", "parallel"]} ins(%e, %s : !wide, tensor<1x1xf32>) outs(%f : !wide) {
  ^bb0(%in: f32, %t: f32, %o: f32):
    %v = arith.mulf %in, %t : f32
    linalg.yield %v : f32
  } -> !wide
  %h = linalg.generic {indexing_maps = [#id, affine_map<(d0, d1) -> ()>, #id], iterator_types = ["parallel", "parallel"]} ins(%e, %r : !wide, tensor<f32>) outs(%f : !wide) {
  ^bb0(%in: f32, %t: f32, %o: f32):
    %v = arith.mulf %in, %t : f32
    linalg.yield %v : f32
  } -> !wide
  %y = linalg.matmul indexing_maps = [#x, #w, #y] ins(%x, %g : tensor<2x128xf32>, !wide) outs(%acc : tensor<2x64xf32>) -> tensor<2x64xf32>
  %z = linalg.matmul indexing_maps = [#x, #w, #y] ins(%x, %h : tensor<2x128xf32>, !wide) outs(%y : tensor<2x64xf32>) -> tensor<2x64xf32>
  return %z : tensor<2x64xf32>
}

// One row of blocks: only the columns are cut.
// CHECK-LABEL: func @blocks_of_columns(
// CHECK:         ecf8.contract {{.*}} scale(%{{.*}} : tensor<1x2xf32>) block [64, 64]
func.func @blocks_of_columns(%c: !weight, %x: tensor<2x128xf32>, %acc: tensor<2x64xf32>, %s: tensor<2xf32>) -> tensor<2x64xf32> {
  %w = ecf8.decode %c : !weight
  %e = arith.extf %w : !plain to !wide
  %b = tensor.expand_shape %e [[0], [1, 2]] output_shape [64, 2, 64] : !wide into tensor<64x2x64xf32>
  %f = tensor.empty() : tensor<64x2x64xf32>
  %g = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d1, d2)>, affine_map<(d0, d1, d2) -> (d1)>, affine_map<(d0, d1, d2) -> (d0, d1, d2)>],
                       iterator_types = ["parallel", "parallel", "parallel"]} ins(%b, %s : tensor<64x2x64xf32>, tensor<2xf32>) outs(%f : tensor<64x2x64xf32>) {
  ^bb0(%in: f32, %t: f32, %o: f32):
    %v = arith.mulf %in, %t : f32
    linalg.yield %v : f32
  } -> tensor<64x2x64xf32>
  %j = tensor.collapse_shape %g [[0], [1, 2]] : tensor<64x2x64xf32> into !wide
  %y = linalg.matmul indexing_maps = [#x, #w, #y] ins(%x, %j : tensor<2x128xf32>, !wide) outs(%acc : tensor<2x64xf32>) -> tensor<2x64xf32>
  return %y : tensor<2x64xf32>
}

// Each matrix of the result has the same activations.
// CHECK-LABEL: func @activations_without_batch(
// CHECK-SAME:    %{{.*}}: !ecf8.compressed<{{.*}}>, %[[X:[a-z0-9]+]]: tensor<4x128xf32>
// CHECK:         %[[R:.*]] = linalg.broadcast ins(%[[X]] : tensor<4x128xf32>) outs(%{{.*}} : tensor<2x4x128xf32>) dimensions = [0]
// CHECK:         tensor.collapse_shape %[[R]] {{.*}} into tensor<8x128xf32>
// CHECK:         ecf8.contract {{.*}} outs(%{{.*}} : tensor<8x64xf32>)
func.func @activations_without_batch(%c: !weight, %x: tensor<4x128xf32>, %acc: tensor<2x4x64xf32>) -> tensor<2x4x64xf32> {
  %w = ecf8.decode %c : !weight
  %e = tensor.empty() : tensor<2x64x128xf8E4M3FN>
  %b = linalg.broadcast ins(%w : !plain) outs(%e : tensor<2x64x128xf8E4M3FN>) dimensions = [0]
  %y = linalg.batch_matmul indexing_maps = [affine_map<(b, m, n, k) -> (m, k)>, affine_map<(b, m, n, k) -> (b, n, k)>, affine_map<(b, m, n, k) -> (b, m, n)>]
      ins(%x, %b : tensor<4x128xf32>, tensor<2x64x128xf8E4M3FN>) outs(%acc : tensor<2x4x64xf32>) -> tensor<2x4x64xf32>
  return %y : tensor<2x4x64xf32>
}

// matmul's own broadcast of a vector.
// CHECK-LABEL: func @vector_for_all_rows(
// CHECK:         %[[M:.*]] = tensor.dim %{{.*}}, %c0
// CHECK:         %[[E:.*]] = tensor.empty(%[[M]]) : tensor<?x128xf32>
// CHECK:         %[[R:.*]] = linalg.broadcast ins(%{{.*}} : tensor<128xf32>) outs(%[[E]] : tensor<?x128xf32>) dimensions = [0]
// CHECK:         ecf8.contract ins(%[[R]],
func.func @vector_for_all_rows(%c: !weight, %x: tensor<128xf32>, %acc: tensor<?x64xf32>) -> tensor<?x64xf32> {
  %w = ecf8.decode %c : !weight
  %y = linalg.matmul indexing_maps = [affine_map<(m, n, k) -> (k)>, #w, #y] ins(%x, %w : tensor<128xf32>, !plain) outs(%acc : tensor<?x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// Scales as products of tensors, and as named ops. A cast of the shape is no reason to decode the weight as a whole.
// CHECK-LABEL: func @products_of_tensors(
// CHECK-SAME:    %[[S:[a-z0-9]+]]: tensor<64x1xf32>
// CHECK-COUNT-4: ecf8.contract {{.*}} scale(%[[S]] : tensor<64x1xf32>) block [1, 128]
// CHECK-NOT:     ecf8.decode
func.func @products_of_tensors(%c: !weight, %x: tensor<?x128xf32>, %acc: tensor<?x64xf32>, %s: tensor<64x1xf32>) -> (tensor<?x64xf32>, tensor<?x64xf32>, tensor<?x64xf32>, tensor<?x64xf32>) {
  %w = ecf8.decode %c : !weight
  %a = arith.extf %w : !plain to !wide
  %e = tensor.empty() : !wide
  %column = tensor.collapse_shape %s [[0, 1]] : tensor<64x1xf32> into tensor<64xf32>
  %r = linalg.broadcast ins(%column : tensor<64xf32>) outs(%e : !wide) dimensions = [1]
  %0 = arith.mulf %r, %a : !wide
  %1 = linalg.mul ins(%a, %r : !wide, !wide) outs(%e : !wide) -> !wide
  %2 = linalg.elementwise kind = #linalg.elementwise_kind<mul> ins(%a, %r : !wide, !wide) outs(%e : !wide) -> !wide
  %3 = linalg.map { arith.mulf } ins(%a, %r : !wide, !wide) outs(%e : !wide)
  %4 = tensor.cast %0 : !wide to tensor<?x128xf32>
  %5 = tensor.cast %4 : tensor<?x128xf32> to !wide
  %u = linalg.matmul indexing_maps = [#x, #w, #y] ins(%x, %5 : tensor<?x128xf32>, !wide) outs(%acc : tensor<?x64xf32>) -> tensor<?x64xf32>
  %v = linalg.matmul indexing_maps = [#x, #w, #y] ins(%x, %1 : tensor<?x128xf32>, !wide) outs(%acc : tensor<?x64xf32>) -> tensor<?x64xf32>
  %y = linalg.matmul indexing_maps = [#x, #w, #y] ins(%x, %2 : tensor<?x128xf32>, !wide) outs(%acc : tensor<?x64xf32>) -> tensor<?x64xf32>
  %z = linalg.matmul indexing_maps = [#x, #w, #y] ins(%x, %3 : tensor<?x128xf32>, !wide) outs(%acc : tensor<?x64xf32>) -> tensor<?x64xf32>
  return %u, %v, %y, %z : tensor<?x64xf32>, tensor<?x64xf32>, tensor<?x64xf32>, tensor<?x64xf32>
}
