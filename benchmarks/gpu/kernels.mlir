// One weight and its readers: the kernels that benchmarks/gpu counts and measures, for each codec.
func.func @products(%half: tensor<?x1024xf16>, %brain: tensor<?x1024xbf16>, %w: tensor<64x1024xf8E4M3FN> {ecf8.weight = "w"},
    %v: tensor<64x1024xf8E4M3FN> {ecf8.weight = "v"}) -> (tensor<?x64xf32>, tensor<?x64xf32>, tensor<64x1024xf8E4M3FN>) {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %m = tensor.dim %half, %c0 : tensor<?x1024xf16>
  %empty = tensor.empty(%m) : tensor<?x64xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<?x64xf32>) -> tensor<?x64xf32>
  %w16 = arith.extf %w : tensor<64x1024xf8E4M3FN> to tensor<64x1024xf16>
  %y = linalg.matmul indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>]
      ins(%half, %w16 : tensor<?x1024xf16>, tensor<64x1024xf16>) outs(%init : tensor<?x64xf32>) -> tensor<?x64xf32>
  %mb = tensor.dim %brain, %c0 : tensor<?x1024xbf16>
  %emptyb = tensor.empty(%mb) : tensor<?x64xf32>
  %initb = linalg.fill ins(%zero : f32) outs(%emptyb : tensor<?x64xf32>) -> tensor<?x64xf32>
  %wb = arith.extf %w : tensor<64x1024xf8E4M3FN> to tensor<64x1024xbf16>
  %z = linalg.matmul indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>]
      ins(%brain, %wb : tensor<?x1024xbf16>, tensor<64x1024xbf16>) outs(%initb : tensor<?x64xf32>) -> tensor<?x64xf32>
  return %y, %z, %v : tensor<?x64xf32>, tensor<?x64xf32>, tensor<64x1024xf8E4M3FN>
}
