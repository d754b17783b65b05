// RUN: ecf8-opt %s -ecf8-emit-decoders=lanes=permute | FileCheck %s --check-prefixes=CHECK,PERMUTE
// RUN: ecf8-opt %s -ecf8-emit-decoders=lanes=nibble | FileCheck %s --check-prefixes=CHECK,NIBBLE
// RUN: ecf8-opt %s -ecf8-emit-decoders=lanes=gather | FileCheck %s --check-prefixes=CHECK,GATHER
// RUN: ecf8-opt %s -ecf8-emit-decoders | FileCheck %s --check-prefixes=CHECK,SCALAR

// The header is checked before anything else is read; strips are decoded in parallel.
// CHECK-LABEL: func.func private @huffman(
// CHECK:         cf.assert %{{.*}}, "expected a payload of 192 bytes or more"
// CHECK:         cf.assert %{{.*}}, "expected a payload that begins with 'ECF8'"
// CHECK:         cf.assert %{{.*}}, "expected a payload of format version 1 without further required features"
// CHECK:         cf.assert %{{.*}}, "expected a payload encoded as #ecf8.huffman{{.*}}"
// CHECK:         cf.assert %{{.*}}, "expected a slice inside the weight that begins at a tile"
// CHECK:         cf.assert %{{.*}}, "expected the sections of a payload inside it"
// CHECK:         cf.assert %{{.*}}, "expected a complete prefix code in the payload"
// CHECK:         scf.parallel
// CHECK:           func.call @huffman_strips
// A code with three long prefixes falls through to gathers.
// NIBBLE:          func.call @huffman_strips_any(
// NIBBLE:          func.call @huffman_strips_any_any(
// PERMUTE-NOT:     @huffman_strips_any
// CHECK:         return

// PERMUTE:       llvm.x86.avx512.vpermi2var.qi.512
// PERMUTE:       llvm.x86.avx512.mask.expand
// NIBBLE:        llvm.x86.avx2.pshuf.b
// NIBBLE-NOT:    avx512
// GATHER:        llvm.x86.avx2.gather.d.d.256
// GATHER-NOT:    avx512
// SCALAR-NOT:    llvm.x86
func.func private @huffman(memref<?xi8>, memref<?x?xf8E4M3FN, strided<[?, 1], offset: ?>>, index, index)
    attributes {ecf8.decoder = !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>}

// Planes: ranks instead of code lengths, and no other back end to fall back to.
// CHECK-LABEL: func.func private @planes(
// CHECK:         cf.assert %{{.*}}, "expected a payload encoded as #ecf8.planes<tile_columns = 64>"
// CHECK:         cf.assert %{{.*}}, "expected the sections of a payload inside it"
// CHECK-NOT:     complete prefix code
// CHECK:         cf.assert %{{.*}}, "expected different ranks without gaps in the payload"
// CHECK:         func.call @planes_strips(
// CHECK:         return
// CHECK-LABEL: func.func private @planes_strips(
// PERMUTE:       llvm.x86.avx512.mask.expand
// NIBBLE:        llvm.x86.ssse3.pshuf.b.128
// GATHER:        llvm.x86.ssse3.pshuf.b.128
// SCALAR:        scf.while
func.func private @planes(memref<?xi8>, memref<?x?xf8E4M3FN, strided<[?, 1], offset: ?>>, index, index)
    attributes {ecf8.decoder = !ecf8.compressed<64x128xf8E4M3FN, #ecf8.planes<tile_columns = 64>>}

// CHECK-LABEL: func.func private @tile_order(
func.func private @tile_order(memref<?xi8>, memref<?xi8>, index, index)
    attributes {ecf8.decoder = !ecf8.compressed<64x128xf8E5M2, #ecf8.huffman<max_code_length = 7>>}

// Nothing is coded: no tables.
// CHECK-LABEL: func.func private @raw(
// CHECK-NOT:     complete prefix code
// CHECK:         return
func.func private @raw(memref<?xi8>, memref<?x?xf8E4M3FN, strided<[?, 1], offset: ?>>, index, index)
    attributes {ecf8.decoder = !ecf8.compressed<64x128xf8E4M3FN, #ecf8.raw>}
