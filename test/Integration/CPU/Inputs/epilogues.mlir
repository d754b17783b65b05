// Layers with elementwise ops behind them. ROWS is the number of the weight's rows, put in by epilogues.py.
#x = affine_map<(m, n, k) -> (m, k)>
#w = affine_map<(m, n, k) -> (n, k)>
#y = affine_map<(m, n, k) -> (m, n)>
#id = affine_map<(m, n) -> (m, n)>
#row = affine_map<(m, n) -> (n)>
#column = affine_map<(m, n) -> (m)>
!weight = tensor<ROWSx272xf8E4M3FN>
!wide = tensor<ROWSx272xf32>
!half = tensor<ROWSx272xbf16>
!x = tensor<?x272xf32>
!sums = tensor<?xROWSxf32>
!rounded = tensor<?xROWSxbf16>
!bias = tensor<ROWSxf32>

func.func @bias(%x: !x, %b: !bias, %w: !weight {ecf8.weight = "w"}) -> !sums {
  %c0 = arith.constant 0 : index
  %z0 = arith.constant 0.0 : f32
  %m = tensor.dim %x, %c0 : !x
  %e0 = tensor.empty(%m) : !sums
  %f = linalg.fill ins(%z0 : f32) outs(%e0 : !sums) -> !sums
  %v = arith.extf %w : !weight to !wide
  %y = linalg.matmul indexing_maps = [#x, #w, #y] ins(%x, %v : !x, !wide) outs(%f : !sums) -> !sums
  %z = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel"]} ins(%y, %b : !sums, !bias) outs(%f : !sums) {
  ^bb0(%in: f32, %t: f32, %o: f32):
    %0 = arith.addf %in, %t : f32
    linalg.yield %0 : f32
  } -> !sums
  return %z : !sums
}

// Bias, GELU, and a factor for each row of activations.
func.func @gelu(%x: !x, %b: !bias, %r: tensor<?xf32>, %w: !weight {ecf8.weight = "w"}) -> !sums {
  %c0 = arith.constant 0 : index
  %z0 = arith.constant 0.0 : f32
  %m = tensor.dim %x, %c0 : !x
  %e0 = tensor.empty(%m) : !sums
  %f = linalg.fill ins(%z0 : f32) outs(%e0 : !sums) -> !sums
  %half = arith.constant 0.5 : f32
  %one = arith.constant 1.0 : f32
  %root = arith.constant 0.70710678 : f32
  %v = arith.extf %w : !weight to !wide
  %y = linalg.matmul indexing_maps = [#x, #w, #y] ins(%x, %v : !x, !wide) outs(%f : !sums) -> !sums
  %a = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel"]} ins(%y, %b : !sums, !bias) outs(%f : !sums) {
  ^bb0(%in: f32, %t: f32, %o: f32):
    %0 = arith.addf %in, %t : f32
    linalg.yield %0 : f32
  } -> !sums
  %g = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%a : !sums) outs(%f : !sums) {
  ^bb0(%in: f32, %o: f32):
    %0 = arith.mulf %in, %root : f32
    %1 = math.erf %0 : f32
    %2 = arith.addf %1, %one : f32
    %3 = arith.mulf %2, %half : f32
    %4 = arith.mulf %in, %3 : f32
    linalg.yield %4 : f32
  } -> !sums
  %z = linalg.generic {indexing_maps = [#id, #column, #id], iterator_types = ["parallel", "parallel"]} ins(%g, %r : !sums, tensor<?xf32>) outs(%f : !sums) {
  ^bb0(%in: f32, %t: f32, %o: f32):
    %0 = arith.mulf %in, %t : f32
    linalg.yield %0 : f32
  } -> !sums
  return %z : !sums
}

