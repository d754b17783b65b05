// RUN: ecf8-opt %s -ecf8-fuse-decode=arithmetic=epilogue -canonicalize | FileCheck %s
// RUN: not ecf8-opt %s -ecf8-fuse-decode=arithmetic=fast 2>&1 | FileCheck %s --check-prefix=INVALID
// INVALID: error: expected arithmetic 'as-written' or 'epilogue', got 'fast'

#map = affine_map<(d0, d1) -> (d0, d1)>
#row = affine_map<(d0, d1) -> (d0, 0)>

// CHECK-LABEL: func @channel_scale(
// CHECK:         ecf8.contract {{.*}} scale({{.*}}) block [1, 128] outs({{.*}}) {scales_sums} ->
func.func @channel_scale(%x: tensor<?x128xf32>, %c: !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>,
                         %s: tensor<64x1xf32>, %acc: tensor<?x64xf32>) -> tensor<?x64xf32> {
  %w = ecf8.decode %c : !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>
  %e = tensor.empty() : tensor<64x128xf32>
  %0 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel"]}
      ins(%w : tensor<64x128xf8E4M3FN>) outs(%e : tensor<64x128xf32>) {
  ^bb0(%in: f8E4M3FN, %out: f32):
    %v = arith.extf %in : f8E4M3FN to f32
    linalg.yield %v : f32
  } -> tensor<64x128xf32>
  %1 = linalg.generic {indexing_maps = [#map, #row, #map], iterator_types = ["parallel", "parallel"]}
      ins(%0, %s : tensor<64x128xf32>, tensor<64x1xf32>) outs(%e : tensor<64x128xf32>) {
  ^bb0(%in: f32, %scale: f32, %out: f32):
    %v = arith.mulf %in, %scale : f32
    linalg.yield %v : f32
  } -> tensor<64x128xf32>
  %t = tensor.empty() : tensor<128x64xf32>
  %2 = linalg.transpose ins(%1 : tensor<64x128xf32>) outs(%t : tensor<128x64xf32>) permutation = [1, 0]
  %3 = linalg.matmul ins(%x, %2 : tensor<?x128xf32>, tensor<128x64xf32>) outs(%acc : tensor<?x64xf32>) -> tensor<?x64xf32>
  return %3 : tensor<?x64xf32>
}

// What has no scale is as written.
// CHECK-LABEL: func @no_scale(
// CHECK:         ecf8.contract
// CHECK-NOT:     scales_sums
// CHECK:         return
func.func @no_scale(%x: tensor<?x128xf32>, %c: !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>,
                    %acc: tensor<?x64xf32>) -> tensor<?x64xf32> {
  %w = ecf8.decode %c : !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>
  %e = tensor.empty() : tensor<64x128xf32>
  %0 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel"]}
      ins(%w : tensor<64x128xf8E4M3FN>) outs(%e : tensor<64x128xf32>) {
  ^bb0(%in: f8E4M3FN, %out: f32):
    %v = arith.extf %in : f8E4M3FN to f32
    linalg.yield %v : f32
  } -> tensor<64x128xf32>
  %t = tensor.empty() : tensor<128x64xf32>
  %1 = linalg.transpose ins(%0 : tensor<64x128xf32>) outs(%t : tensor<128x64xf32>) permutation = [1, 0]
  %2 = linalg.matmul ins(%x, %1 : tensor<?x128xf32>, tensor<128x64xf32>) outs(%acc : tensor<?x64xf32>) -> tensor<?x64xf32>
  return %2 : tensor<?x64xf32>
}

// Plain weights of fewer than 32 rows are in no tiles and are not fused, so compressed ones have to stay as written, too.
// CHECK-LABEL: func @few_rows(
// CHECK:         ecf8.contract {{.*}} scale
// CHECK-NOT:     scales_sums
// CHECK:         return
func.func @few_rows(%x: tensor<?x128xf32>, %c: !ecf8.compressed<31x128xf8E4M3FN, #ecf8.huffman>, %s: f32,
                    %acc: tensor<?x31xf32>) -> tensor<?x31xf32> {
  %w = ecf8.decode %c : !ecf8.compressed<31x128xf8E4M3FN, #ecf8.huffman>
  %e = tensor.empty() : tensor<31x128xf32>
  %0 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel"]}
      ins(%w : tensor<31x128xf8E4M3FN>) outs(%e : tensor<31x128xf32>) {
  ^bb0(%in: f8E4M3FN, %out: f32):
    %a = arith.extf %in : f8E4M3FN to f32
    %v = arith.mulf %a, %s : f32
    linalg.yield %v : f32
  } -> tensor<31x128xf32>
  %t = tensor.empty() : tensor<128x31xf32>
  %1 = linalg.transpose ins(%0 : tensor<31x128xf32>) outs(%t : tensor<128x31xf32>) permutation = [1, 0]
  %2 = linalg.matmul ins(%x, %1 : tensor<?x128xf32>, tensor<128x31xf32>) outs(%acc : tensor<?x31xf32>) -> tensor<?x31xf32>
  return %2 : tensor<?x31xf32>
}
