// RUN: ecf8-opt %s -ecf8-emit-decoders="lanes=permute vector-bits=512 f16" | FileCheck %s --check-prefixes=CHECK,WIDE,F16
// RUN: ecf8-opt %s -ecf8-emit-decoders="lanes=nibble vector-bits=256 f16" | FileCheck %s --check-prefixes=CHECK,HALF,F16
// RUN: ecf8-opt %s -ecf8-emit-decoders | FileCheck %s --check-prefixes=CHECK,SCALAR

!matrix = memref<?x?xf32, strided<[?, 1], offset: ?>>

// The payload is checked as for a decoder, then that the operands fit; kernels are chosen by the rows.
// CHECK-LABEL: func.func private @plain(
// CHECK-NOT:     ecf8.contraction
// CHECK:         cf.assert %{{.*}}, "expected a payload of 192 bytes or more"
// CHECK:         cf.assert %{{.*}}, "expected a payload encoded as #ecf8.huffman{{.*}}"
// CHECK:         cf.assert %{{.*}}, "expected the sections of a payload inside it"
// CHECK:         cf.assert %{{.*}}, "expected activations of as many columns as the weight"
// CHECK:         cf.assert %{{.*}}, "expected an output of as many columns as the weight has rows"
// CHECK:         cf.assert %{{.*}}, "expected an output of as many rows as the activations"
// CHECK-NOT:     expected one scale
// CHECK:         cf.assert %{{.*}}, "expected a complete prefix code in the payload"
// CHECK:         scf.if
// CHECK:           scf.parallel
// CHECK:             func.call @plain_vector(
// CHECK:         } else {
// CHECK:           scf.parallel
// CHECK:             func.call @plain_panel(
// HALF:            func.call @plain_vector_any(
// HALF:            func.call @plain_panel_any(
// CHECK:         return

// Sums of two vectors for each row in registers: 8, 2 or 1 rows.
// CHECK-LABEL: func.func private @plain_panel(
// WIDE:          scf.for {{.*}} -> (vector<16xf32>, vector<16xf32>, vector<16xf32>, vector<16xf32>, vector<16xf32>, vector<16xf32>, vector<16xf32>, vector<16xf32>, vector<16xf32>, vector<16xf32>, vector<16xf32>, vector<16xf32>, vector<16xf32>, vector<16xf32>, vector<16xf32>, vector<16xf32>) {
// HALF:          scf.for {{.*}} -> (vector<16xf32>, vector<16xf32>, vector<16xf32>, vector<16xf32>) {
// SCALAR-NOT:    scf.for {{.*}} -> (vector<16xf32>, vector<16xf32>, vector<16xf32>, vector<16xf32>) {
// CHECK:         return

// Without a fused multiply-add, and without an order of its own.
// CHECK-LABEL: func.func private @plain_vector(
// F16:           arith.extf %{{.*}} : vector<32xf16> to vector<32xf32>
// SCALAR:        arith.extf %{{.*}} : vector<32xf8E4M3FN> to vector<32xf32>
// CHECK-NOT:     math.fma
// CHECK-NOT:     fastmath
// CHECK:         return
func.func private @plain(memref<?xi8>, !matrix, !matrix)
    attributes {ecf8.contraction = !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>}

// CHECK-LABEL: func.func private @rows(
// CHECK:         cf.assert %{{.*}}, "expected an output of as many rows as the activations"
// CHECK:         cf.assert %{{.*}}, "expected one scale for each block of rows"
// CHECK:         cf.assert %{{.*}}, "expected one scale for each block of columns"
// CHECK:         memref.alloc(
// CHECK:         func.call @rows_vector(
// CHECK:         memref.dealloc
// CHECK-LABEL: func.func private @rows_vector(
// CHECK:         arith.truncf %{{.*}} : vector<16xf32> to vector<16xbf16>
func.func private @rows(memref<?xi8>, memref<?x?xbf16, strided<[?, 1], offset: ?>>, !matrix, !matrix, index, index)
    attributes {ecf8.contraction = !ecf8.compressed<64x128xf8E5M2, #ecf8.huffman>, ecf8.scale = "rows"}

// Nothing is coded: no tables. The panel kernel's activations are packed, the vector kernel's are used where they lie. The
// scale of a block is loaded in the loop over blocks.
// CHECK-LABEL: func.func private @blocks(
// CHECK-NOT:     prefix code
// CHECK:         %[[PACKED:.*]] = memref.alloc({{.*}} : memref<?x?x16xf32>
// CHECK-NOT:     memref.alloc(
// CHECK:         func.call @blocks_vector(%{{[^,]*}}, %arg1,
// CHECK:         func.call @blocks_panel(%{{[^,]*}}, %[[PACKED]],
// CHECK:         memref.dealloc %[[PACKED]]
// CHECK-NEXT:    return
// CHECK-LABEL: func.func private @blocks_vector(
// CHECK:         arith.divui
// CHECK:         memref.load %{{.*}} : memref<?x?xf32, strided<[?, 1], offset: ?>>
func.func private @blocks(memref<?xi8>, !matrix, !matrix, !matrix, index, index)
    attributes {ecf8.contraction = !ecf8.compressed<64x128xf8E5M2, #ecf8.raw<order = rows32, tile_columns = 64>>, ecf8.scale = "blocks"}
