// RUN: ecf8-opt %s -ecf8-lower-storage -split-input-file -verify-diagnostics | FileCheck %s
// RUN: ecf8-opt %s -ecf8-lower-storage -split-input-file -verify-diagnostics -mlir-print-debuginfo | FileCheck %s --check-prefix=PLACE

!small = !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>
!large = !ecf8.compressed<256x64xf8E4M3FN, #ecf8.huffman>
!other = !ecf8.compressed<64x128xf8E5M2, #ecf8.raw<order = rows32, tile_columns = 64>>

// Layers of the same kind share a function, whatever their shapes. The kind of scale and all element types are in its
// name.
// CHECK-DAG: func.func private @ecf8_contract_huffman_L8_S1024_f8E4M3FN_f32(memref<?xi8>, memref<?x?xf32, strided<[?, 1], offset: ?>>, memref<?x?xf32, strided<[?, 1], offset: ?>>, index) attributes {ecf8.contraction = !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>}
// CHECK-DAG: func.func private @ecf8_contract_huffman_L8_S1024_f8E4M3FN_bf16_f32rows(memref<?xi8>, memref<?x?xbf16, strided<[?, 1], offset: ?>>, memref<?x?xf32, strided<[?, 1], offset: ?>>, memref<?x?xf32, strided<[?, 1], offset: ?>>, index, index, index) attributes {ecf8.contraction = !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>, ecf8.scale = "rows"}
// CHECK-DAG: func.func private @ecf8_contract_{{.*}}_f8E5M2_f16_f16blocks(memref<?xi8>, memref<?x?xf16, strided<[?, 1], offset: ?>>, memref<?x?xf32, strided<[?, 1], offset: ?>>, memref<?x?xf16, strided<[?, 1], offset: ?>>, index, index, index) attributes {ecf8.contraction = !ecf8.compressed<64x128xf8E5M2, {{.*}}>, ecf8.scale = "blocks"}

// CHECK-DAG: func.func private @ecf8_epilogue_0(%[[SUM:.*]]: f32, %[[T:.*]]: f32) -> bf16 {
// CHECK-DAG: func.func private @ecf8_epilogue_1(%{{.*}}: f32) -> bf16 {
// CHECK-DAG: func.func private @ecf8_contract_huffman_L8_S1024_f8E4M3FN_f32_epilogue_0_1xN({{.*}}) attributes {ecf8.contraction = {{.*}}, ecf8.epilogue = @ecf8_epilogue_0}

// Rows that do not match are found where the contraction is, not in the function that others call, too.
// PLACE-LABEL: func @two_shapes(
// PLACE:         cf.assert %{{.*}}, "expected an output of as many rows as the activations" loc(#[[FIRST:.*]])
// PLACE:         cf.assert %{{.*}}, "expected an output of as many rows as the activations" loc(#[[SECOND:.*]])
// PLACE-LABEL: func @scaled_rows(
// PLACE-NOT:     cf.assert
// PLACE-LABEL: func @scaled_blocks(
// PLACE-DAG:   #[[FIRST]] = loc("{{.*}}lower-contract.mlir":[[#@LINE+10]]:
// PLACE-DAG:   #[[SECOND]] = loc("{{.*}}lower-contract.mlir":[[#@LINE+10]]:
// CHECK-LABEL: func @two_shapes(
// CHECK-SAME:    %[[C:[a-z0-9]+]]: memref<?xi8>, %[[D:[a-z0-9]+]]: memref<?xi8>
// CHECK:         %[[X:.*]] = memref.cast %{{.*}} : memref<?x128xf32> to memref<?x?xf32, strided<[?, 1], offset: ?>>
// CHECK:         %[[ACC:.*]] = memref.cast %{{.*}} : memref<?x64xf32> to
// CHECK:         %[[ROW:.*]] = arith.constant 0 : index
// CHECK:         call @ecf8_contract_huffman_L8_S1024_f8E4M3FN_f32(%[[C]], %[[X]], %[[ACC]], %[[ROW]])
// CHECK:         call @ecf8_contract_huffman_L8_S1024_f8E4M3FN_f32(%[[D]], %{{.*}}, %{{.*}}, %{{.*}})
func.func @two_shapes(%c: !small, %d: !large, %x: memref<?x128xf32>, %acc: memref<?x64xf32>, %out: memref<?x256xf32>) {
  ecf8.contract ins(%x, %c : memref<?x128xf32>, !small) outs(%acc : memref<?x64xf32>)
  ecf8.contract ins(%acc, %d : memref<?x64xf32>, !large) outs(%out : memref<?x256xf32>)
  return
}

