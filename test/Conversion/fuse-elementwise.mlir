// RUN: ecf8-opt %s -ecf8-fuse-elementwise | FileCheck %s

#map = affine_map<(d0) -> (d0)>
#row = affine_map<(d0, d1) -> (d0)>
#both = affine_map<(d0, d1) -> (d0, d1)>

// CHECK-LABEL: func @chain(
// CHECK:         linalg.generic
// CHECK:           arith.addf
// CHECK:           math.exp
// CHECK-NOT:     linalg.generic
// CHECK:         return
func.func @chain(%a: tensor<8xf32>, %b: tensor<8xf32>) -> tensor<8xf32> {
  %e = tensor.empty() : tensor<8xf32>
  %0 = linalg.generic {indexing_maps = [#map, #map, #map], iterator_types = ["parallel"]}
      ins(%a, %b : tensor<8xf32>, tensor<8xf32>) outs(%e : tensor<8xf32>) {
  ^bb0(%x: f32, %y: f32, %o: f32):
    %s = arith.addf %x, %y : f32
    linalg.yield %s : f32
  } -> tensor<8xf32>
  %1 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel"]}
      ins(%0 : tensor<8xf32>) outs(%e : tensor<8xf32>) {
  ^bb0(%x: f32, %o: f32):
    %s = math.exp %x : f32
    linalg.yield %s : f32
  } -> tensor<8xf32>
  return %1 : tensor<8xf32>
}

// The exponential would be computed twice.
// CHECK-LABEL: func @negative_two_readers(
// CHECK:         linalg.generic
// CHECK:           math.exp
// CHECK:         linalg.generic
// CHECK-NOT:       math.exp
// CHECK:         return
func.func @negative_two_readers(%a: tensor<8xf32>) -> (tensor<8xf32>, tensor<8xf32>) {
  %e = tensor.empty() : tensor<8xf32>
  %0 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel"]}
      ins(%a : tensor<8xf32>) outs(%e : tensor<8xf32>) {
  ^bb0(%x: f32, %o: f32):
    %s = math.exp %x : f32
    linalg.yield %s : f32
  } -> tensor<8xf32>
  %1 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel"]}
      ins(%0 : tensor<8xf32>) outs(%e : tensor<8xf32>) {
  ^bb0(%x: f32, %o: f32):
    %s = arith.negf %x : f32
    linalg.yield %s : f32
  } -> tensor<8xf32>
  return %0, %1 : tensor<8xf32>, tensor<8xf32>
}

// The extension, scaling and transposition of a weight and what follows are one loop. Named ops become generic.
// CHECK-LABEL: func @transposes(
// CHECK:         linalg.generic {indexing_maps = [#[[TRANSPOSED:.*]], #{{.*}}, #{{.*}}]
// CHECK-SAME:        ins(%{{.*}}, %{{.*}} : tensor<8x4xf8E4M3FN>, tensor<8xf32>)
// CHECK:           arith.extf
// CHECK:           arith.mulf
// CHECK:           math.exp
// CHECK-NOT:     linalg.generic
// CHECK-NOT:     linalg.transpose
// CHECK:         return
func.func @transposes(%w: tensor<8x4xf8E4M3FN>, %scale: tensor<8xf32>) -> tensor<4x8xf32> {
  %e = tensor.empty() : tensor<8x4xf32>
  %0 = linalg.generic {indexing_maps = [#both, #row, #both], iterator_types = ["parallel", "parallel"]}
      ins(%w, %scale : tensor<8x4xf8E4M3FN>, tensor<8xf32>) outs(%e : tensor<8x4xf32>) {
  ^bb0(%x: f8E4M3FN, %y: f32, %o: f32):
    %s = arith.extf %x : f8E4M3FN to f32
    %t = arith.mulf %s, %y : f32
    linalg.yield %t : f32
  } -> tensor<8x4xf32>
  %f = tensor.empty() : tensor<4x8xf32>
  %1 = linalg.transpose ins(%0 : tensor<8x4xf32>) outs(%f : tensor<4x8xf32>) permutation = [1, 0]
  %2 = linalg.exp ins(%1 : tensor<4x8xf32>) outs(%f : tensor<4x8xf32>) -> tensor<4x8xf32>
  return %2 : tensor<4x8xf32>
}

// The exponential of a row would be computed for each column.
// CHECK-LABEL: func @negative_broadcast(
// CHECK:         linalg.generic
// CHECK:           math.exp
// CHECK:         linalg.generic
// CHECK-NOT:       math.exp
// CHECK:         return
func.func @negative_broadcast(%a: tensor<8xf32>) -> tensor<8x4xf32> {
  %e = tensor.empty() : tensor<8xf32>
  %0 = linalg.exp ins(%a : tensor<8xf32>) outs(%e : tensor<8xf32>) -> tensor<8xf32>
  %f = tensor.empty() : tensor<8x4xf32>
  %1 = linalg.broadcast ins(%0 : tensor<8xf32>) outs(%f : tensor<8x4xf32>) dimensions = [1]
  return %1 : tensor<8x4xf32>
}

// A sum takes in what is done to its terms, here one exponential for each; what reads the sum stays outside.
// CHECK-LABEL: func @into_a_sum(
// CHECK:         linalg.generic {{.*}} iterator_types = ["parallel", "reduction"]
// CHECK-NEXT:    ^bb0
// CHECK-NEXT:      math.exp
// CHECK-NEXT:      arith.addf
// CHECK-NEXT:      linalg.yield
// CHECK:         linalg.generic
// CHECK:           math.sqrt
// CHECK:         return
func.func @into_a_sum(%a: tensor<8x4xf32>, %i: tensor<8xf32>) -> tensor<8xf32> {
  %e = tensor.empty() : tensor<8x4xf32>
  %0 = linalg.exp ins(%a : tensor<8x4xf32>) outs(%e : tensor<8x4xf32>) -> tensor<8x4xf32>
  %1 = linalg.generic {indexing_maps = [#both, #row], iterator_types = ["parallel", "reduction"]}
      ins(%0 : tensor<8x4xf32>) outs(%i : tensor<8xf32>) {
  ^bb0(%x: f32, %o: f32):
    %s = arith.addf %o, %x : f32
    linalg.yield %s : f32
  } -> tensor<8xf32>
  %2 = linalg.sqrt ins(%1 : tensor<8xf32>) outs(%i : tensor<8xf32>) -> tensor<8xf32>
  return %2 : tensor<8xf32>
}

// A contraction reads each element many times, and stays a named op.
// CHECK-LABEL: func @negative_contraction(
// CHECK:         linalg.generic
// CHECK:           math.exp
// CHECK:         linalg.matmul
// CHECK:         return
func.func @negative_contraction(%a: tensor<8x4xf32>, %b: tensor<4x8xf32>, %i: tensor<8x8xf32>) -> tensor<8x8xf32> {
  %e = tensor.empty() : tensor<8x4xf32>
  %0 = linalg.exp ins(%a : tensor<8x4xf32>) outs(%e : tensor<8x4xf32>) -> tensor<8x4xf32>
  %1 = linalg.matmul ins(%0, %b : tensor<8x4xf32>, tensor<4x8xf32>) outs(%i : tensor<8x8xf32>) -> tensor<8x8xf32>
  return %1 : tensor<8x8xf32>
}

// Each of the two readers would compute the exponential.
// CHECK-LABEL: func @negative_several_results(
// CHECK-COUNT-1: math.exp
// CHECK-NOT:     math.exp
// CHECK:         return
func.func @negative_several_results(%a: tensor<8xf32>) -> (tensor<8xf32>, tensor<8xf32>) {
  %e = tensor.empty() : tensor<8xf32>
  %0:2 = linalg.generic {indexing_maps = [#map, #map, #map], iterator_types = ["parallel"]}
      ins(%a : tensor<8xf32>) outs(%e, %e : tensor<8xf32>, tensor<8xf32>) {
  ^bb0(%x: f32, %o: f32, %p: f32):
    %s = math.exp %x : f32
    %t = math.sin %s : f32
    linalg.yield %s, %t : f32, f32
  } -> (tensor<8xf32>, tensor<8xf32>)
  %1 = linalg.negf ins(%0#0 : tensor<8xf32>) outs(%e : tensor<8xf32>) -> tensor<8xf32>
  return %1, %0#1 : tensor<8xf32>, tensor<8xf32>
}

// Ops on buffers, fills and what is not structured stay.
// CHECK-LABEL: func @negative_not_elementwise_on_tensors(
// CHECK:         linalg.exp
// CHECK:         linalg.fill
// CHECK:         tensor.pad
func.func @negative_not_elementwise_on_tensors(%m: memref<8xf32>, %a: tensor<8xf32>, %f: f32) -> tensor<9xf32> {
  linalg.exp ins(%m : memref<8xf32>) outs(%m : memref<8xf32>)
  %0 = linalg.fill ins(%f : f32) outs(%a : tensor<8xf32>) -> tensor<8xf32>
  %1 = tensor.pad %0 low[0] high[1] {
  ^bb0(%i: index):
    tensor.yield %f : f32
  } : tensor<8xf32> to tensor<9xf32>
  return %1 : tensor<9xf32>
}

// Each of two readers extends for itself: no tensor of f64 is left.
// CHECK-LABEL: func @extension_of_two_readers(
// CHECK-NOT:     linalg.generic {{.*}} outs({{.*}} : tensor<8x4xf64>)
// CHECK:         linalg.generic {{.*}} ins({{.*}} : tensor<8x4xf32>)
// CHECK:           arith.extf
// CHECK:           arith.addf
// CHECK:         linalg.generic {{.*}} ins({{.*}} : tensor<8x4xf32>)
// CHECK:           arith.extf
// CHECK:           arith.maximumf
// CHECK:         return
func.func @extension_of_two_readers(%a: tensor<8x4xf32>, %init: tensor<8xf64>) -> (tensor<8xf64>, tensor<8xf64>) {
  %e = tensor.empty() : tensor<8x4xf64>
  %0 = linalg.generic {indexing_maps = [#both, #both], iterator_types = ["parallel", "parallel"]}
      ins(%a : tensor<8x4xf32>) outs(%e : tensor<8x4xf64>) {
  ^bb0(%x: f32, %o: f64):
    %s = arith.extf %x : f32 to f64
    linalg.yield %s : f64
  } -> tensor<8x4xf64>
  %1 = linalg.generic {indexing_maps = [#both, #row], iterator_types = ["parallel", "reduction"]}
      ins(%0 : tensor<8x4xf64>) outs(%init : tensor<8xf64>) {
  ^bb0(%x: f64, %o: f64):
    %s = arith.addf %x, %o : f64
    linalg.yield %s : f64
  } -> tensor<8xf64>
  %2 = linalg.generic {indexing_maps = [#both, #row], iterator_types = ["parallel", "reduction"]}
      ins(%0 : tensor<8x4xf64>) outs(%init : tensor<8xf64>) {
  ^bb0(%x: f64, %o: f64):
    %s = arith.maximumf %x, %o : f64
    linalg.yield %s : f64
  } -> tensor<8xf64>
  return %1, %2 : tensor<8xf64>, tensor<8xf64>
}
