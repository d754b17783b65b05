// RUN: ecf8-opt %s -split-input-file -verify-diagnostics

!weight = !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>

func.func @contract_c1_mixed(%x: memref<4x128xf32>, %c: !weight, %acc: tensor<4x64xf32>) {
  // expected-error@+1 {{expected operands that are all tensors or all memrefs, got 'memref<4x128xf32>' and 'tensor<4x64xf32>'}}
  %0 = ecf8.contract ins(%x, %c : memref<4x128xf32>, !weight) outs(%acc : tensor<4x64xf32>) -> tensor<4x64xf32>
  return
}

// -----

!weight = !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>

func.func @contract_c1_scale(%x: memref<4x128xf32>, %c: !weight, %s: tensor<1x1xf32>, %acc: memref<4x64xf32>) {
  // expected-error@+1 {{expected operands that are all tensors or all memrefs, got 'tensor<1x1xf32>' and 'memref<4x64xf32>'}}
  ecf8.contract ins(%x, %c : memref<4x128xf32>, !weight) scale(%s : tensor<1x1xf32>) block [64, 128] outs(%acc : memref<4x64xf32>)
  return
}

// -----

!weight = !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>

func.func @contract_c1_no_result(%x: tensor<4x128xf32>, %c: !weight, %acc: tensor<4x64xf32>) {
  // expected-error@+1 {{expected a result of the accumulator's type for an accumulator 'tensor<4x64xf32>'}}
  ecf8.contract ins(%x, %c : tensor<4x128xf32>, !weight) outs(%acc : tensor<4x64xf32>)
  return
}

// -----

!weight = !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>

func.func @contract_c1_other_result(%x: tensor<4x128xf32>, %c: !weight, %acc: tensor<4x64xf32>) {
  // expected-error@+1 {{expected a result of the accumulator's type for an accumulator 'tensor<4x64xf32>'}}
  %0 = ecf8.contract ins(%x, %c : tensor<4x128xf32>, !weight) outs(%acc : tensor<4x64xf32>) -> tensor<?x64xf32>
  return
}

// -----

!weight = !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>

func.func @contract_c1_result_of_memrefs(%x: memref<4x128xf32>, %c: !weight, %acc: memref<4x64xf32>) {
  // expected-error@+1 {{expected no result for an accumulator 'memref<4x64xf32>'}}
  %0 = ecf8.contract ins(%x, %c : memref<4x128xf32>, !weight) outs(%acc : memref<4x64xf32>) -> tensor<4x64xf32>
  return
}

// -----

!weight = !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>

func.func @contract_c1_stride(%x: memref<4x128xf32, strided<[256, 2]>>, %c: !weight, %acc: memref<4x64xf32>) {
  // expected-error@+1 {{expected unit stride along the last dimension and no memory space, got 'memref<4x128xf32, strided<[256, 2]>>'}}
  ecf8.contract ins(%x, %c : memref<4x128xf32, strided<[256, 2]>>, !weight) outs(%acc : memref<4x64xf32>)
  return
}

// -----

// A stride that no element shows is still no unit stride for the function that is called.
!column = !ecf8.compressed<64x1xf8E4M3FN, #ecf8.huffman>

func.func @contract_c1_stride_of_one_column(%x: memref<4x1xf32, strided<[1, 7]>>, %c: !column, %acc: memref<4x64xf32>) {
  // expected-error@+1 {{expected unit stride along the last dimension and no memory space, got 'memref<4x1xf32, strided<[1, 7]>>'}}
  ecf8.contract ins(%x, %c : memref<4x1xf32, strided<[1, 7]>>, !column) outs(%acc : memref<4x64xf32>)
  return
}

// -----

!weight = !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>

func.func @contract_c1_dynamic_stride(%x: memref<4x128xf32>, %c: !weight, %acc: memref<4x64xf32, strided<[64, ?]>>) {
  // expected-error@+1 {{expected unit stride along the last dimension and no memory space, got 'memref<4x64xf32, strided<[64, ?]>>'}}
  ecf8.contract ins(%x, %c : memref<4x128xf32>, !weight) outs(%acc : memref<4x64xf32, strided<[64, ?]>>)
  return
}

// -----

!weight = !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>

