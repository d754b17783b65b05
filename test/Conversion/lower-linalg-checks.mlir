// RUN: ecf8-opt %s -ecf8-lower-linalg -split-input-file -verify-diagnostics | FileCheck %s
// RUN: not ecf8-opt %s -ecf8-lower-linalg=vector-bits=48 2>&1 | FileCheck %s --check-prefix=BITS
// RUN: not ecf8-opt %s -ecf8-lower-linalg=vector-bits=16 2>&1 | FileCheck %s --check-prefix=FEW

// BITS: error: expected 'vector-bits' to be a power of two of at least 32, got 48
// FEW:  error: expected 'vector-bits' to be a power of two of at least 32, got 16

// A cast from a dynamic to a static size is a promise that only run time can check.
// CHECK-LABEL: func @promised_size(
// CHECK:         %[[SIZE:.*]] = memref.dim
// CHECK:         %[[EQUAL:.*]] = arith.cmpi eq, %[[SIZE]], %{{.*}} : index
// CHECK:         cf.assert %[[EQUAL]], "expected size 64 in dimension 1"
// CHECK-NEXT:    memref.cast
func.func @promised_size(%a: memref<4x?xf32>) -> memref<?x64xf32> {
  %0 = memref.cast %a : memref<4x?xf32> to memref<?x64xf32>
  return %0 : memref<?x64xf32>
}

// CHECK-LABEL: func @elementwise(
// CHECK-SAME:      %[[A:.*]]: memref<?x4xf32>, %[[B:.*]]: memref<?x4xf32>)
// CHECK:         %[[ROWS:.*]] = memref.dim %[[A]]
// CHECK:         %[[OTHER:.*]] = memref.dim %[[B]]
// CHECK:         %[[EQUAL:.*]] = arith.cmpi eq, %{{.*}}, %[[ROWS]]
// CHECK:         %[[ALL:.*]] = arith.andi
// CHECK:         cf.assert %[[ALL]], "shapes of the operands of linalg.exp do not match"
// CHECK:         scf.parallel
func.func @elementwise(%a: memref<?x4xf32>, %b: memref<?x4xf32>) {
  linalg.exp ins(%a : memref<?x4xf32>) outs(%b : memref<?x4xf32>)
  return
}

// The columns are known to match; the rows of the second are compared with the columns of the first.
// CHECK-LABEL: func @contraction(
// CHECK-COUNT-4: arith.cmpi eq
// CHECK-NOT:     arith.cmpi eq
// CHECK:         cf.assert %{{.*}}, "shapes of the operands of linalg.matmul do not match"
// CHECK:         scf.parallel
func.func @contraction(%a: memref<?x?xf32>, %b: memref<?x4xf32>, %c: memref<?x4xf32>) {
  linalg.matmul ins(%a, %b : memref<?x?xf32>, memref<?x4xf32>) outs(%c : memref<?x4xf32>)
  return
}

// -----

// The last window ends inside the input.
// CHECK:       #[[END:.*]] = affine_map<()[s0] -> (s0 + 2)>
// CHECK-LABEL: func @window(
// CHECK-SAME:      %[[A:[a-z0-9]+]]: memref<?xf32>, %{{.*}}: memref<3xf32>
// CHECK:         %[[SIZE:.*]] = memref.dim %[[A]], %{{.*}} : memref<?xf32>
// CHECK:         %[[LAST:.*]] = affine.apply #[[END]]()
// CHECK:         arith.cmpi slt, %[[LAST]], %{{.*}}
// CHECK:         cf.assert %{{.*}}, "shapes of the operands of linalg.conv_1d do not match"
func.func @window(%a: memref<?xf32>, %k: memref<3xf32>, %c: memref<?xf32>) {
  linalg.conv_1d ins(%a, %k : memref<?xf32>, memref<3xf32>) outs(%c : memref<?xf32>)
  return
}

// -----

// A verifier of MLIR looks at no size where that of one loop is not known.
// CHECK-LABEL: func @static_mismatch(
// CHECK-DAG:     %[[TWO:.*]] = arith.constant 2 : index
// CHECK-DAG:     %[[FOUR:.*]] = arith.constant 4 : index
// CHECK:         arith.cmpi eq, %[[FOUR]], %[[TWO]]
// CHECK:         cf.assert
func.func @static_mismatch(%a: memref<?x4xf32>, %b: memref<2xf32>) {
  linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d1)>, affine_map<(d0, d1) -> (d0, d1)>],
                  iterator_types = ["parallel", "parallel"]} ins(%b : memref<2xf32>) outs(%a : memref<?x4xf32>) {
  ^bb0(%x: f32, %o: f32):
    linalg.yield %x : f32
  }
  return
}

// -----

