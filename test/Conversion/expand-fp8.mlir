// RUN: ecf8-opt %s -split-input-file -ecf8-expand-fp8 -verify-diagnostics | FileCheck %s
// RUN: ecf8-opt %s -split-input-file -ecf8-expand-fp8="bf16=false f16=false" -verify-diagnostics | FileCheck %s --check-prefix=NATIVE

// The values are compared in test/Integration/CPU/expand-fp8.test; here: which ops are made and which are left.

// CHECK-LABEL: func @extend_scalar(
// CHECK-NOT:     arith.extf
// CHECK:         arith.bitcast %{{.*}} : f8E4M3FN to i8
// CHECK:         arith.subf
// CHECK-NOT:     scf.if
func.func @extend_scalar(%x: f8E4M3FN) -> f32 {
  %r = arith.extf %x : f8E4M3FN to f32
  return %r : f32
}

// -----

// CHECK-LABEL: func @extend_vector_of_rank_2(
// CHECK-NOT:     arith.extf
// CHECK:         arith.bitcast %{{.*}} : vector<4x16xi32> to vector<4x16xf32>
// CHECK:         return %{{.*}} : vector<4x16xf32>
func.func @extend_vector_of_rank_2(%x: vector<4x16xf8E5M2>) -> vector<4x16xf32> {
  %r = arith.extf %x : vector<4x16xf8E5M2> to vector<4x16xf32>
  return %r : vector<4x16xf32>
}

// -----

// CHECK-LABEL: func @round(
// CHECK-NOT:     arith.truncf
// CHECK:         arith.bitcast %{{.*}} : i8 to f8E4M3FN
func.func @round(%x: f64) -> f8E4M3FN {
  %r = arith.truncf %x to_nearest_even : f64 to f8E4M3FN
  return %r : f8E4M3FN
}

// -----

func.func @negative_other_rounding_mode(%x: f32) -> f8E5M2 {
  // expected-error @below {{'arith.truncf' op expected rounding mode 'to_nearest_even', got 'toward_zero'}}
  %r = arith.truncf %x toward_zero : f32 to f8E5M2
  return %r : f8E5M2
}

// -----

// CHECK-LABEL: func @arithmetic_in_f32(
// CHECK:         arith.addf %{{.*}}, %{{.*}} fastmath<nnan> : f32
// CHECK-NOT:     f8E5M2 to f32
// CHECK:         arith.bitcast %{{.*}} : i8 to f8E5M2
func.func @arithmetic_in_f32(%x: f8E5M2, %y: f8E5M2) -> f8E5M2 {
  %r = arith.addf %x, %y fastmath<nnan> : f8E5M2
  return %r : f8E5M2
}

// -----

// CHECK-LABEL: func @comparison(
// CHECK:         %[[R:.*]] = arith.cmpf ult, %{{.*}}, %{{.*}} : vector<8xf32>
// CHECK:         return %[[R]] : vector<8xi1>
func.func @comparison(%x: vector<8xf8E4M3FN>, %y: vector<8xf8E4M3FN>) -> vector<8xi1> {
  %r = arith.cmpf ult, %x, %y : vector<8xf8E4M3FN>
  return %r : vector<8xi1>
}

// -----

// The payload of a NaN would not survive f32.
// CHECK-LABEL: func @negation_on_the_bits(
// CHECK:         arith.xori %{{.*}}, %c-128_i8 : i8
// CHECK-NOT:     f32
// CHECK:         return
func.func @negation_on_the_bits(%x: f8E5M2) -> f8E5M2 {
  %r = arith.negf %x : f8E5M2
  return %r : f8E5M2
}

// -----

// CHECK-LABEL: func @from_integer(
// CHECK:         arith.sitofp %{{.*}} : i32 to f32
// CHECK:         arith.bitcast %{{.*}} : i8 to f8E4M3FN
func.func @from_integer(%x: i32) -> f8E4M3FN {
  %r = arith.sitofp %x : i32 to f8E4M3FN
  return %r : f8E4M3FN
}

// -----

// CHECK-LABEL: func @math_in_f32(
// CHECK:         math.exp %{{.*}} : f32
// NATIVE-LABEL: func @math_in_f32(
// NATIVE:         %[[X:.*]] = arith.extf %{{.*}} : bf16 to f32
// NATIVE:         %[[E:.*]] = math.exp %[[X]] : f32
// NATIVE:         arith.truncf %[[E]] : f32 to bf16
func.func @math_in_f32(%x: bf16) -> bf16 {
  %r = math.exp %x : bf16
  return %r : bf16
}

// -----

// CHECK-LABEL: func @half_by_integers(
// CHECK-NOT:     arith.extf
// CHECK:         return
// NATIVE-LABEL: func @half_by_integers(
// NATIVE:         arith.extf %{{.*}} : vector<8xf16> to vector<8xf32>
func.func @half_by_integers(%x: vector<8xf16>) -> vector<8xf32> {
  %r = arith.extf %x : vector<8xf16> to vector<8xf32>
  return %r : vector<8xf32>
}

// -----

// Bits are moved, not computed: the conversion to LLVM has them as integers.
// CHECK-LABEL: func @negative_moves(
// CHECK-NEXT:    %[[C:.*]] = arith.constant 1.500000e+00 : f8E4M3FN
// CHECK-NEXT:    %[[S:.*]] = arith.select %{{.*}}, %[[C]], %{{.*}} : f8E4M3FN
// CHECK-NEXT:    %[[B:.*]] = arith.bitcast %[[S]] : f8E4M3FN to i8
// CHECK-NEXT:    return %[[B]]
func.func @negative_moves(%c: i1, %x: f8E4M3FN) -> i8 {
  %k = arith.constant 1.5 : f8E4M3FN
  %s = arith.select %c, %k, %x : f8E4M3FN
  %b = arith.bitcast %s : f8E4M3FN to i8
  return %b : i8
}

// -----

// CHECK-LABEL: func @negative_f32_and_tensors(
// CHECK:         arith.addf %{{.*}}, %{{.*}} : f32
// CHECK:         arith.extf %{{.*}} : tensor<4xf8E4M3FN> to tensor<4xf32>
func.func @negative_f32_and_tensors(%x: f32, %t: tensor<4xf8E4M3FN>) -> (f32, tensor<4xf32>) {
  %r = arith.addf %x, %x : f32
  %e = arith.extf %t : tensor<4xf8E4M3FN> to tensor<4xf32>
  return %r, %e : f32, tensor<4xf32>
}

// -----

func.func @negative_other_source(%x: f80) -> f8E5M2 {
  // expected-error @below {{'arith.truncf' op expected a source of type f16, bf16, f32 or f64, got 'f80'}}
  %r = arith.truncf %x : f80 to f8E5M2
  return %r : f8E5M2
}
