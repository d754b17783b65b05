// RUN: ecf8-opt %s -ecf8-lower-linalg | FileCheck %s
// How sums begin, and sums whose results have dimensions of size 1.

#all = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
#kept = affine_map<(d0, d1, d2) -> (d0, d1, 0)>
#id2 = affine_map<(d0, d1) -> (d0, d1)>
#row = affine_map<(d0, d1) -> (d0)>

// CHECK-LABEL: func @begins_with_fill(
// CHECK:         %[[ZERO:.*]] = arith.constant {{.*}}0.000000e+00
// CHECK-NOT:     scf.for {{.*}} step %{{.*}} {
// CHECK:         scf.parallel
// CHECK-NOT:       vector.load %alloc
// CHECK:           vector.broadcast %[[ZERO]] : f32 to vector<4xf32>
// CHECK:           scf.for {{.*}} iter_args
// CHECK:           vector.store
// CHECK-NOT:     scf.parallel
// CHECK:         return
func.func @begins_with_fill(%a: memref<8x64xf32>, %b: memref<64x32xf32>) -> memref<8x32xf32> {
  %zero = arith.constant 0.0 : f32
  %c = memref.alloc() : memref<8x32xf32>
  linalg.fill ins(%zero : f32) outs(%c : memref<8x32xf32>)
  linalg.matmul ins(%a, %b : memref<8x64xf32>, memref<64x32xf32>) outs(%c : memref<8x32xf32>)
  return %c : memref<8x32xf32>
}

// Something writes between the fill and the sum: through a view of the same memory.
// CHECK-LABEL: func @negative_written_between(
// CHECK:         scf.parallel
// CHECK:         memref.store
// CHECK:         scf.parallel
// CHECK:           vector.load %alloc
func.func @negative_written_between(%a: memref<8x64xf32>, %b: memref<64x32xf32>, %v: f32) -> memref<8x32xf32> {
  %zero = arith.constant 0.0 : f32
  %i = arith.constant 3 : index
  %c = memref.alloc() : memref<8x32xf32>
  linalg.fill ins(%zero : f32) outs(%c : memref<8x32xf32>)
  %flat = memref.collapse_shape %c [[0, 1]] : memref<8x32xf32> into memref<256xf32>
  memref.store %v, %flat[%i] : memref<256xf32>
  linalg.matmul ins(%a, %b : memref<8x64xf32>, memref<64x32xf32>) outs(%c : memref<8x32xf32>)
  return %c : memref<8x32xf32>
}

// The fill writes more than the sum does: its rest is needed.
// CHECK-LABEL: func @negative_part_of_fill(
// CHECK:         scf.parallel
// CHECK:         scf.parallel
// CHECK:           vector.load %subview
func.func @negative_part_of_fill(%a: memref<8x64xf32>, %b: memref<64x16xf32>) -> memref<8x32xf32> {
  %zero = arith.constant 0.0 : f32
  %c = memref.alloc() : memref<8x32xf32>
  linalg.fill ins(%zero : f32) outs(%c : memref<8x32xf32>)
  %part = memref.subview %c[0, 0] [8, 16] [1, 1] : memref<8x32xf32> to memref<8x16xf32, strided<[32, 1]>>
  linalg.matmul ins(%a, %b : memref<8x64xf32>, memref<64x16xf32>) outs(%part : memref<8x16xf32, strided<[32, 1]>>)
  return %c : memref<8x32xf32>
}

// The last dimension of the result has size 1. The rows are the lanes: squares are transposed in registers.
// CHECK-LABEL: func @kept_dimension(
// CHECK:         scf.for {{.*}} iter_args
// CHECK-COUNT-4:   vector.load {{.*}}, vector<4xf32>
// CHECK-COUNT-8:   vector.shuffle {{.*}} : vector<4xi32>, vector<4xi32>
// CHECK:           arith.addf {{.*}} : vector<4xf32>
// CHECK:         vector.store
func.func @kept_dimension(%a: memref<1x8x16xf32>, %c: memref<1x8x1xf32>) {
  linalg.generic {indexing_maps = [#all, #kept], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a : memref<1x8x16xf32>) outs(%c : memref<1x8x1xf32>) {
  ^bb0(%x: f32, %sum: f32):
    %0 = arith.addf %x, %sum : f32
    linalg.yield %0 : f32
  }
  return
}

// Booleans stay in a mask while they are collected, and go to memory one by one, as bytes.
// CHECK-LABEL: func @booleans_collected(
// CHECK:           arith.cmpf oeq, {{.*}} : vector<4xf32>
// CHECK:           arith.andi {{.*}} : vector<4xi1>
// CHECK-NOT:       vector.store
// CHECK-COUNT-4:   memref.store {{.*}} : memref<8xi1>
func.func @booleans_collected(%a: memref<8x16xf32>, %c: memref<8xi1>) {
  %least = arith.constant 0xFF800000 : f32
  linalg.generic {indexing_maps = [#id2, #row], iterator_types = ["parallel", "reduction"]}
      ins(%a : memref<8x16xf32>) outs(%c : memref<8xi1>) {
  ^bb0(%x: f32, %all: i1):
    %0 = arith.cmpf oeq, %x, %least : f32
    %1 = arith.andi %0, %all : i1
    linalg.yield %1 : i1
  }
  return
}

// A mask with one boolean for each row is a vector's condition.
// CHECK-LABEL: func @boolean_of_a_row(
// CHECK:         memref.load {{.*}} : memref<8xi1>
// CHECK:         arith.select {{.*}} : vector<4xi1>, vector<4xf32>
func.func @boolean_of_a_row(%m: memref<8xi1>, %a: memref<8x16xf32>, %c: memref<8x16xf32>) {
  %zero = arith.constant 0.0 : f32
  linalg.generic {indexing_maps = [#row, #id2, #id2], iterator_types = ["parallel", "parallel"]}
      ins(%m, %a : memref<8xi1>, memref<8x16xf32>) outs(%c : memref<8x16xf32>) {
  ^bb0(%masked: i1, %x: f32, %o: f32):
    %0 = arith.select %masked, %zero, %x : f32
    linalg.yield %0 : f32
  }
  return
}
