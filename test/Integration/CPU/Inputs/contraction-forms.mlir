// One weight of 160 x 300 in the forms that front ends give: its scales repeated for ragged blocks of 128 x 128, the weight
// repeated for each matrix of a batch, activations and results in other orders.

#id2 = affine_map<(d0, d1) -> (d0, d1)>
#x = affine_map<(m, n, k) -> (m, k)>
#w = affine_map<(m, n, k) -> (n, k)>
#y = affine_map<(m, n, k) -> (m, n)>
#id4 = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>
!weight = tensor<160x300xf8E4M3FN>
!wide = tensor<160x300xf32>

// repeat_interleave along both dimensions.
func.func @repeated(%x: tensor<?x300xf32>, %acc: tensor<?x160xf32>, %weight: !weight {ecf8.weight = "w"}, %scale: tensor<2x3xf32> {ecf8.weight = "s"}) -> tensor<?x160xf32> {
  %e0 = tensor.empty() : tensor<2x128x3xf32>
  %r0 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d2)>, affine_map<(d0, d1, d2) -> (d0, d1, d2)>], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%scale : tensor<2x3xf32>) outs(%e0 : tensor<2x128x3xf32>) {
  ^bb0(%in: f32, %o: f32):
    linalg.yield %in : f32
  } -> tensor<2x128x3xf32>
  %c0 = tensor.collapse_shape %r0 [[0, 1], [2]] : tensor<2x128x3xf32> into tensor<256x3xf32>
  %s0 = tensor.extract_slice %c0[0, 0] [160, 3] [1, 1] : tensor<256x3xf32> to tensor<160x3xf32>
  %e1 = tensor.empty() : tensor<160x3x128xf32>
  %r1 = linalg.broadcast ins(%s0 : tensor<160x3xf32>) outs(%e1 : tensor<160x3x128xf32>) dimensions = [2]
  %c1 = tensor.collapse_shape %r1 [[0], [1, 2]] : tensor<160x3x128xf32> into tensor<160x384xf32>
  %s1 = tensor.extract_slice %c1[0, 0] [160, 300] [1, 1] : tensor<160x384xf32> to !wide
  %e2 = tensor.empty() : !wide
  %g = linalg.generic {indexing_maps = [#id2, #id2, #id2], iterator_types = ["parallel", "parallel"]} ins(%weight, %s1 : !weight, !wide) outs(%e2 : !wide) {
  ^bb0(%in: f8E4M3FN, %s: f32, %o: f32):
    %a = arith.extf %in : f8E4M3FN to f32
    %v = arith.mulf %a, %s : f32
    linalg.yield %v : f32
  } -> !wide
  %r = linalg.matmul indexing_maps = [#x, #w, #y] ins(%x, %g : tensor<?x300xf32>, !wide) outs(%acc : tensor<?x160xf32>) -> tensor<?x160xf32>
  return %r : tensor<?x160xf32>
}

// The weight padded to whole blocks, scaled, and cut again.
func.func @padded(%x: tensor<?x300xf32>, %acc: tensor<?x160xf32>, %weight: !weight {ecf8.weight = "w"}, %scale: tensor<2x3xf32> {ecf8.weight = "s"}) -> tensor<?x160xf32> {
  %zero = arith.constant 0.0 : f32
  %a = arith.extf %weight : !weight to !wide
  %p = tensor.pad %a low[0, 0] high[96, 84] {
  ^bb0(%i: index, %j: index):
    tensor.yield %zero : f32
  } : !wide to tensor<256x384xf32>
  %b = tensor.expand_shape %p [[0, 1], [2, 3]] output_shape [2, 128, 3, 128] : tensor<256x384xf32> into tensor<2x128x3x128xf32>
  %s4 = tensor.expand_shape %scale [[0], [1, 2, 3]] output_shape [2, 1, 3, 1] : tensor<2x3xf32> into tensor<2x1x3x1xf32>
  %e = tensor.empty() : tensor<2x128x3x128xf32>
  %g = linalg.generic {indexing_maps = [#id4, affine_map<(d0, d1, d2, d3) -> (d0, 0, d2, 0)>, #id4], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%b, %s4 : tensor<2x128x3x128xf32>, tensor<2x1x3x1xf32>) outs(%e : tensor<2x128x3x128xf32>) {
  ^bb0(%in: f32, %s: f32, %o: f32):
    %v = arith.mulf %in, %s : f32
    linalg.yield %v : f32
  } -> tensor<2x128x3x128xf32>
  %j = tensor.collapse_shape %g [[0, 1], [2, 3]] : tensor<2x128x3x128xf32> into tensor<256x384xf32>
  %c = tensor.extract_slice %j[0, 0] [160, 300] [1, 1] : tensor<256x384xf32> to !wide
  %r = linalg.matmul indexing_maps = [#x, #w, #y] ins(%x, %c : tensor<?x300xf32>, !wide) outs(%acc : tensor<?x160xf32>) -> tensor<?x160xf32>
  return %r : tensor<?x160xf32>
}

// One scale for each row, the second of two tensors that lie in one, in bf16; rounded to the activations' bf16.
func.func @stacked(%x: tensor<?x300xbf16>, %acc: tensor<?x160xf32>, %weight: !weight {ecf8.weight = "w"}, %scale: tensor<2x160xbf16> {ecf8.weight = "rows"}) -> tensor<?x160xf32> {
  %e0 = tensor.empty() : tensor<2x160x300xf32>
  %r0 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d1)>, affine_map<(d0, d1, d2) -> (d0, d1, d2)>], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%scale : tensor<2x160xbf16>) outs(%e0 : tensor<2x160x300xf32>) {
  ^bb0(%in: bf16, %o: f32):
    %v = arith.extf %in : bf16 to f32
    linalg.yield %v : f32
  } -> tensor<2x160x300xf32>
  %s0 = tensor.extract_slice %r0[1, 0, 0] [1, 160, 300] [1, 1, 1] : tensor<2x160x300xf32> to !wide
  %e1 = tensor.empty() : tensor<160x300xbf16>
  %g = linalg.generic {indexing_maps = [#id2, #id2, #id2], iterator_types = ["parallel", "parallel"]} ins(%weight, %s0 : !weight, !wide) outs(%e1 : tensor<160x300xbf16>) {
  ^bb0(%in: f8E4M3FN, %s: f32, %o: bf16):
    %a = arith.extf %in : f8E4M3FN to f32
    %b = arith.mulf %a, %s : f32
    %v = arith.truncf %b : f32 to bf16
    linalg.yield %v : bf16
  } -> tensor<160x300xbf16>
  %r = linalg.matmul indexing_maps = [#x, #w, #y] ins(%x, %g : tensor<?x300xbf16>, tensor<160x300xbf16>) outs(%acc : tensor<?x160xf32>) -> tensor<?x160xf32>
  return %r : tensor<?x160xf32>
}

// A matmul for each matrix of a batch, the weight repeated for each.
func.func @batches(%x: tensor<?x3x300xf32>, %acc: tensor<?x3x160xf32>, %weight: !weight {ecf8.weight = "w"}) -> tensor<?x3x160xf32> {
  %zero = arith.constant 0 : index
  %batch = tensor.dim %x, %zero : tensor<?x3x300xf32>
  %a = arith.extf %weight : !weight to !wide
  %e = tensor.empty(%batch) : tensor<?x160x300xf32>
  %b = linalg.broadcast ins(%a : !wide) outs(%e : tensor<?x160x300xf32>) dimensions = [0]
  %r = linalg.batch_matmul indexing_maps = [affine_map<(b, m, n, k) -> (b, m, k)>, affine_map<(b, m, n, k) -> (b, n, k)>, affine_map<(b, m, n, k) -> (b, m, n)>]
      ins(%x, %b : tensor<?x3x300xf32>, tensor<?x160x300xf32>) outs(%acc : tensor<?x3x160xf32>) -> tensor<?x3x160xf32>
  return %r : tensor<?x3x160xf32>
}

// The weight as the left operand of a matmul for each matrix, so that all is stored by columns.
func.func @columns(%x: tensor<?x300x3xf32>, %acc: tensor<?x160x3xf32>, %weight: !weight {ecf8.weight = "w"}) -> tensor<?x160x3xf32> {
  %zero = arith.constant 0 : index
  %batch = tensor.dim %x, %zero : tensor<?x300x3xf32>
  %a = arith.extf %weight : !weight to !wide
  %e = tensor.empty(%batch) : tensor<?x160x300xf32>
  %b = linalg.broadcast ins(%a : !wide) outs(%e : tensor<?x160x300xf32>) dimensions = [0]
  %r = linalg.batch_matmul ins(%b, %x : tensor<?x160x300xf32>, tensor<?x300x3xf32>) outs(%acc : tensor<?x160x3xf32>) -> tensor<?x160x3xf32>
  return %r : tensor<?x160x3xf32>
}

// One scale for each row; the product is rounded to bf16, and both factors are extended to f32.
func.func @extended(%x: tensor<?x300xbf16>, %acc: tensor<?x160xf32>, %weight: !weight {ecf8.weight = "w"}, %scale: tensor<160xbf16> {ecf8.weight = "row"}) -> tensor<?x160xf32> {
  %e = tensor.empty() : tensor<160x300xbf16>
  %g = linalg.generic {indexing_maps = [#id2, affine_map<(d0, d1) -> (d0)>, #id2], iterator_types = ["parallel", "parallel"]} ins(%weight, %scale : !weight, tensor<160xbf16>) outs(%e : tensor<160x300xbf16>) {
  ^bb0(%in: f8E4M3FN, %s: bf16, %o: bf16):
    %a = arith.extf %in : f8E4M3FN to bf16
    %v = arith.mulf %a, %s : bf16
    linalg.yield %v : bf16
  } -> tensor<160x300xbf16>
  %h = arith.extf %g : tensor<160x300xbf16> to !wide
  %z = arith.extf %x : tensor<?x300xbf16> to tensor<?x300xf32>
  %r = linalg.matmul indexing_maps = [#x, #w, #y] ins(%z, %h : tensor<?x300xf32>, !wide) outs(%acc : tensor<?x160xf32>) -> tensor<?x160xf32>
  return %r : tensor<?x160xf32>
}

// A weight of one row, with three scales.
func.func @one_row(%x: tensor<?x300xf32>, %acc: tensor<?x1xf32>, %weight: tensor<1x300xf8E4M3FN> {ecf8.weight = "head"}, %scale: tensor<3xf32> {ecf8.weight = "parts"}) -> tensor<?x1xf32> {
  %e = tensor.empty() : tensor<1x300xf32>
  %g = linalg.generic {indexing_maps = [#id2, affine_map<(d0, d1) -> (d1 floordiv 128)>, #id2], iterator_types = ["parallel", "parallel"]} ins(%weight, %scale : tensor<1x300xf8E4M3FN>, tensor<3xf32>) outs(%e : tensor<1x300xf32>) {
  ^bb0(%in: f8E4M3FN, %s: f32, %o: f32):
    %a = arith.extf %in : f8E4M3FN to f32
    %v = arith.mulf %a, %s : f32
    linalg.yield %v : f32
  } -> tensor<1x300xf32>
  %r = linalg.matmul indexing_maps = [#x, #w, #y] ins(%x, %g : tensor<?x300xf32>, tensor<1x300xf32>) outs(%acc : tensor<?x1xf32>) -> tensor<?x1xf32>
  return %r : tensor<?x1xf32>
}

// Scales repeated by named ops and multiplied as tensors.
func.func @products(%x: tensor<?x300xf32>, %acc: tensor<?x160xf32>, %weight: !weight {ecf8.weight = "w"}, %scale: tensor<160xbf16> {ecf8.weight = "row"}) -> tensor<?x160xf32> {
  %a = arith.extf %weight : !weight to !wide
  %s = arith.extf %scale : tensor<160xbf16> to tensor<160xf32>
  %e = tensor.empty() : !wide
  %r = linalg.broadcast ins(%s : tensor<160xf32>) outs(%e : !wide) dimensions = [1]
  %p = arith.mulf %r, %a : !wide
  %c = tensor.cast %p : !wide to tensor<?x300xf32>
  %y = linalg.matmul indexing_maps = [#x, #w, #y] ins(%x, %c : tensor<?x300xf32>, tensor<?x300xf32>) outs(%acc : tensor<?x160xf32>) -> tensor<?x160xf32>
  return %y : tensor<?x160xf32>
}

// The same activations for each row of the result.
func.func @one_for_all(%x: tensor<300xf32>, %acc: tensor<?x160xf32>, %weight: !weight {ecf8.weight = "w"}) -> tensor<?x160xf32> {
  %a = arith.extf %weight : !weight to !wide
  %y = linalg.matmul indexing_maps = [affine_map<(m, n, k) -> (k)>, #w, #y] ins(%x, %a : tensor<300xf32>, !wide) outs(%acc : tensor<?x160xf32>) -> tensor<?x160xf32>
  return %y : tensor<?x160xf32>
}

// A scale for all weights in f32, rounded to the type of the product.
func.func @rounded_scale(%x: tensor<?x300xbf16>, %acc: tensor<?x160xf32>, %weight: !weight {ecf8.weight = "w"}, %scale: tensor<f32> {ecf8.weight = "one"}) -> tensor<?x160xf32> {
  %e = tensor.empty() : tensor<160x300xbf16>
  %g = linalg.generic {indexing_maps = [#id2, affine_map<(d0, d1) -> ()>, #id2], iterator_types = ["parallel", "parallel"]} ins(%weight, %scale : !weight, tensor<f32>) outs(%e : tensor<160x300xbf16>) {
  ^bb0(%in: f8E4M3FN, %s: f32, %o: bf16):
    %a = arith.extf %in : f8E4M3FN to bf16
    %t = arith.truncf %s : f32 to bf16
    %v = arith.mulf %a, %t : bf16
    linalg.yield %v : bf16
  } -> tensor<160x300xbf16>
  %r = linalg.matmul indexing_maps = [#x, #w, #y] ins(%x, %g : tensor<?x300xbf16>, tensor<160x300xbf16>) outs(%acc : tensor<?x160xf32>) -> tensor<?x160xf32>
  return %r : tensor<?x160xf32>
}
