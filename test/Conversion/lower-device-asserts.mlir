// RUN: ecf8-opt %s -split-input-file -pass-pipeline='builtin.module(gpu.module(ecf8-lower-device-asserts))' -verify-diagnostics | FileCheck %s

// The thread leaves 1 + the number in the status, and ends.
// CHECK-LABEL: gpu.func @kernel(
// CHECK-SAME:    %[[STATUS:[^:]*]]: i64)
// CHECK:         cf.cond_br %{{.*}}, ^[[GO_ON:.*]], ^[[FAILED:.*]]
// CHECK:       ^[[GO_ON]]:
// CHECK:         memref.store
// CHECK:         gpu.return
// CHECK:       ^[[FAILED]]:
// CHECK:         %[[PLACE:.*]] = llvm.inttoptr %[[STATUS]] : i64 to !llvm.ptr<1>
// CHECK:         %[[NUMBER:.*]] = llvm.mlir.constant(6 : i32) : i32
// CHECK:         llvm.store %[[NUMBER]], %[[PLACE]]
// CHECK-NEXT:    gpu.return
gpu.module @ecf8_kernels {
  gpu.func @kernel(%m: memref<4xindex>, %i: index, %status: i64) kernel {
    %c4 = arith.constant 4 : index
    %inside = arith.cmpi ult, %i, %c4 : index
    cf.assert %inside, "index outside" {ecf8.assertion = 5 : i32}
    memref.store %i, %m[%i] : memref<4xindex>
    gpu.return
  }
}

// -----

gpu.module @ecf8_kernels {
  gpu.func @kernel(%inside: i1) kernel {
    // expected-error @below {{expected an assertion with a number directly in a kernel of ecf8-launch-loops; run convert-scf-to-cf first}}
    cf.assert %inside, "index outside"
    gpu.return
  }
}
