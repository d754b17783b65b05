// RUN: ecf8-opt %s -ecf8-fuse-decode --remarks-filter=ecf8-fuse-decode --remark-format=emitRemark \
// RUN:   -verify-diagnostics | FileCheck %s

// Remarks on what is fused, on weights with several readers, and the names of weights in remarks.

#id = affine_map<(d0, d1) -> (d0, d1)>
#x = affine_map<(m, n, k) -> (m, k)>
#w = affine_map<(m, n, k) -> (n, k)>
#y = affine_map<(m, n, k) -> (m, n)>

!weight = !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>
!plain = tensor<64x128xf8E4M3FN>
!wide = tensor<64x128xf32>

ecf8.global private @first key("layers.0.weight") : !weight
ecf8.global private @second value(dense_resource<payload> : tensor<256xi8>) : !ecf8.compressed<1x16xf8E4M3FN, #ecf8.raw>

// What is fused says so, for each reader.
// CHECK-LABEL: func @fused(
// CHECK-NOT:     ecf8.decode
// CHECK-COUNT-2: ecf8.contract
func.func @fused(%c: !weight, %x: tensor<?x128xf32>, %acc: tensor<?x64xf32>, %s: tensor<64xf32>) -> (tensor<?x64xf32>, tensor<?x64xf32>) {
  // expected-remark@+1 {{[Analysis] SeveralReaders | Category:ecf8-fuse-decode | Function=fused | Decision="each decodes", Readers=2}}
  %w = ecf8.decode %c : !weight
  %e = arith.extf %w : !plain to !wide
  // expected-remark@+1 {{[Passed] Fused | Category:ecf8-fuse-decode | Function=fused | Scale=none, Weight="!ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>"}}
  %y = linalg.matmul indexing_maps = [#x, #w, #y] ins(%x, %e : tensor<?x128xf32>, tensor<64x128xf32>) outs(%acc : tensor<?x64xf32>) -> tensor<?x64xf32>
  %f = tensor.empty() : !wide
  %g = linalg.generic {indexing_maps = [#id, affine_map<(d0, d1) -> (d0)>, #id], iterator_types = ["parallel", "parallel"]}
      ins(%e, %s : !wide, tensor<64xf32>) outs(%f : !wide) {
  ^bb0(%in: f32, %t: f32, %o: f32):
    %v = arith.mulf %in, %t : f32
    linalg.yield %v : f32
  } -> !wide
  // expected-remark@+1 {{[Passed] Fused | Category:ecf8-fuse-decode | Function=fused | Scale="1 x 128", Weight="!ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>"}}
  %z = linalg.matmul indexing_maps = [#x, #w, #y] ins(%x, %g : tensor<?x128xf32>, tensor<64x128xf32>) outs(%acc : tensor<?x64xf32>) -> tensor<?x64xf32>
  return %y, %z : tensor<?x64xf32>, tensor<?x64xf32>
}

// The key of a weight from a file, the symbol of one without a key.
// CHECK-LABEL: func @names(
// CHECK:         ecf8.contract
// CHECK:         ecf8.decode
func.func @names(%x: tensor<?x128xf32>, %acc: tensor<?x64xf32>) -> (tensor<?x64xf32>, tensor<1x16xf8E4M3FN>) {
  %c = ecf8.global.load @first : !weight
  %w = ecf8.decode %c : !weight
  // expected-remark@+1 {{[Passed] Fused | Category:ecf8-fuse-decode | Function=names | Name=layers.0.weight, Scale=none, Weight=}}
  %y = linalg.matmul indexing_maps = [#x, #w, #y] ins(%x, %w : tensor<?x128xf32>, tensor<64x128xf8E4M3FN>) outs(%acc : tensor<?x64xf32>) -> tensor<?x64xf32>
  %d = ecf8.global.load @second : !ecf8.compressed<1x16xf8E4M3FN, #ecf8.raw>
  // expected-remark@+1 {{[Missed] NotFused | Category:ecf8-fuse-decode | Function=names | Name=second, Reason="encoding: no tiles"}}
  %v = ecf8.decode %d : !ecf8.compressed<1x16xf8E4M3FN, #ecf8.raw>
  return %y, %v : tensor<?x64xf32>, tensor<1x16xf8E4M3FN>
}
