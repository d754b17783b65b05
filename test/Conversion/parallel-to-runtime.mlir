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

// Only the outermost loop becomes a call. Two dimensions are one count.
// CHECK-LABEL: func.func private @nested_parallel_{{.*}}(
// CHECK:         scf.for
// CHECK:           arith.remui
// CHECK:           scf.parallel
// CHECK-LABEL: func.func @nested(
// CHECK-COUNT-1: call @ecf8_rt_parallel_for(
// CHECK-NOT:     call @ecf8_rt_parallel_for(
// CHECK:         return
func.func @nested(%m: memref<?x?x?xf32>, %v: f32, %n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  scf.parallel (%i, %j) = (%c0, %c0) to (%n, %n) step (%c1, %c1) {
    scf.parallel (%k) = (%c0) to (%n) step (%c1) {
      memref.store %v, %m[%i, %j, %k] : memref<?x?x?xf32>
    }
  }
  return
}

// The grain of a loop goes with it.
// CHECK-LABEL: func.func @grain(
// CHECK:         %[[GRAIN:.*]] = arith.constant 17 : index
// CHECK:         call @ecf8_rt_parallel_for(%{{.*}}, %[[GRAIN]],
func.func @grain(%m: memref<8xf32>, %v: f32) {
  scf.forall (%i) in (8) {
    memref.store %v, %m[%i] : memref<8xf32>
  } {ecf8.grain = 17 : i64}
  return
}

// Of a buffer whose type says everything else, only the address goes through the struct; a constant count is no part of it.
// CHECK-LABEL: func.func private @address_only_parallel_{{.*}}(
// CHECK:         %[[FIELD:.*]] = llvm.getelementptr %{{.*}}[0, 1] : (!llvm.ptr) -> !llvm.ptr, !llvm.struct<(f32, ptr)>
// CHECK:         llvm.load %[[FIELD]] : !llvm.ptr -> !llvm.ptr
// CHECK:         arith.remui
// CHECK-LABEL: func.func @address_only(
// CHECK:         %[[COUNT:.*]] = arith.constant 32 : index
// CHECK:         llvm.extractvalue %{{.*}}[1] : !llvm.struct<(ptr, ptr, i64, array<2 x i64>, array<2 x i64>)>
// CHECK:         call @ecf8_rt_parallel_for(%[[COUNT]],
func.func @address_only(%m: memref<4x8xf32, strided<[16, 1], offset: 2>>, %v: f32) {
  scf.forall (%i, %j) in (4, 8) {
    memref.store %v, %m[%i, %j] : memref<4x8xf32, strided<[16, 1], offset: 2>>
  }
  return
}

// A stride that only the descriptor has: all of it goes.
// CHECK-LABEL: func.func private @negative_address_only_parallel_{{.*}}(
// CHECK:         llvm.getelementptr %{{.*}}[0, 0] : (!llvm.ptr) -> !llvm.ptr, !llvm.struct<(f32, struct<(ptr, ptr, i64, array<1 x i64>, array<1 x i64>)>)>
func.func @negative_address_only(%m: memref<8xf32, strided<[?]>>, %v: f32) {
  scf.forall (%i) in (8) {
    memref.store %v, %m[%i] : memref<8xf32, strided<[?]>>
  }
  return
}

// CHECK-LABEL: func.func @negative_reduction(
// CHECK:         scf.parallel
// CHECK:           scf.reduce
// CHECK-NOT:     call @ecf8_rt_parallel_for(
// CHECK:         return
func.func @negative_reduction(%m: memref<?xf32>, %n: index) -> f32 {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %zero = arith.constant 0.0 : f32
  %sum = scf.parallel (%i) = (%c0) to (%n) step (%c1) init (%zero) -> f32 {
    %x = memref.load %m[%i] : memref<?xf32>
    scf.reduce(%x : f32) {
    ^bb0(%a: f32, %b: f32):
      %s = arith.addf %a, %b : f32
      scf.reduce.return %s : f32
    }
  }
  return %sum : f32
}
