// RUN: ecf8-opt %s -split-input-file -ecf8-launch-loops=arch=sm_89 -verify-diagnostics | FileCheck %s

// One thread for each iteration, in blocks of 256; nothing is launched for none. Values from outside are parameters,
// constants are not, and a bit is passed as 32.
// CHECK-LABEL: func.func @fill(
// CHECK:         %[[TOTAL:.*]] = arith.muli
// CHECK:         scf.if
// CHECK:           %[[BIT:.*]] = arith.extui %{{.*}} : i1 to i32
// CHECK:           gpu.launch_func  @ecf8_kernels::@fill_loop_0 blocks in (%{{.*}}, %[[ONE:.*]], %[[ONE]]) threads in (%{{.*}}, %[[ONE]], %[[ONE]])
// CHECK-SAME:        args({{.*}}%[[BIT]] : i32{{.*}})
// CHECK-NOT:     scf.parallel
// CHECK-LABEL: gpu.module @ecf8_kernels [#nvvm.target<O = 3, chip = "sm_89"
// CHECK:         gpu.func @fill_loop_0({{.*}}) kernel attributes {nvvm.maxntid = array<i32: 256, 1, 1>}
// CHECK:           gpu.block_id  x
// CHECK:           gpu.thread_id  x
// CHECK:           arith.cmpi ult
// CHECK:           scf.if
// CHECK:             arith.remui
// CHECK:             arith.divui
// CHECK:             memref.store
// CHECK:           gpu.return
func.func @fill(%m: memref<?x8xf32>, %n: index, %bit: i1, %a: f32) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c8 = arith.constant 8 : index
  %zero = arith.constant 0.0 : f32
  scf.parallel (%i, %j) = (%c0, %c0) to (%n, %c8) step (%c1, %c1) {
    %value = arith.select %bit, %a, %zero : f32
    memref.store %value, %m[%i, %j] : memref<?x8xf32>
  }
  return
}

// -----

// Equal loops share a kernel. An assertion has a number, and the kernel a parameter for the status.
// CHECK-LABEL: func.func @look(
// CHECK:         call @ecf8_rt_gpu_workspace(
// CHECK:         gpu.launch_func  @ecf8_kernels::@look_loop_0
// CHECK-LABEL: func.func @again(
// CHECK:         gpu.launch_func  @ecf8_kernels::@look_loop_0
// CHECK:       gpu.module @ecf8_kernels
// CHECK-SAME:    ecf8.assertions = ["assertion failed: index outside at table.mlir:7:5"]
// CHECK:         gpu.func @look_loop_0({{.*}}, %{{.*}}: i64) kernel
// CHECK:           cf.assert %{{.*}}, "index outside" {ecf8.assertion = 0 : i32}
// CHECK-NOT:     gpu.func
func.func @look(%m: memref<4xf32>, %at: memref<4xindex>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  scf.parallel (%i) = (%c0) to (%c4) step (%c1) {
    %j = memref.load %at[%i] : memref<4xindex>
    %inside = arith.cmpi ult, %j, %c4 : index
    cf.assert %inside, "index outside" loc("table.mlir":7:5)
    %value = memref.load %m[%j] : memref<4xf32>
    memref.store %value, %m[%i] : memref<4xf32>
  }
  return
}
func.func @again(%m: memref<4xf32>, %at: memref<4xindex>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  scf.parallel (%i) = (%c0) to (%c4) step (%c1) {
    %j = memref.load %at[%i] : memref<4xindex>
    %inside = arith.cmpi ult, %j, %c4 : index
    cf.assert %inside, "index outside" loc("table.mlir":7:5)
    %value = memref.load %m[%j] : memref<4xf32>
    memref.store %value, %m[%i] : memref<4xf32>
  }
  return
}

// -----

func.func @sum(%m: memref<4xf32>) -> f32 {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  %zero = arith.constant 0.0 : f32
  // expected-error @below {{expected a parallel loop without reductions for a GPU}}
  %r = scf.parallel (%i) = (%c0) to (%c4) step (%c1) init (%zero) -> f32 {
    %value = memref.load %m[%i] : memref<4xf32>
    scf.reduce(%value : f32) {
    ^bb0(%a: f32, %b: f32):
      %s = arith.addf %a, %b : f32
      scf.reduce.return %s : f32
    }
  }
  return %r : f32
}
