// Weights with scales, of rows and of blocks of 128 columns, and activations in f16, and blocks in bf16: the kernels that
// benchmarks/gpu counts with scales applied to sums and, as written here, to weights.
#x = affine_map<(m, n, k) -> (m, k)>
#w = affine_map<(m, n, k) -> (n, k)>
#y = affine_map<(m, n, k) -> (m, n)>
#id = affine_map<(n, k) -> (n, k)>
#row = affine_map<(n, k) -> (n, 0)>
#block = affine_map<(n, k) -> (0, k floordiv 128)>
func.func @products(%x: tensor<?x1024xf16>, %rows: tensor<64x1xf32>, %blocks: tensor<1x8xf32>,
    %w: tensor<64x1024xf8E4M3FN> {ecf8.weight = "w"},
    %v: tensor<64x1024xf8E4M3FN> {ecf8.weight = "v"}) -> (tensor<?x64xf32>, tensor<?x64xf32>) {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %m = tensor.dim %x, %c0 : tensor<?x1024xf16>
  %empty = tensor.empty(%m) : tensor<?x64xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<?x64xf32>) -> tensor<?x64xf32>
  %e = tensor.empty() : tensor<64x1024xf16>
  %a = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel"]}
      ins(%w, %rows : tensor<64x1024xf8E4M3FN>, tensor<64x1xf32>) outs(%e : tensor<64x1024xf16>) {
  ^bb0(%in: f8E4M3FN, %scale: f32, %out: f16):
    %f = arith.extf %in : f8E4M3FN to f32
    %p = arith.mulf %f, %scale : f32
    %h = arith.truncf %p : f32 to f16
    linalg.yield %h : f16
  } -> tensor<64x1024xf16>
  %y = linalg.matmul indexing_maps = [#x, #w, #y]
      ins(%x, %a : tensor<?x1024xf16>, tensor<64x1024xf16>) outs(%init : tensor<?x64xf32>) -> tensor<?x64xf32>
  %b = linalg.generic {indexing_maps = [#id, #block, #id], iterator_types = ["parallel", "parallel"]}
      ins(%v, %blocks : tensor<64x1024xf8E4M3FN>, tensor<1x8xf32>) outs(%e : tensor<64x1024xf16>) {
  ^bb0(%in: f8E4M3FN, %scale: f32, %out: f16):
    %f = arith.extf %in : f8E4M3FN to f32
    %p = arith.mulf %f, %scale : f32
    %h = arith.truncf %p : f32 to f16
    linalg.yield %h : f16
  } -> tensor<64x1024xf16>
  %z = linalg.matmul indexing_maps = [#x, #w, #y]
      ins(%x, %b : tensor<?x1024xf16>, tensor<64x1024xf16>) outs(%init : tensor<?x64xf32>) -> tensor<?x64xf32>
  return %y, %z : tensor<?x64xf32>, tensor<?x64xf32>
}

func.func @products_bf16(%x: tensor<?x1024xbf16>, %blocks: tensor<1x8xf32>,
    %v: tensor<64x1024xf8E4M3FN> {ecf8.weight = "v"}) -> tensor<?x64xf32> {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %m = tensor.dim %x, %c0 : tensor<?x1024xbf16>
  %empty = tensor.empty(%m) : tensor<?x64xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<?x64xf32>) -> tensor<?x64xf32>
  %e = tensor.empty() : tensor<64x1024xbf16>
  %b = linalg.generic {indexing_maps = [#id, #block, #id], iterator_types = ["parallel", "parallel"]}
      ins(%v, %blocks : tensor<64x1024xf8E4M3FN>, tensor<1x8xf32>) outs(%e : tensor<64x1024xbf16>) {
  ^bb0(%in: f8E4M3FN, %scale: f32, %out: bf16):
    %f = arith.extf %in : f8E4M3FN to f32
    %p = arith.mulf %f, %scale : f32
    %h = arith.truncf %p : f32 to bf16
    linalg.yield %h : bf16
  } -> tensor<64x1024xbf16>
  %z = linalg.matmul indexing_maps = [#x, #w, #y]
      ins(%x, %b : tensor<?x1024xbf16>, tensor<64x1024xbf16>) outs(%init : tensor<?x64xf32>) -> tensor<?x64xf32>
  return %z : tensor<?x64xf32>
}
