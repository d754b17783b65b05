// One weight and its readers with activations in FP8, scales of blocks of the weight applied to sums: the kernels for
// W8A8 that benchmarks/gpu counts and measures, for each codec.
#x = affine_map<(m, n, k) -> (m, k)>
#w = affine_map<(m, n, k) -> (n, k)>
#y = affine_map<(m, n, k) -> (m, n)>
#id = affine_map<(n, k) -> (n, k)>
#block = affine_map<(n, k) -> (0, k floordiv 128)>
func.func @products(%x: tensor<?x1024xf8E4M3FN>, %s: tensor<1x8xf32>, %w: tensor<64x1024xf8E4M3FN> {ecf8.weight = "w"},
    %v: tensor<64x1024xf8E4M3FN> {ecf8.weight = "v"}) -> (tensor<?x64xf32>, tensor<?x64xf32>) {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %m = tensor.dim %x, %c0 : tensor<?x1024xf8E4M3FN>
  %empty = tensor.empty(%m) : tensor<?x64xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<?x64xf32>) -> tensor<?x64xf32>
  %a = arith.extf %x : tensor<?x1024xf8E4M3FN> to tensor<?x1024xf32>
  %b = arith.extf %w : tensor<64x1024xf8E4M3FN> to tensor<64x1024xf32>
  %y = linalg.matmul indexing_maps = [#x, #w, #y]
      ins(%a, %b : tensor<?x1024xf32>, tensor<64x1024xf32>) outs(%init : tensor<?x64xf32>) -> tensor<?x64xf32>
  %c = arith.extf %v : tensor<64x1024xf8E4M3FN> to tensor<64x1024xf32>
  %e = tensor.empty() : tensor<64x1024xf32>
  %d = linalg.generic {indexing_maps = [#id, #block, #id], iterator_types = ["parallel", "parallel"]}
      ins(%c, %s : tensor<64x1024xf32>, tensor<1x8xf32>) outs(%e : tensor<64x1024xf32>) {
  ^bb0(%in: f32, %scale: f32, %out: f32):
    %p = arith.mulf %in, %scale : f32
    linalg.yield %p : f32
  } -> tensor<64x1024xf32>
  %z = linalg.matmul indexing_maps = [#x, #w, #y]
      ins(%a, %d : tensor<?x1024xf32>, tensor<64x1024xf32>) outs(%init : tensor<?x64xf32>) -> tensor<?x64xf32>
  return %y, %z : tensor<?x64xf32>, tensor<?x64xf32>
}