// CHECK-LABEL: func @scaled_rows(
// CHECK:         %[[ONE:.*]] = arith.constant 1 : index
// CHECK:         %[[ALL:.*]] = arith.constant 128 : index
// CHECK:         call @ecf8_contract_huffman_L8_S1024_f8E4M3FN_bf16_f32rows(%{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}, %[[ONE]], %[[ALL]], %{{.*}})
// CHECK:         call @ecf8_contract_huffman_L8_S1024_f8E4M3FN_bf16_f32rows(
func.func @scaled_rows(%c: !small, %d: !large, %x: memref<4x128xbf16>, %s: memref<64x1xf32>, %acc: memref<4x64xf32>,
                       %y: memref<4x64xbf16, strided<[80, 1]>>, %t: memref<256x1xf32>, %out: memref<4x256xf32, strided<[300, 1], offset: ?>>) {
  ecf8.contract ins(%x, %c : memref<4x128xbf16>, !small) scale(%s : memref<64x1xf32>) block [1, 128] outs(%acc : memref<4x64xf32>)
  ecf8.contract ins(%y, %d : memref<4x64xbf16, strided<[80, 1]>>, !large) scale(%t : memref<256x1xf32>) block [1, 1000] outs(%out : memref<4x256xf32, strided<[300, 1], offset: ?>>)
  return
}

// CHECK-LABEL: func @scaled_blocks(
// CHECK:         %[[ROWS:.*]] = arith.constant 32 : index
// CHECK:         %[[COLUMNS:.*]] = arith.constant 64 : index
// CHECK:         call @ecf8_contract_{{.*}}_f8E5M2_f16_f16blocks(%{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}, %[[ROWS]], %[[COLUMNS]], %{{.*}})
func.func @scaled_blocks(%c: !other, %x: memref<4x128xf16>, %s: memref<2x2xf16>, %acc: memref<4x64xf32>) {
  ecf8.contract ins(%x, %c : memref<4x128xf16>, !other) scale(%s : memref<2x2xf16>) block [32, 64] outs(%acc : memref<4x64xf32>)
  return
}

