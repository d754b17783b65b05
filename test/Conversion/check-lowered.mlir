// RUN: ecf8-opt %s -split-input-file -ecf8-check-lowered -verify-diagnostics | FileCheck %s
// RUN: not ecf8-opt %s -ecf8-check-lowered=max-errors=2 2>&1 | FileCheck %s --check-prefix=MANY

// CHECK-LABEL: llvm.func @lowered(
llvm.func @lowered(%x: f32) -> f32 {
  llvm.return %x : f32
}

// -----

// MANY-COUNT-2: op expected an op of the LLVM dialect
// MANY-NOT:     op expected an op
// MANY:         error: expected a module in the LLVM dialect, got {{[0-9]+}} ops that are not lowered; the first 2 are reported
// expected-error @below {{'func.func' op expected an op of the LLVM dialect, got one that was not lowered; no pass of the CPU pipeline lowers it}}
func.func private @declaration()

// -----

llvm.func @fp8_left(%x: i8) -> f32 {
  // The cast follows from what was left behind it, and is not reported beside it.
  %b = builtin.unrealized_conversion_cast %x : i8 to f8E4M3FN
  // expected-error @below {{'arith.extf' op expected an op of the LLVM dialect}}
  %r = arith.extf %b : f8E4M3FN to f32
  llvm.return %r : f32
}

// -----

llvm.func @cast_left(%x: i8) -> i8 {
  // expected-error @below {{expected no conversion between types here, got one from ('i8') to ('f8E4M3FN')}}
  %b = builtin.unrealized_conversion_cast %x : i8 to f8E4M3FN
  // expected-error @below {{expected no conversion between types here, got one from ('f8E4M3FN') to ('i8')}}
  // expected-note @below {{used by 'builtin.unrealized_conversion_cast'}}
  %r = builtin.unrealized_conversion_cast %b : f8E4M3FN to i8
  // expected-note @below {{used by 'llvm.return'}}
  llvm.return %r : i8
}

// -----

llvm.func @linalg_left() {
  // expected-error @below {{'tensor.empty' op expected an op of the LLVM dialect, got one that was not lowered; no pass of the CPU pipeline lowers this form; rewrite it in the frontend}}
  %t = tensor.empty() : tensor<4xf32>
  llvm.return
}

// -----

// expected-error @below {{'ecf8.global' op expected an op of the LLVM dialect, got one that was not lowered; run ecf8-lower-storage and ecf8-emit-decoders}}
ecf8.global @w key("w") : !ecf8.compressed<64x128xf8E4M3FN, #ecf8.raw>

// -----

llvm.func @_mlir_memref_to_llvm_aligned_alloc(i64, i64) -> !llvm.ptr

// A remark for the allocation inside the loop, none for those before and after it.
llvm.func @allocations(%n: i64) {
  %zero = llvm.mlir.constant(0 : i64) : i64
  %one = llvm.mlir.constant(1 : i64) : i64
  %before = llvm.call @_mlir_memref_to_llvm_aligned_alloc(%one, %n) : (i64, i64) -> !llvm.ptr
  llvm.br ^loop(%zero : i64)
^loop(%i: i64):
  // expected-remark @below {{memory is allocated in each iteration of a loop}}
  %inside = llvm.call @_mlir_memref_to_llvm_aligned_alloc(%one, %n) : (i64, i64) -> !llvm.ptr
  %next = llvm.add %i, %one : i64
  %again = llvm.icmp "slt" %next, %n : i64
  llvm.cond_br %again, ^loop(%next : i64), ^end
^end:
  %after = llvm.call @_mlir_memref_to_llvm_aligned_alloc(%one, %n) : (i64, i64) -> !llvm.ptr
  llvm.return
}

// -----

// expected-error @below {{expected constants of less than 2^31 bytes in code, got one of 2147483648; make it a weight, or compute it}}
llvm.mlir.global internal constant @huge() : !llvm.array<32768 x array<65536 x i8>> {
  %0 = llvm.mlir.zero : !llvm.array<32768 x array<65536 x i8>>
  llvm.return %0 : !llvm.array<32768 x array<65536 x i8>>
}
llvm.mlir.global internal constant @negative_large() : !llvm.array<2147483647 x i8> {
  %0 = llvm.mlir.zero : !llvm.array<2147483647 x i8>
  llvm.return %0 : !llvm.array<2147483647 x i8>
}
