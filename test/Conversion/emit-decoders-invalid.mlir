// RUN: ecf8-opt %s -ecf8-emit-decoders -split-input-file -verify-diagnostics
// RUN: not ecf8-opt %s -ecf8-emit-decoders=lanes=neon -split-input-file 2>&1 | FileCheck %s

// CHECK: expected lanes 'permute', 'nibble', 'gather' or 'scalar', got 'neon'

// expected-error @below {{expected a decoder type, ('memref<?xi8>', 'memref<?x?xf8E4M3FN, strided<[?, 1], offset: ?>>' or 'memref<?xi8>', index, index) -> (), got '(memref<?xi8>, memref<?x?xf32>, index, index) -> ()'}}
func.func private @negative_output_type(memref<?xi8>, memref<?x?xf32>, index, index)
    attributes {ecf8.decoder = !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>}

// -----

// expected-error @below {{expected a weight in order row_major or rows32 for a CPU, got '!ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman<group = 2, max_code_length = 12, stream = segments, order = mma>>'}}
func.func private @negative_pairs(memref<?xi8>, memref<?x?xf8E4M3FN, strided<[?, 1], offset: ?>>, index, index)
    attributes {ecf8.decoder = !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman<group = 2, max_code_length = 12, stream = segments, order = mma>>}

// -----

// expected-error @below {{expected a weight in order row_major or rows32 for a CPU, got '!ecf8.compressed<64x128xf8E5M2, #ecf8.raw<order = mma, tile_columns = 128>>'}}
func.func private @negative_raw_mma(memref<?xi8>, memref<?x?xf8E5M2, strided<[?, 1], offset: ?>>, index, index)
    attributes {ecf8.decoder = !ecf8.compressed<64x128xf8E5M2, #ecf8.raw<order = mma, tile_columns = 128>>}
