// RUN: ecf8-opt %s -ecf8-emit-decoders="lanes=permute vector-bits=512 f16" | FileCheck %s --check-prefixes=CHECK,WIDE,ROUND
// RUN: ecf8-opt %s -ecf8-emit-decoders="lanes=permute vector-bits=512 f16 bf16" | FileCheck %s --check-prefixes=CHECK,WIDE,PAIRS
// RUN: ecf8-opt %s -ecf8-emit-decoders="lanes=nibble vector-bits=256 f16" | FileCheck %s --check-prefixes=CHECK,HALF,ROUND
// RUN: ecf8-opt %s -ecf8-emit-decoders | FileCheck %s --check-prefixes=CHECK,SCALAR,ROUND

!matrix = memref<?x?xf32, strided<[?, 1], offset: ?>>

// The payload is checked as for a decoder, then that the operands fit; kernels are chosen by the rows.
// CHECK-LABEL: func.func private @plain(
// CHECK-NOT:     ecf8.contraction
// CHECK:         cf.assert %{{.*}}, "expected a payload of 192 bytes or more"
// CHECK:         cf.assert %{{.*}}, "expected a payload encoded as #ecf8.huffman{{.*}}"
// CHECK:         cf.assert %{{.*}}, "expected a slice inside the weight that begins at a tile"
// CHECK:         cf.assert %{{.*}}, "expected the sections of a payload inside it"
// CHECK:         cf.assert %{{.*}}, "expected activations of as many columns as the weight"
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
// WIDE-COUNT-2:  llvm.call_intrinsic "llvm.x86.avx512.vpermi2var.qi.512"
// WIDE-NOT:      arith.extf
// HALF:          arith.extf %{{.*}} : vector<32xf16> to vector<32xf32>
// SCALAR:        arith.extf %{{.*}} : vector<32xf8E4M3FN> to vector<32xf32>
// CHECK-NOT:     math.fma
// CHECK-NOT:     fastmath
// CHECK:         return
func.func private @plain(memref<?xi8>, !matrix, !matrix, index)
    attributes {ecf8.contraction = !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>}

// CHECK-LABEL: func.func private @rows(
// CHECK:         cf.assert %{{.*}}, "expected an output of as many rows as the activations"
// CHECK:         cf.assert %{{.*}}, "expected one scale for each block of rows"
// CHECK:         cf.assert %{{.*}}, "expected one scale for each block of columns"
// PAIRS:         scf.if
// PAIRS:           memref.alloc({{.*}} : memref<?x?x16xi32>
// PAIRS:           scf.if
// PAIRS:             func.call @rows_vector_pairs(
// PAIRS:             func.call @rows_panel_pairs(
// PAIRS:           memref.dealloc
// PAIRS:         } else {
// CHECK:         memref.alloc({{.*}} : memref<?x?x16xf32>
// PAIRS:           func.call @rows_panel(
// ROUND:         func.call @rows_vector(
// ROUND-NOT:     pairs
// CHECK:         memref.dealloc
// CHECK:         return

