// RUN: ecf8-opt %s -ecf8-prepare-entry-points | FileCheck %s

// The caller's tensors are only read.
// CHECK-LABEL: func.func @entry(
// CHECK-SAME:    %{{.*}}: tensor<4xf32> {bufferization.writable = false}
// CHECK-SAME:    attributes {llvm.emit_c_interface}
func.func @entry(%a: tensor<4xf32>) -> tensor<4xf32> {
  return %a : tensor<4xf32>
}

// CHECK-LABEL: func.func private @negative_private(
// CHECK-SAME:    %{{.*}}: tensor<4xf32>) -> tensor<4xf32> {
func.func private @negative_private(%a: tensor<4xf32>) -> tensor<4xf32> {
  return %a : tensor<4xf32>
}
