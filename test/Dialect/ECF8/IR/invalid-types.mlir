// RUN: ecf8-opt %s -split-input-file -verify-diagnostics

// expected-error@+1 {{expected tile_columns 0 for order row_major, got 16}}
func.func private @raw_c1(!ecf8.compressed<4x8xf8E4M3FN, #ecf8.raw<tile_columns = 16>>)

// -----

// expected-error@+1 {{expected tile_columns to be a positive multiple of 16 below 2^32, got 0}}
func.func private @raw_c2(!ecf8.compressed<4x8xf8E4M3FN, #ecf8.raw<order = rows32>>)

// -----

// expected-error@+1 {{expected group 1, got 2}}
func.func private @huffman_c1(!ecf8.compressed<4x8xf8E4M3FN, #ecf8.huffman<group = 2>>)

// -----

// expected-error@+1 {{expected raw_exponent_bits 0, got 1}}
func.func private @huffman_c2(!ecf8.compressed<4x8xf8E4M3FN, #ecf8.huffman<raw_exponent_bits = 1>>)

// -----

// expected-error@+1 {{expected max_code_length 7 or 8, got 9}}
func.func private @huffman_c3(!ecf8.compressed<4x8xf8E4M3FN, #ecf8.huffman<max_code_length = 9>>)

// -----

// expected-error@+1 {{expected order rows32, got row_major}}
func.func private @huffman_c4(!ecf8.compressed<4x8xf8E4M3FN, #ecf8.huffman<order = row_major>>)

// -----

// expected-error@+1 {{expected tile_columns to be a positive multiple of 16 below 2^32, got 24}}
func.func private @huffman_c5(!ecf8.compressed<4x8xf8E4M3FN, #ecf8.huffman<tile_columns = 24>>)

// -----

// expected-error@+1 {{expected tile_columns to be a positive multiple of 16 below 2^32, got 4294967296}}
func.func private @huffman_c5_large(!ecf8.compressed<4x8xf8E4M3FN, #ecf8.huffman<tile_columns = 4294967296>>)

// -----

// expected-error@+1 {{expected tile_columns to be a positive multiple of 16, at most 1024, got 0}}
func.func private @planes_c1(!ecf8.compressed<4x8xf8E4M3FN, #ecf8.planes<tile_columns = 0>>)

// -----

// expected-error@+1 {{expected tile_columns to be a positive multiple of 16, at most 1024, got 24}}
func.func private @planes_c1_multiple(!ecf8.compressed<4x8xf8E4M3FN, #ecf8.planes<tile_columns = 24>>)

// -----

// expected-error@+1 {{expected tile_columns to be a positive multiple of 16, at most 1024, got 1040}}
func.func private @planes_c1_large(!ecf8.compressed<4x8xf8E4M3FN, #ecf8.planes<tile_columns = 1040>>)

// -----

// expected-error@+2 {{expected one of [interleaved] for layout of the coded bits, got: segments}}
// expected-error@+1 {{failed to parse ECF8_HuffmanAttr parameter 'stream'}}
func.func private @reserved_stream(!ecf8.compressed<4x8xf8E4M3FN, #ecf8.huffman<stream = segments>>)

// -----

// expected-error@+1 {{expected element type 'f8E4M3FN' or 'f8E5M2', got 'f8E4M3FNUZ'}}
func.func private @compressed_c1(!ecf8.compressed<4x8xf8E4M3FNUZ, #ecf8.raw>)

// -----

// expected-error@+1 {{expected a rank of 8 at most, got 9}}
func.func private @compressed_c2_rank(!ecf8.compressed<1x1x1x1x1x1x1x1x1xf8E4M3FN, #ecf8.raw>)

// -----

// expected-error@+1 {{expected static shape}}
func.func private @compressed_c2_dynamic(!ecf8.compressed<4x?xf8E4M3FN, #ecf8.raw>)

// -----

// expected-error@+1 {{expected less than 2^56 elements, got more in shape [268435456, 268435456]}}
func.func private @compressed_c2_size(!ecf8.compressed<268435456x268435456xf8E4M3FN, #ecf8.raw>)

// -----

// expected-error@+1 {{expected an encoding such as '#ecf8.raw', got 1 : i32}}
func.func private @compressed_c3(!ecf8.compressed<4x8xf8E4M3FN, 1 : i32>)
