// RUN: ecf8-opt %s -ecf8-separate-empties=max-readers=2 | FileCheck %s
// RUN: not ecf8-opt %s -ecf8-separate-empties=max-readers=0 2>&1 | FileCheck %s --check-prefix=ZERO
// ZERO: error: expected 'max-readers' of at least 1, got 0

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
