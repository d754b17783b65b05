// RUN: ecf8-opt %s -one-shot-bufferize="bufferize-function-boundaries function-boundary-type-conversion=identity-layout-map" | FileCheck %s
// RUN: ecf8-opt %s -one-shot-bufferize="bufferize-function-boundaries function-boundary-type-conversion=identity-layout-map" \
// RUN:   -ownership-based-buffer-deallocation -canonicalize -buffer-deallocation-simplification -bufferization-lower-deallocations \
// RUN:   | FileCheck %s --check-prefix=DEALLOC

!huffman = !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>

ecf8.global private @weight key("weight") : !huffman
ecf8.global private @bias key("bias") : tensor<64xf32>

// A weight is read only: what writes to it gets a copy.
// CHECK-LABEL: func @write_to_weight(
// CHECK:         %[[BIAS:.*]] = ecf8.global.load @bias : memref<64xf32>
// CHECK:         %[[COPY:.*]] = memref.alloc()
// CHECK:         memref.copy %[[BIAS]], %[[COPY]]
// CHECK:         memref.store %{{.*}}, %[[COPY]]
func.func @write_to_weight(%i: index, %f: f32) -> tensor<64xf32> {
  %b = ecf8.global.load @bias : tensor<64xf32>
  %o = tensor.insert %f into %b[%i] : tensor<64xf32>
  return %o : tensor<64xf32>
}

// CHECK-LABEL: func @read_weight(
// CHECK-NOT:     memref.alloc
// CHECK:         memref.load
func.func @read_weight(%i: index) -> f32 {
  %b = ecf8.global.load @bias : tensor<64xf32>
  %f = tensor.extract %b[%i] : tensor<64xf32>
  return %f : f32
}

// The caller frees what a function returns: never the weight itself.
// DEALLOC-LABEL: func @return_weight(
// DEALLOC:         %[[BIAS:.*]] = ecf8.global.load @bias : memref<64xf32>
// DEALLOC:         %[[COPY:.*]] = bufferization.clone %[[BIAS]]
// DEALLOC:         return %[[COPY]]
func.func @return_weight() -> tensor<64xf32> {
  %b = ecf8.global.load @bias : tensor<64xf32>
  return %b : tensor<64xf32>
}

// CHECK-LABEL: func @decode(
// CHECK-SAME:    %[[C:.*]]: !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>
// CHECK:         %[[BUFFER:.*]] = memref.alloc() {{.*}} : memref<64x128xf8E4M3FN>
// CHECK:         ecf8.decode %[[C]] into %[[BUFFER]] : {{.*}}, memref<64x128xf8E4M3FN>
// CHECK:         memref.load %[[BUFFER]]
// DEALLOC-LABEL: func @decode(
// DEALLOC:         memref.load %[[BUFFER:.*]][
// DEALLOC:         memref.dealloc %[[BUFFER]]
func.func @decode(%c: !huffman, %i: index) -> f8E4M3FN {
  %w = ecf8.decode %c : !huffman
  %f = tensor.extract %w[%i, %i] : tensor<64x128xf8E4M3FN>
  return %f : f8E4M3FN
}

// A decoded tensor is the caller's own buffer: what writes to it needs no copy.
// CHECK-LABEL: func @write_to_decoded(
// CHECK-COUNT-1: memref.alloc
// CHECK-NOT:     memref.alloc
// CHECK-NOT:     memref.copy
// CHECK:         return
func.func @write_to_decoded(%c: !huffman, %i: index, %f: f8E4M3FN) -> tensor<64x128xf8E4M3FN> {
  %w = ecf8.decode %c : !huffman
  %o = tensor.insert %f into %w[%i, %i] : tensor<64x128xf8E4M3FN>
  return %o : tensor<64x128xf8E4M3FN>
}

// CHECK-LABEL: func @slice(
// CHECK-SAME:    %[[C:.*]]: !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>, %[[ROW:.*]]: index
// CHECK:         %[[BUFFER:.*]] = memref.alloc() {{.*}} : memref<32x128xf8E4M3FN>
// CHECK:         ecf8.decode %[[C]][%[[ROW]], 0] into %[[BUFFER]]
func.func @slice(%c: !huffman, %row: index) -> tensor<32x128xf8E4M3FN> {
  %w = ecf8.decode %c[%row, 0] : !huffman to tensor<32x128xf8E4M3FN>
  return %w : tensor<32x128xf8E4M3FN>
}

// CHECK-LABEL: func private @callee(
// CHECK-SAME:    !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>) -> !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>
func.func private @callee(%c: !huffman) -> !huffman {
  return %c : !huffman
}

