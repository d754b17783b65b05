// RUN: ecf8-opt %s -ecf8-separate-empties=max-readers=2 | FileCheck %s
// RUN: not ecf8-opt %s -ecf8-separate-empties=max-readers=0 2>&1 | FileCheck %s --check-prefix=ZERO
// ZERO: error: expected 'max-readers' of at least 1, got 0

// A fill and an empty tensor for each reader of the fill.
// CHECK-LABEL: func @filled(
// CHECK-SAME:    %[[A:[a-z0-9]+]]: tensor<4xf32>)
// CHECK:         %[[E0:.*]] = tensor.empty()
// CHECK-NEXT:    %[[F0:.*]] = linalg.fill {{.*}} outs(%[[E0]] :
// CHECK-NEXT:    %[[E1:.*]] = tensor.empty()
// CHECK-NEXT:    %[[F1:.*]] = linalg.fill {{.*}} outs(%[[E1]] :
// CHECK-DAG:     linalg.exp ins(%[[A]] : {{.*}}) outs(%[[F0]] :
// CHECK-DAG:     linalg.log ins(%[[A]] : {{.*}}) outs(%[[F1]] :
func.func @filled(%a: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<4xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<4xf32>) -> tensor<4xf32>
  %0 = linalg.exp ins(%a : tensor<4xf32>) outs(%f : tensor<4xf32>) -> tensor<4xf32>
  %1 = linalg.log ins(%a : tensor<4xf32>) outs(%f : tensor<4xf32>) -> tensor<4xf32>
  return %0, %1 : tensor<4xf32>, tensor<4xf32>
}

// Three readers, two for each empty tensor.
// CHECK-LABEL: func @empty(
// CHECK-NEXT:    %[[E0:.*]] = tensor.empty()
// CHECK-NEXT:    %[[E1:.*]] = tensor.empty()
// CHECK-NEXT:    linalg.exp {{.*}} outs(%[[E0]] :
// CHECK-NEXT:    linalg.log {{.*}} outs(%[[E0]] :
// CHECK-NEXT:    linalg.abs {{.*}} outs(%[[E1]] :
func.func @empty(%a: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) {
  %e = tensor.empty() : tensor<4xf32>
  %0 = linalg.exp ins(%a : tensor<4xf32>) outs(%e : tensor<4xf32>) -> tensor<4xf32>
  %1 = linalg.log ins(%a : tensor<4xf32>) outs(%e : tensor<4xf32>) -> tensor<4xf32>
  %2 = linalg.abs ins(%a : tensor<4xf32>) outs(%e : tensor<4xf32>) -> tensor<4xf32>
  return %0, %1, %2 : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
}

// A fill of a tensor with content: as before.
// CHECK-LABEL: func @negative_argument(
// CHECK-COUNT-1: linalg.fill
// CHECK-NOT:     linalg.fill
// CHECK:         return
func.func @negative_argument(%a: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %zero = arith.constant 0.0 : f32
  %f = linalg.fill ins(%zero : f32) outs(%a : tensor<4xf32>) -> tensor<4xf32>
  %0 = linalg.exp ins(%f : tensor<4xf32>) outs(%f : tensor<4xf32>) -> tensor<4xf32>
  return %0, %f : tensor<4xf32>, tensor<4xf32>
}
