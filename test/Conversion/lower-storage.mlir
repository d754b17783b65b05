// RUN: ecf8-opt %s -ecf8-lower-storage -split-input-file -verify-diagnostics | FileCheck %s

!huffman = !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>

// CHECK-NOT: ecf8.global
// CHECK-DAG: func.func private @ecf8_rt_weight(index) -> memref<?xi8>
// CHECK-DAG: func.func private @ecf8_decode_huffman_L8_S1024_f8E4M3FN(memref<?xi8>, memref<?x?xf8E4M3FN, strided<[?, 1], offset: ?>>, index, index) attributes {ecf8.decoder = !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman{{.*}}>}
ecf8.global private @bias key("bias") : tensor<64xf32>
ecf8.global private @weight key("weight") : !huffman

// A weight is known by its place among the globals.
// CHECK-LABEL: func @whole_weight(
// CHECK:         %[[ONE:.*]] = arith.constant 1 : index
// CHECK:         %[[PAYLOAD:.*]] = call @ecf8_rt_weight(%[[ONE]]) : (index) -> memref<?xi8>
// CHECK:         call @ecf8_decode_huffman_L8_S1024_f8E4M3FN(%[[PAYLOAD]], %{{.*}}, %{{.*}}, %{{.*}})
func.func @whole_weight(%out: memref<64x128xf8E4M3FN>) {
  %w = ecf8.global.load @weight : !huffman
  ecf8.decode %w into %out : !huffman, memref<64x128xf8E4M3FN>
  return
}

// CHECK-LABEL: func @plain_weight(
// CHECK:         %[[BYTES:.*]] = call @ecf8_rt_weight
// CHECK:         %[[VIEW:.*]] = memref.view %[[BYTES]]
// CHECK:         return %[[VIEW]] : memref<64xf32>
func.func @plain_weight() -> memref<64xf32> {
  %b = ecf8.global.load @bias : memref<64xf32>
  return %b : memref<64xf32>
}

// CHECK-LABEL: func @through_calls_and_control_flow(
// CHECK-SAME:    %{{.*}}: i1, %[[A:.*]]: memref<?xi8>, %[[B:.*]]: memref<?xi8>
// CHECK:         scf.if %{{.*}} -> (memref<?xi8>)
// CHECK:         call @callee(%{{.*}}) : (memref<?xi8>) -> memref<?xi8>
func.func @through_calls_and_control_flow(%c: i1, %a: !huffman, %b: !huffman) -> !huffman {
  %0 = scf.if %c -> (!huffman) {
    scf.yield %a : !huffman
  } else {
    scf.yield %b : !huffman
  }
  %1 = call @callee(%0) : (!huffman) -> !huffman
  return %1 : !huffman
}

func.func private @callee(!huffman) -> !huffman

// The slice of a tensor of rank 3 begins at row 1 * 64 + 32 of its matrix view.
// CHECK-LABEL: func @slice_of_higher_rank(
// CHECK-SAME:    %[[W:.*]]: memref<?xi8>, %{{.*}}: memref<1x32x128xf8E5M2>, %[[ROW:.*]]: index
// CHECK:         memref.reinterpret_cast %{{.*}} sizes: [32, 128]
// CHECK:         %[[C64:.*]] = arith.constant 64 : index
// CHECK:         arith.muli %{{.*}}, %[[C64]]
// CHECK:         arith.addi %{{.*}}, %[[ROW]]
// CHECK:         call @ecf8_decode_huffman_L7_S256_f8E5M2
func.func @slice_of_higher_rank(%w: !ecf8.compressed<2x64x128xf8E5M2, #ecf8.huffman<max_code_length = 7, tile_columns = 256>>,
                                %out: memref<1x32x128xf8E5M2>, %row: index) {
  ecf8.decode %w[1, %row, 0] into %out : !ecf8.compressed<2x64x128xf8E5M2, #ecf8.huffman<max_code_length = 7, tile_columns = 256>>, memref<1x32x128xf8E5M2>
  return
}

// -----

func.func @negative_rows_without_one_stride(%w: !ecf8.compressed<2x64x128xf8E4M3FN, #ecf8.huffman>,
                                            %out: memref<2x64x128xf8E4M3FN, strided<[65536, 256, 1]>>) {
  // expected-error @below {{expected a destination whose rows lie at one stride, got 'memref<2x64x128xf8E4M3FN, strided<[65536, 256, 1]>>'}}
  // expected-error @below {{failed to legalize operation 'ecf8.decode'}}
  ecf8.decode %w into %out : !ecf8.compressed<2x64x128xf8E4M3FN, #ecf8.huffman>, memref<2x64x128xf8E4M3FN, strided<[65536, 256, 1]>>
  return
}

// -----

func.func @negative_not_bufferized(%w: !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>) -> tensor<64x128xf8E4M3FN> {
  // expected-error @below {{failed to legalize operation 'ecf8.decode'}}
  %0 = ecf8.decode %w : !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>
  return %0 : tensor<64x128xf8E4M3FN>
}