// Compressed values pass control flow, loops and calls untouched.
// CHECK-LABEL: func @opaque(
// CHECK:         scf.if %{{.*}} -> (!ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>)
// CHECK:         scf.for {{.*}} iter_args({{.*}}) -> (!ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>)
// CHECK:           call @callee({{.*}}) : (!ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>)
// CHECK:         ecf8.decode %{{.*}} into
// DEALLOC-LABEL: func @opaque(
// DEALLOC:         return
func.func @opaque(%p: i1, %c: !huffman, %i: index) -> tensor<64x128xf8E4M3FN> {
  %w = ecf8.global.load @weight : !huffman
  %d = scf.if %p -> !huffman {
    scf.yield %w : !huffman
  } else {
    scf.yield %c : !huffman
  }
  %l = scf.for %k = %i to %i step %i iter_args(%a = %d) -> !huffman {
    %r = func.call @callee(%a) : (!huffman) -> !huffman
    scf.yield %r : !huffman
  }
  %t = ecf8.decode %l : !huffman
  return %t : tensor<64x128xf8E4M3FN>
}

// The accumulator is added to in place; activations and scale are only read.
// CHECK-LABEL: func @contract(
// CHECK-SAME:    %[[C:.*]]: !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>, %[[X:.*]]: memref<4x128xf32>, %[[S:.*]]: memref<64x1xf32>)
// CHECK:         %[[ACC:.*]] = memref.alloc() {{.*}} : memref<4x64xf32>
// CHECK:         linalg.fill ins({{.*}}) outs(%[[ACC]] : memref<4x64xf32>)
// CHECK-NEXT:    ecf8.contract ins(%[[X]], %[[C]] : {{.*}}) scale(%[[S]] : memref<64x1xf32>) block [1, 128] outs(%[[ACC]] : memref<4x64xf32>)
// CHECK-NEXT:    return %[[ACC]]
func.func @contract(%c: !huffman, %x: tensor<4x128xf32> {bufferization.writable = false},
                    %s: tensor<64x1xf32> {bufferization.writable = false}) -> tensor<4x64xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<4x64xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<4x64xf32>) -> tensor<4x64xf32>
  %0 = ecf8.contract ins(%x, %c : tensor<4x128xf32>, !huffman) scale(%s : tensor<64x1xf32>) block [1, 128]
      outs(%f : tensor<4x64xf32>) -> tensor<4x64xf32>
  return %0 : tensor<4x64xf32>
}

// Kernels read vectors along rows: activations and scales with gaps are copied first.
// CHECK-LABEL: func @contract_strided(
// CHECK:         %[[GAPS:.*]] = memref.subview %{{.*}} : memref<4x256xf32> to memref<4x128xf32, strided<[256, 2]>>
// CHECK:         %[[COPY:.*]] = memref.alloc() {{.*}} : memref<4x128xf32>
// CHECK:         memref.copy %[[GAPS]], %[[COPY]]
// CHECK:         %[[SCALES:.*]] = memref.alloc() {{.*}} : memref<64x1xf32>
// CHECK:         memref.copy %{{.*}}, %[[SCALES]]
// CHECK:         ecf8.contract ins(%[[COPY]], {{.*}}) scale(%[[SCALES]] : memref<64x1xf32>)
// DEALLOC-LABEL: func @contract_strided(
// DEALLOC:         ecf8.contract ins(%[[COPY:[a-z0-9_]+]], {{.*}}) scale(%[[SCALES:[a-z0-9_]+]] : memref<64x1xf32>)
// DEALLOC-DAG:     memref.dealloc %[[COPY]] : memref<4x128xf32>
// DEALLOC-DAG:     memref.dealloc %[[SCALES]] : memref<64x1xf32>
func.func @contract_strided(%c: !huffman, %x: tensor<4x256xf32>, %s: tensor<64x2xf32>, %acc: tensor<4x64xf32>)
    -> tensor<4x64xf32> {
  %xs = tensor.extract_slice %x[0, 0] [4, 128] [1, 2] : tensor<4x256xf32> to tensor<4x128xf32>
  %ss = tensor.extract_slice %s[0, 1] [64, 1] [1, 2] : tensor<64x2xf32> to tensor<64x1xf32>
  %0 = ecf8.contract ins(%xs, %c : tensor<4x128xf32>, !huffman) scale(%ss : tensor<64x1xf32>) block [1, 128]
      outs(%acc : tensor<4x64xf32>) -> tensor<4x64xf32>
  return %0 : tensor<4x64xf32>
}

