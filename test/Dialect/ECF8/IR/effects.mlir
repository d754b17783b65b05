// RUN: ecf8-opt %s -cse -loop-invariant-code-motion -inline -symbol-dce -allow-unregistered-dialect | FileCheck %s

!huffman = !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>

// A private global that nothing loads goes; a public one stays.
// CHECK-NOT: @dead
// CHECK:     ecf8.global private @live
// CHECK:     ecf8.global @public
ecf8.global private @dead key("dead") : tensor<4xf32>
ecf8.global private @live key("live") : !huffman
ecf8.global @public key("public") : tensor<4xf32>

// CHECK-LABEL: func @cse(
// CHECK-COUNT-1: ecf8.global.load
// CHECK-COUNT-1: ecf8.decode
// CHECK-NEXT:    return
func.func @cse() -> (tensor<64x128xf8E4M3FN>, tensor<64x128xf8E4M3FN>) {
  %a = ecf8.global.load @live : !huffman
  %b = ecf8.global.load @live : !huffman
  %c = ecf8.decode %a : !huffman
  %d = ecf8.decode %b : !huffman
  return %c, %d : tensor<64x128xf8E4M3FN>, tensor<64x128xf8E4M3FN>
}

// Writing into a buffer is an effect, twice.
// CHECK-LABEL: func @destination(
// CHECK-COUNT-2: ecf8.decode %{{.*}} into
func.func @destination(%c: !huffman, %m: memref<64x128xf8E4M3FN>, %x: f8E4M3FN, %i: index) {
  ecf8.decode %c into %m : !huffman, memref<64x128xf8E4M3FN>
  memref.store %x, %m[%i, %i] : memref<64x128xf8E4M3FN>
  ecf8.decode %c into %m : !huffman, memref<64x128xf8E4M3FN>
  return
}

// A whole decode leaves a loop. A slice at a dynamic offset does not: the offset may be valid in the loop alone.
// CHECK-LABEL: func @loop(
// CHECK:         ecf8.decode %{{[a-z0-9]+}} :
// CHECK:         scf.for
// CHECK:           ecf8.decode %{{.*}}[%{{.*}}, 0]
func.func @loop(%c: !huffman, %row: index, %n: index) {
  scf.for %i = %row to %n step %row {
    %w = ecf8.decode %c : !huffman
    %s = ecf8.decode %c[%row, 0] : !huffman to tensor<32x128xf8E4M3FN>
    "test.use"(%w, %s) : (tensor<64x128xf8E4M3FN>, tensor<32x128xf8E4M3FN>) -> ()
  }
  return
}

// On tensors a contraction is pure; on memrefs it reads all and adds to its accumulator each time.
// CHECK-LABEL: func @contract(
// CHECK-COUNT-1: ecf8.contract {{.*}} -> tensor<4x64xf32>
// CHECK-NOT:     -> tensor<4x64xf32>
// CHECK-COUNT-2: ecf8.contract {{.*}} outs(%{{.*}} : memref<4x64xf32>)
// CHECK:         return
func.func @contract(%c: !huffman, %x: tensor<4x128xf32>, %acc: tensor<4x64xf32>, %y: memref<4x128xf32>,
                    %s: memref<1x1xf32>, %m: memref<4x64xf32>) -> (tensor<4x64xf32>, tensor<4x64xf32>) {
  %0 = ecf8.contract ins(%x, %c : tensor<4x128xf32>, !huffman) outs(%acc : tensor<4x64xf32>) -> tensor<4x64xf32>
  %1 = ecf8.contract ins(%x, %c : tensor<4x128xf32>, !huffman) outs(%acc : tensor<4x64xf32>) -> tensor<4x64xf32>
  %unused = ecf8.contract ins(%x, %c : tensor<4x128xf32>, !huffman) outs(%0 : tensor<4x64xf32>) -> tensor<4x64xf32>
  ecf8.contract ins(%y, %c : memref<4x128xf32>, !huffman) scale(%s : memref<1x1xf32>) block [64, 128] outs(%m : memref<4x64xf32>)
  ecf8.contract ins(%y, %c : memref<4x128xf32>, !huffman) scale(%s : memref<1x1xf32>) block [64, 128] outs(%m : memref<4x64xf32>)
  return %0, %1 : tensor<4x64xf32>, tensor<4x64xf32>
}

// The accumulator is another one afterwards.
// CHECK-LABEL: func @contract_writes(
// CHECK:         memref.load
// CHECK-NEXT:    ecf8.contract
// CHECK-NEXT:    memref.load
func.func @contract_writes(%c: !huffman, %y: memref<4x128xf32>, %m: memref<4x64xf32>, %i: index) -> (f32, f32) {
  %a = memref.load %m[%i, %i] : memref<4x64xf32>
  ecf8.contract ins(%y, %c : memref<4x128xf32>, !huffman) outs(%m : memref<4x64xf32>)
  %b = memref.load %m[%i, %i] : memref<4x64xf32>
  return %a, %b : f32, f32
}

// An epilogue overwrites its output.
// CHECK-LABEL: func @epilogue_reads(
// CHECK:         memref.load
// CHECK-NEXT:    ecf8.contract
// CHECK:         memref.load
func.func @epilogue_reads(%c: !huffman, %y: memref<4x128xf32>, %b: memref<1x64xf32>, %m: memref<4x64xf32>, %i: index) -> (f32, f32) {
  %0 = memref.load %m[%i, %i] : memref<4x64xf32>
  ecf8.contract ins(%y, %c : memref<4x128xf32>, !huffman) outs(%m : memref<4x64xf32>) epilogue(%b : memref<1x64xf32>) {
  ^bb0(%sum: f32, %t: f32):
    %v = arith.addf %sum, %t : f32
    ecf8.yield %v : f32
  }
  %1 = memref.load %m[%i, %i] : memref<4x64xf32>
  return %0, %1 : f32, f32
}

// CHECK-LABEL: func @inline(
// CHECK-NOT:     call
// CHECK:         ecf8.decode
// CHECK:         return
func.func @inline(%c: !huffman) -> tensor<64x128xf8E4M3FN> {
  %w = call @callee(%c) : (!huffman) -> tensor<64x128xf8E4M3FN>
  return %w : tensor<64x128xf8E4M3FN>
}
func.func private @callee(%c: !huffman) -> tensor<64x128xf8E4M3FN> {
  %w = ecf8.decode %c : !huffman
  return %w : tensor<64x128xf8E4M3FN>
}
