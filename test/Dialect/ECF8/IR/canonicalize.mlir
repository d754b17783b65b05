// RUN: ecf8-opt %s -canonicalize -split-input-file | FileCheck %s

// CHECK-LABEL: func @decode_of_encode(
// CHECK-SAME:    %[[T:.*]]: tensor<64x128xf8E4M3FN>
// CHECK-NEXT:    return %[[T]]
func.func @decode_of_encode(%t: tensor<64x128xf8E4M3FN>) -> tensor<64x128xf8E4M3FN> {
  %c = ecf8.encode %t : !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>
  %d = ecf8.decode %c : !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>
  return %d : tensor<64x128xf8E4M3FN>
}

// CHECK-LABEL: func @negative_slice_of_encode(
// CHECK:         ecf8.encode
// CHECK:         ecf8.decode
func.func @negative_slice_of_encode(%t: tensor<64x128xf8E4M3FN>) -> tensor<32x128xf8E4M3FN> {
  %c = ecf8.encode %t : !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>
  %d = ecf8.decode %c[32, 0] : !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman> to tensor<32x128xf8E4M3FN>
  return %d : tensor<32x128xf8E4M3FN>
}

// CHECK-LABEL: func @encode_of_decode(
// CHECK-SAME:    %[[C:.*]]: !ecf8.compressed
// CHECK-NEXT:    return %[[C]]
func.func @encode_of_decode(%c: !ecf8.compressed<64x128xf8E4M3FN, #ecf8.raw>)
    -> !ecf8.compressed<64x128xf8E4M3FN, #ecf8.raw> {
  %d = ecf8.decode %c : !ecf8.compressed<64x128xf8E4M3FN, #ecf8.raw>
  %e = ecf8.encode %d : !ecf8.compressed<64x128xf8E4M3FN, #ecf8.raw>
  return %e : !ecf8.compressed<64x128xf8E4M3FN, #ecf8.raw>
}

// CHECK-LABEL: func @negative_other_encoding(
// CHECK:         ecf8.decode
// CHECK:         ecf8.encode
func.func @negative_other_encoding(%c: !ecf8.compressed<64x128xf8E4M3FN, #ecf8.raw>)
    -> !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman> {
  %d = ecf8.decode %c : !ecf8.compressed<64x128xf8E4M3FN, #ecf8.raw>
  %e = ecf8.encode %d : !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>
  return %e : !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>
}

// CHECK-LABEL: func @constant_offsets(
// CHECK:         ecf8.decode %{{.*}}[32, 0] : {{.*}} to tensor<32x128xf8E4M3FN>
// CHECK:         ecf8.decode %{{.*}}[32, 0] into
func.func @constant_offsets(%c: !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>, %m: memref<32x128xf8E4M3FN>)
    -> tensor<32x128xf8E4M3FN> {
  %row = arith.constant 32 : index
  %d = ecf8.decode %c[%row, 0] : !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman> to tensor<32x128xf8E4M3FN>
  ecf8.decode %c[%row, 0] into %m : !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>, memref<32x128xf8E4M3FN>
  return %d : tensor<32x128xf8E4M3FN>
}

// A constant that breaks a rule of the slice stays dynamic: canonicalization must not turn valid IR into invalid IR.
// CHECK-LABEL: func @negative_constant_offset_breaks_rule(
// CHECK:         ecf8.decode %{{.*}}[%{{.*}}, 0]
// CHECK:         ecf8.decode %{{.*}}[%{{.*}}, 0]
// CHECK:         ecf8.decode %{{.*}}[%{{.*}}, 0]
func.func @negative_constant_offset_breaks_rule(%c: !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>)
    -> (tensor<32x128xf8E4M3FN>, tensor<32x128xf8E4M3FN>, tensor<32x128xf8E4M3FN>) {
  %outside = arith.constant 64 : index
  %unaligned = arith.constant 8 : index
  %negative = arith.constant -32 : index
  %a = ecf8.decode %c[%outside, 0] : !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman> to tensor<32x128xf8E4M3FN>
  %b = ecf8.decode %c[%unaligned, 0] : !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman> to tensor<32x128xf8E4M3FN>
  %d = ecf8.decode %c[%negative, 0] : !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman> to tensor<32x128xf8E4M3FN>
  return %a, %b, %d : tensor<32x128xf8E4M3FN>, tensor<32x128xf8E4M3FN>, tensor<32x128xf8E4M3FN>
}

// CHECK-LABEL: func @whole_slice(
// CHECK:         ecf8.decode %{{[a-z0-9]+}} : !ecf8.compressed
// CHECK:         ecf8.decode %{{[a-z0-9]+}} into
func.func @whole_slice(%c: !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>, %m: memref<64x128xf8E4M3FN>)
    -> tensor<64x128xf8E4M3FN> {
  %d = ecf8.decode %c[0, 0] : !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman> to tensor<64x128xf8E4M3FN>
  ecf8.decode %c[0, 0] into %m : !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>, memref<64x128xf8E4M3FN>
  return %d : tensor<64x128xf8E4M3FN>
}

// The offsets of a contraction fold like those of a decode.
// CHECK-LABEL: func @constant_expert(
// CHECK:         ecf8.contract ins(%{{.*}}, %{{[a-z0-9]+}}[3, 0, 0] :
// CHECK:         ecf8.contract ins(%{{.*}}, %{{[a-z0-9]+}}[%{{.*}}, 0, 0] :
func.func @constant_expert(%c: !ecf8.compressed<8x64x128xf8E4M3FN, #ecf8.huffman>, %x: tensor<4x128xf32>, %acc: tensor<4x64xf32>)
    -> tensor<4x64xf32> {
  %expert = arith.constant 3 : index
  %outside = arith.constant 8 : index
  %0 = ecf8.contract ins(%x, %c[%expert, 0, 0] : tensor<4x128xf32>, !ecf8.compressed<8x64x128xf8E4M3FN, #ecf8.huffman>) outs(%acc : tensor<4x64xf32>) -> tensor<4x64xf32>
  %1 = ecf8.contract ins(%x, %c[%outside, 0, 0] : tensor<4x128xf32>, !ecf8.compressed<8x64x128xf8E4M3FN, #ecf8.huffman>) outs(%0 : tensor<4x64xf32>) -> tensor<4x64xf32>
  return %1 : tensor<4x64xf32>
}