// An accumulator that is read later is copied.
// CHECK-LABEL: func @contract_accumulator_read_later(
// CHECK-SAME:    %[[ACC:[a-z0-9]+]]: memref<4x64xf32>
// CHECK:         %[[COPY:.*]] = memref.alloc()
// CHECK:         memref.copy %[[ACC]], %[[COPY]]
// CHECK:         ecf8.contract {{.*}} outs(%[[COPY]] : memref<4x64xf32>)
// CHECK:         memref.load %[[ACC]]
func.func @contract_accumulator_read_later(%c: !huffman, %x: tensor<4x128xf32>, %acc: tensor<4x64xf32>, %i: index)
    -> (tensor<4x64xf32>, f32) {
  %0 = ecf8.contract ins(%x, %c : tensor<4x128xf32>, !huffman) outs(%acc : tensor<4x64xf32>) -> tensor<4x64xf32>
  %f = tensor.extract %acc[%i, %i] : tensor<4x64xf32>
  return %0, %f : tensor<4x64xf32>, f32
}

// Sums of one contraction that are the activations of the next, and its first sums: one of the two is a copy.
// CHECK-LABEL: func @contract_accumulator_is_activations(
// CHECK-SAME:    %[[X:[a-z0-9]+]]: memref<4x64xf32>
// CHECK:         %[[COPY:.*]] = memref.alloc()
// CHECK:         memref.copy %[[X]], %[[COPY]]
// CHECK:         ecf8.contract ins(%[[X]], {{.*}}) outs(%[[COPY]] : memref<4x64xf32>)
func.func @contract_accumulator_is_activations(%c: !ecf8.compressed<64x64xf8E4M3FN, #ecf8.huffman>, %x: tensor<4x64xf32>)
    -> tensor<4x64xf32> {
  %0 = ecf8.contract ins(%x, %c : tensor<4x64xf32>, !ecf8.compressed<64x64xf8E4M3FN, #ecf8.huffman>)
      outs(%x : tensor<4x64xf32>) -> tensor<4x64xf32>
  return %0 : tensor<4x64xf32>
}

// Activations that are overwritten later need no copy.
// CHECK-LABEL: func @contract_activations_written_later(
// CHECK-NOT:     memref.alloc
// CHECK:         ecf8.contract
// CHECK-NEXT:    memref.store
func.func @contract_activations_written_later(%c: !huffman, %x: tensor<4x128xf32>, %acc: tensor<4x64xf32>, %i: index, %f: f32)
    -> (tensor<4x64xf32>, tensor<4x128xf32>) {
  %0 = ecf8.contract ins(%x, %c : tensor<4x128xf32>, !huffman) outs(%acc : tensor<4x64xf32>) -> tensor<4x64xf32>
  %1 = tensor.insert %f into %x[%i, %i] : tensor<4x128xf32>
  return %0, %1 : tensor<4x64xf32>, tensor<4x128xf32>
}

// With an epilogue what is overwritten is not read: no copy, though it is read later. Operands are only read.
// CHECK-LABEL: func @contract_epilogue(
// CHECK-SAME:    %[[D:[a-z0-9]+]]: memref<4x64xbf16>)
// CHECK:         %[[OUT:.*]] = memref.alloc()
// CHECK-NOT:     memref.copy
// CHECK:         ecf8.contract {{.*}} outs(%[[OUT]] : memref<4x64xbf16>) epilogue(%[[D]] : memref<4x64xbf16>) {
// CHECK-NEXT:    ^bb0(%[[SUM:.*]]: f32, %[[E:.*]]: bf16):
// CHECK-NEXT:      %[[T:.*]] = arith.truncf %[[SUM]] : f32 to bf16
// CHECK-NEXT:      %[[V:.*]] = arith.addf %[[T]], %[[E]] : bf16
// CHECK-NEXT:      ecf8.yield %[[V]] : bf16
// CHECK-NEXT:    }
// CHECK-NEXT:    return %[[OUT]]
func.func @contract_epilogue(%c: !huffman, %x: tensor<4x128xf32> {bufferization.writable = false}, %d: tensor<4x64xbf16> {bufferization.writable = false})
    -> tensor<4x64xbf16> {
  %0 = ecf8.contract ins(%x, %c : tensor<4x128xf32>, !huffman) outs(%d : tensor<4x64xbf16>) epilogue(%d : tensor<4x64xbf16>) {
  ^bb0(%sum: f32, %e: bf16):
    %t = arith.truncf %sum : f32 to bf16
    %v = arith.addf %t, %e : bf16
    ecf8.yield %v : bf16
  } -> tensor<4x64xbf16>
  return %0 : tensor<4x64xbf16>
}
