// RUN: ecf8-opt %s -ecf8-separate-fills | FileCheck %s

// CSE has left one fill for both sums. Each gets its own, right before it.
// CHECK-LABEL: func @shared(
// CHECK-NOT:     linalg.fill
// CHECK:         math.exp
// CHECK:         %[[EMPTY:.*]] = tensor.empty
// CHECK-NEXT:    %[[FILL:.*]] = linalg.fill {{.*}} outs(%[[EMPTY]]
// CHECK-NEXT:    linalg.matmul {{.*}} outs(%[[FILL]]
// CHECK:         %[[EMPTY2:.*]] = tensor.empty
// CHECK-NEXT:    %[[FILL2:.*]] = linalg.fill {{.*}} outs(%[[EMPTY2]]
// CHECK-NEXT:    linalg.matmul {{.*}} outs(%[[FILL2]]
// CHECK-NOT:     linalg.fill
// CHECK:         return
func.func @shared(%a: tensor<4x4xf32>) -> (tensor<4x4xf32>, tensor<4x4xf32>) {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<4x4xf32>
  %fill = linalg.fill ins(%zero : f32) outs(%empty : tensor<4x4xf32>) -> tensor<4x4xf32>
  %b = math.exp %a : tensor<4x4xf32>
  %0 = linalg.matmul ins(%a, %b : tensor<4x4xf32>, tensor<4x4xf32>) outs(%fill : tensor<4x4xf32>) -> tensor<4x4xf32>
  %1 = linalg.matmul ins(%b, %a : tensor<4x4xf32>, tensor<4x4xf32>) outs(%fill : tensor<4x4xf32>) -> tensor<4x4xf32>
  return %0, %1 : tensor<4x4xf32>, tensor<4x4xf32>
}

// The filled tensor is a value here.
// CHECK-LABEL: func @negative_read(
// CHECK:         %[[FILL:.*]] = linalg.fill
// CHECK:         linalg.matmul ins(%{{.*}}, %[[FILL]]
// CHECK:         return %[[FILL]]
func.func @negative_read(%a: tensor<4x4xf32>, %c: tensor<4x4xf32>) -> (tensor<4x4xf32>, tensor<4x4xf32>) {
  %one = arith.constant 1.0 : f32
  %empty = tensor.empty() : tensor<4x4xf32>
  %fill = linalg.fill ins(%one : f32) outs(%empty : tensor<4x4xf32>) -> tensor<4x4xf32>
  %0 = linalg.matmul ins(%a, %fill : tensor<4x4xf32>, tensor<4x4xf32>) outs(%c : tensor<4x4xf32>) -> tensor<4x4xf32>
  return %fill, %0 : tensor<4x4xf32>, tensor<4x4xf32>
}

// A fill inside the loop would be an allocation there.
// CHECK-LABEL: func @negative_other_block(
// CHECK:         linalg.fill
// CHECK:         scf.for
// CHECK-NOT:     linalg.fill
// CHECK:         return
func.func @negative_other_block(%a: tensor<4x4xf32>, %n: index) -> tensor<4x4xf32> {
  %zero = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %empty = tensor.empty() : tensor<4x4xf32>
  %fill = linalg.fill ins(%zero : f32) outs(%empty : tensor<4x4xf32>) -> tensor<4x4xf32>
  %r = scf.for %i = %c0 to %n step %c1 iter_args(%x = %a) -> tensor<4x4xf32> {
    %0 = linalg.matmul ins(%x, %a : tensor<4x4xf32>, tensor<4x4xf32>) outs(%fill : tensor<4x4xf32>) -> tensor<4x4xf32>
    scf.yield %0 : tensor<4x4xf32>
  }
  return %r : tensor<4x4xf32>
}