// The first row of the matrix view: ((%e * 8) + 3) * 64 + %n.
// CHECK-LABEL: func @slice(
// CHECK-SAME:    %[[C:[a-z0-9]+]]: memref<?xi8>, {{.*}}, %[[E:[a-z0-9]+]]: index, %[[N:[a-z0-9]+]]: index)
// CHECK:         arith.muli %{{.*}}, %{{.*}}
// CHECK:         arith.addi %{{.*}}, %[[E]]
// CHECK:         %[[EIGHT:.*]] = arith.constant 8 : index
// CHECK:         %[[A:.*]] = arith.muli %{{.*}}, %[[EIGHT]]
// CHECK:         %[[B:.*]] = arith.addi %[[A]], %{{.*}}
// CHECK:         %[[SIZE:.*]] = arith.constant 64 : index
// CHECK:         %[[D:.*]] = arith.muli %[[B]], %[[SIZE]]
// CHECK:         %[[ROW:.*]] = arith.addi %[[D]], %[[N]]
// CHECK:         call @ecf8_contract_huffman_L8_S1024_f8E4M3FN_f32(%[[C]], %{{.*}}, %{{.*}}, %[[ROW]])
func.func @slice(%c: !ecf8.compressed<4x8x64x128xf8E4M3FN, #ecf8.huffman>, %x: memref<?x128xf32>, %acc: memref<?x32xf32>, %e: index, %n: index) {
  ecf8.contract ins(%x, %c[%e, 3, %n, 0] : memref<?x128xf32>, !ecf8.compressed<4x8x64x128xf8E4M3FN, #ecf8.huffman>) outs(%acc : memref<?x32xf32>)
  return
}

// Equal epilogues are one function, and contractions that differ in what is repeated, two. A single column may have any
// stride.
// CHECK-LABEL: func @epilogues(
// CHECK:         %[[B:.*]] = memref.cast %{{.*}} : memref<1x64xf32> to memref<1x?xf32, strided<[?, 1], offset: ?>>
// CHECK:         call @ecf8_contract_huffman_L8_S1024_f8E4M3FN_f32_epilogue_0_1xN(%{{.*}}, %{{.*}}, %{{.*}}, %[[B]], %{{.*}}) : (memref<?xi8>, memref<?x?xf32, strided<[?, 1], offset: ?>>, memref<?x?xbf16, strided<[?, 1], offset: ?>>, memref<1x?xf32, strided<[?, 1], offset: ?>>, index) -> ()
// CHECK:         call @ecf8_contract_huffman_L8_S1024_f8E4M3FN_f32_epilogue_0_1xN(
// CHECK:         %[[R:.*]] = memref.reinterpret_cast %{{.*}} to offset: [%{{.*}}], sizes: [%{{.*}}, 1], strides: [%{{.*}}, 1] : {{.*}} to memref<?x1xf32, strided<[?, 1], offset: ?>>
// CHECK:         call @ecf8_contract_huffman_L8_S1024_f8E4M3FN_f32_epilogue_0_Mx1(%{{.*}}, %{{.*}}, %{{.*}}, %[[R]], %{{.*}})
// CHECK:         call @ecf8_contract_huffman_L8_S1024_f8E4M3FN_f32_f32rows_epilogue_1(
// CHECK:         return
func.func @epilogues(%c: !small, %x: memref<?x128xf32>, %b: memref<1x64xf32>, %r: memref<?x1xf32, strided<[3, 3]>>, %s: memref<64x1xf32>, %y: memref<?x64xbf16>) {
  ecf8.contract ins(%x, %c : memref<?x128xf32>, !small) outs(%y : memref<?x64xbf16>) epilogue(%b : memref<1x64xf32>) {
  ^bb0(%sum: f32, %t: f32):
    %0 = arith.addf %sum, %t : f32
    %1 = arith.truncf %0 : f32 to bf16
    ecf8.yield %1 : bf16
  }
  ecf8.contract ins(%x, %c : memref<?x128xf32>, !small) outs(%y : memref<?x64xbf16>) epilogue(%b : memref<1x64xf32>) {
  ^bb0(%sum: f32, %u: f32):
    %0 = arith.addf %sum, %u : f32
    %1 = arith.truncf %0 : f32 to bf16
    ecf8.yield %1 : bf16
  }
  ecf8.contract ins(%x, %c : memref<?x128xf32>, !small) outs(%y : memref<?x64xbf16>) epilogue(%r : memref<?x1xf32, strided<[3, 3]>>) {
  ^bb0(%sum: f32, %u: f32):
    %0 = arith.addf %sum, %u : f32
    %1 = arith.truncf %0 : f32 to bf16
    ecf8.yield %1 : bf16
  }
  ecf8.contract ins(%x, %c : memref<?x128xf32>, !small) scale(%s : memref<64x1xf32>) block [1, 128] outs(%y : memref<?x64xbf16>) epilogue {
  ^bb0(%sum: f32):
    %1 = arith.truncf %sum : f32 to bf16
    ecf8.yield %1 : bf16
  }
  return
}

// -----

func.func @negative_not_bufferized(%c: !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>, %x: tensor<4x128xf32>, %acc: tensor<4x64xf32>) -> tensor<4x64xf32> {
  // expected-error @below {{failed to legalize operation 'ecf8.contract'}}
  %0 = ecf8.contract ins(%x, %c : tensor<4x128xf32>, !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>) outs(%acc : tensor<4x64xf32>) -> tensor<4x64xf32>
  return %0 : tensor<4x64xf32>
}
