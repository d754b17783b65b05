// RUN: ecf8-opt %s -ecf8-emit-decoders -split-input-file -verify-diagnostics

// expected-error @below {{expected a compressed type in 'ecf8.contraction' and 'rows', 'blocks' or nothing in 'ecf8.scale'}}
func.func private @negative_plain_type(memref<?xi8>) attributes {ecf8.contraction = tensor<64x128xf8E4M3FN>}

// -----

// expected-error @below {{expected a compressed type in 'ecf8.contraction' and 'rows', 'blocks' or nothing in 'ecf8.scale'}}
func.func private @negative_no_type(memref<?xi8>) attributes {ecf8.contraction = 1 : i64}

// -----

// expected-error @below {{expected a compressed type in 'ecf8.contraction' and 'rows', 'blocks' or nothing in 'ecf8.scale'}}
func.func private @negative_scale(memref<?xi8>) attributes {ecf8.contraction = !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>, ecf8.scale = "columns"}

// -----

// expected-error @below {{expected a compressed type in 'ecf8.contraction' and 'rows', 'blocks' or nothing in 'ecf8.scale'}}
func.func private @negative_scale_attribute(memref<?xi8>) attributes {ecf8.contraction = !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>, ecf8.scale = 1 : i64}

// -----

// expected-error @below {{expected a contraction type, '(memref<?xi8>, memref<?x?xf32, strided<[?, 1], offset: ?>>, memref<?x?xf32, strided<[?, 1], offset: ?>>, index) -> ()', got '(memref<?xi8>) -> ()'}}
func.func private @negative_arguments(memref<?xi8>) attributes {ecf8.contraction = !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>}

// -----

// expected-error @below {{expected a contraction type, '(memref<?xi8>, memref<?x?xf32, strided<[?, 1], offset: ?>>, memref<?x?xf32, strided<[?, 1], offset: ?>>, index) -> ()', got}}
func.func private @negative_element_type(memref<?xi8>, memref<?x?xf64, strided<[?, 1], offset: ?>>, memref<?x?xf32, strided<[?, 1], offset: ?>>) attributes {ecf8.contraction = !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>}

// -----

// expected-error @below {{expected a contraction type, '(memref<?xi8>, memref<?x?xf16, strided<[?, 1], offset: ?>>, memref<?x?xf32, strided<[?, 1], offset: ?>>, memref<?x?xf32, strided<[?, 1], offset: ?>>, index, index, index) -> ()', got}}
func.func private @negative_no_scale(memref<?xi8>, memref<?x?xf16, strided<[?, 1], offset: ?>>, memref<?x?xf32, strided<[?, 1], offset: ?>>) attributes {ecf8.contraction = !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>, ecf8.scale = "rows"}

// -----

// A scale in a third type has no kernel (contract_c6).
// expected-error @below {{expected a scale of f32 or of the activations' element type, got 'f16' for 'bf16'}}
func.func private @negative_scale_type(memref<?xi8>, memref<?x?xbf16, strided<[?, 1], offset: ?>>, memref<?x?xf32, strided<[?, 1], offset: ?>>, memref<?x?xf16, strided<[?, 1], offset: ?>>, index, index, index) attributes {ecf8.contraction = !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>, ecf8.scale = "rows"}

// -----