func.func @contract_c1_memory_space(%x: memref<4x128xf32, 3>, %c: !weight, %acc: memref<4x64xf32>) {
  // expected-error@+1 {{expected unit stride along the last dimension and no memory space, got 'memref<4x128xf32, 3>'}}
  ecf8.contract ins(%x, %c : memref<4x128xf32, 3>, !weight) outs(%acc : memref<4x64xf32>)
  return
}

// -----

!vector = !ecf8.compressed<128xf8E4M3FN, #ecf8.huffman>

func.func @contract_c2_rank_1(%x: tensor<4x128xf32>, %c: !vector, %acc: tensor<4x1xf32>) {
  // expected-error@+1 {{expected a weight of rank 2, got '!ecf8.compressed<128xf8E4M3FN, #ecf8.huffman>'}}
  %0 = ecf8.contract ins(%x, %c : tensor<4x128xf32>, !vector) outs(%acc : tensor<4x1xf32>) -> tensor<4x1xf32>
  return
}

// -----

!stack = !ecf8.compressed<2x64x128xf8E4M3FN, #ecf8.huffman>

func.func @contract_c2_rank_3(%x: tensor<4x128xf32>, %c: !stack, %acc: tensor<4x64xf32>) {
  // expected-error@+1 {{expected a weight of rank 2, got '!ecf8.compressed<2x64x128xf8E4M3FN, #ecf8.huffman>'}}
  %0 = ecf8.contract ins(%x, %c : tensor<4x128xf32>, !stack) outs(%acc : tensor<4x64xf32>) -> tensor<4x64xf32>
  return
}

// -----

!weight = !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>

func.func @contract_c2_columns(%x: tensor<4x64xf32>, %c: !weight, %acc: tensor<4x64xf32>) {
  // expected-error@+1 {{expected activations of 128 columns, got 'tensor<4x64xf32>'}}
  %0 = ecf8.contract ins(%x, %c : tensor<4x64xf32>, !weight) outs(%acc : tensor<4x64xf32>) -> tensor<4x64xf32>
  return
}

// -----

!weight = !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>

func.func @contract_c2_dynamic_columns(%x: tensor<4x?xf32>, %c: !weight, %acc: tensor<4x64xf32>) {
  // expected-error@+1 {{expected activations of 128 columns, got 'tensor<4x?xf32>'}}
  %0 = ecf8.contract ins(%x, %c : tensor<4x?xf32>, !weight) outs(%acc : tensor<4x64xf32>) -> tensor<4x64xf32>
  return
}

// -----

!weight = !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>

func.func @contract_c2_accumulator(%x: memref<4x128xf32>, %c: !weight, %acc: memref<4x128xf32>) {
  // expected-error@+1 {{expected an accumulator of 64 columns, got 'memref<4x128xf32>'}}
  ecf8.contract ins(%x, %c : memref<4x128xf32>, !weight) outs(%acc : memref<4x128xf32>)
  return
}

// -----

!weight = !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>

func.func @contract_c2_rows(%x: tensor<4x128xf32>, %c: !weight, %acc: tensor<5x64xf32>) {
  // expected-error@+1 {{expected as many rows of activations as of the accumulator, got 'tensor<4x128xf32>' and 'tensor<5x64xf32>'}}
  %0 = ecf8.contract ins(%x, %c : tensor<4x128xf32>, !weight) outs(%acc : tensor<5x64xf32>) -> tensor<5x64xf32>
  return
}

// -----

!weight = !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>

func.func @contract_c3(%x: memref<4x128xbf16>, %c: !weight, %acc: memref<4x64xbf16>) {
  // expected-error@+1 {{expected an accumulator of f32, got 'memref<4x64xbf16>'}}
  ecf8.contract ins(%x, %c : memref<4x128xbf16>, !weight) outs(%acc : memref<4x64xbf16>)
  return
}

// -----

!weight = !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>

func.func @contract_c4_one_size(%x: memref<4x128xf32>, %c: !weight, %s: memref<64x1xf32>, %acc: memref<4x64xf32>) {
  // expected-error@+1 {{expected a scale with two positive block sizes or neither, got a scale and block [1]}}
  ecf8.contract ins(%x, %c : memref<4x128xf32>, !weight) scale(%s : memref<64x1xf32>) block [1] outs(%acc : memref<4x64xf32>)
  return
}

