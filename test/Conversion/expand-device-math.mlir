// RUN: ecf8-opt %s -split-input-file -pass-pipeline='builtin.module(gpu.module(ecf8-expand-device-math))' -verify-diagnostics | FileCheck %s

// Instructions by their intrinsics; sines in f64, without a library of device code. NaN where no digit would be right.
// CHECK-LABEL: gpu.func @functions(
// CHECK:         llvm.call_intrinsic "llvm.sqrt"(%{{.*}}) : (f32) -> f32
// CHECK:         %[[ROOT:.*]] = llvm.call_intrinsic "llvm.sqrt"
// CHECK:         arith.divf %{{.*}}, %[[ROOT]]
// CHECK:         arith.extf %{{.*}} : f32 to f64
// CHECK:         llvm.call_intrinsic "llvm.roundeven"
// CHECK-COUNT-2: llvm.call_intrinsic "llvm.fma"
// CHECK:         arith.cmpf olt
// CHECK:         arith.truncf %{{.*}} : f64 to f32
// CHECK-NOT:     math.
gpu.module @ecf8_kernels {
  gpu.func @functions(%m: memref<4xf32>, %x: f32, %i: index) kernel {
    %a = math.sqrt %x : f32
    %b = math.rsqrt %a : f32
    %c = math.sin %b : f32
    memref.store %c, %m[%i] : memref<4xf32>
    gpu.return
  }
}

// -----

gpu.module @ecf8_kernels {
  gpu.func @functions(%m: memref<4xf64>, %x: f64, %i: index) kernel {
    // expected-error @below {{expected a function that GPUs have code for, got one on 'f64'}}
    %a = math.exp %x : f64
    // expected-error @below {{expected a function that GPUs have code for, got one on 'f64'}}
    %b = arith.remf %a, %x : f64
    memref.store %b, %m[%i] : memref<4xf64>
    gpu.return
  }
}