// silu(gate) * up: exp, a division, and the sums of another contraction.
func.func @gated(%x: !x, %w: !weight {ecf8.weight = "w"}, %u: !weight {ecf8.weight = "u"}) -> !sums {
  %c0 = arith.constant 0 : index
  %z0 = arith.constant 0.0 : f32
  %m = tensor.dim %x, %c0 : !x
  %e0 = tensor.empty(%m) : !sums
  %f = linalg.fill ins(%z0 : f32) outs(%e0 : !sums) -> !sums
  %one = arith.constant 1.0 : f32
  %v = arith.extf %w : !weight to !wide
  %gate = linalg.matmul indexing_maps = [#x, #w, #y] ins(%x, %v : !x, !wide) outs(%f : !sums) -> !sums
  %t = arith.extf %u : !weight to !wide
  %up = linalg.matmul indexing_maps = [#x, #w, #y] ins(%x, %t : !x, !wide) outs(%f : !sums) -> !sums
  %s = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%gate : !sums) outs(%f : !sums) {
  ^bb0(%in: f32, %o: f32):
    %0 = arith.negf %in : f32
    %1 = math.exp %0 : f32
    %2 = arith.addf %1, %one : f32
    %3 = arith.divf %in, %2 : f32
    linalg.yield %3 : f32
  } -> !sums
  %z = arith.mulf %s, %up : !sums
  return %z : !sums
}

// What PyTorch does in bf16: round, add the bias, round, add the residual, round. The weight has a scale for each row.
func.func @residual(%x: tensor<?x272xbf16>, %b: tensor<ROWSxbf16>, %d: !rounded, %w: !weight {ecf8.weight = "w"}, %s: tensor<ROWSx1xf32> {ecf8.weight = "s"}) -> !rounded {
  %c0 = arith.constant 0 : index
  %z0 = arith.constant 0.0 : f32
  %m = tensor.dim %x, %c0 : tensor<?x272xbf16>
  %e0 = tensor.empty(%m) : !sums
  %f = linalg.fill ins(%z0 : f32) outs(%e0 : !sums) -> !sums
  %e = tensor.empty() : !half
  %v = linalg.generic {indexing_maps = [#id, affine_map<(m, n) -> (m, 0)>, #id], iterator_types = ["parallel", "parallel"]} ins(%w, %s : !weight, tensor<ROWSx1xf32>) outs(%e : !half) {
  ^bb0(%in: f8E4M3FN, %t: f32, %o: bf16):
    %0 = arith.extf %in : f8E4M3FN to f32
    %1 = arith.mulf %0, %t : f32
    %2 = arith.truncf %1 : f32 to bf16
    linalg.yield %2 : bf16
  } -> !half
  %y = linalg.matmul indexing_maps = [#x, #w, #y] ins(%x, %v : tensor<?x272xbf16>, !half) outs(%f : !sums) -> !sums
  %r = arith.truncf %y : !sums to !rounded
  %a = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel"]} ins(%r, %b : !rounded, tensor<ROWSxbf16>) outs(%r : !rounded) {
  ^bb0(%in: bf16, %t: bf16, %o: bf16):
    %0 = arith.addf %in, %t : bf16
    linalg.yield %0 : bf16
  } -> !rounded
  %z = arith.addf %a, %d : !rounded
  return %z : !rounded
}

// The greater of the sums and a number, rounded to f16: NaN, zeros and overflow.
func.func @relu(%x: !x, %w: !weight {ecf8.weight = "w"}) -> tensor<?xROWSxf16> {
  %c0 = arith.constant 0 : index
  %z0 = arith.constant 0.0 : f32
  %m = tensor.dim %x, %c0 : !x
  %e0 = tensor.empty(%m) : !sums
  %f = linalg.fill ins(%z0 : f32) outs(%e0 : !sums) -> !sums
  %zero = arith.constant 0.0 : f32
  %v = arith.extf %w : !weight to !wide
  %y = linalg.matmul indexing_maps = [#x, #w, #y] ins(%x, %v : !x, !wide) outs(%f : !sums) -> !sums
  %g = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%y : !sums) outs(%f : !sums) {
  ^bb0(%in: f32, %o: f32):
    %0 = arith.cmpf ugt, %in, %zero : f32
    %1 = arith.select %0, %in, %zero : f32
    linalg.yield %1 : f32
  } -> !sums
  %z = arith.truncf %g : !sums to tensor<?xROWSxf16>
  return %z : tensor<?xROWSxf16>
}
