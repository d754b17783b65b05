// RUN: ecf8-opt %s -ecf8-lower-linalg | FileCheck %s
// RUN: ecf8-opt %s -ecf8-lower-linalg=vector-bits=512 | FileCheck %s --check-prefix=WIDE

#id = affine_map<(d0) -> (d0)>
#row = affine_map<(d0, d1) -> (d0)>
#both = affine_map<(d0, d1) -> (d0, d1)>
#column = affine_map<(d0, d1) -> (d1)>
#window = affine_map<(d0, d1) -> (2 * d0 + d1)>
#x = affine_map<(d0, d1, d2) -> (d0, d2)>
#w = affine_map<(d0, d1, d2) -> (d1, d2)>
#y = affine_map<(d0, d1, d2) -> (d0, d1)>

// One accumulator per output, the sum in the order of the columns, products rounded before they are added. A NaN is the
// same one in the end, whatever it came from.
// WIDE-LABEL:  func @matmul(
// WIDE:          arith.mulf {{.*}} : vector<16xf32>
// CHECK-LABEL: func @matmul(
// CHECK-NOT:     linalg.matmul
// CHECK:         scf.parallel
// CHECK:           vector.load
// CHECK:           scf.for {{.*}} iter_args
// CHECK:             %[[PRODUCT:.*]] = arith.mulf {{.*}} : vector<4xf32>
// CHECK:             arith.addf {{.*}} : vector<4xf32>
// CHECK-NOT:         math.fma
// CHECK:           %[[ISNAN:.*]] = arith.cmpf uno, %[[SUM:.*]], %[[SUM]] : vector<4xf32>
// CHECK:           %[[NAN:.*]] = arith.constant dense<0x7FC00000> : vector<4xf32>
// CHECK:           %[[RESULT:.*]] = arith.select %[[ISNAN]], %[[NAN]], %[[SUM]]
// CHECK:           vector.store
func.func @matmul(%a: memref<8x64xf32>, %b: memref<64x32xf32>, %c: memref<8x32xf32>) {
  linalg.matmul ins(%a, %b : memref<8x64xf32>, memref<64x32xf32>) outs(%c : memref<8x32xf32>)
  return
}

