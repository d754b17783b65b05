// Programs that cannot be compiled: each gets a message with its location, a non-zero exit and no output.
// RUN: rm -rf %t && split-file %s %t

// RUN: not ecf8-compile %t/syntax.mlir -o %t/out.ecf8 2>&1 | FileCheck %s --check-prefix=SYNTAX
// SYNTAX: syntax.mlir:2:8: error: custom op 'what' is unknown
// RUN: not ecf8-compile %t/nothing.mlir -o %t/out.ecf8 2>&1 | FileCheck %s --check-prefix=NOTHING
// NOTHING: nothing.mlir:{{.*}} error: expected a public function with a body as entry point, got none
// RUN: not ecf8-compile %t/types.mlir -o %t/out.ecf8 2>&1 | FileCheck %s --check-prefix=TYPES
// TYPES: types.mlir:1:1: error: entry point 'f': expected a ranked tensor or a scalar of f8E4M3FN, {{.*}} as input 1, got 'tensor<*xf32>'
// RUN: not ecf8-compile %t/result.mlir -o %t/out.ecf8 2>&1 | FileCheck %s --check-prefix=RESULT
// RESULT: result.mlir:1:1: error: entry point 'f': expected {{.*}} as output 0, got 'complex<f32>'

// An op that no pass lowers, and the hint how to look at it. With three instruction sets the message still comes once.
// RUN: not ecf8-compile %t/unlowered.mlir -o %t/out.ecf8 2>&1 | FileCheck %s --check-prefix=UNLOWERED
// UNLOWERED: unlowered.mlir:2:8: error: {{.*}}shape.add
// UNLOWERED-NOT: error:
// UNLOWERED: remark: a pass failed; --mlir-pass-pipeline-crash-reproducer=<file> writes its input and pipeline
// UNLOWERED-NOT: error:

// Contents of constants that are not there.
// RUN: not ecf8-compile %t/elided.mlir -o %t/out.ecf8 2>&1 | FileCheck %s --check-prefix=ELIDED
// ELIDED: elided.mlir:{{.*}} error: weight '{{.*}}': expected the bytes of resource '__elided__', got none (was the IR printed with elided resources?)

// RUN: not ecf8-compile %t/nowhere.mlir -o %t/out.ecf8 2>&1 | FileCheck %s --check-prefix=NOWHERE
// NOWHERE: error: cannot open input file '{{.*}}nowhere.mlir': No such file or directory

// RUN: ls -A %t | FileCheck %s --check-prefix=LEFT
// LEFT-NOT: out.ecf8
// LEFT-NOT: tmp

//--- syntax.mlir
func.func @f() {
  %0 = what is this
}
//--- nothing.mlir
func.func private @f() {
  return
}
//--- types.mlir
func.func @f(%a: f32, %b: tensor<*xf32>) {
  return
}
//--- result.mlir
func.func @f() -> complex<f32> {
  %a = complex.constant [1.0 : f32, 2.0 : f32] : complex<f32>
  return %a : complex<f32>
}
//--- unlowered.mlir
func.func @f(%a: index, %b: index) -> index {
  %0 = shape.add %a, %b : index, index -> index
  return %0 : index
}
//--- elided.mlir
func.func @f() -> tensor<512xf32> {
  %0 = arith.constant dense_resource<__elided__> : tensor<512xf32>
  return %0 : tensor<512xf32>
}
