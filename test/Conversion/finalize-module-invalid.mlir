// RUN: ecf8-opt %s -ecf8-finalize-module -split-input-file -verify-diagnostics

// expected-error @below {{expected no symbol that the pass defines, got 'ecf8_module_abi'}}
llvm.func @ecf8_module_abi() -> i32

// -----

// expected-error @below {{expected no symbol that the pass defines, got 'ecf8_module_init'}}
llvm.mlir.global internal @ecf8_module_init(0 : i32) : i32

// -----

// expected-error @below {{expected no symbol that the pass defines, got 'ecf8_rt_imports'}}
llvm.func @ecf8_rt_imports()

// -----

llvm.func @main() {
  llvm.return
}
llvm.func @_mlir_ciface_main() {
  llvm.return
}
// expected-error @below {{expected no symbol that the pass defines, got 'ecf8_entry_0'}}
llvm.func @ecf8_entry_0()

// -----

// A number that no entry point has is no symbol that the pass defines.
llvm.func @ecf8_entry_0()