// -----

!weight = !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>

func.func @contract_c4_zero(%x: memref<4x128xf32>, %c: !weight, %s: memref<64x1xf32>, %acc: memref<4x64xf32>) {
  // expected-error@+1 {{expected a scale with two positive block sizes or neither, got a scale and block [0, 128]}}
  ecf8.contract ins(%x, %c : memref<4x128xf32>, !weight) scale(%s : memref<64x1xf32>) block [0, 128] outs(%acc : memref<4x64xf32>)
  return
}

// -----

!weight = !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>

func.func @contract_c4_negative(%x: memref<4x128xf32>, %c: !weight, %s: memref<64x1xf32>, %acc: memref<4x64xf32>) {
  // expected-error@+1 {{expected a scale with two positive block sizes or neither, got a scale and block [1, -128]}}
  ecf8.contract ins(%x, %c : memref<4x128xf32>, !weight) scale(%s : memref<64x1xf32>) block [1, -128] outs(%acc : memref<4x64xf32>)
  return
}

// -----

!weight = !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>

func.func @contract_c4_no_scale(%x: memref<4x128xf32>, %c: !weight, %acc: memref<4x64xf32>) {
  // expected-error@+1 {{expected a scale with two positive block sizes or neither, got no scale and block [1, 128]}}
  "ecf8.contract"(%x, %c, %acc) <{block = array<i64: 1, 128>, operandSegmentSizes = array<i32: 1, 1, 0, 0, 1, 0>}> ({})
      : (memref<4x128xf32>, !weight, memref<4x64xf32>) -> ()
  return
}

// -----

// No block of columns has a scale, and a kernel would read the row's.
!empty = !ecf8.compressed<64x0xf8E4M3FN, #ecf8.huffman>

func.func @contract_c4_empty_weight(%x: memref<4x0xf32>, %c: !empty, %s: memref<64x0xf32>, %acc: memref<4x64xf32>) {
  // expected-error@+1 {{expected a weight with elements to scale, got '!ecf8.compressed<64x0xf8E4M3FN, #ecf8.huffman>'}}
  ecf8.contract ins(%x, %c : memref<4x0xf32>, !empty) scale(%s : memref<64x0xf32>) block [1, 1] outs(%acc : memref<4x64xf32>)
  return
}

// -----

!weight = !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>

func.func @contract_c5(%x: memref<4x128xf32>, %c: !weight, %s: memref<1x2xf32>, %acc: memref<4x64xf32>) {
  // expected-error@+1 {{expected a scale of shape [2, 2], got 'memref<1x2xf32>'}}
  ecf8.contract ins(%x, %c : memref<4x128xf32>, !weight) scale(%s : memref<1x2xf32>) block [32, 64] outs(%acc : memref<4x64xf32>)
  return
}

// -----

!weight = !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>

func.func @contract_c5_dynamic(%x: memref<4x128xf32>, %c: !weight, %s: memref<?x1xf32>, %acc: memref<4x64xf32>) {
  // expected-error@+1 {{expected a scale of shape [64, 1], got 'memref<?x1xf32>'}}
  ecf8.contract ins(%x, %c : memref<4x128xf32>, !weight) scale(%s : memref<?x1xf32>) block [1, 128] outs(%acc : memref<4x64xf32>)
  return
}

// -----

!weight = !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>

func.func @contract_c6(%x: memref<4x128xbf16>, %c: !weight, %s: memref<64x1xf16>, %acc: memref<4x64xf32>) {
  // expected-error@+1 {{expected a scale of f32 or of the activations' element type, got 'memref<64x1xf16>'}}
  ecf8.contract ins(%x, %c : memref<4x128xbf16>, !weight) scale(%s : memref<64x1xf16>) block [1, 128] outs(%acc : memref<4x64xf32>)
  return
}

// -----

!weight = !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>

