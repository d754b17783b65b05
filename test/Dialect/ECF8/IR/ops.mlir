// RUN: ecf8-opt %s -verify-roundtrip | FileCheck %s
// RUN: ecf8-opt %s -emit-bytecode -o %t.mlirbc && ecf8-opt %t.mlirbc | FileCheck %s
// RUN: ecf8-opt %s -mlir-print-op-generic | ecf8-opt | FileCheck %s

// CHECK: ecf8.global private @weight key("layers.0.weight") : !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>
ecf8.global private @weight key("layers.0.weight") : !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>
// CHECK: ecf8.global private @bias value(dense<1.000000e+00> : tensor<64xf32>) : tensor<64xf32>
ecf8.global private @bias value(dense<1.0> : tensor<64xf32>) : tensor<64xf32>
// CHECK: ecf8.global @plain key("p") attributes {note = "kept"} : tensor<f32>
ecf8.global @plain key("p") attributes {note = "kept"} : tensor<f32>
// CHECK: ecf8.global public @inline value(dense_resource<payload> : tensor<256xi8>) : !ecf8.compressed<1x16xf8E4M3FN, #ecf8.raw>
ecf8.global public @inline value(dense_resource<payload> : tensor<256xi8>) : !ecf8.compressed<1x16xf8E4M3FN, #ecf8.raw>

// CHECK: ecf8.global private @planes key("planes") : !ecf8.compressed<64x128xf8E5M2, #ecf8.planes<tile_columns = 48>>
ecf8.global private @planes key("planes") : !ecf8.compressed<64x128xf8E5M2, #ecf8.planes<tile_columns = 48>>

// CHECK-LABEL: func.func @loads() -> memref<64xf32> {
func.func @loads() -> memref<64xf32> {
  // CHECK: %weight = ecf8.global.load @weight : !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>
  %w = ecf8.global.load @weight : !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>
  // CHECK: %bias = ecf8.global.load @bias : tensor<64xf32>
  %b = ecf8.global.load @bias : tensor<64xf32>
  // CHECK: %bias_0 = ecf8.global.load @bias : memref<64xf32>
  %m = ecf8.global.load @bias : memref<64xf32>
  return %m : memref<64xf32>
}

// CHECK-LABEL: func.func @constant()
func.func @constant() -> !ecf8.compressed<1x16xf8E4M3FN, #ecf8.raw> {
  // CHECK: ecf8.constant dense_resource<payload> : tensor<256xi8> : !ecf8.compressed<1x16xf8E4M3FN, #ecf8.raw>
  %c = ecf8.constant dense_resource<payload> : tensor<256xi8> : !ecf8.compressed<1x16xf8E4M3FN, #ecf8.raw>
  return %c : !ecf8.compressed<1x16xf8E4M3FN, #ecf8.raw>
}

// CHECK-LABEL: func.func @encode(
func.func @encode(%t: tensor<64x128xf8E5M2>) -> !ecf8.compressed<64x128xf8E5M2, #ecf8.huffman<max_code_length = 7>> {
  // CHECK: ecf8.encode %{{.*}} : !ecf8.compressed<64x128xf8E5M2, #ecf8.huffman<max_code_length = 7>>
  %c = ecf8.encode %t : !ecf8.compressed<64x128xf8E5M2, #ecf8.huffman<max_code_length = 7>>
  return %c : !ecf8.compressed<64x128xf8E5M2, #ecf8.huffman<max_code_length = 7>>
}

