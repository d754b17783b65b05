// RUN: ecf8-opt %s -ecf8-fuse-epilogue -canonicalize | FileCheck %s

#id = affine_map<(m, n) -> (m, n)>
#row = affine_map<(m, n) -> (n)>
#column = affine_map<(m, n) -> (m)>
#scalar = affine_map<(m, n) -> ()>
#id3 = affine_map<(b, m, n) -> (b, m, n)>

!weight = !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>
!x = tensor<?x128xf32>
!y = tensor<?x64xf32>

// Bias, activation, factor of each row and for all, residual, rounding: one epilogue. The first sums are gone.
// CHECK-LABEL: func @all_forms(
// CHECK-SAME:    %[[C:[a-z0-9]+]]: !ecf8.compressed<{{.*}}>, %[[X:[a-z0-9]+]]: tensor<?x128xf32>, %[[B:.*]]: tensor<64xf32>, %[[R:.*]]: tensor<?xf32>, %[[S:.*]]: tensor<f32>, %[[D:.*]]: tensor<?x64xbf16>)
// CHECK-DAG:     %[[ROW:.*]] = tensor.expand_shape %[[B]] {{\[\[}}0, 1]] output_shape [1, 64] : tensor<64xf32> into tensor<1x64xf32>
// CHECK-DAG:     %[[COLUMN:.*]] = tensor.expand_shape %[[R]] {{\[\[}}0, 1]] output_shape [%{{.*}}, 1] : tensor<?xf32> into tensor<?x1xf32>
// CHECK-DAG:     %[[ONE:.*]] = tensor.expand_shape %[[S]] [] output_shape [1, 1] : tensor<f32> into tensor<1x1xf32>
// CHECK-DAG:     %[[M:.*]] = tensor.dim %[[X]], %c0
// CHECK-DAG:     %[[OUT:.*]] = tensor.empty(%[[M]]) : tensor<?x64xbf16>
// CHECK-NOT:     linalg
// CHECK:         %[[Y:.*]] = ecf8.contract ins(%[[X]], %[[C]] : {{.*}}) outs(%[[OUT]] : tensor<?x64xbf16>) epilogue(%[[ROW]], %[[COLUMN]], %[[ONE]], %[[D]] : tensor<1x64xf32>, tensor<?x1xf32>, tensor<1x1xf32>, tensor<?x64xbf16>) {
// CHECK-NEXT:    ^bb0(%[[SUM:.*]]: f32, %[[B0:.*]]: f32, %[[R0:.*]]: f32, %[[S0:.*]]: f32, %[[D0:.*]]: bf16):
// CHECK-NEXT:      %[[ZERO:.*]] = arith.constant 0.0
// CHECK-NEXT:      %[[T1:.*]] = arith.addf %[[SUM]], %[[B0]] : f32
// CHECK-NEXT:      %[[T2:.*]] = arith.maximumf %[[T1]], %[[ZERO]] : f32
// CHECK-NEXT:      %[[T3:.*]] = arith.mulf %[[T2]], %[[R0]] : f32
// CHECK-NEXT:      %[[T4:.*]] = arith.mulf %[[T3]], %[[S0]] : f32
// CHECK-NEXT:      %[[T5:.*]] = arith.truncf %[[T4]] : f32 to bf16
// CHECK-NEXT:      %[[T6:.*]] = arith.addf %[[T5]], %[[D0]] : bf16
// CHECK-NEXT:      ecf8.yield %[[T6]] : bf16
// CHECK-NEXT:    } -> tensor<?x64xbf16>
// CHECK-NEXT:    return %[[Y]]
func.func @all_forms(%c: !weight, %x: !x, %bias: tensor<64xf32>, %r: tensor<?xf32>, %s: tensor<f32>, %residual: tensor<?x64xbf16>) -> tensor<?x64xbf16> {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %m = tensor.dim %x, %c0 : !x
  %e = tensor.empty(%m) : !y
  %f = linalg.fill ins(%zero : f32) outs(%e : !y) -> !y
  %y = ecf8.contract ins(%x, %c : !x, !weight) outs(%f : !y) -> !y
  %a = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel"]} ins(%y, %bias : !y, tensor<64xf32>) outs(%e : !y) {
  ^bb0(%in: f32, %b: f32, %o: f32):
    %0 = arith.addf %in, %b : f32
    %1 = arith.maximumf %0, %zero : f32
    linalg.yield %1 : f32
  } -> !y
  %g = linalg.generic {indexing_maps = [#id, #column, #scalar, #id], iterator_types = ["parallel", "parallel"]} ins(%a, %r, %s : !y, tensor<?xf32>, tensor<f32>) outs(%e : !y) {
  ^bb0(%in: f32, %t: f32, %u: f32, %o: f32):
    %0 = arith.mulf %in, %t : f32
    %1 = arith.mulf %0, %u : f32
    linalg.yield %1 : f32
  } -> !y
  %h = tensor.empty(%m) : tensor<?x64xbf16>
  %z = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]} ins(%g, %residual : !y, tensor<?x64xbf16>) outs(%h : tensor<?x64xbf16>) {
  ^bb0(%in: f32, %d: bf16, %o: bf16):
    %0 = arith.truncf %in : f32 to bf16
    %1 = arith.addf %0, %d : bf16
    linalg.yield %1 : bf16
  } -> tensor<?x64xbf16>
  return %z : tensor<?x64xbf16>
}

