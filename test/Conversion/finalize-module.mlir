// RUN: ecf8-opt %s -ecf8-finalize-module | FileCheck %s

// Memory comes from the runtime's table: `release` is its fourth member.
// CHECK-LABEL: llvm.func internal @_mlir_memref_to_llvm_free(
// CHECK:         %[[TABLE:.*]] = llvm.mlir.addressof @ecf8_rt_imports
// CHECK:         llvm.getelementptr %[[TABLE]][0, 3]
llvm.func @_mlir_memref_to_llvm_free(!llvm.ptr)

// The third, `allocate`, takes the size first. What it gives is no other memory.
// CHECK-LABEL: llvm.func internal @_mlir_memref_to_llvm_alloc(
// CHECK-SAME:    %[[BYTES:.*]]: i64) -> (!llvm.ptr {llvm.noalias}) attributes {passthrough = ["noinline"]}
// CHECK-DAG:     %[[ALIGNMENT:.*]] = llvm.mlir.constant(64 : i64)
// CHECK-DAG:     llvm.getelementptr %{{.*}}[0, 2]
// CHECK:         llvm.call %{{.*}}(%[[BYTES]], %[[ALIGNMENT]])
llvm.func @_mlir_memref_to_llvm_alloc(i64) -> !llvm.ptr
// CHECK-LABEL: llvm.func internal @_mlir_memref_to_llvm_aligned_alloc(
// CHECK-SAME:    %[[ALIGNMENT:.*]]: i64, %[[BYTES:.*]]: i64) -> (!llvm.ptr {llvm.noalias})
// CHECK:         llvm.getelementptr %{{.*}}[0, 2]
// CHECK:         llvm.call %{{.*}}(%[[BYTES]], %[[ALIGNMENT]])
llvm.func @_mlir_memref_to_llvm_aligned_alloc(i64, i64) -> !llvm.ptr

// CHECK-LABEL: llvm.func internal @ecf8_rt_fail(
// CHECK-SAME:    %[[CODE:.*]]: i32, %[[MESSAGE:.*]]: !llvm.ptr) attributes {passthrough = ["noreturn", "cold", "noinline"]}
// CHECK:         llvm.getelementptr %{{.*}}[0, 4]
// CHECK:         llvm.call %{{.*}}(%[[CODE]], %[[MESSAGE]])
// CHECK-NEXT:    llvm.unreachable
llvm.func @ecf8_rt_fail(i32, !llvm.ptr)

// The bytes of a weight as a memref<?xi8>; the table's function gives their number through a pointer.
// CHECK-LABEL: llvm.func internal @ecf8_rt_weight(
// CHECK-SAME:    %[[INDEX:.*]]: i64)
// CHECK:         %[[SIZE_AT:.*]] = llvm.alloca
// CHECK:         llvm.getelementptr %{{.*}}[0, 5]
// CHECK:         %[[BYTES:.*]] = llvm.call %{{.*}}(%[[INDEX]], %[[SIZE_AT]])
// CHECK:         %[[SIZE:.*]] = llvm.load %[[SIZE_AT]]
// CHECK:         %[[ALLOCATED:.*]] = llvm.insertvalue %[[BYTES]], %{{.*}}[0]
// CHECK:         llvm.insertvalue %[[BYTES]], %[[ALLOCATED]][1]
// CHECK:         llvm.insertvalue %[[SIZE]], %{{.*}}[3, 0]
llvm.func @ecf8_rt_weight(i64) -> !llvm.struct<(ptr, ptr, i64, array<1 x i64>, array<1 x i64>)>

// CHECK-LABEL: llvm.func internal @ecf8_rt_parallel_for(
// CHECK-SAME:    %[[COUNT:.*]]: i64, %[[GRAIN:.*]]: i64, %[[BODY:.*]]: !llvm.ptr, %[[CONTEXT:.*]]: !llvm.ptr)
// CHECK:         llvm.getelementptr %{{.*}}[0, 6]
// CHECK:         llvm.call %{{.*}}(%[[COUNT]], %[[GRAIN]], %[[BODY]], %[[CONTEXT]])
llvm.func @ecf8_rt_parallel_for(i64, i64, !llvm.ptr, !llvm.ptr)

// A declaration of libm stays one; what has a body is hidden.
// CHECK-LABEL: llvm.func @expf(f32) -> f32
llvm.func @expf(f32) -> f32
// CHECK:       llvm.mlir.global external @stdout()
llvm.mlir.global external @stdout() : !llvm.ptr
// CHECK:       llvm.mlir.global internal constant @table(
llvm.mlir.global external constant @table(dense<1> : tensor<4xi8>) : !llvm.array<4 x i8>
// CHECK-LABEL: llvm.func internal @helper(
llvm.func @helper(%p: !llvm.ptr) {
  llvm.call @_mlir_memref_to_llvm_free(%p) : (!llvm.ptr) -> ()
  llvm.return
}