// CHECK-LABEL: func.func @decode(
func.func @decode(%c: !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>, %row: index, %m: memref<64x128xf8E4M3FN>,
                  %n: memref<32x128xf8E4M3FN, strided<[256, 1], offset: ?>>) {
  // CHECK: ecf8.decode %[[C:[a-z0-9]+]] : !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>
  %w = ecf8.decode %c : !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>
  // CHECK: ecf8.decode %[[C]][%{{.*}}, 0] : !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman> to tensor<32x128xf8E4M3FN>
  %s = ecf8.decode %c[%row, 0] : !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman> to tensor<32x128xf8E4M3FN>
  // CHECK: ecf8.decode %[[C]] into %{{.*}} : !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>, memref<64x128xf8E4M3FN>
  ecf8.decode %c into %m : !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>, memref<64x128xf8E4M3FN>
  // CHECK: ecf8.decode %[[C]][32, 0] into %{{.*}} {note} : !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>, memref<32x128xf8E4M3FN, strided<[256, 1], offset: ?>>
  ecf8.decode %c[32, 0] into %n {note} : !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>, memref<32x128xf8E4M3FN, strided<[256, 1], offset: ?>>
  return
}

// CHECK-LABEL: func.func @contract(
func.func @contract(%c: !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>, %x: tensor<?x128xbf16>, %s: tensor<64x1xf32>,
                    %acc: tensor<?x64xf32>) -> tensor<?x64xf32> {
  // CHECK: ecf8.contract ins(%{{.*}}, %{{.*}} : tensor<?x128xbf16>, !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>) outs(%{{.*}} : tensor<?x64xf32>) -> tensor<?x64xf32>
  %0 = ecf8.contract ins(%x, %c : tensor<?x128xbf16>, !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>) outs(%acc : tensor<?x64xf32>) -> tensor<?x64xf32>
  // CHECK: ecf8.contract ins({{.*}}) scale(%{{.*}} : tensor<64x1xf32>) block [1, 128] outs(%{{.*}} : tensor<?x64xf32>) {divides, note, scales_sums} -> tensor<?x64xf32>
  %1 = ecf8.contract ins(%x, %c : tensor<?x128xbf16>, !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>) scale(%s : tensor<64x1xf32>) block [1, 128] outs(%0 : tensor<?x64xf32>) {divides, note, scales_sums} -> tensor<?x64xf32>
  return %1 : tensor<?x64xf32>
}

// CHECK-LABEL: func.func @contract_fp8(
func.func @contract_fp8(%c: !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>, %x: tensor<?x128xf8E5M2>, %s: tensor<64x1xf32>,
                        %y: tensor<?x64xf32>) -> tensor<?x64xf32> {
  // CHECK: ecf8.contract ins(%{{.*}}, %{{.*}} : tensor<?x128xf8E5M2>, {{.*}}) scale(%{{.*}} : tensor<64x1xf32>) block [1, 128] outs(%{{.*}} : tensor<?x64xf32>) epilogue {
  // CHECK: } {scales_sums} -> tensor<?x64xf32>
  %0 = ecf8.contract ins(%x, %c : tensor<?x128xf8E5M2>, !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>)
      scale(%s : tensor<64x1xf32>) block [1, 128] outs(%y : tensor<?x64xf32>) epilogue {
  ^bb0(%sum: f32):
    %1 = arith.negf %sum : f32
    ecf8.yield %1 : f32
  } {scales_sums} -> tensor<?x64xf32>
  return %0 : tensor<?x64xf32>
}

