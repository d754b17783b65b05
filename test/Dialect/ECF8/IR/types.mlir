// RUN: ecf8-opt %s -verify-roundtrip | FileCheck %s
// RUN: ecf8-opt %s -emit-bytecode -o %t.mlirbc && ecf8-opt %t.mlirbc | FileCheck %s

// Defaults are not printed.
// CHECK: @defaults(!ecf8.compressed<4x8xf8E4M3FN, #ecf8.raw>, !ecf8.compressed<4x8xf8E4M3FN, #ecf8.huffman>,
// CHECK-SAME:      !ecf8.compressed<4x8xf8E4M3FN, #ecf8.planes>)
func.func private @defaults(
    !ecf8.compressed<4x8xf8E4M3FN, #ecf8.raw<order = row_major, tile_columns = 0>>,
    !ecf8.compressed<4x8xf8E4M3FN, #ecf8.huffman<group = 1, raw_exponent_bits = 0, max_code_length = 8,
                                                 stream = interleaved, order = rows32, tile_columns = 1024>>,
    !ecf8.compressed<4x8xf8E4M3FN, #ecf8.planes<tile_columns = 256>>)

// CHECK: @parameters(!ecf8.compressed<4x8xf8E5M2, #ecf8.raw<order = rows32, tile_columns = 64>>,
// CHECK-SAME:        !ecf8.compressed<4x8xf8E5M2, #ecf8.huffman<max_code_length = 7, tile_columns = 16>>,
// CHECK-SAME:        !ecf8.compressed<4x8xf8E5M2, #ecf8.planes<tile_columns = 1024>>)
func.func private @parameters(
    !ecf8.compressed<4x8xf8E5M2, #ecf8.raw<order = rows32, tile_columns = 64>>,
    !ecf8.compressed<4x8xf8E5M2, #ecf8.huffman<max_code_length = 7, tile_columns = 16>>,
    !ecf8.compressed<4x8xf8E5M2, #ecf8.planes<tile_columns = 1024>>)

// CHECK: @mma(!ecf8.compressed<4x8xf8E4M3FN, #ecf8.raw<order = mma, tile_columns = 128>>,
// CHECK-SAME: !ecf8.compressed<4x8xf8E4M3FN, #ecf8.huffman<group = 4, raw_exponent_bits = 2, max_code_length = 11, stream = segments, order = mma>>,
// CHECK-SAME: !ecf8.compressed<4x8xf8E5M2, #ecf8.huffman<group = 4, raw_exponent_bits = 3, max_code_length = 9, stream = segments, order = mma, tile_columns = 128>>,
// CHECK-SAME: !ecf8.compressed<4x8xf8E4M3FN, #ecf8.huffman<group = 2, max_code_length = 12, stream = segments, order = mma>>,
// CHECK-SAME: !ecf8.compressed<4x8xf8E5M2, #ecf8.huffman<raw_exponent_bits = 1, stream = segments, order = mma>>)
func.func private @mma(
    !ecf8.compressed<4x8xf8E4M3FN, #ecf8.raw<order = mma, tile_columns = 128>>,
    !ecf8.compressed<4x8xf8E4M3FN, #ecf8.huffman<group = 4, raw_exponent_bits = 2, max_code_length = 11,
                                                 stream = segments, order = mma, tile_columns = 1024>>,
    !ecf8.compressed<4x8xf8E5M2, #ecf8.huffman<group = 4, raw_exponent_bits = 3, max_code_length = 9,
                                               stream = segments, order = mma, tile_columns = 128>>,
    !ecf8.compressed<4x8xf8E4M3FN, #ecf8.huffman<group = 2, max_code_length = 12, stream = segments, order = mma>>,
    !ecf8.compressed<4x8xf8E5M2, #ecf8.huffman<raw_exponent_bits = 1, stream = segments, order = mma>>)

// CHECK: @shapes(!ecf8.compressed<f8E4M3FN, #ecf8.raw>, !ecf8.compressed<0x5xf8E4M3FN, #ecf8.raw>,
// CHECK-SAME:    !ecf8.compressed<1x2x3x4x5x6x7x8xf8E4M3FN, #ecf8.raw>, !ecf8.compressed<36028797018963968x1xf8E4M3FN, #ecf8.raw>)
func.func private @shapes(
    !ecf8.compressed<f8E4M3FN, #ecf8.raw>, !ecf8.compressed<0x5xf8E4M3FN, #ecf8.raw>,
    !ecf8.compressed<1x2x3x4x5x6x7x8xf8E4M3FN, #ecf8.raw>, !ecf8.compressed<36028797018963968x1xf8E4M3FN, #ecf8.raw>)