func.func @contract_c7_rows(%x: memref<4x128xf32>, %c: !weight, %s: memref<4x1xf32>, %acc: memref<4x64xf32>) {
  // expected-error@+1 {{expected a block of one row by all columns, or of a multiple of 32 rows by a multiple of 64 columns (128 in order mma) in tiles of such a multiple, got [16, 128]}}
  ecf8.contract ins(%x, %c : memref<4x128xf32>, !weight) scale(%s : memref<4x1xf32>) block [16, 128] outs(%acc : memref<4x64xf32>)
  return
}

// -----

!weight = !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>

func.func @contract_c7_columns(%x: memref<4x128xf32>, %c: !weight, %s: memref<1x4xf32>, %acc: memref<4x64xf32>) {
  // expected-error@+1 {{got [64, 32]}}
  ecf8.contract ins(%x, %c : memref<4x128xf32>, !weight) scale(%s : memref<1x4xf32>) block [64, 32] outs(%acc : memref<4x64xf32>)
  return
}

// -----

!weight = !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>

func.func @contract_c7_row(%x: memref<4x128xf32>, %c: !weight, %s: memref<64x2xf32>, %acc: memref<4x64xf32>) {
  // expected-error@+1 {{got [1, 64]}}
  ecf8.contract ins(%x, %c : memref<4x128xf32>, !weight) scale(%s : memref<64x2xf32>) block [1, 64] outs(%acc : memref<4x64xf32>)
  return
}

// -----

// A kernel takes columns 48 to 95, the second tile, with one scale.
!tiled = !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman<tile_columns = 48>>

func.func @contract_c7_tiles(%x: memref<4x128xf32>, %c: !tiled, %s: memref<2x2xf32>, %acc: memref<4x64xf32>) {
  // expected-error@+1 {{in tiles of such a multiple, got [32, 64] for '!ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman<tile_columns = 48>>'}}
  ecf8.contract ins(%x, %c : memref<4x128xf32>, !tiled) scale(%s : memref<2x2xf32>) block [32, 64] outs(%acc : memref<4x64xf32>)
  return
}

// -----

!vector = !ecf8.compressed<128xf8E4M3FN, #ecf8.huffman>

func.func @contract_c2_slice_of_rank_1(%x: tensor<4x128xf32>, %c: !vector, %acc: tensor<4x1xf32>) {
  // expected-error@+1 {{expected a weight of rank 2 at least, got '!ecf8.compressed<128xf8E4M3FN, #ecf8.huffman>'}}
  %0 = ecf8.contract ins(%x, %c[0] : tensor<4x128xf32>, !vector) outs(%acc : tensor<4x1xf32>) -> tensor<4x1xf32>
  return
}

// -----

!experts = !ecf8.compressed<8x64x128xf8E4M3FN, #ecf8.huffman>

func.func @contract_c2_dynamic_rows(%x: tensor<4x128xf32>, %c: !experts, %acc: tensor<4x?xf32>) {
  // expected-error@+1 {{expected an accumulator of as many columns as the slice has rows, got 'tensor<4x?xf32>'}}
  %0 = ecf8.contract ins(%x, %c[0, 0, 0] : tensor<4x128xf32>, !experts) outs(%acc : tensor<4x?xf32>) -> tensor<4x?xf32>
  return
}

// -----

!experts = !ecf8.compressed<8x64x128xf8E4M3FN, #ecf8.huffman>

func.func @contract_c8_offsets(%x: tensor<4x128xf32>, %c: !experts, %acc: tensor<4x64xf32>) {
  // expected-error@+1 {{expected 3 offsets, got 2}}
  %0 = ecf8.contract ins(%x, %c[0, 0] : tensor<4x128xf32>, !experts) outs(%acc : tensor<4x64xf32>) -> tensor<4x64xf32>
  return
}

// -----

!experts = !ecf8.compressed<8x64x128xf8E4M3FN, #ecf8.huffman>

func.func @contract_c8_no_operand(%x: memref<4x128xf32>, %c: !experts, %acc: memref<4x64xf32>) {
  // expected-error@+1 {{expected 1 dynamic offsets by 'static_offsets', got 0}}
  "ecf8.contract"(%x, %c, %acc) <{operandSegmentSizes = array<i32: 1, 1, 0, 0, 1, 0>, static_offsets = array<i64: -9223372036854775808, 0, 0>}> ({})
      : (memref<4x128xf32>, !experts, memref<4x64xf32>) -> ()
  return
}

