// RUN: ecf8-opt %s -ecf8-check-bounds -canonicalize -split-input-file -verify-diagnostics | FileCheck %s

// The number of an expert. Unsigned, so that negative numbers are outside.
// CHECK-LABEL: func @expert(
// CHECK-SAME:    %[[W:[a-z0-9]+]]: memref<5x96x192xf32>, %[[E:[a-z0-9]+]]: index)
// CHECK-DAG:     %[[COUNT:.*]] = arith.constant 5 : index
// CHECK-DAG:     %[[ONE:.*]] = arith.constant 1 : index
// CHECK:         %[[BEGINS:.*]] = arith.cmpi ule, %[[E]], %[[COUNT]]
// CHECK:         %[[REST:.*]] = arith.subi %[[COUNT]], %[[E]]
// CHECK:         %[[ENDS:.*]] = arith.cmpi uge, %[[REST]], %[[ONE]]
// CHECK:         %[[INSIDE:.*]] = arith.andi %[[BEGINS]], %[[ENDS]]
// CHECK:         cf.assert %[[INSIDE]], "slice outside the tensor"
// CHECK-NEXT:    memref.subview
func.func @expert(%w: memref<5x96x192xf32>, %e: index) -> memref<96x192xf32, strided<[192, 1], offset: ?>> {
  %0 = memref.subview %w[%e, 0, 0] [1, 96, 192] [1, 1, 1] : memref<5x96x192xf32> to memref<96x192xf32, strided<[192, 1], offset: ?>>
  return %0 : memref<96x192xf32, strided<[192, 1], offset: ?>>
}

// Every second element; the quotient is that of the rest by 2, rounded up.
// CHECK-LABEL: func @strided(
// CHECK:         arith.ceildivui
// CHECK:         cf.assert %{{.*}}, "slice outside the tensor"
func.func @strided(%w: memref<?xf32>, %size: index) -> memref<?xf32, strided<[2], offset: 3>> {
  %0 = memref.subview %w[3] [%size] [2] : memref<?xf32> to memref<?xf32, strided<[2], offset: 3>>
  return %0 : memref<?xf32, strided<[2], offset: 3>>
}

// CHECK-LABEL: func @lookup(
// CHECK-SAME:    %[[T:[a-z0-9]+]]: memref<?xf32>, %[[I:[a-z0-9]+]]: index)
// CHECK:         %[[SIZE:.*]] = memref.dim %[[T]]
// CHECK:         %[[INSIDE:.*]] = arith.cmpi ult, %[[I]], %[[SIZE]]
// CHECK:         cf.assert %[[INSIDE]], "index outside the tensor"
// CHECK-NEXT:    memref.load
// CHECK:         cf.assert %{{.*}}, "index outside the tensor"
// CHECK-NEXT:    memref.store
func.func @lookup(%t: memref<?xf32>, %i: index) {
  %j = arith.addi %i, %i : index
  %0 = memref.load %t[%i] : memref<?xf32>
  memref.store %0, %t[%j] : memref<?xf32>
  return
}

// What is inside for sure: static places, each element of a loop over a dimension, each expert of a loop over all.
// CHECK-LABEL: func @negative_inside(
// CHECK-NOT:     cf.assert
// CHECK:         return
func.func @negative_inside(%w: memref<5x96xf32>, %t: memref<?xf32>) {
  %zero = arith.constant 0 : index
  %one = arith.constant 1 : index
  %five = arith.constant 5 : index
  %size = memref.dim %t, %zero : memref<?xf32>
  scf.for %i = %zero to %size step %one {
    %0 = memref.load %t[%i] : memref<?xf32>
    memref.store %0, %w[%one, %one] : memref<5x96xf32>
  }
  scf.for %e = %zero to %five step %one {
    %s = memref.subview %w[%e, 0] [1, 96] [1, 1] : memref<5x96xf32> to memref<96xf32, strided<[1], offset: ?>>
    %f = arith.constant 0.0 : f32
    linalg.fill ins(%f : f32) outs(%s : memref<96xf32, strided<[1], offset: ?>>)
  }
  return
}

// -----

func.func @negative_stride(%w: memref<8xf32>, %at: index) -> memref<2xf32, strided<[-1], offset: ?>> {
  // expected-error @+1 {{expected a positive stride where sizes are not known, got -1}}
  %0 = memref.subview %w[%at] [2] [-1] : memref<8xf32> to memref<2xf32, strided<[-1], offset: ?>>
  return %0 : memref<2xf32, strided<[-1], offset: ?>>
}