// Without operands, and with some of all forms; the first sums are not there, so the result may be of another type.
// CHECK-LABEL: func.func @contract_epilogue(
func.func @contract_epilogue(%c: !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>, %x: tensor<?x128xbf16>, %s: tensor<64x1xf32>,
                             %b: tensor<1x64xf32>, %r: tensor<?x1xf16>, %d: tensor<4x64xbf16>, %n: tensor<1x1xf32>,
                             %y: tensor<?x64xf32>, %z: tensor<?x64xbf16>) -> tensor<?x64xbf16> {
  // CHECK: ecf8.contract ins({{.*}}) outs(%{{.*}} : tensor<?x64xf32>) epilogue {
  // CHECK-NEXT: ^bb0(%[[SUM:.*]]: f32):
  // CHECK-NEXT:   %[[V:.*]] = math.tanh %[[SUM]] : f32
  // CHECK-NEXT:   ecf8.yield %[[V]] : f32
  // CHECK-NEXT: } -> tensor<?x64xf32>
  %0 = ecf8.contract ins(%x, %c : tensor<?x128xbf16>, !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>) outs(%y : tensor<?x64xf32>) epilogue {
  ^bb0(%sum: f32):
    %v = math.tanh %sum : f32
    ecf8.yield %v : f32
  } -> tensor<?x64xf32>
  // CHECK: ecf8.contract ins({{.*}}) scale({{.*}}) block [1, 128] outs(%{{.*}} : tensor<?x64xbf16>) epilogue(%{{.*}}, %{{.*}}, %{{.*}}, %{{.*}} : tensor<1x64xf32>, tensor<?x1xf16>, tensor<4x64xbf16>, tensor<1x1xf32>) {
  // CHECK-NEXT: ^bb0(%{{.*}}: f32, %{{.*}}: f32, %{{.*}}: f16, %[[D:.*]]: bf16, %{{.*}}: f32):
  // CHECK-NEXT:   ecf8.yield %[[D]] : bf16
  // CHECK-NEXT: } {note} -> tensor<?x64xbf16>
  %1 = ecf8.contract ins(%x, %c : tensor<?x128xbf16>, !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>) scale(%s : tensor<64x1xf32>) block [1, 128]
      outs(%z : tensor<?x64xbf16>) epilogue(%b, %r, %d, %n : tensor<1x64xf32>, tensor<?x1xf16>, tensor<4x64xbf16>, tensor<1x1xf32>) {
  ^bb0(%sum: f32, %p: f32, %q: f16, %t: bf16, %u: f32):
    ecf8.yield %t : bf16
  } {note} -> tensor<?x64xbf16>
  return %1 : tensor<?x64xbf16>
}

