// RUN: ecf8-opt %s -split-input-file -ecf8-lower-asserts -verify-diagnostics | FileCheck %s

// CHECK-DAG:   llvm.mlir.global internal constant @[[TEXT:.*]]("assertion failed: too long at {{.*}}lower-asserts.mlir:[[# @LINE + 13]]:3\00")
// CHECK-DAG:   llvm.func @ecf8_rt_fail(i32, !llvm.ptr) attributes {sym_visibility = "private"}
// CHECK-LABEL: func @in_a_function(
// CHECK-SAME:    %[[OK:.*]]: i1
// CHECK:         cf.cond_br %[[OK]], ^[[GOES_ON:.*]], ^[[FAILS:.*]]
// CHECK:       ^[[GOES_ON]]:
// CHECK:         return
// CHECK:       ^[[FAILS]]:
// CHECK-DAG:     %[[ADDRESS:.*]] = llvm.mlir.addressof @[[TEXT]]
// CHECK-DAG:     %[[CODE:.*]] = llvm.mlir.constant(7 : i32) : i32
// CHECK:         llvm.call @ecf8_rt_fail(%[[CODE]], %[[ADDRESS]])
// CHECK-NEXT:    llvm.unreachable
func.func @in_a_function(%ok: i1) {
  cf.assert %ok, "too long"
  return
}

// -----

// Messages and blocks that exist are not touched, and a name that is taken is passed over.
// CHECK:       llvm.mlir.global internal constant @ecf8_assert_message_1(
// CHECK-LABEL: func @two(
// CHECK-COUNT-2: cf.cond_br
func.func private @ecf8_assert_message_0()
func.func @two(%a: i1, %b: i1) {
  cf.assert %a, "same" loc("x.py":1:2)
  cf.assert %b, "same" loc("x.py":1:2)
  return
}

// -----

// CHECK-LABEL: func @no_position(
// CHECK-NOT:     abort
func.func @no_position(%a: i1) {
  cf.assert %a, "m" loc(unknown)
  return
}
// CHECK-NOT:   llvm.func @abort

// -----

func.func @negative_inside_a_loop(%ok: i1, %n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  scf.for %i = %c0 to %n step %c1 {
    // expected-error @below {{expected an assertion directly in a function, got one inside 'scf.for'; run convert-scf-to-cf first}}
    cf.assert %ok, "inside"
  }
  return
}
