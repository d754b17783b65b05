// RUN: ecf8-opt %s -ecf8-compress-weights=min-elements=16 -split-input-file | FileCheck %s
// RUN: ecf8-opt %s -ecf8-compress-weights='min-elements=16 codec=raw' -split-input-file | FileCheck %s --check-prefix=RAW

// RUN: ecf8-opt %s -ecf8-compress-weights='min-elements=16 codec=quads' -split-input-file | FileCheck %s --check-prefix=QUADS

// The bits that are not coded depend on the element type.
// QUADS: ecf8.global private @weight key("w") : !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman<group = 4, raw_exponent_bits = 2, max_code_length = 11, stream = segments, order = mma>>
// QUADS: ecf8.global private @norm.bias key("b") : !ecf8.compressed<16xf8E5M2, #ecf8.huffman<group = 4, raw_exponent_bits = 3, max_code_length = 11, stream = segments, order = mma>>

// By element type alone, whatever the name; the key stays.
// CHECK: ecf8.global private @weight key("w") : !ecf8.compressed<64x128xf8E4M3FN, #ecf8.planes>
// CHECK: ecf8.global private @norm.bias key("b") : !ecf8.compressed<16xf8E5M2, #ecf8.planes>
// CHECK: ecf8.global private @float key("f") : tensor<64xf32>
// CHECK: ecf8.global private @unused key("u") : !ecf8.compressed<64xf8E4M3FN, #ecf8.planes>
// RAW:   ecf8.global private @weight key("w") : !ecf8.compressed<64x128xf8E4M3FN, #ecf8.raw<order = rows32, tile_columns = 1024>>
ecf8.global private @weight key("w") : tensor<64x128xf8E4M3FN>
ecf8.global private @norm.bias key("b") : tensor<16xf8E5M2>
ecf8.global private @float key("f") : tensor<64xf32>
ecf8.global private @unused key("u") : tensor<64xf8E4M3FN>

// One decode per function, directly before the first user.
// CHECK-LABEL: func @one_decode(
// CHECK-NEXT:    %[[C:.*]] = ecf8.global.load @weight : !ecf8.compressed
// CHECK-NEXT:    call @other()
// CHECK-NEXT:    %[[W:.*]] = ecf8.decode %[[C]]
// CHECK-NEXT:    arith.extf %[[W]]
// CHECK-NEXT:    arith.negf %[[W]]
// CHECK-NOT:     ecf8.decode
// CHECK:         return
func.func @one_decode() -> (tensor<64x128xf32>, tensor<64x128xf8E4M3FN>) {
  %a = ecf8.global.load @weight : tensor<64x128xf8E4M3FN>
  call @other() : () -> ()
  %0 = arith.extf %a : tensor<64x128xf8E4M3FN> to tensor<64x128xf32>
  %b = ecf8.global.load @weight : tensor<64x128xf8E4M3FN>
  %1 = arith.negf %b : tensor<64x128xf8E4M3FN>
  return %0, %1 : tensor<64x128xf32>, tensor<64x128xf8E4M3FN>
}
func.func private @other()

// Outside of the loop that uses it, also where the load is inside.
// CHECK-LABEL: func @loop(
// CHECK:         ecf8.global.load @weight
// CHECK:         ecf8.decode
// CHECK-NEXT:    scf.for
// CHECK-NOT:     ecf8.
// CHECK:         return
func.func @loop(%i: index, %t: tensor<64x128xf8E4M3FN>) -> tensor<64x128xf8E4M3FN> {
  %r = scf.for %k = %i to %i step %i iter_args(%l = %t) -> tensor<64x128xf8E4M3FN> {
    %b = ecf8.global.load @weight : tensor<64x128xf8E4M3FN>
    %s = arith.addf %l, %b : tensor<64x128xf8E4M3FN>
    scf.yield %s : tensor<64x128xf8E4M3FN>
  }
  return %r : tensor<64x128xf8E4M3FN>
}

// Users in other blocks of the function: before the branch.
// CHECK-LABEL: func @blocks(
// CHECK:         ecf8.global.load
// CHECK-NEXT:    ecf8.decode
// CHECK-NEXT:    cf.cond_br
func.func @blocks(%p: i1) -> tensor<64x128xf8E4M3FN> {
  cf.cond_br %p, ^a, ^b
^a:
  %0 = ecf8.global.load @weight : tensor<64x128xf8E4M3FN>
  return %0 : tensor<64x128xf8E4M3FN>
^b:
  %1 = ecf8.global.load @weight : tensor<64x128xf8E4M3FN>
  %2 = arith.negf %1 : tensor<64x128xf8E4M3FN>
  return %2 : tensor<64x128xf8E4M3FN>
}

// CHECK-LABEL: func @dead_load(
// CHECK-NEXT:    return
func.func @dead_load() {
  %0 = ecf8.global.load @weight : tensor<64x128xf8E4M3FN>
  return
}

// -----

// An encode of a constant is evaluated.
// RAW-LABEL: func @encode_constant(
// RAW-NEXT:    ecf8.constant dense_resource<encoded_payload> : tensor<256xi8> : !ecf8.compressed<4xf8E4M3FN, #ecf8.raw>
// RAW-NEXT:    ecf8.constant dense_resource<encoded_payload_1> : tensor<320xi8> : !ecf8.compressed<4xf8E4M3FN, #ecf8.raw<order = rows32, tile_columns = 16>>
// RAW-NOT:     ecf8.encode
// RAW:         return
func.func @encode_constant() -> (!ecf8.compressed<4xf8E4M3FN, #ecf8.raw>,
                                 !ecf8.compressed<4xf8E4M3FN, #ecf8.raw<order = rows32, tile_columns = 16>>) {
  %t = arith.constant dense<[1.0, 2.0, -3.0, 0.0]> : tensor<4xf8E4M3FN>
  %c = ecf8.encode %t : !ecf8.compressed<4xf8E4M3FN, #ecf8.raw>
  %d = ecf8.encode %t : !ecf8.compressed<4xf8E4M3FN, #ecf8.raw<order = rows32, tile_columns = 16>>
  return %c, %d : !ecf8.compressed<4xf8E4M3FN, #ecf8.raw>,
                  !ecf8.compressed<4xf8E4M3FN, #ecf8.raw<order = rows32, tile_columns = 16>>
}