// Backwards: the greatest index is the first, the least one the last.
// CHECK:       #[[REVERSED:.*]] = affine_map<()[s0] -> (-s0 + 10)>
// CHECK-LABEL: func @reversed(
// CHECK-SAME:      %[[A:[a-z0-9]+]]: memref<?xf32>
// CHECK-DAG:     %[[SIZE:.*]] = memref.dim %[[A]]
// CHECK-DAG:     %[[LEAST:.*]] = affine.apply #[[REVERSED]]()
// CHECK-DAG:     %[[TEN:.*]] = arith.constant 10 : index
// CHECK-DAG:     arith.cmpi slt, %[[TEN]], %{{.*}}
// CHECK-DAG:     %[[ZERO:.*]] = arith.constant 0 : index
// CHECK-DAG:     arith.cmpi sge, %[[LEAST]], %[[ZERO]]
// CHECK:         cf.assert
func.func @reversed(%a: memref<?xf32>, %b: memref<?xf32>) {
  linalg.generic {indexing_maps = [affine_map<(d0) -> (10 - d0)>, affine_map<(d0) -> (d0)>],
                  iterator_types = ["parallel"]} ins(%a : memref<?xf32>) outs(%b : memref<?xf32>) {
  ^bb0(%x: f32, %o: f32):
    linalg.yield %x : f32
  }
  return
}

// -----

func.func @remainder(%a: memref<?xf32>, %b: memref<?xf32>) {
  // expected-error @below {{'linalg.generic' op expected indices that are sums of multiples of loop variables where sizes are not known, got affine_map<(d0) -> (d0 mod 4)>}}
  linalg.generic {indexing_maps = [affine_map<(d0) -> (d0 mod 4)>, affine_map<(d0) -> (d0)>],
                  iterator_types = ["parallel"]} ins(%a : memref<?xf32>) outs(%b : memref<?xf32>) {
  ^bb0(%x: f32, %o: f32):
    linalg.yield %x : f32
  }
  return
}

// -----

// CHECK-LABEL: func @static_window(
// CHECK-NOT:     cf.assert
// CHECK:         return
func.func @static_window(%a: memref<8xf32>, %k: memref<3xf32>, %c: memref<6xf32>) {
  linalg.conv_1d ins(%a, %k : memref<8xf32>, memref<3xf32>) outs(%c : memref<6xf32>)
  return
}

// -----

// A verifier of MLIR takes the index at the first and the last step alone; in between, -3 is read.
// CHECK-LABEL: func @static_difference(
// CHECK:         arith.cmpi sge
// CHECK:         cf.assert
func.func @static_difference(%a: memref<4xf32>, %b: memref<4x4xf32>) {
  linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0 - d1)>, affine_map<(d0, d1) -> (d0, d1)>],
                  iterator_types = ["parallel", "parallel"]} ins(%a : memref<4xf32>) outs(%b : memref<4x4xf32>) {
  ^bb0(%x: f32, %o: f32):
    linalg.yield %x : f32
  }
  return
}

// -----

// All sizes are known: the op's verifier has checked them.
// CHECK-LABEL: func @negative_static(
// CHECK-NOT:     cf.assert
// CHECK:         return
func.func @negative_static(%a: memref<8xf32>, %b: memref<8xf32>) {
  linalg.exp ins(%a : memref<8xf32>) outs(%b : memref<8xf32>)
  return
}

// -----

#row = affine_map<(d0, d1) -> (d0)>
#both = affine_map<(d0, d1) -> (d0, d1)>

// An embedding: one element after the other, each index compared as an unsigned number.
// CHECK-LABEL: func @lookup(
// CHECK-SAME:      %[[TABLE:.*]]: memref<100x4xf32>
// CHECK-NOT:     vector
// CHECK:         %[[ID:.*]] = arith.index_cast
// CHECK:         %[[SIZE:.*]] = arith.constant 100 : index
// CHECK:         arith.cmpi ult, %[[ID]], %[[SIZE]]
// CHECK:         cf.assert %{{.*}}, "index outside the tensor that is read"
// CHECK-NEXT:    memref.load %[[TABLE]][%[[ID]], %{{.*}}]
// CHECK-NOT:     vector
// CHECK:         return
func.func @lookup(%table: memref<100x4xf32>, %ids: memref<8xi64>, %out: memref<8x4xf32>) {
  linalg.generic {indexing_maps = [#row, #both], iterator_types = ["parallel", "parallel"]}
      ins(%ids : memref<8xi64>) outs(%out : memref<8x4xf32>) {
  ^bb0(%id: i64, %o: f32):
    %0 = arith.index_cast %id : i64 to index
    %1 = linalg.index 1 : index
    %2 = memref.load %table[%0, %1] : memref<100x4xf32>
    linalg.yield %2 : f32
  }
  return
}

// -----

#id = affine_map<(d0) -> (d0)>

// A constant index inside a table of known size needs no check.
// CHECK-LABEL: func @negative_constant_lookup(
// CHECK-NOT:     cf.assert
// CHECK:         return
func.func @negative_constant_lookup(%table: memref<100xf32>, %out: memref<8xf32>) {
  %c99 = arith.constant 99 : index
  linalg.generic {indexing_maps = [#id], iterator_types = ["parallel"]} outs(%out : memref<8xf32>) {
  ^bb0(%o: f32):
    %0 = memref.load %table[%c99] : memref<100xf32>
    linalg.yield %0 : f32
  }
  return
}

// -----

func.func @tensors(%a: tensor<8xf32>, %b: tensor<8xf32>) -> tensor<8xf32> {
  // expected-error @below {{'linalg.exp' op expected operands in buffers, got tensors; run one-shot-bufferize first}}
  %0 = linalg.exp ins(%a : tensor<8xf32>) outs(%b : tensor<8xf32>) -> tensor<8xf32>
  return %0 : tensor<8xf32>
}