// Row strides may be any; a block may exceed the weight, or tiles that hold whole rows have any size.
// CHECK-LABEL: func.func @contract_memrefs(
func.func @contract_memrefs(%c: !ecf8.compressed<64x128xf8E4M3FN, #ecf8.raw<order = rows32, tile_columns = 144>>,
                            %x: memref<?x128xf16, strided<[?, 1], offset: ?>>, %s: memref<2x2xf16>, %t: memref<1x1xf16, strided<[4, 1]>>,
                            %acc: memref<4x64xf32, strided<[80, 1]>>) {
  // CHECK: ecf8.contract ins(%{{.*}}, %{{.*}} : memref<?x128xf16, strided<[?, 1], offset: ?>>, !ecf8.compressed<{{.*}}>) outs(%{{.*}} : memref<4x64xf32, strided<[80, 1]>>){{$}}
  ecf8.contract ins(%x, %c : memref<?x128xf16, strided<[?, 1], offset: ?>>, !ecf8.compressed<64x128xf8E4M3FN, #ecf8.raw<order = rows32, tile_columns = 144>>) outs(%acc : memref<4x64xf32, strided<[80, 1]>>)
  // CHECK: ecf8.contract {{.*}} scale(%{{.*}} : memref<2x2xf16>) block [32, 64] outs(
  ecf8.contract ins(%x, %c : memref<?x128xf16, strided<[?, 1], offset: ?>>, !ecf8.compressed<64x128xf8E4M3FN, #ecf8.raw<order = rows32, tile_columns = 144>>) scale(%s : memref<2x2xf16>) block [32, 64] outs(%acc : memref<4x64xf32, strided<[80, 1]>>)
  // CHECK: ecf8.contract {{.*}} scale(%{{.*}} : memref<1x1xf16, strided<[4, 1]>>) block [9223372036854775807, 1000] outs(
  ecf8.contract ins(%x, %c : memref<?x128xf16, strided<[?, 1], offset: ?>>, !ecf8.compressed<64x128xf8E4M3FN, #ecf8.raw<order = rows32, tile_columns = 144>>) scale(%t : memref<1x1xf16, strided<[4, 1]>>) block [9223372036854775807, 1000] outs(%acc : memref<4x64xf32, strided<[80, 1]>>)
  return
}

// Nothing to multiply, and the largest weight there is.
// CHECK-LABEL: func.func @contract_sizes(
func.func @contract_sizes(%c: !ecf8.compressed<64x0xf8E4M3FN, #ecf8.huffman>, %x: memref<0x0xf32>, %acc: memref<0x64xf32>,
                          %d: !ecf8.compressed<36028797018963968x1xf8E4M3FN, #ecf8.huffman>, %y: memref<1x1xf32>,
                          %s: memref<1125899906842624x1xf32>, %sum: memref<1x36028797018963968xf32>) {
  // CHECK-COUNT-2: ecf8.contract
  ecf8.contract ins(%x, %c : memref<0x0xf32>, !ecf8.compressed<64x0xf8E4M3FN, #ecf8.huffman>) outs(%acc : memref<0x64xf32>)
  ecf8.contract ins(%y, %d : memref<1x1xf32>, !ecf8.compressed<36028797018963968x1xf8E4M3FN, #ecf8.huffman>) scale(%s : memref<1125899906842624x1xf32>) block [32, 64] outs(%sum : memref<1x36028797018963968xf32>)
  return
}

// One expert, and some rows of one.
// CHECK-LABEL: func.func @contract_slices(
func.func @contract_slices(%c: !ecf8.compressed<8x64x128xf8E4M3FN, #ecf8.huffman>, %x: memref<?x128xf32>, %s: memref<1x1xf32>,
                           %acc: memref<?x64xf32>, %part: memref<?x16xf32>, %e: index, %n: index) {
  // CHECK: ecf8.contract ins(%{{.*}}, %{{[a-z0-9]+}}[%{{[a-z0-9]+}}, 0, 0] : memref<?x128xf32>, !ecf8.compressed<8x64x128xf8E4M3FN, #ecf8.huffman>) outs(%{{.*}} : memref<?x64xf32>){{$}}
  ecf8.contract ins(%x, %c[%e, 0, 0] : memref<?x128xf32>, !ecf8.compressed<8x64x128xf8E4M3FN, #ecf8.huffman>) outs(%acc : memref<?x64xf32>)
  // CHECK: ecf8.contract ins(%{{.*}}, %{{[a-z0-9]+}}[7, %{{[a-z0-9]+}}, 0] : {{.*}}) scale(%{{.*}} : memref<1x1xf32>) block [16, 128] outs(%{{.*}} : memref<?x16xf32>){{$}}
  ecf8.contract ins(%x, %c[7, %n, 0] : memref<?x128xf32>, !ecf8.compressed<8x64x128xf8E4M3FN, #ecf8.huffman>) scale(%s : memref<1x1xf32>) block [16, 128] outs(%part : memref<?x16xf32>)
  return
}

// CHECK: ecf8.global private @down key("down") attributes {ecf8.transposed} : tensor<2x128x64xf8E4M3FN>
ecf8.global private @down key("down") attributes {ecf8.transposed} : tensor<2x128x64xf8E4M3FN>

// CHECK-LABEL: func.func @weight_argument(
// CHECK-SAME:    tensor<64x128xf8E4M3FN> {ecf8.weight = "layers.0.weight"}
func.func @weight_argument(%w: tensor<64x128xf8E4M3FN> {ecf8.weight = "layers.0.weight"}) {
  return
}

// CHECK:      func.func private @decoder() attributes {ecf8.decoder = !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>}
func.func private @decoder() attributes {ecf8.decoder = !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>}

{-#
  dialect_resources: {
    builtin: {
      payload: "0x10000000454346380100C000000000000000000000010000000000000000000000000000000000000000000000000000020000000000000000000000000000000000000001000000000000001000000000000000C0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000001000000000000001000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000102030405060708090A0B0C0D0E0F000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
    }
  }
#-}