// Entry points are numbered in the order of their functions; @hidden, which is private, does not count.
llvm.func @first(%x: i1) -> i1 {
  llvm.return %x : i1
}
llvm.func @_mlir_ciface_first(%x: i1) -> i1 {
  llvm.return %x : i1
}
llvm.func @hidden() attributes {sym_visibility = "private"} {
  llvm.return
}
llvm.func @_mlir_ciface_hidden() {
  llvm.return
}
llvm.func @second(!llvm.ptr, !llvm.ptr, i64, i64, i64, f32) -> !llvm.struct<(ptr, ptr, i64, array<1 x i64>, array<1 x i64>)> {
^bb0(%a: !llvm.ptr, %b: !llvm.ptr, %c: i64, %d: i64, %e: i64, %f: f32):
  %0 = llvm.mlir.poison : !llvm.struct<(ptr, ptr, i64, array<1 x i64>, array<1 x i64>)>
  llvm.return %0 : !llvm.struct<(ptr, ptr, i64, array<1 x i64>, array<1 x i64>)>
}
llvm.func @_mlir_ciface_second(%result: !llvm.ptr, %a: !llvm.ptr, %f: f32) {
  llvm.return
}
llvm.func @third() -> !llvm.struct<(i1, f64)> {
  %0 = llvm.mlir.poison : !llvm.struct<(i1, f64)>
  llvm.return %0 : !llvm.struct<(i1, f64)>
}
llvm.func @_mlir_ciface_third(%result: !llvm.ptr) {
  llvm.return
}

// CHECK-LABEL: llvm.func @ecf8_module_abi() -> i32
// CHECK:         llvm.mlir.constant(1 : i32)
// CHECK-LABEL: llvm.func @ecf8_module_init(

// A boolean is a byte outside.
// CHECK-LABEL: llvm.func @ecf8_entry_0(
// CHECK-SAME:    %[[OPERANDS:.*]]: !llvm.ptr)
// CHECK:         llvm.getelementptr %[[OPERANDS]][0]
// CHECK:         %[[STORED:.*]] = llvm.load %{{.*}} : !llvm.ptr -> i8
// CHECK:         %[[INPUT:.*]] = llvm.icmp "ne" %[[STORED]]
// CHECK:         %[[RESULT:.*]] = llvm.call @_mlir_ciface_first(%[[INPUT]])
// CHECK:         llvm.getelementptr %[[OPERANDS]][1]
// CHECK:         %[[BYTE:.*]] = llvm.zext %[[RESULT]] : i1 to i8
// CHECK:         llvm.store %[[BYTE]]

// Descriptors are passed by pointer, the result's first; in `operands` it comes last.
// CHECK-LABEL: llvm.func @ecf8_entry_1(
// CHECK-SAME:    %[[OPERANDS:.*]]: !llvm.ptr)
// CHECK:         %[[SLOT:.*]] = llvm.getelementptr %[[OPERANDS]][0]
// CHECK:         %[[DESCRIPTOR:.*]] = llvm.load %[[SLOT]] : !llvm.ptr -> !llvm.ptr
// CHECK:         %[[SCALAR:.*]] = llvm.load %{{.*}} : !llvm.ptr -> f32
// CHECK:         %[[OUTPUT_SLOT:.*]] = llvm.getelementptr %[[OPERANDS]][2]
// CHECK:         %[[OUTPUT:.*]] = llvm.load %[[OUTPUT_SLOT]]
// CHECK:         llvm.call @_mlir_ciface_second(%[[OUTPUT]], %[[DESCRIPTOR]], %[[SCALAR]])

// Several results come as one struct, and go to one operand each.
// CHECK-LABEL: llvm.func @ecf8_entry_2(
// CHECK-SAME:    %[[OPERANDS:.*]]: !llvm.ptr)
// CHECK:         %[[RESULTS:.*]] = llvm.alloca %{{.*}} x !llvm.struct<(i1, f64)>
// CHECK:         llvm.call @_mlir_ciface_third(%[[RESULTS]])
// CHECK:         llvm.getelementptr %[[RESULTS]][0, 0]
// CHECK:         llvm.getelementptr %[[OPERANDS]][0]
// CHECK:         llvm.zext
// CHECK:         llvm.getelementptr %[[RESULTS]][0, 1]
// CHECK:         llvm.getelementptr %[[OPERANDS]][1]
// CHECK:         llvm.store %{{.*}} : f64, !llvm.ptr
// CHECK-NOT:   @ecf8_entry_3
