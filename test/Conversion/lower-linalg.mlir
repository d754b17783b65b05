// RUN: ecf8-opt %s -ecf8-lower-linalg | FileCheck %s

// One accumulator per output, the sum in the order of the columns, products rounded before they are added.
// CHECK-LABEL: func @matmul(
// CHECK-NOT:     linalg.matmul
// CHECK:         scf.parallel
// CHECK:           vector.load
// CHECK:           scf.for {{.*}} iter_args
// CHECK:             %[[PRODUCT:.*]] = arith.mulf {{.*}} : vector<4xf32>
// CHECK:             arith.addf {{.*}} : vector<4xf32>
// CHECK-NOT:         math.fma
// CHECK:           vector.store
func.func @matmul(%a: memref<8x64xf32>, %b: memref<64x32xf32>, %c: memref<8x32xf32>) {
  linalg.matmul ins(%a, %b : memref<8x64xf32>, memref<64x32xf32>) outs(%c : memref<8x32xf32>)
  return
}

// CHECK-LABEL: func @negative_not_structured(
// CHECK:         memref.copy
func.func @negative_not_structured(%a: memref<8xf32>, %b: memref<8xf32>) {
  memref.copy %a, %b : memref<8xf32> to memref<8xf32>
  return
}