// What the range of the values decides, where pairs are there: else they are rounded by integer ops.
// PAIRS-LABEL: func.func private @rows_panel(
// PAIRS-NOT:     llvm.x86.avx512bf16
// PAIRS:         arith.truncf %{{.*}} : vector<16xf32> to vector<16xbf16>
// PAIRS-LABEL: func.func private @rows_panel_pairs(
// PAIRS-NOT:     arith.truncf
// PAIRS:         llvm.call_intrinsic "llvm.x86.avx512bf16.cvtne2ps2bf16.512"
// The panel is multiplied while memory is asked for the next one's bytes.
// PAIRS:         scf.if
// PAIRS:         memref.prefetch
// PAIRS:         llvm.call_intrinsic "llvm.x86.avx512bf16.dpbf16ps.512"
// PAIRS-LABEL: func.func private @rows_vector_pairs(
// PAIRS:         llvm.call_intrinsic "llvm.x86.avx512bf16.dpbf16ps.512"
// ROUND-LABEL: func.func private @rows_vector(
// ROUND:         arith.truncf %{{.*}} : vector<16xf32> to vector<16xbf16>
func.func private @rows(memref<?xi8>, memref<?x?xbf16, strided<[?, 1], offset: ?>>, !matrix, !matrix, index, index, index)
    attributes {ecf8.contraction = !ecf8.compressed<64x128xf8E5M2, #ecf8.huffman>, ecf8.scale = "rows"}

// Weights are divided and rounded.
// ROUND-LABEL: func.func private @quotients_vector(
// ROUND:         %[[QUOTIENT:.*]] = arith.divf %{{.*}}, %{{.*}} : vector<16xf32>
// ROUND:         arith.truncf %[[QUOTIENT]] : vector<16xf32> to vector<16xbf16>
func.func private @quotients(memref<?xi8>, memref<?x?xbf16, strided<[?, 1], offset: ?>>, !matrix, !matrix, index, index, index)
    attributes {ecf8.contraction = !ecf8.compressed<64x128xf8E5M2, #ecf8.huffman>, ecf8.scale = "rows", ecf8.divides}

// Sums begin at zero and are scaled at the end of a block of scales, weights are not.
// CHECK-LABEL: func.func private @sums(
// CHECK-NOT:     ecf8.scales_sums
// CHECK-LABEL: func.func private @sums_vector(
// CHECK:         %[[ZERO:.*]] = arith.constant dense<0.000000e+00> : vector<16xf32>
// CHECK:         scf.for {{.*}} iter_args({{.*}} = %[[ZERO]]
// CHECK:         scf.if {{.*}} -> (vector<16xf32>, vector<16xf32>
// CHECK:         return
func.func private @sums(memref<?xi8>, !matrix, !matrix, !matrix, index, index, index)
    attributes {ecf8.contraction = !ecf8.compressed<64x128xf8E4M3FN, #ecf8.raw<order = rows32, tile_columns = 64>>, ecf8.scale = "blocks", ecf8.scales_sums}

// Nothing is coded: no tables. Activations are packed, few of them on the stack; one packed row is a vector. The scale of a block is loaded in the
// loop over blocks.
// CHECK-LABEL: func.func private @blocks(
// CHECK-NOT:     prefix code
// CHECK:         %[[HEAP:.*]] = arith.cmpi ugt, %{{.*}}, %c262144
// CHECK:         %[[PACKED:.*]] = scf.if %[[HEAP]] -> (memref<?x?x16xf32>) {
// CHECK-NEXT:      memref.alloc({{.*}} : memref<?x?x16xf32>
// CHECK:         } else {
// CHECK-NEXT:      memref.alloca({{.*}} : memref<?x?x16xf32>
// CHECK-NOT:     memref.alloc
// CHECK:         %[[ROW:.*]] = memref.collapse_shape %[[PACKED]]
// CHECK:         func.call @blocks_vector(%{{[^,]*}}, %[[ROW]],
// CHECK:         func.call @blocks_panel(%{{[^,]*}}, %[[PACKED]],
// CHECK:         scf.if %[[HEAP]] {
// CHECK-NEXT:      memref.dealloc %[[PACKED]]
// CHECK:         return
// CHECK-LABEL: func.func private @blocks_vector(
// CHECK:         arith.divui
// CHECK:         memref.load %{{.*}} : memref<?x?xf32, strided<[?, 1], offset: ?>>
func.func private @blocks(memref<?xi8>, !matrix, !matrix, !matrix, index, index, index)
    attributes {ecf8.contraction = !ecf8.compressed<64x128xf8E5M2, #ecf8.raw<order = rows32, tile_columns = 64>>, ecf8.scale = "blocks"}

// With an epilogue sums start at zero, and the function of the epilogue finishes 32 at a time for all kernels, on vectors
// and on scalars. What the epilogue was cloned from is gone.
// CHECK-LABEL: func.func private @finished(
// CHECK-NOT:     ecf8.epilogue
// CHECK:         cf.assert %{{.*}}, "expected an output of as many rows as the activations"
// CHECK:         cf.assert %{{.*}}, "expected an operand of the epilogue of as many columns as the output"
// CHECK:         cf.assert %{{.*}}, "expected an operand of the epilogue of as many rows as the output"
// CHECK-NOT:     an operand of the epilogue
// CHECK:         func.call @finished_vector({{.*}}) : {{.*}}memref<1x?xf32, strided<[?, 1], offset: ?>>, memref<?x1xbf16, strided<[?, 1], offset: ?>>,
// CHECK-LABEL: func.func private @finished_panel(
// CHECK-NOT:     memref.load %arg2
// CHECK:         call @finished_epilogue(%arg2, %arg3, %arg4, %{{.*}}
// CHECK-LABEL: func.func private @finished_vector(
// CHECK-NOT:     memref.load %arg2
// CHECK:         call @finished_epilogue(%arg2, %arg3, %arg4, %{{.*}}
// CHECK-LABEL: func.func private @finished_epilogue(
// CHECK-SAME:    %[[OUT:.*]]: memref<?x?xf16, strided<[?, 1], offset: ?>>, %[[B:.*]]: memref<1x?xf32, strided<[?, 1], offset: ?>>, %[[R:.*]]: memref<?x1xbf16, strided<[?, 1], offset: ?>>, %[[ROW:.*]]: index, %[[COLUMN:.*]]: index, %[[COUNT:.*]]: index, %[[SUMS:.*]]: memref<?xf32>, %[[AT:.*]]: index)
// CHECK:         vector.shuffle %[[LOW:.*]], %[[HIGH:.*]] [0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30]
// CHECK:         vector.shuffle %[[LOW]], %[[HIGH]] [1, 3, 5, 7,
// CHECK:         scf.for
// CHECK:           %[[L:.*]] = vector.load %[[SUMS]]
// CHECK:           %[[N:.*]] = arith.cmpf uno, %[[L]], %[[L]] : vector<16xf32>
// CHECK:           %[[NAN:.*]] = arith.constant dense<0x7FC00000> : vector<16xf32>
// CHECK:           %[[S:.*]] = arith.select %[[N]], %[[NAN]], %[[L]] : vector<16xi1>, vector<16xf32>
// CHECK:           %[[T:.*]] = vector.load %[[B]][%c0{{.*}}, %{{.*}}]
// CHECK:           %[[U:.*]] = memref.load %[[R]][%[[ROW]], %c0{{.*}}]
// CHECK:           %[[V:.*]] = vector.broadcast %[[U]] : bf16 to vector<16xbf16>
// CHECK:           %[[ONE:.*]] = vector.broadcast %{{.*}} : f32 to vector<16xf32>
// CHECK:           %[[X:.*]] = arith.addf %[[S]], %[[T]] : vector<16xf32>
// CHECK:           %[[E:.*]] = arith.extf %[[V]] : vector<16xbf16> to vector<16xf32>
// CHECK:           %[[P:.*]] = arith.cmpf ogt, %[[X]], %[[ONE]] : vector<16xf32>
// CHECK:           %[[Q:.*]] = arith.select %[[P]], %[[X]], %[[E]] : vector<16xi1>, vector<16xf32>
// CHECK:           %[[Y:.*]] = arith.truncf %[[Q]] : vector<16xf32> to vector<16xf16>
// CHECK:           vector.store %[[Y]], %[[OUT]][%[[ROW]], %{{.*}}]
// CHECK:         scf.for
// CHECK:           arith.addf {{.*}} : f32
// CHECK:           memref.store %{{.*}}, %[[OUT]][%[[ROW]], %{{.*}}]
// CHECK:         return
// CHECK-NOT:     @select
func.func private @finished(memref<?xi8>, !matrix, memref<?x?xf16, strided<[?, 1], offset: ?>>, memref<1x?xf32, strided<[?, 1], offset: ?>>, memref<?x1xbf16, strided<[?, 1], offset: ?>>, index)
    attributes {ecf8.contraction = !ecf8.compressed<64x128xf8E4M3FN, #ecf8.raw<order = rows32, tile_columns = 64>>, ecf8.epilogue = @select}
func.func private @select(%sum: f32, %t: f32, %u: bf16) -> f16 {
  %one = arith.constant 1.0 : f32
  %0 = arith.addf %sum, %t : f32
  %1 = arith.extf %u : bf16 to f32
  %2 = arith.cmpf ogt, %0, %one : f32
  %3 = arith.select %2, %0, %1 : f32
  %4 = arith.truncf %3 : f32 to f16
  return %4 : f16
}
