// RUN: ecf8-opt %s -ecf8-fuse-decode -canonicalize -cse | FileCheck %s

// Experts: several matrices in one weight, of which a contraction reads one, or each its own.

#x = affine_map<(m, n, k) -> (m, k)>
#w = affine_map<(m, n, k) -> (n, k)>
#y = affine_map<(m, n, k) -> (m, n)>
#id = affine_map<(e, n, k) -> (e, n, k)>

!weight = !ecf8.compressed<8x64x128xf8E4M3FN, #ecf8.huffman>
!plain = tensor<8x64x128xf8E4M3FN>
!wide = tensor<8x64x128xf32>

// CHECK-LABEL: func @batch_matmul(
// CHECK-SAME:    %[[C:[a-z0-9]+]]: !ecf8.compressed<{{.*}}>, %[[X:[a-z0-9]+]]: tensor<8x?x128xf32>, %[[ACC:[a-z0-9]+]]: tensor<8x?x64xf32>
// CHECK:         %[[R:.*]] = scf.for %[[E:[a-z0-9]+]] = %{{.*}} to %c8 step %{{.*}} iter_args(%[[SUMS:.*]] = %[[ACC]])
// CHECK-DAG:       %[[OWN:.*]] = tensor.extract_slice %[[X]][%[[E]], 0, 0] [1, %{{.*}}, 128] [1, 1, 1] : tensor<8x?x128xf32> to tensor<?x128xf32>
// CHECK-DAG:       %[[PART:.*]] = tensor.extract_slice %[[SUMS]][%[[E]], 0, 0] [1, %{{.*}}, 64] [1, 1, 1]
// CHECK:           %[[Y:.*]] = ecf8.contract ins(%[[OWN]], %[[C]][%[[E]], 0, 0] : {{.*}}) outs(%[[PART]] : tensor<?x64xf32>)
// CHECK:           %[[NEXT:.*]] = tensor.insert_slice %[[Y]] into %[[SUMS]][%[[E]], 0, 0]
// CHECK:           scf.yield %[[NEXT]]
// CHECK:         return %[[R]]
func.func @batch_matmul(%c: !weight, %x: tensor<8x?x128xf32>, %acc: tensor<8x?x64xf32>) -> tensor<8x?x64xf32> {
  %w = ecf8.decode %c : !weight
  %a = arith.extf %w : !plain to !wide
  %e = tensor.empty() : tensor<8x128x64xf32>
  %t = linalg.transpose ins(%a : !wide) outs(%e : tensor<8x128x64xf32>) permutation = [0, 2, 1]
  %y = linalg.batch_matmul ins(%x, %t : tensor<8x?x128xf32>, tensor<8x128x64xf32>) outs(%acc : tensor<8x?x64xf32>) -> tensor<8x?x64xf32>
  return %y : tensor<8x?x64xf32>
}