// A weight stored as [N, K]: squares of four by four are transposed in registers; each sum is still in the order of k. The
// last three columns are read one by one.
// CHECK-LABEL: func @transposed_weight(
// CHECK:         scf.for {{.*}} iter_args
// CHECK-COUNT-4:   vector.load {{.*}} : memref<8x11xf32>, vector<4xf32>
// CHECK-COUNT-8:   vector.shuffle {{.*}} : vector<4xi32>, vector<4xi32>
// CHECK-NOT:       memref.load %arg1
// CHECK:           scf.yield
// CHECK:         scf.for {{.*}} iter_args
// CHECK-COUNT-4:   memref.load %arg1
// CHECK:           vector.from_elements
// CHECK:           scf.yield
// WIDE-LABEL:  func @transposed_weight(
// WIDE-COUNT-8:  vector.load {{.*}} : memref<8x11xf32>, vector<8xf32>
// WIDE-COUNT-24: vector.shuffle {{.*}} : vector<8xi32>, vector<8xi32>
func.func @transposed_weight(%x: memref<2x11xf32>, %w: memref<8x11xf32>, %y: memref<2x8xf32>) {
  linalg.generic {indexing_maps = [#x, #w, #y], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %w : memref<2x11xf32>, memref<8x11xf32>) outs(%y : memref<2x8xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %0 = arith.mulf %a, %b : f32
    %1 = arith.addf %c, %0 : f32
    linalg.yield %1 : f32
  }
  return
}

// Elements of 64 bits are not transposed, and not what lies along both dimensions at once.
// CHECK-LABEL: func @negative_not_transposed(
// CHECK-NOT:     vector.shuffle
// CHECK:         return
func.func @negative_not_transposed(%w: memref<8x8xf64>, %y: memref<8xf64>, %d: memref<22xf32>, %k: memref<8xf32>,
                                   %z: memref<8xf32>) {
  linalg.generic {indexing_maps = [#both, #row], iterator_types = ["parallel", "reduction"]}
      ins(%w : memref<8x8xf64>) outs(%y : memref<8xf64>) {
  ^bb0(%a: f64, %c: f64):
    %0 = arith.addf %c, %a : f64
    linalg.yield %0 : f64
  }
  linalg.generic {indexing_maps = [#window, #column, #row], iterator_types = ["parallel", "reduction"]}
      ins(%d, %k : memref<22xf32>, memref<8xf32>) outs(%z : memref<8xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %0 = arith.addf %c, %a : f32
    linalg.yield %0 : f32
  }
  return
}

// CHECK-LABEL: func @negative_not_structured(
// CHECK:         memref.copy
func.func @negative_not_structured(%a: memref<8xf32>, %b: memref<8xf32>) {
  memref.copy %a, %b : memref<8xf32> to memref<8xf32>
  return
}

// Each product is rounded to bf16 before it is added, and each sum after it: as written.
// CHECK-LABEL: func @bf16(
// CHECK:         scf.for {{.*}} iter_args(%[[SUM:.*]] = %{{.*}}) -> (vector<4xbf16>)
// CHECK:           %[[PRODUCT:.*]] = arith.mulf %{{.*}}, %{{.*}} : vector<4xbf16>
// CHECK-NEXT:      arith.addf %[[SUM]], %[[PRODUCT]] : vector<4xbf16>
// CHECK-NEXT:      scf.yield
func.func @bf16(%a: memref<1x4xbf16>, %b: memref<4x4xbf16>, %c: memref<1x4xbf16>) {
  linalg.matmul ins(%a, %b : memref<1x4xbf16>, memref<4x4xbf16>) outs(%c : memref<1x4xbf16>)
  return
}

// 11 columns are two vectors of four and three single elements. The old value of the output is read.
// CHECK-LABEL: func @integers(
// CHECK:         scf.parallel
// CHECK:           scf.for
// CHECK:             %[[X:.*]] = vector.load {{.*}} : memref<2x11xi8>, vector<4xi8>
// CHECK:             %[[O:.*]] = vector.load {{.*}} : memref<2x11xi32>, vector<4xi32>
// CHECK:             %[[EXTENDED:.*]] = arith.extsi %[[X]] : vector<4xi8> to vector<4xi32>
// CHECK:             arith.muli %[[EXTENDED]], %[[O]] : vector<4xi32>
// CHECK:             vector.store
// CHECK:           scf.for
// CHECK:             memref.load
// CHECK:             arith.muli %{{.*}}, %{{.*}} : i32
// CHECK:             memref.store
func.func @integers(%a: memref<2x11xi8>, %b: memref<2x11xi32>) {
  linalg.generic {indexing_maps = [#both, #both], iterator_types = ["parallel", "parallel"]}
      ins(%a : memref<2x11xi8>) outs(%b : memref<2x11xi32>) {
  ^bb0(%x: i8, %o: i32):
    %0 = arith.extsi %x : i8 to i32
    %1 = arith.muli %0, %o : i32
    linalg.yield %1 : i32
  }
  return
}

// The greatest element of each row and where it is: both are carried by one loop.
// CHECK-LABEL: func @several_outputs(
// CHECK:         scf.for %[[COLUMN:.*]] = %{{.*}} iter_args(%[[MAX:.*]] = %{{.*}}, %[[AT:.*]] = %{{.*}}) -> (vector<2xf32>, vector<2xi64>)
// CHECK:           vector.broadcast %[[COLUMN]] : index to vector<2xindex>
// CHECK:           %[[GREATER:.*]] = arith.cmpf ogt, %{{.*}}, %[[MAX]]
// CHECK:           arith.select %[[GREATER]], %{{.*}}, %[[MAX]]
// CHECK:           arith.select %[[GREATER]], %{{.*}}, %[[AT]]
// CHECK:         vector.store %{{.*}}#0
// CHECK:         vector.store %{{.*}}#1
func.func @several_outputs(%a: memref<2x6xf32>, %max: memref<2xf32>, %at: memref<2xi64>) {
  linalg.generic {indexing_maps = [#both, #row, #row], iterator_types = ["parallel", "reduction"]}
      ins(%a : memref<2x6xf32>) outs(%max, %at : memref<2xf32>, memref<2xi64>) {
  ^bb0(%x: f32, %m: f32, %i: i64):
    %0 = linalg.index 1 : index
    %1 = arith.index_cast %0 : index to i64
    %2 = arith.cmpf ogt, %x, %m : f32
    %3 = arith.select %2, %x, %m : f32
    %4 = arith.select %2, %1, %i : i64
    linalg.yield %3, %4 : f32, i64
  }
  return
}

// Booleans are bytes in memory but bits in vectors: one after the other.
// CHECK-LABEL: func @booleans(
// CHECK-NOT:     vector
// CHECK:         arith.andi %{{.*}}, %{{.*}} : i1
// CHECK-NOT:     vector
// CHECK:         return
func.func @booleans(%a: memref<8xi1>, %b: memref<8xi1>) {
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
      ins(%a : memref<8xi1>) outs(%b : memref<8xi1>) {
  ^bb0(%x: i1, %o: i1):
    %0 = arith.andi %x, %o : i1
    linalg.yield %0 : i1
  }
  return
}

// CHECK-LABEL: func @strided_copy(
// CHECK-NOT:     memref.copy
// CHECK:         vector.load {{.*}} : memref<4x8xf32, strided<[16, 1], offset: 3>>, vector<4xf32>
// CHECK:         vector.store {{.*}} : memref<4x8xf32>, vector<4xf32>
func.func @strided_copy(%a: memref<4x8xf32, strided<[16, 1], offset: 3>>, %b: memref<4x8xf32>) {
  memref.copy %a, %b : memref<4x8xf32, strided<[16, 1], offset: 3>> to memref<4x8xf32>
  return
}
