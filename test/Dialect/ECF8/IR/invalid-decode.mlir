// RUN: ecf8-opt %s -split-input-file -verify-diagnostics

func.func @decode_c1_neither(%c: !ecf8.compressed<64x128xf8E4M3FN, #ecf8.raw>) {
  // expected-error@+1 {{expected either a result or a destination, got neither}}
  "ecf8.decode"(%c) <{operandSegmentSizes = array<i32: 1, 0, 0>}>
      : (!ecf8.compressed<64x128xf8E4M3FN, #ecf8.raw>) -> ()
  return
}

// -----

func.func @decode_c1_both(%c: !ecf8.compressed<4xf8E4M3FN, #ecf8.raw>, %m: memref<4xf8E4M3FN>) {
  // expected-error@+1 {{expected either a result or a destination, got both}}
  %0 = "ecf8.decode"(%c, %m) <{operandSegmentSizes = array<i32: 1, 0, 1>}>
      : (!ecf8.compressed<4xf8E4M3FN, #ecf8.raw>, memref<4xf8E4M3FN>) -> tensor<4xf8E4M3FN>
  return
}

// -----

func.func @decode_c2_element(%c: !ecf8.compressed<4xf8E4M3FN, #ecf8.raw>, %m: memref<4xf8E5M2>) {
  // expected-error@+1 {{expected a destination of element type 'f8E4M3FN', got 'memref<4xf8E5M2>'}}
  ecf8.decode %c into %m : !ecf8.compressed<4xf8E4M3FN, #ecf8.raw>, memref<4xf8E5M2>
  return
}

// -----

func.func @decode_c2_rank(%c: !ecf8.compressed<4xf8E4M3FN, #ecf8.raw>) {
  // expected-error@+1 {{expected a result of rank 1, got 'tensor<4x1xf8E4M3FN>'}}
  %0 = ecf8.decode %c[0] : !ecf8.compressed<4xf8E4M3FN, #ecf8.raw> to tensor<4x1xf8E4M3FN>
  return
}

// -----

func.func @decode_c2_shape(%c: !ecf8.compressed<4xf8E4M3FN, #ecf8.raw>, %m: memref<3xf8E4M3FN>) {
  // expected-error@+1 {{expected a destination of shape [4], got 'memref<3xf8E4M3FN>'}}
  ecf8.decode %c into %m : !ecf8.compressed<4xf8E4M3FN, #ecf8.raw>, memref<3xf8E4M3FN>
  return
}

// -----

func.func @decode_c3_count(%c: !ecf8.compressed<64x128xf8E4M3FN, #ecf8.raw>) {
  // expected-error@+1 {{expected 2 offsets, got 1}}
  %0 = ecf8.decode %c[0] : !ecf8.compressed<64x128xf8E4M3FN, #ecf8.raw> to tensor<32x128xf8E4M3FN>
  return
}

// -----

func.func @decode_c3_dynamic(%c: !ecf8.compressed<4xf8E4M3FN, #ecf8.raw>, %i: index) {
  // expected-error@+1 {{expected 0 dynamic offsets by 'static_offsets', got 1}}
  %0 = "ecf8.decode"(%c, %i) <{operandSegmentSizes = array<i32: 1, 1, 0>, static_offsets = array<i64: 0>}>
      : (!ecf8.compressed<4xf8E4M3FN, #ecf8.raw>, index) -> tensor<4xf8E4M3FN>
  return
}

// -----

func.func @decode_c4_end(%c: !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>) {
  // expected-error@+1 {{expected a slice inside of dimension 0 of size 64, got offset 32 and size 64}}
  %0 = ecf8.decode %c[32, 0] : !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman> to tensor<64x128xf8E4M3FN>
  return
}

// -----

func.func @decode_c4_negative(%c: !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>) {
  // expected-error@+1 {{expected a slice inside of dimension 0 of size 64, got offset -32 and size 32}}
  %0 = ecf8.decode %c[-32, 0] : !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman> to tensor<32x128xf8E4M3FN>
  return
}

// -----

func.func @decode_c4_dynamic(%c: !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>, %i: index) {
  // expected-error@+1 {{expected a slice inside of dimension 0 of size 64, got offset 0 and size 96}}
  %0 = ecf8.decode %c[%i, 0] : !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman> to tensor<96x128xf8E4M3FN>
  return
}

// -----

func.func @decode_c5_column(%c: !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman<tile_columns = 64>>) {
  // expected-error@+1 {{expected the first column to be a multiple of 64, got 32}}
  %0 = ecf8.decode %c[0, 32] : !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman<tile_columns = 64>> to tensor<32x64xf8E4M3FN>
  return
}

// -----

func.func @decode_c5_row(%c: !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>) {
  // expected-error@+1 {{expected the first row to be a multiple of 32, got 16}}
  %0 = ecf8.decode %c[16, 0] : !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman> to tensor<32x128xf8E4M3FN>
  return
}

// -----

// Row 1 * 40 + 0 of the matrix view.
func.func @decode_c5_matrix_row(%c: !ecf8.compressed<2x40x128xf8E4M3FN, #ecf8.huffman>) {
  // expected-error@+1 {{expected the first row to be a multiple of 32, got 40}}
  %0 = ecf8.decode %c[1, 0, 0] : !ecf8.compressed<2x40x128xf8E4M3FN, #ecf8.huffman> to tensor<1x32x128xf8E4M3FN>
  return
}

// -----

func.func @decode_c6(%c: !ecf8.compressed<4x64x16xf8E4M3FN, #ecf8.raw>) {
  // expected-error@+1 {{expected a slice that is a block of rows, got size 32 of 64 in dimension 1 behind dimension 0 of size 2}}
  %0 = ecf8.decode %c[0, 0, 0] : !ecf8.compressed<4x64x16xf8E4M3FN, #ecf8.raw> to tensor<2x32x16xf8E4M3FN>
  return
}

// -----

func.func @decode_c7(%c: !ecf8.compressed<4x8xf8E4M3FN, #ecf8.raw>, %m: memref<4x8xf8E4M3FN, strided<[1, 4]>>) {
  // expected-error@+1 {{expected a destination with unit stride along the last dimension, got 'memref<4x8xf8E4M3FN, strided<[1, 4]>>'}}
  ecf8.decode %c into %m : !ecf8.compressed<4x8xf8E4M3FN, #ecf8.raw>, memref<4x8xf8E4M3FN, strided<[1, 4]>>
  return
}

// -----

func.func @syntax_empty_offsets(%c: !ecf8.compressed<4xf8E4M3FN, #ecf8.raw>) {
  // expected-error@+1 {{expected one offset at least between '[' and ']'}}
  %0 = ecf8.decode %c[] : !ecf8.compressed<4xf8E4M3FN, #ecf8.raw>
  return
}

// -----

// Slices of order row_major may begin anywhere.
func.func @valid_row_major(%c: !ecf8.compressed<64x128xf8E4M3FN, #ecf8.raw>) {
  %0 = ecf8.decode %c[7, 5] : !ecf8.compressed<64x128xf8E4M3FN, #ecf8.raw> to tensor<3x17xf8E4M3FN>
  return
}

// -----

// A block of rows of three dimensions.
func.func @valid_rows(%c: !ecf8.compressed<2x64x16xf8E4M3FN, #ecf8.huffman>) {
  %0 = ecf8.decode %c[1, 32, 0] : !ecf8.compressed<2x64x16xf8E4M3FN, #ecf8.huffman> to tensor<1x32x16xf8E4M3FN>
  return
}
