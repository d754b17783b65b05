// RUN: ecf8-opt %s -ecf8-cpu-pipeline=stop-after=bufferize | FileCheck %s

// What a loop needs for a while is allocated once, before it; the small buffer is on the stack.
// CHECK-LABEL: func @buffers_of_a_loop(
// CHECK:         memref.alloc() {{.*}} : memref<16x256xf32>
// CHECK:         memref.alloca() {{.*}} : memref<16x16xf32>
// CHECK:         scf.for
// CHECK-NOT:     memref.alloc
// CHECK-NOT:     memref.dealloc
// CHECK:         linalg.matmul
// CHECK:         }
// CHECK:         memref.dealloc
func.func @buffers_of_a_loop(%x: tensor<16x256xf32>, %n: index) -> tensor<16x256xf32> {
  %zero = arith.constant 0 : index
  %one = arith.constant 1 : index
  %z = arith.constant 0.0 : f32
  %r = scf.for %i = %zero to %n step %one iter_args(%a = %x) -> tensor<16x256xf32> {
    %e = tensor.empty() : tensor<16x256xf32>
    %0 = linalg.exp ins(%a : tensor<16x256xf32>) outs(%e : tensor<16x256xf32>) -> tensor<16x256xf32>
    %t = tensor.empty() : tensor<256x16xf32>
    %1 = linalg.transpose ins(%0 : tensor<16x256xf32>) outs(%t : tensor<256x16xf32>) permutation = [1, 0]
    %s = tensor.empty() : tensor<16x16xf32>
    %f = linalg.fill ins(%z : f32) outs(%s : tensor<16x16xf32>) -> tensor<16x16xf32>
    %p = linalg.matmul ins(%0, %1 : tensor<16x256xf32>, tensor<256x16xf32>) outs(%f : tensor<16x16xf32>)
        -> tensor<16x16xf32>
    %2 = linalg.matmul ins(%p, %0 : tensor<16x16xf32>, tensor<16x256xf32>) outs(%a : tensor<16x256xf32>)
        -> tensor<16x256xf32>
    scf.yield %2 : tensor<16x256xf32>
  }
  return %r : tensor<16x256xf32>
}

// A loop over experts, each on its part of activations and result: nothing is allocated or copied.
ecf8.global private @weight key("experts") : !ecf8.compressed<8x64x128xf8E4M3FN, #ecf8.huffman>

// CHECK-LABEL: func @experts(
// CHECK-SAME:    %[[X:.*]]: memref<8x4x128xf32>)
// CHECK:         %[[ACC:.*]] = memref.alloc() {{.*}} : memref<8x4x64xf32>
// CHECK:         scf.for %[[E:.*]] = %{{.*}} to %{{.*}} step %{{.*}} {
// CHECK-NOT:       memref.alloc
// CHECK-NOT:       memref.copy
// CHECK-DAG:       %[[OWN:.*]] = memref.subview %[[X]][%[[E]], 0, 0]
// CHECK-DAG:       %[[SUMS:.*]] = memref.subview %[[ACC]][%[[E]], 0, 0]
// CHECK:           ecf8.contract ins(%[[OWN]], %{{[a-z0-9]+}}[%[[E]], 0, 0] : {{.*}}) outs(%[[SUMS]] : memref<4x64xf32, strided<[64, 1], offset: ?>>)
// CHECK-NEXT:    }
// CHECK-NEXT:    return %[[ACC]]
func.func @experts(%x: tensor<8x4x128xf32>) -> tensor<8x4x64xf32> {
  %zero = arith.constant 0.0 : f32
  %c = ecf8.global.load @weight : !ecf8.compressed<8x64x128xf8E4M3FN, #ecf8.huffman>
  %w = ecf8.decode %c : !ecf8.compressed<8x64x128xf8E4M3FN, #ecf8.huffman>
  %e = tensor.empty() : tensor<8x4x64xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<8x4x64xf32>) -> tensor<8x4x64xf32>
  %y = linalg.batch_matmul indexing_maps = [affine_map<(e, m, n, k) -> (e, m, k)>, affine_map<(e, m, n, k) -> (e, n, k)>, affine_map<(e, m, n, k) -> (e, m, n)>]
      ins(%x, %w : tensor<8x4x128xf32>, tensor<8x64x128xf8E4M3FN>) outs(%f : tensor<8x4x64xf32>) -> tensor<8x4x64xf32>
  return %y : tensor<8x4x64xf32>
}