// -----

!experts = !ecf8.compressed<8x64x128xf8E4M3FN, #ecf8.huffman>

func.func @contract_c8_expert(%x: tensor<4x128xf32>, %c: !experts, %acc: tensor<4x64xf32>) {
  // expected-error@+1 {{expected a slice inside of dimension 0 of size 8, got offset 8 and size 1}}
  %0 = ecf8.contract ins(%x, %c[8, 0, 0] : tensor<4x128xf32>, !experts) outs(%acc : tensor<4x64xf32>) -> tensor<4x64xf32>
  return
}

// -----

!experts = !ecf8.compressed<8x64x128xf8E4M3FN, #ecf8.huffman>

func.func @contract_c8_rows(%x: tensor<4x128xf32>, %c: !experts, %e: index, %acc: tensor<4x96xf32>) {
  // expected-error@+1 {{expected a slice inside of dimension 1 of size 64, got offset 0 and size 96}}
  %0 = ecf8.contract ins(%x, %c[%e, 0, 0] : tensor<4x128xf32>, !experts) outs(%acc : tensor<4x96xf32>) -> tensor<4x96xf32>
  return
}

// -----

!uneven = !ecf8.compressed<8x60x128xf8E4M3FN, #ecf8.huffman>

func.func @contract_c8_tile(%x: tensor<4x128xf32>, %c: !uneven, %acc: tensor<4x60xf32>) {
  // expected-error@+1 {{expected the first row to be a multiple of 32, got 60}}
  %0 = ecf8.contract ins(%x, %c[1, 0, 0] : tensor<4x128xf32>, !uneven) outs(%acc : tensor<4x60xf32>) -> tensor<4x60xf32>
  return
}

// -----

!experts = !ecf8.compressed<8x64x128xf8E4M3FN, #ecf8.huffman>

func.func @contract_c8_dynamic_column(%x: tensor<4x128xf32>, %c: !experts, %k: index, %acc: tensor<4x64xf32>) {
  // expected-error@+1 {{expected a slice of whole rows, with a last offset 0}}
  %0 = ecf8.contract ins(%x, %c[0, 0, %k] : tensor<4x128xf32>, !experts) outs(%acc : tensor<4x64xf32>) -> tensor<4x64xf32>
  return
}

// -----

// The scale is the slice's, not the weight's.
!experts = !ecf8.compressed<8x64x128xf8E4M3FN, #ecf8.huffman>

func.func @contract_c5_slice(%x: memref<4x128xf32>, %c: !experts, %s: memref<512x1xf32>, %acc: memref<4x64xf32>) {
  // expected-error@+1 {{expected a scale of shape [64, 1], got 'memref<512x1xf32>'}}
  ecf8.contract ins(%x, %c[0, 0, 0] : memref<4x128xf32>, !experts) scale(%s : memref<512x1xf32>) block [1, 128] outs(%acc : memref<4x64xf32>)
  return
}

// -----

!weight = !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>

func.func @contract_c1_extra(%x: memref<4x128xf32>, %c: !weight, %b: tensor<1x64xf32>, %y: memref<4x64xf32>) {
  // expected-error@+1 {{expected operands that are all tensors or all memrefs, got 'tensor<1x64xf32>' and 'memref<4x64xf32>'}}
  ecf8.contract ins(%x, %c : memref<4x128xf32>, !weight) outs(%y : memref<4x64xf32>) epilogue(%b : tensor<1x64xf32>) {
  ^bb0(%sum: f32, %0: f32):
    ecf8.yield %0 : f32
  }
  return
}

// -----

!weight = !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>

func.func @contract_c9(%x: memref<4x128xf32>, %c: !weight, %acc: memref<4x64xf32>) {
  // expected-error@+1 {{expected a scale with 'scales_sums', got none}}
  ecf8.contract ins(%x, %c : memref<4x128xf32>, !weight) outs(%acc : memref<4x64xf32>) {scales_sums}
  return
}

// -----

!weight = !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>

func.func @contract_c9_divides(%x: memref<4x128xf32>, %c: !weight, %acc: memref<4x64xf32>) {
  // expected-error@+1 {{expected a scale with 'divides', got none}}
  ecf8.contract ins(%x, %c : memref<4x128xf32>, !weight) outs(%acc : memref<4x64xf32>) {divides}
  return
}

