// RUN: ecf8-opt %s -ecf8-fuse-decode -canonicalize -split-input-file | FileCheck %s

#map = affine_map<(d0, d1) -> (d0, d1)>
#row = affine_map<(d0, d1) -> (d0, 0)>

// What torch-mlir makes of a linear layer with one scale for each row.
// CHECK-LABEL: func @channel_scale(
// CHECK-SAME:    %[[X:.*]]: tensor<?x128xf32>, %[[W:.*]]: !ecf8.compressed<{{.*}}>, %[[S:.*]]: tensor<64x1xf32>, %[[ACC:.*]]: tensor<?x64xf32>)
// CHECK-NEXT:    %[[R:.*]] = ecf8.contract ins(%[[X]], %[[W]] : tensor<?x128xf32>, !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>)
// CHECK-SAME:      scale(%[[S]] : tensor<64x1xf32>) block [1, 128] outs(%[[ACC]] : tensor<?x64xf32>) -> tensor<?x64xf32>
// CHECK-NEXT:    return %[[R]]
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

// -----

#map = affine_map<(d0, d1) -> (d0, d1)>
#none = affine_map<(d0, d1) -> ()>

// Extension, a scale for the tensor and the rounding in one op; bf16 activations.
// CHECK-LABEL: func @tensor_scale_rounded(
// CHECK:         %[[S:.*]] = tensor.expand_shape %{{.*}} [] output_shape [1, 1] : tensor<f32> into tensor<1x1xf32>
// CHECK-NEXT:    ecf8.contract ins({{.*}} : tensor<4x128xbf16>, {{.*}}) scale(%[[S]] : tensor<1x1xf32>) block [64, 128]
func.func @tensor_scale_rounded(%x: tensor<4x128xbf16>, %c: !ecf8.compressed<64x128xf8E5M2, #ecf8.huffman>,
                                %s: tensor<f32>, %acc: tensor<4x64xf32>) -> tensor<4x64xf32> {
  %w = ecf8.decode %c : !ecf8.compressed<64x128xf8E5M2, #ecf8.huffman>
  %e = tensor.empty() : tensor<128x64xbf16>
  %0 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d1, d0)>, #none, #map], iterator_types = ["parallel", "parallel"]}
      ins(%w, %s : tensor<64x128xf8E5M2>, tensor<f32>) outs(%e : tensor<128x64xbf16>) {
  ^bb0(%in: f8E5M2, %scale: f32, %out: bf16):
    %a = arith.extf %in : f8E5M2 to f32
    %b = arith.mulf %scale, %a : f32
    %d = arith.truncf %b : f32 to bf16
    linalg.yield %d : bf16
  } -> tensor<128x64xbf16>
  %3 = linalg.matmul ins(%x, %0 : tensor<4x128xbf16>, tensor<128x64xbf16>) outs(%acc : tensor<4x64xf32>) -> tensor<4x64xf32>
  return %3 : tensor<4x64xf32>
}

// -----

// Block scales as the view, multiply, view of checkpoint loaders.
// CHECK-LABEL: func @block_scale(
// CHECK:         ecf8.contract {{.*}} scale(%{{.*}} : tensor<2x3xf32>) block [64, 128]
// CHECK-NOT:     ecf8.decode
func.func @block_scale(%x: tensor<1x384xf32>, %c: !ecf8.compressed<128x384xf8E4M3FN, #ecf8.huffman>,
                       %s: tensor<2x3xf32>, %acc: tensor<1x128xf32>) -> tensor<1x128xf32> {
  %w = ecf8.decode %c : !ecf8.compressed<128x384xf8E4M3FN, #ecf8.huffman>
  %e = tensor.empty() : tensor<128x384xf32>
  %0 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>],
                       iterator_types = ["parallel", "parallel"]}
      ins(%w : tensor<128x384xf8E4M3FN>) outs(%e : tensor<128x384xf32>) {
  ^bb0(%in: f8E4M3FN, %out: f32):
    %v = arith.extf %in : f8E4M3FN to f32
    linalg.yield %v : f32
  } -> tensor<128x384xf32>
  %1 = tensor.expand_shape %0 [[0, 1], [2, 3]] output_shape [2, 64, 3, 128] : tensor<128x384xf32> into tensor<2x64x3x128xf32>
  %s4 = tensor.expand_shape %s [[0, 1], [2, 3]] output_shape [2, 1, 3, 1] : tensor<2x3xf32> into tensor<2x1x3x1xf32>
  %f = tensor.empty() : tensor<2x64x3x128xf32>
  %2 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>,
                                        affine_map<(d0, d1, d2, d3) -> (d0, 0, d2, 0)>,
                                        affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>],
                       iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%1, %s4 : tensor<2x64x3x128xf32>, tensor<2x1x3x1xf32>) outs(%f : tensor<2x64x3x128xf32>) {
  ^bb0(%in: f32, %scale: f32, %out: f32):
    %v = arith.mulf %in, %scale : f32
    linalg.yield %v : f32
  } -> tensor<2x64x3x128xf32>
  %3 = tensor.collapse_shape %2 [[0, 1], [2, 3]] : tensor<2x64x3x128xf32> into tensor<128x384xf32>
  %t = tensor.empty() : tensor<384x128xf32>
  %4 = linalg.transpose ins(%3 : tensor<128x384xf32>) outs(%t : tensor<384x128xf32>) permutation = [1, 0]
  %5 = linalg.matmul ins(%x, %4 : tensor<1x384xf32>, tensor<384x128xf32>) outs(%acc : tensor<1x128xf32>) -> tensor<1x128xf32>
  return %5 : tensor<1x128xf32>
}