!matrix = memref<?x?xf32, strided<[?, 1], offset: ?>>
// expected-error @below {{expected a weight in tiles of 32 rows, got '!ecf8.compressed<64x128xf8E4M3FN, #ecf8.raw>'}}
func.func private @negative_row_major(memref<?xi8>, !matrix, !matrix, index) attributes {ecf8.contraction = !ecf8.compressed<64x128xf8E4M3FN, #ecf8.raw>}

// -----

!matrix = memref<?x?xf32, strided<[?, 1], offset: ?>>
// expected-error @below {{expected a weight in tiles of 32 rows, got '!ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman<stream = segments, order = mma>>'}}
func.func private @negative_mma(memref<?xi8>, !matrix, !matrix, index) attributes {ecf8.contraction = !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman<stream = segments, order = mma>>}

// -----

!matrix = memref<?x?xf32, strided<[?, 1], offset: ?>>
// expected-error @below {{expected 'ecf8.scale' with 'ecf8.divides'}}
func.func private @negative_no_divisor(memref<?xi8>, !matrix, !matrix) attributes {ecf8.contraction = !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>, ecf8.divides}

// -----

!matrix = memref<?x?xf32, strided<[?, 1], offset: ?>>
// expected-error @below {{expected 'ecf8.scale' with 'ecf8.scales_sums'}}
func.func private @negative_no_scale(memref<?xi8>, !matrix, !matrix) attributes {ecf8.contraction = !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>, ecf8.scales_sums}

// -----

!matrix = memref<?x?xf32, strided<[?, 1], offset: ?>>
// expected-error @below {{expected 'ecf8.epilogue' to name a function of one block that makes a number of a sum, f32, and others}}
func.func private @negative_no_epilogue(memref<?xi8>, !matrix, !matrix, index) attributes {ecf8.contraction = !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>, ecf8.epilogue = "one"}

// -----

!matrix = memref<?x?xf32, strided<[?, 1], offset: ?>>
// expected-error @below {{expected 'ecf8.epilogue' to name a function of one block that makes a number of a sum, f32, and others}}
func.func private @negative_epilogue_of_bf16(memref<?xi8>, !matrix, !matrix, index) attributes {ecf8.contraction = !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>, ecf8.epilogue = @half}
func.func private @half(%sum: bf16) -> bf16 {
  return %sum : bf16
}

// -----

!matrix = memref<?x?xf32, strided<[?, 1], offset: ?>>
// expected-error @below {{expected a contraction type, '(memref<?xi8>, memref<?x?xf32, strided<[?, 1], offset: ?>>, memref<?x?xbf16, strided<[?, 1], offset: ?>>, memref<?x?xf32, strided<[?, 1], offset: ?>>, index) -> ()', got}}
func.func private @negative_epilogue_arguments(memref<?xi8>, !matrix, !matrix, index) attributes {ecf8.contraction = !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>, ecf8.epilogue = @two}
func.func private @two(%sum: f32, %b: f32) -> bf16 {
  %0 = arith.truncf %b : f32 to bf16
  return %0 : bf16
}

// -----

!matrix = memref<?x?xf32, strided<[?, 1], offset: ?>>
func.func private @negative_epilogue_op(memref<?xi8>, !matrix, !matrix, index) attributes {ecf8.contraction = !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>, ecf8.epilogue = @calls}
func.func private @calls(%sum: f32) -> f32 {
  // expected-error @below {{in an epilogue: expected an elementwise op on numbers, or a constant}}
  %0 = call @calls(%sum) : (f32) -> f32
  return %0 : f32
}

// -----

!matrix = memref<?x?xf32, strided<[?, 1], offset: ?>>
!bytes = memref<?x?xf8E4M3FN, strided<[?, 1], offset: ?>>
// expected-error @below {{expected activations of f32, bf16 or f16 on a CPU, to which FP8 can be extended before, got 'f8E4M3FN'}}
func.func private @negative_fp8(memref<?xi8>, !bytes, !matrix, index) attributes {ecf8.contraction = !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>}

// -----

!matrix = memref<?x?xf32, strided<[?, 1], offset: ?>>
func.func private @negate(%sum: f32) -> f32 {
  %0 = arith.negf %sum : f32
  return %0 : f32
}
// expected-error @below {{expected no epilogue on sums that are scaled on a CPU}}
func.func private @negative_scaled_epilogue(memref<?xi8>, !matrix, !matrix, !matrix, index, index, index) attributes {ecf8.contraction =
  !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>, ecf8.scale = "rows", ecf8.scales_sums, ecf8.epilogue = @negate}
