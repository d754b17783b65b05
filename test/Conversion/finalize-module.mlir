// RUN: ecf8-opt %s -ecf8-finalize-module | FileCheck %s

// Memory comes from the runtime's table: `release` is its fourth member.
// CHECK-LABEL: llvm.func internal @_mlir_memref_to_llvm_free(
// CHECK:         %[[TABLE:.*]] = llvm.mlir.addressof @ecf8_rt_imports
// CHECK:         llvm.getelementptr %[[TABLE]][0, 3]
llvm.func @_mlir_memref_to_llvm_free(!llvm.ptr)

// CHECK-LABEL: llvm.func internal @helper(
llvm.func @helper(%p: !llvm.ptr) {
  llvm.call @_mlir_memref_to_llvm_free(%p) : (!llvm.ptr) -> ()
  llvm.return
}

// CHECK-LABEL: llvm.func @ecf8_module_abi() -> i32
// CHECK:         llvm.mlir.constant(1 : i32)
// CHECK-LABEL: llvm.func @ecf8_module_init(