// -----

// No scale, a transposed operand by indexing map, two readers: each gets its own contraction.
// CHECK-LABEL: func @two_readers(
// CHECK-COUNT-2: ecf8.contract
// CHECK-NOT:     ecf8.decode
func.func @two_readers(%x: tensor<2x128xf16>, %c: !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>,
                       %acc: tensor<2x64xf32>) -> (tensor<2x64xf32>, tensor<2x64xf32>) {
  %w = ecf8.decode %c : !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>
  %e = arith.extf %w : tensor<64x128xf8E4M3FN> to tensor<64x128xf16>
  %0 = linalg.matmul indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>]
      ins(%x, %e : tensor<2x128xf16>, tensor<64x128xf16>) outs(%acc : tensor<2x64xf32>) -> tensor<2x64xf32>
  %1 = linalg.matmul indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>]
      ins(%x, %e : tensor<2x128xf16>, tensor<64x128xf16>) outs(%0 : tensor<2x64xf32>) -> tensor<2x64xf32>
  return %0, %1 : tensor<2x64xf32>, tensor<2x64xf32>
}

// -----

// CHECK-LABEL: func @matvec(
// CHECK:         %[[X:.*]] = tensor.expand_shape %{{.*}} {{\[}}[0, 1]] output_shape [1, 128] : tensor<128xf32> into tensor<1x128xf32>
// CHECK:         %[[R:.*]] = ecf8.contract ins(%[[X]],
// CHECK:         tensor.collapse_shape %[[R]] {{\[}}[0, 1]] : tensor<1x64xf32> into tensor<64xf32>
func.func @matvec(%x: tensor<128xf32>, %c: !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>, %acc: tensor<64xf32>) -> tensor<64xf32> {
  %w = ecf8.decode %c : !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>
  %e = arith.extf %w : tensor<64x128xf8E4M3FN> to tensor<64x128xf32>
  %0 = linalg.matvec ins(%e, %x : tensor<64x128xf32>, tensor<128xf32>) outs(%acc : tensor<64xf32>) -> tensor<64xf32>
  return %0 : tensor<64xf32>
}

// -----

// Activations of rank 3, the weight itself as the operand.
// CHECK-LABEL: func @generic_of_rank_3(
// CHECK:         %[[X:.*]] = tensor.collapse_shape %{{.*}} {{\[}}[0, 1], [2]] : tensor<?x?x128xf32> into tensor<?x128xf32>
// CHECK:         %[[R:.*]] = ecf8.contract ins(%[[X]],
// CHECK:         tensor.expand_shape %[[R]] {{\[}}[0, 1], [2]] {{.*}} : tensor<?x64xf32> into tensor<?x?x64xf32>
func.func @generic_of_rank_3(%x: tensor<?x?x128xf32>, %c: !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>,
                             %acc: tensor<?x?x64xf32>) -> tensor<?x?x64xf32> {
  %w = ecf8.decode %c : !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>
  %0 = linalg.generic {indexing_maps = [affine_map<(b, m, n, k) -> (b, m, k)>, affine_map<(b, m, n, k) -> (n, k)>,
                                        affine_map<(b, m, n, k) -> (b, m, n)>],
                       iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%x, %w : tensor<?x?x128xf32>, tensor<64x128xf8E4M3FN>) outs(%acc : tensor<?x?x64xf32>) {
  ^bb0(%a: f32, %b: f8E4M3FN, %o: f32):
    %v = arith.extf %b : f8E4M3FN to f32
    %p = arith.mulf %a, %v : f32
    %s = arith.addf %o, %p : f32
    linalg.yield %s : f32
  } -> tensor<?x?x64xf32>
  return %0 : tensor<?x?x64xf32>
}