// Each expert has its blocks of scales, whose dimensions a front end may order as it likes.
// CHECK-LABEL: func @scaled(
// CHECK-SAME:    %[[S:[a-z0-9]+]]: tensor<2x8x1xbf16>
// CHECK:         scf.for %[[E:[a-z0-9]+]] =
// CHECK:           %[[P:.*]] = tensor.extract_slice %[[S]][0, %[[E]], 0] [2, 1, 1] [1, 1, 1]
// CHECK:           ecf8.contract {{.*}}[%[[E]], 0, 0] : {{.*}} scale(%{{.*}} : tensor<2x1xf32>) block [32, 128]
func.func @scaled(%c: !weight, %s: tensor<2x8x1xbf16>, %x: tensor<8x4x128xf32>, %acc: tensor<8x4x64xf32>) -> tensor<8x4x64xf32> {
  %w = ecf8.decode %c : !weight
  %e = tensor.empty() : !wide
  %g = linalg.generic {indexing_maps = [#id, affine_map<(e, n, k) -> (n floordiv 32, e, 0)>, #id], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%w, %s : !plain, tensor<2x8x1xbf16>) outs(%e : !wide) {
  ^bb0(%in: f8E4M3FN, %t: bf16, %o: f32):
    %a = arith.extf %in : f8E4M3FN to f32
    %b = arith.extf %t : bf16 to f32
    %v = arith.mulf %a, %b : f32
    linalg.yield %v : f32
  } -> !wide
  %y = linalg.batch_matmul indexing_maps = [affine_map<(e, m, n, k) -> (e, m, k)>, affine_map<(e, m, n, k) -> (e, n, k)>, affine_map<(e, m, n, k) -> (e, m, n)>]
      ins(%x, %g : tensor<8x4x128xf32>, !wide) outs(%acc : tensor<8x4x64xf32>) -> tensor<8x4x64xf32>
  return %y : tensor<8x4x64xf32>
}

// All experts on the same activations; the expert is not the first dimension of the result.
// CHECK-LABEL: func @shared_activations(
// CHECK-SAME:    %[[X:[a-z0-9]+]]: tensor<4x128xf32>
// CHECK:         linalg.transpose ins(%{{.*}} : tensor<4x8x64xf32>) outs(%{{.*}} : tensor<8x4x64xf32>) permutation = [1, 0, 2]
// CHECK:         scf.for %[[E:[a-z0-9]+]] =
// CHECK:           ecf8.contract ins(%[[X]], %{{[a-z0-9]+}}[%[[E]], 0, 0] :
// CHECK:         linalg.transpose ins(%{{.*}} : tensor<8x4x64xf32>) outs(%{{.*}} : tensor<4x8x64xf32>) permutation = [1, 0, 2]
func.func @shared_activations(%c: !weight, %x: tensor<4x128xf32>, %acc: tensor<4x8x64xf32>) -> tensor<4x8x64xf32> {
  %w = ecf8.decode %c : !weight
  %y = linalg.generic {indexing_maps = [affine_map<(m, e, n, k) -> (m, k)>, affine_map<(m, e, n, k) -> (e, n, k)>, affine_map<(m, e, n, k) -> (m, e, n)>],
                       iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%x, %w : tensor<4x128xf32>, !plain) outs(%acc : tensor<4x8x64xf32>) {
  ^bb0(%a: f32, %in: f8E4M3FN, %o: f32):
    %v = arith.extf %in : f8E4M3FN to f32
    %p = arith.mulf %a, %v : f32
    %s = arith.addf %o, %p : f32
    linalg.yield %s : f32
  } -> tensor<4x8x64xf32>
  return %y : tensor<4x8x64xf32>
}

// One row for each expert.
// CHECK-LABEL: func @rows(
// CHECK:         scf.for
// CHECK:           ecf8.contract ins(%{{.*}}, %{{.*}}[%{{.*}}, 0, 0] : tensor<1x128xf32>,
// CHECK:           tensor.insert_slice %{{.*}} : tensor<64xf32> into tensor<8x64xf32>
func.func @rows(%c: !weight, %x: tensor<8x128xf32>, %acc: tensor<8x64xf32>) -> tensor<8x64xf32> {
  %w = ecf8.decode %c : !weight
  %a = arith.extf %w : !plain to !wide
  %y = linalg.batch_matvec ins(%a, %x : !wide, tensor<8x128xf32>) outs(%acc : tensor<8x64xf32>) -> tensor<8x64xf32>
  return %y : tensor<8x64xf32>
}

// Routing: which expert is known when the program runs. The scale is that of all experts, its part taken.
// CHECK-LABEL: func @dynamic_expert(
// CHECK-SAME:    %[[C:[a-z0-9]+]]: !ecf8.compressed<{{.*}}>, %[[S:[a-z0-9]+]]: tensor<8x64x1xf32>, %{{.*}}: tensor<?x128xf32>, %{{.*}}: tensor<?x64xf32>, %[[E:[a-z0-9]+]]: index
// CHECK:         %[[P:.*]] = tensor.extract_slice %[[S]][%[[E]], 0, 0] [1, 64, 1] [1, 1, 1]
// CHECK:         ecf8.contract ins(%{{.*}}, %[[C]][%[[E]], 0, 0] : {{.*}} scale(%{{.*}} : tensor<64x1xf32>) block [1, 128]
func.func @dynamic_expert(%c: !weight, %s: tensor<8x64x1xf32>, %x: tensor<?x128xf32>, %acc: tensor<?x64xf32>, %e: index) -> tensor<?x64xf32> {
  %w = ecf8.decode %c : !weight
  %f = tensor.empty() : !wide
  %g = linalg.generic {indexing_maps = [#id, affine_map<(e, n, k) -> (e, n, 0)>, #id], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%w, %s : !plain, tensor<8x64x1xf32>) outs(%f : !wide) {
  ^bb0(%in: f8E4M3FN, %t: f32, %o: f32):
    %a = arith.extf %in : f8E4M3FN to f32
    %v = arith.mulf %a, %t : f32
    linalg.yield %v : f32
  } -> !wide
  %own = tensor.extract_slice %g[%e, 0, 0] [1, 64, 128] [1, 1, 1] : !wide to tensor<64x128xf32>
  %y = linalg.matmul indexing_maps = [#x, #w, #y] ins(%x, %own : tensor<?x128xf32>, tensor<64x128xf32>) outs(%acc : tensor<?x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// A loop of the program over the experts, without the dimension gone, and a scale that was cut before it is repeated.
// CHECK-LABEL: func @loop(
// CHECK-SAME:    %[[C:[a-z0-9]+]]: !ecf8.compressed<
// CHECK:         scf.for %[[E:[a-z0-9]+]] =
// CHECK:           %[[P:.*]] = tensor.extract_slice %{{.*}}[%[[E]], 0] [1, 64] [1, 1] : tensor<8x64xf32> to tensor<64xf32>
// CHECK:           tensor.expand_shape %[[P]]
// CHECK:           ecf8.contract ins(%{{.*}}, %[[C]][%[[E]], 0, 0] :
func.func @loop(%c: !weight, %s: tensor<8x64xf32>, %x: tensor<?x128xf32>, %acc: tensor<?x64xf32>, %begin: index, %end: index) -> tensor<?x64xf32> {
  %one = arith.constant 1 : index
  %w = ecf8.decode %c : !weight
  %r = scf.for %e = %begin to %end step %one iter_args(%sums = %acc) -> tensor<?x64xf32> {
    %part = tensor.extract_slice %w[%e, 0, 0] [1, 64, 128] [1, 1, 1] : !plain to tensor<1x64x128xf8E4M3FN>
    %own = tensor.collapse_shape %part [[0, 1], [2]] : tensor<1x64x128xf8E4M3FN> into tensor<64x128xf8E4M3FN>
    %t = tensor.extract_slice %s[%e, 0] [1, 64] [1, 1] : tensor<8x64xf32> to tensor<64xf32>
    %f = tensor.empty() : tensor<64x128xf32>
    %b = linalg.broadcast ins(%t : tensor<64xf32>) outs(%f : tensor<64x128xf32>) dimensions = [1]
    %a = arith.extf %own : tensor<64x128xf8E4M3FN> to tensor<64x128xf32>
    %g = linalg.generic {indexing_maps = [affine_map<(n, k) -> (n, k)>, affine_map<(n, k) -> (n, k)>, affine_map<(n, k) -> (n, k)>], iterator_types = ["parallel", "parallel"]}
        ins(%a, %b : tensor<64x128xf32>, tensor<64x128xf32>) outs(%f : tensor<64x128xf32>) {
    ^bb0(%in: f32, %u: f32, %o: f32):
      %v = arith.mulf %in, %u : f32
      linalg.yield %v : f32
    } -> tensor<64x128xf32>
    %y = linalg.matmul indexing_maps = [#x, #w, #y] ins(%x, %g : tensor<?x128xf32>, tensor<64x128xf32>) outs(%sums : tensor<?x64xf32>) -> tensor<?x64xf32>
    scf.yield %y : tensor<?x64xf32>
  }
  return %r : tensor<?x64xf32>
}

// One reader takes one expert, another all.
// CHECK-LABEL: func @static_expert(
// CHECK-DAG:     ecf8.contract ins(%{{.*}}, %{{[a-z0-9]+}}[5, 0, 0] :
// CHECK-DAG:     ecf8.contract ins(%{{.*}}, %{{[a-z0-9]+}}[%{{[a-z0-9]+}}, 0, 0] :
// CHECK-NOT:     ecf8.decode
func.func @static_expert(%c: !weight, %x: tensor<8x4x128xf32>, %acc: tensor<8x4x64xf32>, %z: tensor<4x128xf32>, %sums: tensor<4x64xf32>) -> (tensor<8x4x64xf32>, tensor<4x64xf32>) {
  %w = ecf8.decode %c : !weight
  %own = tensor.extract_slice %w[5, 0, 0] [1, 64, 128] [1, 1, 1] : !plain to tensor<64x128xf8E4M3FN>
  %u = linalg.matmul indexing_maps = [#x, #w, #y] ins(%z, %own : tensor<4x128xf32>, tensor<64x128xf8E4M3FN>) outs(%sums : tensor<4x64xf32>) -> tensor<4x64xf32>
  %y = linalg.batch_matmul indexing_maps = [affine_map<(e, m, n, k) -> (e, m, k)>, affine_map<(e, m, n, k) -> (e, n, k)>, affine_map<(e, m, n, k) -> (e, m, n)>]
      ins(%x, %w : tensor<8x4x128xf32>, !plain) outs(%acc : tensor<8x4x64xf32>) -> tensor<8x4x64xf32>
  return %y, %u : tensor<8x4x64xf32>, tensor<4x64xf32>
}

// One expert needs no loop, and no number of rows.
// CHECK-LABEL: func @only_expert(
// CHECK-NOT:     scf.for
// CHECK:         ecf8.contract ins(%{{.*}}, %{{[a-z0-9]+}}[0, 0, 0] : tensor<4x128xf32>, {{.*}} outs(%{{.*}} : tensor<4x60xf32>)
func.func @only_expert(%c: !ecf8.compressed<1x60x128xf8E4M3FN, #ecf8.huffman>, %x: tensor<1x4x128xf32>, %acc: tensor<1x4x60xf32>) -> tensor<1x4x60xf32> {
  %w = ecf8.decode %c : !ecf8.compressed<1x60x128xf8E4M3FN, #ecf8.huffman>
  %y = linalg.batch_matmul indexing_maps = [affine_map<(e, m, n, k) -> (e, m, k)>, affine_map<(e, m, n, k) -> (e, n, k)>, affine_map<(e, m, n, k) -> (e, m, n)>]
      ins(%x, %w : tensor<1x4x128xf32>, tensor<1x60x128xf8E4M3FN>) outs(%acc : tensor<1x4x60xf32>) -> tensor<1x4x60xf32>
  return %y : tensor<1x4x60xf32>
}
