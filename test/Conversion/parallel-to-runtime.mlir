// RUN: ecf8-opt %s -ecf8-parallel-to-runtime | FileCheck %s

// What the body reads goes through a struct on the stack.
// CHECK:       func.func private @ecf8_rt_parallel_for(index, index, (index, index, !llvm.ptr) -> (), !llvm.ptr)
// CHECK-LABEL: func.func private @fill_parallel_0(
// CHECK-SAME:    %[[BEGIN:.*]]: index, %[[END:.*]]: index, %[[CONTEXT:.*]]: !llvm.ptr)
// CHECK:         llvm.getelementptr %[[CONTEXT]][0, 0]
// CHECK:         scf.for %{{.*}} = %[[BEGIN]] to %[[END]]
// CHECK:           memref.store
// CHECK-LABEL: func.func @fill(
// CHECK:         llvm.alloca
// CHECK:         call @ecf8_rt_parallel_for(
// CHECK-NOT:     scf.parallel
func.func @fill(%m: memref<?xf32>, %v: f32, %n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  scf.parallel (%i) = (%c0) to (%n) step (%c1) {
    memref.store %v, %m[%i] : memref<?xf32>
  }
  return
}

// A sequential loop stays.
// CHECK-LABEL: func.func @negative_sequential(
// CHECK:         scf.for
// CHECK-NOT:     ecf8_rt_parallel_for
func.func @negative_sequential(%m: memref<?xf32>, %v: f32, %n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  scf.for %i = %c0 to %n step %c1 {
    memref.store %v, %m[%i] : memref<?xf32>
  }
  return
}
