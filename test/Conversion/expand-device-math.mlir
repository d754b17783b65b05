// RUN: ecf8-opt %s -split-input-file -pass-pipeline='builtin.module(gpu.module(ecf8-expand-device-math))' -verify-diagnostics | FileCheck %s

// Instructions by their intrinsics; sines in f64, without a library of device code. NaN where no digit would be right.
// CHECK-LABEL: gpu.func @functions(
// CHECK:         llvm.call_intrinsic "llvm.sqrt"(%{{.*}}) : (f32) -> f32
// CHECK:         %[[ROOT:.*]] = llvm.call_intrinsic "llvm.sqrt"
// CHECK:         arith.divf %{{.*}}, %[[ROOT]]
// CHECK:         arith.extf %{{.*}} : f32 to f64
// CHECK-COUNT-4: llvm.call_intrinsic "llvm.fma"
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

// Every function there is, extended and rounded once, on f64 neither.
// CHECK-LABEL: gpu.func @wide(
// CHECK-COUNT-2: arith.extf %{{.*}} : bf16 to f64
// CHECK-NOT:     arith.truncf
// CHECK:         arith.truncf %{{.*}} : f64 to bf16
// CHECK-NOT:     {{math\.|arith.truncf|arith.extf}}
gpu.module @ecf8_kernels {
  gpu.func @wide(%m: memref<4xf64>, %n: memref<4xbf16>, %x: f64, %y: bf16, %p: i32, %i: index) kernel {
    %power = math.powf %y, %y : bf16
    memref.store %power, %n[%i] : memref<4xbf16>
    %0 = math.acos %x : f64
    %1 = math.acosh %0 : f64
    %2 = math.asin %1 : f64
    %3 = math.asinh %2 : f64
    %4 = math.atan %3 : f64
    %5 = math.atan2 %4, %x : f64
    %6 = math.atanh %5 : f64
    %7 = math.cos %6 : f64
    %8 = math.cosh %7 : f64
    %9 = math.exp %8 : f64
    %10 = math.exp2 %9 : f64
    %11 = math.expm1 %10 : f64
    %12 = math.fpowi %11, %p : f64, i32
    %13 = math.log %12 : f64
    %14 = math.log10 %13 : f64
    %15 = math.log1p %14 : f64
    %16 = math.log2 %15 : f64
    %17 = math.powf %16, %x : f64
    %18 = math.sin %17 : f64
    %19 = math.sinh %18 : f64
    %20 = math.tan %19 : f64
    %21 = math.tanh %20 : f64
    memref.store %21, %m[%i] : memref<4xf64>
    gpu.return
  }
}

// -----

gpu.module @ecf8_kernels {
  gpu.func @functions(%m: memref<4xf64>, %x: f64, %i: index) kernel {
    // expected-error @below {{'math.erf' op expected a function that GPUs have code for, got one on 'f64'}}
    %a = math.erf %x : f64
    // expected-error @below {{'math.erfc' op expected a function that GPUs have code for, got one on 'f64'}}
    %b = math.erfc %a : f64
    // expected-error @below {{'arith.remf' op expected a function that GPUs have code for, got one on 'f64'}}
    %c = arith.remf %b, %x : f64
    memref.store %c, %m[%i] : memref<4xf64>
    gpu.return
  }
}
