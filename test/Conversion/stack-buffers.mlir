// RUN: ecf8-opt %s -ecf8-stack-buffers -split-input-file | FileCheck %s

// One buffer of the function instead of one for each iteration; the alloca is moved, too.
// CHECK-LABEL: func @known_size(
// CHECK-DAG:     %[[A:.*]] = memref.alloca() {alignment = 64 : i64} : memref<64x128xf32>
// CHECK-DAG:     %[[B:.*]] = memref.alloca() : memref<8xf32>
// CHECK:         scf.for
// CHECK-NOT:       memref.alloc
// CHECK:           linalg.fill {{.*}} outs(%[[A]]
// CHECK:           linalg.fill {{.*}} outs(%[[B]]
// CHECK-NOT:       memref.dealloc
// CHECK:         return
func.func @known_size(%n: index, %x: f32) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  scf.for %i = %c0 to %n step %c1 {
    %a = memref.alloc() {alignment = 64 : i64} : memref<64x128xf32>
    %b = memref.alloca() : memref<8xf32>
    linalg.fill ins(%x : f32) outs(%a : memref<64x128xf32>)
    linalg.fill ins(%x : f32) outs(%b : memref<8xf32>)
    memref.dealloc %a : memref<64x128xf32>
  }
  return
}

// -----

// The last tile is shorter: a view of the bytes of a full one.
// CHECK-LABEL: func @last_tile(
// CHECK:         %[[BYTES:.*]] = memref.alloca() {alignment = 64 : i64} : memref<16384xi8>
// CHECK:         scf.for
// CHECK:           %[[ROWS:.*]] = affine.min
// CHECK:           %[[VIEW:.*]] = memref.view %[[BYTES]][%{{.*}}][%[[ROWS]]] : memref<16384xi8> to memref<?x128xf32>
// CHECK:           linalg.fill {{.*}} outs(%[[VIEW]]
// CHECK-NOT:       memref.dealloc
// CHECK:         return
func.func @last_tile(%n: index, %x: f32) {
  %c0 = arith.constant 0 : index
  %c32 = arith.constant 32 : index
  scf.for %i = %c0 to %n step %c32 {
    %rows = affine.min affine_map<(i)[n] -> (n - i, 32)>(%i)[%n]
    %a = memref.alloc(%rows) : memref<?x128xf32>
    linalg.fill ins(%x : f32) outs(%a : memref<?x128xf32>)
    memref.dealloc %a : memref<?x128xf32>
  }
  return
}

// -----

// The length of a row is known when the loop begins: one allocation before it, of whole rows.
// CHECK-LABEL: func @known_before_the_loop(
// CHECK-SAME:    %[[N:.*]]: index, %[[M:.*]]: index,
// CHECK:         %[[WHOLE:.*]] = memref.alloc(%[[M]]) {alignment = 64 : i64} : memref<32x?x4xi8>
// CHECK:         %[[BYTES:.*]] = memref.collapse_shape %[[WHOLE]] {{\[\[}}0, 1, 2]]
// CHECK:         %[[EXACT:.*]] = memref.alloc(%[[M]]) {alignment = 64 : i64} : memref<?xf32>
// CHECK:         scf.for
// CHECK-NOT:       memref.alloc
// CHECK:           %[[VIEW:.*]] = memref.view %[[BYTES]][%{{.*}}][%{{.*}}, %[[M]]] : memref<?xi8> to memref<?x?xf32>
// CHECK:           linalg.fill {{.*}} outs(%[[VIEW]]
// CHECK:           linalg.fill {{.*}} outs(%[[EXACT]]
// CHECK-NOT:       memref.dealloc
// CHECK:         }
// CHECK-DAG:     memref.dealloc %[[WHOLE]] :
// CHECK-DAG:     memref.dealloc %[[EXACT]] :
// CHECK:         return
func.func @known_before_the_loop(%n: index, %m: index, %x: f32) {
  %c0 = arith.constant 0 : index
  %c32 = arith.constant 32 : index
  scf.for %i = %c0 to %n step %c32 {
    %rows = affine.min affine_map<(i)[n] -> (n - i, 32)>(%i)[%n]
    %a = memref.alloc(%rows, %m) : memref<?x?xf32>
    %b = memref.alloc(%m) : memref<?xf32>
    linalg.fill ins(%x : f32) outs(%a : memref<?x?xf32>)
    linalg.fill ins(%x : f32) outs(%b : memref<?xf32>)
    memref.dealloc %a : memref<?x?xf32>
    memref.dealloc %b : memref<?xf32>
  }
  return
}

// -----

// 2 MiB: before the loop, not on the stack.
// CHECK-LABEL: func @too_large_for_the_stack(
// CHECK:         memref.alloc() {alignment = 64 : i64} : memref<524288xf32>
// CHECK:         scf.for
// CHECK:         }
// CHECK:         memref.dealloc
func.func @too_large_for_the_stack(%n: index, %x: f32) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  scf.for %i = %c0 to %n step %c1 {
    %a = memref.alloc() : memref<524288xf32>
    linalg.fill ins(%x : f32) outs(%a : memref<524288xf32>)
    memref.dealloc %a : memref<524288xf32>
  }
  return
}

// -----

// A size of its own in each iteration, a buffer that outlives it, and one outside of loops.
// CHECK-LABEL: func @negative(
// CHECK:         memref.alloc() : memref<4xf32>
// CHECK:         scf.for
// CHECK:           memref.alloc(%{{.*}}) : memref<?xf32>
// CHECK:           memref.dealloc
// CHECK:           memref.alloc() : memref<8xf32>
// CHECK:           scf.yield
func.func @negative(%n: index, %x: f32, %sizes: memref<?xindex>, %first: memref<8xf32>) -> memref<8xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %once = memref.alloc() : memref<4xf32>
  linalg.fill ins(%x : f32) outs(%once : memref<4xf32>)
  memref.dealloc %once : memref<4xf32>
  %r = scf.for %i = %c0 to %n step %c1 iter_args(%last = %first) -> memref<8xf32> {
    %size = memref.load %sizes[%i] : memref<?xindex>
    %a = memref.alloc(%size) : memref<?xf32>
    linalg.fill ins(%x : f32) outs(%a : memref<?xf32>)
    memref.dealloc %a : memref<?xf32>
    %b = memref.alloc() : memref<8xf32>
    linalg.fill ins(%x : f32) outs(%b : memref<8xf32>)
    scf.yield %b : memref<8xf32>
  }
  return %r : memref<8xf32>
}
