// RUN: ecf8-opt %s -split-input-file -ecf8-gpu-to-runtime -verify-diagnostics | FileCheck %s

// A kernel gets the fields of a memref's descriptor, as kernels in the LLVM dialect have them: two pointers, the offset,
// sizes and strides, and then the number.
// CHECK-LABEL: func.func @launch(
// CHECK:         llvm.alloca %{{.*}} x !llvm.array<6 x ptr>
// CHECK:         llvm.alloca %{{.*}} x !llvm.struct<(ptr, ptr, i64, i64, i64, f32)>
// CHECK-COUNT-6: llvm.store %{{.*}} : !llvm.ptr, !llvm.ptr
// CHECK:         %[[NAME:.*]] = llvm.mlir.addressof @ecf8_kernel_name_k
// CHECK:         call @ecf8_rt_gpu_launch(%[[NAME]], {{.*}}) : (!llvm.ptr, i64, i64, i64, i64, !llvm.ptr, i64) -> ()
// CHECK-NOT:     gpu.launch_func
module attributes {gpu.container_module} {
  gpu.module @ecf8_kernels {
    gpu.func @k(%m: memref<?xf32>, %a: f32) kernel {
      gpu.return
    }
  }
  func.func @launch(%m: memref<?xf32>, %a: f32, %n: index) {
    %c1 = arith.constant 1 : index
    gpu.launch_func @ecf8_kernels::@k blocks in (%n, %c1, %c1) threads in (%n, %c1, %c1) args(%m : memref<?xf32>, %a : f32)
    return
  }
}

// -----

// What the host reads and writes goes through its stack; offsets and strides count in bytes, booleans are bytes.
// CHECK-LABEL: func.func @access(
// CHECK-DAG:     %[[FOUR:.*]] = arith.constant 4 : i64
// CHECK:         call @ecf8_rt_gpu_read(%[[PLACE:.*]], %{{.*}}, %{{.*}}) : (!llvm.ptr, i64, i64) -> ()
// CHECK:         %[[BITS:.*]] = llvm.load %[[PLACE]] : !llvm.ptr -> i32
// CHECK:         arith.bitcast %[[BITS]] : i32 to f32
// CHECK:         arith.extui %{{.*}} : i1 to i8
// CHECK:         call @ecf8_rt_gpu_write(
// CHECK:         call @ecf8_rt_gpu_copy(
// CHECK-NOT:     memref.{{load|store|copy}}
func.func @access(%m: memref<4x?xf32, strided<[?, 1], offset: ?>>, %b: memref<?xi1>, %c: memref<?xi1>, %i: index, %bit: i1) -> f32 {
  %value = memref.load %m[%i, %i] : memref<4x?xf32, strided<[?, 1], offset: ?>>
  memref.store %bit, %b[%i] : memref<?xi1>
  memref.copy %b, %c : memref<?xi1> to memref<?xi1>
  return %value : f32
}

// -----

// The GPU has its own copy of a constant.
// CHECK-LABEL: func.func @constant(
// CHECK:         %[[HOST:.*]] = memref.get_global @table
// CHECK:         memref.extract_aligned_pointer_as_index %[[HOST]]
// CHECK:         %[[BYTES:.*]] = arith.constant 16 : i64
// CHECK:         call @ecf8_rt_gpu_constant(%{{.*}}, %[[BYTES]]) : (i64, i64) -> i64
// CHECK:         %[[COPY:.*]] = builtin.unrealized_conversion_cast %{{.*}} to memref<4xf32>
// CHECK:         return %[[COPY]]
memref.global "private" constant @table : memref<4xf32> = dense<1.0>
func.func @constant() -> memref<4xf32> {
  %t = memref.get_global @table : memref<4xf32>
  return %t : memref<4xf32>
}

// -----

func.func @stack() {
  // expected-error @below {{expected no access to memory like this in the host code of a GPU}}
  %m = memref.alloca() : memref<4xf32>
  return
}
