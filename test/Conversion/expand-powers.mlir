// RUN: ecf8-opt %s -ecf8-expand-powers | FileCheck %s

// CHECK-LABEL: func @square(
// CHECK:         %[[SQUARE:.*]] = arith.mulf %arg0, %arg0 : f32
// CHECK-NEXT:    return %[[SQUARE]]
func.func @square(%x: f32) -> f32 {
  %two = arith.constant 2 : i64
  %0 = math.fpowi %x, %two : f32, i64
  return %0 : f32
}

// CHECK-LABEL: func @cube(
// CHECK:         %[[SQUARE:.*]] = arith.mulf %arg0, %arg0 : vector<4xf32>
// CHECK-NEXT:    %[[CUBE:.*]] = arith.mulf %[[SQUARE]], %arg0 : vector<4xf32>
// CHECK-NEXT:    return %[[CUBE]]
func.func @cube(%x: vector<4xf32>) -> vector<4xf32> {
  %three = arith.constant dense<3> : vector<4xi64>
  %0 = math.fpowi %x, %three : vector<4xf32>, vector<4xi64>
  return %0 : vector<4xf32>
}

// CHECK-LABEL: func @inverse_square(
// CHECK:         %[[SQUARE:.*]] = arith.mulf %arg0, %arg0 : f32
// CHECK:         %[[ONE:.*]] = arith.constant 1.0
// CHECK:         arith.divf %[[ONE]], %[[SQUARE]] : f32
func.func @inverse_square(%x: f32) -> f32 {
  %exponent = arith.constant -2 : i32
  %0 = math.fpowi %x, %exponent : f32, i32
  return %0 : f32
}

// CHECK-LABEL: func @zeroth(
// CHECK:         %[[ONE:.*]] = arith.constant dense<1.000000e+00> : tensor<4xf32>
// CHECK:         return %[[ONE]]
func.func @zeroth(%x: tensor<4xf32>) -> tensor<4xf32> {
  %zero = arith.constant dense<0> : tensor<4xi64>
  %0 = math.fpowi %x, %zero : tensor<4xf32>, tensor<4xi64>
  return %0 : tensor<4xf32>
}

// CHECK-LABEL: func @large_exponent(
// CHECK:         %[[FLOAT:.*]] = arith.sitofp %{{.*}} : i64 to f32
// CHECK:         math.powf %arg0, %[[FLOAT]] : f32
func.func @large_exponent(%x: f32) -> f32 {
  %exponent = arith.constant 17 : i64
  %0 = math.fpowi %x, %exponent : f32, i64
  return %0 : f32
}

// CHECK-LABEL: func @unknown_exponent(
// CHECK:         %[[FLOAT:.*]] = arith.sitofp %arg1 : i32 to f32
// CHECK:         math.powf %arg0, %[[FLOAT]] : f32
func.func @unknown_exponent(%x: f32, %n: i32) -> f32 {
  %0 = math.fpowi %x, %n : f32, i32
  return %0 : f32
}

// CHECK-LABEL: func @square_of_float_exponent(
// CHECK:         arith.mulf %arg0, %arg0 : f32
func.func @square_of_float_exponent(%x: f32) -> f32 {
  %two = arith.constant 2.0 : f32
  %0 = math.powf %x, %two : f32
  return %0 : f32
}

// A root is no power where the base is an infinity or a zero with a sign; a rounded cube is not the power.
// CHECK-LABEL: func @negative_other_float_exponents(
// CHECK:         math.powf
// CHECK:         math.powf
func.func @negative_other_float_exponents(%x: f32) -> f32 {
  %half = arith.constant 0.5 : f32
  %three = arith.constant 3.0 : f32
  %0 = math.powf %x, %half : f32
  %1 = math.powf %0, %three : f32
  return %1 : f32
}
