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

// expected-error@+1 {{expected order rows32 or mma, got row_major}}
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

// expected-error@+2 {{expected one of [interleaved, segments] for layout of the coded bits, got: words}}
// expected-error@+1 {{failed to parse ECF8_HuffmanAttr parameter 'stream'}}
func.func private @unknown_stream(!ecf8.compressed<4x8xf8E4M3FN, #ecf8.huffman<stream = words>>)

// -----

// expected-error@+1 {{expected stream interleaved for order rows32, got segments}}
func.func private @huffman_c4_segments(!ecf8.compressed<4x8xf8E4M3FN, #ecf8.huffman<stream = segments>>)

// -----

// expected-error@+1 {{expected stream segments for order mma, got interleaved}}
func.func private @huffman_c4_interleaved(!ecf8.compressed<4x8xf8E4M3FN, #ecf8.huffman<order = mma>>)

// -----

// expected-error@+1 {{expected tile_columns to be a positive multiple of 128, at most 1024, for order mma, got 64}}
func.func private @raw_c3(!ecf8.compressed<4x8xf8E4M3FN, #ecf8.raw<order = mma, tile_columns = 64>>)

// -----

// expected-error@+1 {{expected group 1, 2 or 4 for order mma, got 3}}
func.func private @huffman_c1_mma(!ecf8.compressed<4x8xf8E4M3FN, #ecf8.huffman<group = 3, stream = segments, order = mma>>)

// -----

// expected-error@+1 {{expected raw_exponent_bits 2 or 3 for group 4 in order mma, got 0}}
func.func private @huffman_c2_mma(!ecf8.compressed<4x8xf8E4M3FN, #ecf8.huffman<group = 4, max_code_length = 11, stream = segments, order = mma>>)

// -----

// expected-error@+1 {{expected raw_exponent_bits 3 for group 4 of 'f8E5M2', got 2}}
func.func private @huffman_c2_type(!ecf8.compressed<4x8xf8E5M2, #ecf8.huffman<group = 4, raw_exponent_bits = 2, max_code_length = 11, stream = segments, order = mma>>)

// -----

// expected-error@+1 {{expected max_code_length from 8 to 12 for group 2 in order mma, got 13}}
func.func private @huffman_c3_mma(!ecf8.compressed<4x8xf8E4M3FN, #ecf8.huffman<group = 2, max_code_length = 13, stream = segments, order = mma>>)

// -----

// expected-error@+1 {{expected tile_columns to be a positive multiple of 128, at most 1024, for order mma, got 2048}}
func.func private @huffman_c5_mma(!ecf8.compressed<4x8xf8E4M3FN, #ecf8.huffman<stream = segments, order = mma, tile_columns = 2048>>)

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
