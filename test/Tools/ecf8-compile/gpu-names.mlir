// Names of functions that PTX does not take: the kernels of their loops have others.
// RUN: ecf8-compile %s --target=cuda --gpu-arch=sm_90 --emit=ptx -o %t.ptx && FileCheck %s < %t.ptx
// RUN: ecf8-compile %s --target=simt -o %t.ecf8
// RUN: ecf8-run %t.ecf8 --function='decode-step' --input=4xf32=1,2,3,4 | FileCheck %s --check-prefix=RESULT

// CHECK-DAG: .visible .entry a_b_loop_{{[0-9]+}}(
// CHECK-DAG: .visible .entry _1st_loop_{{[0-9]+}}(
// CHECK-DAG: .visible .entry decode_step_loop_{{[0-9]+}}(
// CHECK-DAG: .visible .entry x_y_loop_{{[0-9]+}}(
// CHECK-DAG: .visible .entry p____loop_{{[0-9]+}}(

// CHECK-DAG: .visible .entry ecf8_kernels_loop_{{[0-9]+}}(

// RESULT: 4xf32=2,3,4,5

func.func @"a.b"(%x: tensor<4xf32>) -> tensor<4xf32> {
  %y = arith.addf %x, %x : tensor<4xf32>
  return %y : tensor<4xf32>
}
func.func @"1st"(%x: tensor<4xf32>) -> tensor<4xf32> {
  %y = arith.mulf %x, %x : tensor<4xf32>
  return %y : tensor<4xf32>
}
func.func @"decode-step"(%x: tensor<4xf32>) -> tensor<4xf32> {
  %one = arith.constant dense<1.0> : tensor<4xf32>
  %y = arith.addf %x, %one : tensor<4xf32>
  return %y : tensor<4xf32>
}
func.func @"x y"(%x: tensor<4xf32>) -> tensor<4xf32> {
  %y = arith.subf %x, %x : tensor<4xf32>
  return %y : tensor<4xf32>
}
func.func @"p%é"(%x: tensor<4xf32>) -> tensor<4xf32> {
  %y = arith.negf %x : tensor<4xf32>
  return %y : tensor<4xf32>
}
func.func @ecf8_kernels(%x: tensor<4xf32>) -> tensor<4xf32> {
  %y = math.absf %x : tensor<4xf32>
  return %y : tensor<4xf32>
}
