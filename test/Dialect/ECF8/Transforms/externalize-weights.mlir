// RUN: ecf8-opt %s -ecf8-externalize-weights=min-bytes=16 -split-input-file | FileCheck %s
// RUN: ecf8-opt %s -ecf8-externalize-weights -split-input-file | FileCheck %s --check-prefix=DEFAULT

// CHECK:       ecf8.global private @layer.weight key("layer.weight") : tensor<8x4xf8E4M3FN>
// CHECK-NOT:   ecf8.global
// CHECK-LABEL: func @prefill(
// CHECK-SAME:    %[[X:[a-z0-9]+]]: tensor<8x4xf32>) -> tensor<8x4xf32>
// CHECK:         %[[W:.*]] = ecf8.global.load @layer.weight
// CHECK:         arith.extf %[[W]]
func.func @prefill(%w: tensor<8x4xf8E4M3FN> {ecf8.weight = "layer.weight"}, %x: tensor<8x4xf32>) -> tensor<8x4xf32> {
  %e = arith.extf %w : tensor<8x4xf8E4M3FN> to tensor<8x4xf32>
  %r = arith.addf %e, %x : tensor<8x4xf32>
  return %r : tensor<8x4xf32>
}

// The same weight twice: one load. An unmarked argument stays.
// CHECK-LABEL: func @decode(
// CHECK-SAME:    %{{[a-z0-9]+}}: tensor<8x4xf8E4M3FN>)
// CHECK:         ecf8.global.load @layer.weight
// CHECK-NOT:     ecf8.global.load
// CHECK:         return
func.func @decode(%a: tensor<8x4xf8E4M3FN> {ecf8.weight = "layer.weight"}, %x: tensor<8x4xf8E4M3FN>,
                  %b: tensor<8x4xf8E4M3FN> {ecf8.weight = "layer.weight"}) -> tensor<8x4xf8E4M3FN> {
  %r = arith.addf %a, %b : tensor<8x4xf8E4M3FN>
  return %r : tensor<8x4xf8E4M3FN>
}

// -----

// Calls lose the operand; the attributes of the others stay with them.
// CHECK:       ecf8.global private @w
// CHECK-LABEL: func private @callee(
// CHECK-SAME:    %{{[a-z0-9]+}}: index) -> tensor<8xf32>
func.func private @callee(%w: tensor<8xf32> {ecf8.weight = "w"}, %i: index) -> tensor<8xf32> {
  return %w : tensor<8xf32>
}

// CHECK-LABEL: func @caller(
// CHECK-SAME:    %[[I:[a-z0-9]+]]: index)
// CHECK:         call @callee(%[[I]]) : (index) -> tensor<8xf32>
// CHECK:         call @callee(%[[I]]) {arg_attrs = [{test.kept}]} : (index) -> tensor<8xf32>
func.func @caller(%i: index, %w: tensor<8xf32> {ecf8.weight = "w"}) -> tensor<8xf32> {
  %0 = call @callee(%w, %i) : (tensor<8xf32>, index) -> tensor<8xf32>
  %1 = call @callee(%w, %i) {arg_attrs = [{}, {test.kept}]} : (tensor<8xf32>, index) -> tensor<8xf32>
  %2 = arith.addf %0, %1 : tensor<8xf32>
  return %2 : tensor<8xf32>
}

// -----

// A global of the same name is used; a caller may load it.
// CHECK:       ecf8.global private @existing key("w") : tensor<8xf32>
// CHECK-NOT:   ecf8.global
ecf8.global private @existing key("w") : tensor<8xf32>
// CHECK-LABEL: func private @callee()
// CHECK:         ecf8.global.load @existing
func.func private @callee(%w: tensor<8xf32> {ecf8.weight = "w"}) -> tensor<8xf32> {
  return %w : tensor<8xf32>
}
func.func @caller() -> tensor<8xf32> {
  %w = ecf8.global.load @existing : tensor<8xf32>
  %0 = call @callee(%w) : (tensor<8xf32>) -> tensor<8xf32>
  return %0 : tensor<8xf32>
}

// -----

// One global per value, over all functions; a taken symbol is avoided; the order is that of first use.
// CHECK:       ecf8.global private @constant value(dense<[0.000000e+00, 1.000000e+00, 2.000000e+00, 3.000000e+00]> : tensor<4xf32>)
// CHECK-NEXT:  ecf8.global private @param value(dense_resource<param> : tensor<4xf32>) : tensor<4xf32>
// CHECK-NEXT:  ecf8.global private @[[OTHER:constant_[0-9]+]] value(dense<[4.0
// CHECK-LABEL: func @constants(
// DEFAULT-LABEL: func @constants(
// DEFAULT-NOT:   ecf8.global.load
// DEFAULT-LABEL: func @constants_in_loop(
// CHECK:         %[[A:.*]] = ecf8.global.load @constant : tensor<4xf32>
// CHECK:         %[[B:.*]] = ecf8.global.load @param : tensor<4xf32>
// CHECK-NOT:     ecf8.global.load
// CHECK:         return %[[A]], %[[A]], %[[B]]
func.func @constants() -> (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) {
  %a = arith.constant dense<[0.0, 1.0, 2.0, 3.0]> : tensor<4xf32>
  %b = arith.constant dense<[0.0, 1.0, 2.0, 3.0]> : tensor<4xf32>
  %c = arith.constant dense_resource<param> : tensor<4xf32>
  return %a, %b, %c : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
}

// CHECK-LABEL: func @constants_in_loop(
// CHECK:         ecf8.global.load @constant : tensor<4xf32>
// CHECK:         ecf8.global.load @[[OTHER]] : tensor<4xf32>
// CHECK:         scf.for
func.func @constants_in_loop(%i: index, %t: tensor<4xf32>) -> tensor<4xf32> {
  %a = arith.constant dense<[0.0, 1.0, 2.0, 3.0]> : tensor<4xf32>
  %r = scf.for %k = %i to %i step %i iter_args(%l = %t) -> tensor<4xf32> {
    %b = arith.constant dense<[4.0, 1.0, 2.0, 3.0]> : tensor<4xf32>
    %s = arith.addf %l, %b : tensor<4xf32>
    %u = arith.addf %s, %a : tensor<4xf32>
    scf.yield %u : tensor<4xf32>
  }
  return %r : tensor<4xf32>
}

{-#
  dialect_resources: {
    builtin: {
      param: "0x0400000000000000000000000000000000000000"
    }
  }
#-}

// -----

// CHECK-LABEL: func @negative_small_splat_scalar(
// CHECK-NOT:     ecf8.global.load
// CHECK:         return
func.func @negative_small_splat_scalar() -> (tensor<2xf32>, tensor<64xf32>, vector<4xf32>, f32) {
  %a = arith.constant dense<[0.0, 1.0]> : tensor<2xf32>
  %b = arith.constant dense<1.0> : tensor<64xf32>
  %c = arith.constant dense<[0.0, 1.0, 2.0, 3.0]> : vector<4xf32>
  %d = arith.constant 1.0 : f32
  return %a, %b, %c, %d : tensor<2xf32>, tensor<64xf32>, vector<4xf32>, f32
}

// A nested module has its own symbols: a load there would not find the global.
// CHECK-LABEL: module @inner
// CHECK:         arith.constant dense<[0.0
module @inner {
  func.func @negative_nested_module() -> tensor<4xf32> {
    %a = arith.constant dense<[0.0, 1.0, 2.0, 3.0]> : tensor<4xf32>
    return %a : tensor<4xf32>
  }
}
