// RUN: ecf8-opt %s -ecf8-expand-math | FileCheck %s

// Vectors stay vectors, and no call is left.
// CHECK-LABEL: func @vectors(
// CHECK-NOT:     math.{{(exp|exp2|expm1|log|log1p|tanh|erf) }}
// CHECK:         arith.mulf %{{.*}} : vector<8xf32>
// CHECK-NOT:     math.{{(exp|exp2|expm1|log|log1p|tanh|erf) }}
// CHECK:         return
func.func @vectors(%x: vector<8xf32>) -> vector<8xf32> {
  %0 = math.exp %x : vector<8xf32>
  %1 = math.exp2 %0 : vector<8xf32>
  %2 = math.log %1 : vector<8xf32>
  %3 = math.tanh %2 : vector<8xf32>
  %4 = math.erf %3 : vector<8xf32>
  %5 = math.expm1 %4 : vector<8xf32>
  %6 = math.log1p %5 : vector<8xf32>
  return %6 : vector<8xf32>
}

// A scalar takes the same steps.
// CHECK-LABEL: func @scalar(
// CHECK:         arith.shrsi
// CHECK:         %[[HALF:.*]] = arith.mulf %{{.*}}, %{{.*}} : f32
// CHECK:         %[[RESULT:.*]] = arith.mulf %[[HALF]], %{{.*}} : f32
// CHECK-NEXT:    return %[[RESULT]]
func.func @scalar(%x: f32) -> f32 {
  %0 = math.exp %x : f32
  return %0 : f32
}

// CHECK-LABEL: func @narrow(
// CHECK:         %[[WIDE:.*]] = arith.extf %arg0 : bf16 to f32
// CHECK:         %[[ROUNDED:.*]] = arith.truncf %{{.*}} : f32 to bf16
// CHECK-NEXT:    return %[[ROUNDED]]
func.func @narrow(%x: bf16) -> bf16 {
  %0 = math.exp %x : bf16
  return %0 : bf16
}

// CHECK-LABEL: func @negative_left_to_libm(
// CHECK:         math.exp %arg0 : f64
// CHECK:         math.sin %arg1 : f32
// CHECK:         math.exp %arg2 : tensor<4xf32>
func.func @negative_left_to_libm(%a: f64, %b: f32, %c: tensor<4xf32>) -> (f64, f32, tensor<4xf32>) {
  %0 = math.exp %a : f64
  %1 = math.sin %b : f32
  %2 = math.exp %c : tensor<4xf32>
  return %0, %1, %2 : f64, f32, tensor<4xf32>
}