// Rows of two dimensions, the first of size 1; the reshape stands behind the contraction.
// CHECK-LABEL: func @split_rows(
// CHECK-DAG:     %[[D:.*]] = tensor.collapse_shape %{{.*}} {{\[\[}}0, 1], [2]] : tensor<1x6x64xf32> into tensor<6x64xf32>
// CHECK-DAG:     %[[B:.*]] = tensor.collapse_shape %{{.*}} {{\[\[}}0, 1], [2]] : tensor<1x1x64xf32> into tensor<1x64xf32>
// CHECK:         %[[Y:.*]] = ecf8.contract {{.*}} epilogue(%[[D]], %[[B]] : tensor<6x64xf32>, tensor<1x64xf32>) {
// CHECK:         } -> tensor<6x64xf32>
// CHECK:         %[[Z:.*]] = tensor.expand_shape %[[Y]] {{\[\[}}0, 1], [2]] output_shape [1, 6, 64]
// CHECK:         return %[[Z]]
func.func @split_rows(%c: !weight, %x: tensor<6x128xf32>, %residual: tensor<1x6x64xf32>, %bias: tensor<1x1x64xf32>) -> tensor<1x6x64xf32> {
  %f = arith.constant dense<0.0> : tensor<6x64xf32>
  %y = ecf8.contract ins(%x, %c : tensor<6x128xf32>, !weight) outs(%f : tensor<6x64xf32>) -> tensor<6x64xf32>
  %r = tensor.expand_shape %y [[0, 1], [2]] output_shape [1, 6, 64] : tensor<6x64xf32> into tensor<1x6x64xf32>
  %e = tensor.empty() : tensor<1x6x64xf32>
  %z = linalg.generic {indexing_maps = [affine_map<(b, m, n) -> (0, m, n)>, #id3, affine_map<(b, m, n) -> (b, 0, n)>, #id3], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%r, %residual, %bias : tensor<1x6x64xf32>, tensor<1x6x64xf32>, tensor<1x1x64xf32>) outs(%e : tensor<1x6x64xf32>) {
  ^bb0(%in: f32, %d: f32, %b: f32, %o: f32):
    %0 = arith.addf %in, %b : f32
    %1 = arith.addf %d, %0 : f32
    linalg.yield %1 : f32
  } -> tensor<1x6x64xf32>
  return %z : tensor<1x6x64xf32>
}

// A vector: the only row.
// CHECK-LABEL: func @vector(
// CHECK:         %[[B:.*]] = tensor.expand_shape %{{.*}} {{\[\[}}0, 1]] output_shape [1, 64]
// CHECK:         %[[Y:.*]] = ecf8.contract {{.*}} epilogue(%[[B]] : tensor<1x64xf32>) {
// CHECK:         %[[Z:.*]] = tensor.collapse_shape %[[Y]] {{\[\[}}0, 1]] : tensor<1x64xf16> into tensor<64xf16>
// CHECK:         return %[[Z]]
func.func @vector(%c: !weight, %x: tensor<1x128xf32>, %bias: tensor<64xf32>) -> tensor<64xf16> {
  %f = arith.constant dense<0.0> : tensor<1x64xf32>
  %y = ecf8.contract ins(%x, %c : tensor<1x128xf32>, !weight) outs(%f : tensor<1x64xf32>) -> tensor<1x64xf32>
  %r = tensor.collapse_shape %y [[0, 1]] : tensor<1x64xf32> into tensor<64xf32>
  %e = tensor.empty() : tensor<64xf16>
  %z = linalg.generic {indexing_maps = [affine_map<(n) -> (n)>, affine_map<(n) -> (n)>, affine_map<(n) -> (n)>], iterator_types = ["parallel"]}
      ins(%r, %bias : tensor<64xf32>, tensor<64xf32>) outs(%e : tensor<64xf16>) {
  ^bb0(%in: f32, %b: f32, %o: f16):
    %0 = arith.addf %in, %b : f32
    %1 = arith.truncf %0 : f32 to f16
    linalg.yield %1 : f16
  } -> tensor<64xf16>
  return %z : tensor<64xf16>
}

// A gated layer: the one that is read as it is stands in front of its reader, the other is an operand. The sums are read
// twice, a number comes from outside of the body, and the first elements of the result are sums, too, but not read.
// CHECK-LABEL: func @gated(
// CHECK-SAME:    %[[V:[a-z0-9]+]]: f32)
// CHECK-DAG:     %[[N:.*]] = tensor.from_elements %[[V]] : tensor<1x1xf32>
// CHECK-DAG:     %[[UP:.*]] = ecf8.contract ins(%{{.*}}, %[[D:.*]] : {{.*}}) outs(%{{.*}} : tensor<4x64xf32>) -> tensor<4x64xf32>
// CHECK:         ecf8.contract {{.*}} epilogue(%[[UP]], %[[N]] : tensor<4x64xf32>, tensor<1x1xf32>) {
// CHECK-NEXT:    ^bb0(%[[SUM:.*]]: f32, %[[U:.*]]: f32, %[[K:.*]]: f32):
// CHECK-NEXT:      %[[T1:.*]] = arith.mulf %[[SUM]], %[[K]] : f32
// CHECK-NEXT:      %[[T2:.*]] = arith.mulf %[[T1]], %[[SUM]] : f32
// CHECK-NEXT:      %[[T3:.*]] = arith.mulf %[[T2]], %[[U]] : f32
func.func @gated(%c: !weight, %d: !weight, %x: tensor<4x128xf32>, %v: f32) -> tensor<4x64xf32> {
  %f = arith.constant dense<0.0> : tensor<4x64xf32>
  %gate = ecf8.contract ins(%x, %c : tensor<4x128xf32>, !weight) outs(%f : tensor<4x64xf32>) -> tensor<4x64xf32>
  %up = ecf8.contract ins(%x, %d : tensor<4x128xf32>, !weight) outs(%f : tensor<4x64xf32>) -> tensor<4x64xf32>
  %z = linalg.generic {indexing_maps = [#id, #id, #id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%gate, %gate, %up : tensor<4x64xf32>, tensor<4x64xf32>, tensor<4x64xf32>) outs(%gate : tensor<4x64xf32>) {
  ^bb0(%g: f32, %h: f32, %u: f32, %o: f32):
    %0 = arith.mulf %g, %v : f32
    %1 = arith.mulf %0, %h : f32
    %2 = arith.mulf %1, %u : f32
    linalg.yield %2 : f32
  } -> tensor<4x64xf32>
  return %z : tensor<4x64xf32>
}

// Shapes that are read off the sums are no readers.
// CHECK-LABEL: func @shapes(
// CHECK-NOT:     linalg
// CHECK-COUNT-1: ecf8.contract
// CHECK-NOT:     linalg
// CHECK:         return
func.func @shapes(%c: !weight, %x: !x) -> (!y, index) {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %m = tensor.dim %x, %c0 : !x
  %e = tensor.empty(%m) : !y
  %f = linalg.fill ins(%zero : f32) outs(%e : !y) -> !y
  %y = ecf8.contract ins(%x, %c : !x, !weight) outs(%f : !y) -> !y
  %n = tensor.dim %y, %c0 : !y
  %a = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%y : !y) outs(%y : !y) {
  ^bb0(%in: f32, %o: f32):
    %0 = arith.negf %in : f32
    linalg.yield %0 : f32
  } -> !y
  %z = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%a : !y) outs(%y : !y) {
  ^bb0(%in: f32, %o: f32):
    %0 = math.exp %in : f32
    linalg.yield %0 : f32
  } -> !y
  return %z, %n : !y, index
}
