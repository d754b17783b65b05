// Experts of 96 x 192 in one weight: all on their own rows, all on the same rows, one of them by number, and the sum over
// a routing that is known when the program runs.

#x = affine_map<(m, n, k) -> (m, k)>
#w = affine_map<(m, n, k) -> (n, k)>
#y = affine_map<(m, n, k) -> (m, n)>
#id = affine_map<(e, n, k) -> (e, n, k)>
!weight = tensor<5x96x192xf8E4M3FN>
!wide = tensor<5x96x192xf32>

func.func @batched(%x: tensor<5x?x192xf32>, %acc: tensor<5x?x96xf32>, %weight: !weight {ecf8.weight = "w"}) -> tensor<5x?x96xf32> {
  %a = arith.extf %weight : !weight to !wide
  %e = tensor.empty() : tensor<5x192x96xf32>
  %t = linalg.transpose ins(%a : !wide) outs(%e : tensor<5x192x96xf32>) permutation = [0, 2, 1]
  %y = linalg.batch_matmul ins(%x, %t : tensor<5x?x192xf32>, tensor<5x192x96xf32>) outs(%acc : tensor<5x?x96xf32>) -> tensor<5x?x96xf32>
  return %y : tensor<5x?x96xf32>
}

// Blocks of 32 x 64 for each expert, rounded to bf16.
func.func @blocks(%x: tensor<5x?x192xbf16>, %acc: tensor<5x?x96xf32>, %weight: !weight {ecf8.weight = "w"}, %scale: tensor<5x3x3xf32> {ecf8.weight = "blocks"}) -> tensor<5x?x96xf32> {
  %e = tensor.empty() : tensor<5x96x192xbf16>
  %g = linalg.generic {indexing_maps = [#id, affine_map<(e, n, k) -> (e, n floordiv 32, k floordiv 64)>, #id], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%weight, %scale : !weight, tensor<5x3x3xf32>) outs(%e : tensor<5x96x192xbf16>) {
  ^bb0(%in: f8E4M3FN, %s: f32, %o: bf16):
    %a = arith.extf %in : f8E4M3FN to f32
    %b = arith.mulf %a, %s : f32
    %v = arith.truncf %b : f32 to bf16
    linalg.yield %v : bf16
  } -> tensor<5x96x192xbf16>
  %y = linalg.batch_matmul indexing_maps = [affine_map<(e, m, n, k) -> (e, m, k)>, affine_map<(e, m, n, k) -> (e, n, k)>, affine_map<(e, m, n, k) -> (e, m, n)>]
      ins(%x, %g : tensor<5x?x192xbf16>, tensor<5x96x192xbf16>) outs(%acc : tensor<5x?x96xf32>) -> tensor<5x?x96xf32>
  return %y : tensor<5x?x96xf32>
}

func.func @shared(%x: tensor<?x192xf32>, %acc: tensor<?x5x96xf32>, %weight: !weight {ecf8.weight = "w"}, %scale: tensor<5x96xf32> {ecf8.weight = "rows"}) -> tensor<?x5x96xf32> {
  %e = tensor.empty() : !wide
  %g = linalg.generic {indexing_maps = [#id, affine_map<(e, n, k) -> (e, n)>, #id], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%weight, %scale : !weight, tensor<5x96xf32>) outs(%e : !wide) {
  ^bb0(%in: f8E4M3FN, %s: f32, %o: f32):
    %a = arith.extf %in : f8E4M3FN to f32
    %v = arith.mulf %a, %s : f32
    linalg.yield %v : f32
  } -> !wide
  %y = linalg.generic {indexing_maps = [affine_map<(m, e, n, k) -> (m, k)>, affine_map<(m, e, n, k) -> (e, n, k)>, affine_map<(m, e, n, k) -> (m, e, n)>],
                       iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%x, %g : tensor<?x192xf32>, !wide) outs(%acc : tensor<?x5x96xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %p = arith.mulf %a, %b : f32
    %s = arith.addf %o, %p : f32
    linalg.yield %s : f32
  } -> tensor<?x5x96xf32>
  return %y : tensor<?x5x96xf32>
}

// Each expert whose gate is open adds to the sums.
func.func @routed(%x: tensor<?x192xf32>, %acc: tensor<?x96xf32>, %numbers: tensor<?xi64>, %weight: !weight {ecf8.weight = "w"}, %scale: tensor<5x96xf32> {ecf8.weight = "rows"}) -> tensor<?x96xf32> {
  %zero = arith.constant 0 : index
  %one = arith.constant 1 : index
  %count = tensor.dim %numbers, %zero : tensor<?xi64>
  %e = tensor.empty() : !wide
  %g = linalg.generic {indexing_maps = [#id, affine_map<(e, n, k) -> (e, n)>, #id], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%weight, %scale : !weight, tensor<5x96xf32>) outs(%e : !wide) {
  ^bb0(%in: f8E4M3FN, %s: f32, %o: f32):
    %a = arith.extf %in : f8E4M3FN to f32
    %v = arith.mulf %a, %s : f32
    linalg.yield %v : f32
  } -> !wide
  %r = scf.for %i = %zero to %count step %one iter_args(%sums = %acc) -> tensor<?x96xf32> {
    %number = tensor.extract %numbers[%i] : tensor<?xi64>
    %expert = arith.index_cast %number : i64 to index
    %own = tensor.extract_slice %g[%expert, 0, 0] [1, 96, 192] [1, 1, 1] : !wide to tensor<96x192xf32>
    %y = linalg.matmul indexing_maps = [#x, #w, #y] ins(%x, %own : tensor<?x192xf32>, tensor<96x192xf32>) outs(%sums : tensor<?x96xf32>) -> tensor<?x96xf32>
    scf.yield %y : tensor<?x96xf32>
  }
  return %r : tensor<?x96xf32>
}