// -----

!weight = !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>

func.func @contract_c1_stride_of_extra(%x: memref<4x128xf32>, %c: !weight, %b: memref<4x64xf32, strided<[128, 2]>>, %y: memref<4x64xf32>) {
  // expected-error@+1 {{expected unit stride along the last dimension and no memory space, got 'memref<4x64xf32, strided<[128, 2]>>'}}
  ecf8.contract ins(%x, %c : memref<4x128xf32>, !weight) outs(%y : memref<4x64xf32>) epilogue(%b : memref<4x64xf32, strided<[128, 2]>>) {
  ^bb0(%sum: f32, %0: f32):
    ecf8.yield %0 : f32
  }
  return
}

// -----

!weight = !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>

func.func @contract_c10(%x: memref<4x128xf32>, %c: !weight, %b: memref<64x1xf32>, %y: memref<4x64xf32>) {
  // expected-error@+1 {{expected extras with the rows and columns of 'memref<4x64xf32>', or one, got 'memref<64x1xf32>'}}
  ecf8.contract ins(%x, %c : memref<4x128xf32>, !weight) outs(%y : memref<4x64xf32>) epilogue(%b : memref<64x1xf32>) {
  ^bb0(%sum: f32, %0: f32):
    ecf8.yield %0 : f32
  }
  return
}

// -----

!weight = !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>

func.func @contract_c10_no_epilogue(%x: memref<4x128xf32>, %c: !weight, %b: memref<1x64xf32>, %y: memref<4x64xf32>) {
  // expected-error@+1 {{expected an epilogue that reads the 1 extras, got none}}
  "ecf8.contract"(%x, %c, %y, %b) <{operandSegmentSizes = array<i32: 1, 1, 0, 0, 1, 1>}> ({})
      : (memref<4x128xf32>, !weight, memref<4x64xf32>, memref<1x64xf32>) -> ()
  return
}

// -----

!weight = !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>

func.func @contract_c11_arguments(%x: memref<4x128xf32>, %c: !weight, %b: memref<1x64xbf16>, %y: memref<4x64xf32>) {
  // expected-error@+1 {{expected an epilogue of ('f32', 'bf16'), got ('f32', 'f32')}}
  ecf8.contract ins(%x, %c : memref<4x128xf32>, !weight) outs(%y : memref<4x64xf32>) epilogue(%b : memref<1x64xbf16>) {
  ^bb0(%sum: f32, %0: f32):
    ecf8.yield %0 : f32
  }
  return
}

// -----

!weight = !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>

func.func @contract_c11_yield(%x: memref<4x128xf32>, %c: !weight, %y: memref<4x64xbf16>) {
  // expected-error@+1 {{expected an epilogue that yields 'bf16'}}
  ecf8.contract ins(%x, %c : memref<4x128xf32>, !weight) outs(%y : memref<4x64xbf16>) epilogue {
  ^bb0(%sum: f32):
    ecf8.yield %sum : f32
  }
  return
}

// -----

!weight = !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>

func.func @contract_c12(%x: memref<4x128xf32>, %c: !weight, %y: memref<4x64xf32>) {
  ecf8.contract ins(%x, %c : memref<4x128xf32>, !weight) outs(%y : memref<4x64xf32>) epilogue {
  ^bb0(%sum: f32):
    // expected-error@+1 {{in an epilogue: expected an elementwise op on numbers, or a constant}}
    %v = vector.broadcast %sum : f32 to vector<4xf32>
    ecf8.yield %sum : f32
  }
  return
}

// -----

!weight = !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>

func.func @contract_c13(%x: memref<4x128xf8E4M3FN>, %c: !weight, %s: memref<64x1xf32>, %acc: memref<4x64xf32>) {
  // expected-error@+1 {{expected a scale of f32 with 'scales_sums' for 'memref<4x128xf8E4M3FN>', got 'memref<64x1xf32>'}}
  ecf8.contract ins(%x, %c : memref<4x128xf8E4M3FN>, !weight) scale(%s : memref<64x1xf32>) block [1, 128] outs(%acc : memref<4x64xf32>)
  return
}
