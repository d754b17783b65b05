// RUN: ecf8-opt %s -ecf8-tile-attention -canonicalize -cse -split-input-file | FileCheck %s

// Scores, softmax and the product with the values for 32 rows of one head; queries are scaled there, too, keys are not.
// One buffer holds scores, exponentials and quotients.
#keep = affine_map<(b, h, i, j) -> (b, h, i, 0)>
#all = affine_map<(b, h, i, j) -> (b, h, i, j)>
#moved = affine_map<(b, i, h, j) -> (b, h, i, j)>
// CHECK-LABEL: func @heads(
// CHECK-SAME:    %[[Q:.*]]: tensor<2x3x64x16xf32>, %[[K:.*]]: tensor<2x3x16x256xf32>, %[[V:.*]]: tensor<2x3x256x16xf32>)
// CHECK:         %[[OUT:.*]] = tensor.empty() : tensor<2x64x3x16xf32>
// CHECK:         scf.forall (%[[B:.*]], %[[H:.*]], %[[I:.*]]) = (0, 0, 0) to (2, 3, 64) step (1, 1, 32) shared_outs(%[[TO:.*]] = %[[OUT]])
// CHECK-NOT:       tensor<2x3x64x256xf32>
// CHECK:           tensor.extract_slice %[[Q]][%[[B]], %[[H]], %[[I]], 0] [1, 1, 32, 16]
// CHECK:           %[[EMPTY:.*]] = tensor.empty() : tensor<1x1x32x256xf32>
// CHECK:           %[[FILL:.*]] = linalg.fill {{.*}} outs(%[[EMPTY]]
// CHECK:           %[[SCORES:.*]] = linalg.generic {{.*}} outs(%[[FILL]]
// CHECK:           %[[MAX:.*]] = linalg.generic {{.*}} ins(%[[SCORES]] : tensor<1x1x32x256xf32>) outs(%{{.*}} : tensor<1x1x32xf32>)
// CHECK:           %[[EXP:.*]] = linalg.generic {{.*}} ins(%[[SCORES]], %[[MAX]] {{.*}} outs(%[[SCORES]] :
// CHECK:             math.exp
// CHECK:           %[[SUM:.*]] = linalg.generic {{.*}} ins(%[[EXP]] : tensor<1x1x32x256xf32>) outs(%{{.*}} : tensor<1x1x32xf32>)
// CHECK:           %[[P:.*]] = linalg.generic {{.*}} ins(%[[EXP]], %[[SUM]] {{.*}} outs(%[[EXP]] :
// CHECK:           %[[VALUES:.*]] = tensor.extract_slice %[[V]][%[[B]], %[[H]], 0, 0] [1, 1, 256, 16]
// CHECK:           linalg.generic {{.*}} ins(%[[P]], %[[VALUES]]
// CHECK:           tensor.parallel_insert_slice %{{.*}} into %[[TO]][%[[B]], %[[I]], %[[H]], 0] [1, 32, 1, 16]
// CHECK-NOT:     linalg.generic
// CHECK:         return
func.func @heads(%q: tensor<2x3x64x16xf32>, %k: tensor<2x3x16x256xf32>, %v: tensor<2x3x256x16xf32>)
    -> tensor<2x64x3x16xf32> {
  %zero = arith.constant 0.0 : f32
  %least = arith.constant 0xFF800000 : f32
  %q0 = tensor.collapse_shape %q [[0, 1], [2], [3]] : tensor<2x3x64x16xf32> into tensor<6x64x16xf32>
  %k0 = tensor.collapse_shape %k [[0, 1], [2], [3]] : tensor<2x3x16x256xf32> into tensor<6x16x256xf32>
  %v0 = tensor.collapse_shape %v [[0, 1], [2], [3]] : tensor<2x3x256x16xf32> into tensor<6x256x16xf32>
  %e0 = tensor.empty() : tensor<6x64x256xf32>
  %f0 = linalg.fill ins(%zero : f32) outs(%e0 : tensor<6x64x256xf32>) -> tensor<6x64x256xf32>
  %s0 = linalg.batch_matmul ins(%q0, %k0 : tensor<6x64x16xf32>, tensor<6x16x256xf32>) outs(%f0 : tensor<6x64x256xf32>)
      -> tensor<6x64x256xf32>
  %s = tensor.expand_shape %s0 [[0, 1], [2], [3]] output_shape [2, 3, 64, 256]
      : tensor<6x64x256xf32> into tensor<2x3x64x256xf32>
  %e1 = tensor.empty() : tensor<2x3x64x1xf32>
  %f1 = linalg.fill ins(%least : f32) outs(%e1 : tensor<2x3x64x1xf32>) -> tensor<2x3x64x1xf32>
  %max = linalg.generic {indexing_maps = [#all, #keep],
                         iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%s : tensor<2x3x64x256xf32>) outs(%f1 : tensor<2x3x64x1xf32>) {
  ^bb0(%in: f32, %out: f32):
    %0 = arith.maximumf %in, %out : f32
    linalg.yield %0 : f32
  } -> tensor<2x3x64x1xf32>
  %e2 = tensor.empty() : tensor<2x3x64x256xf32>
  %exp = linalg.generic {indexing_maps = [#all, #keep, #all],
                         iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%s, %max : tensor<2x3x64x256xf32>, tensor<2x3x64x1xf32>) outs(%e2 : tensor<2x3x64x256xf32>) {
  ^bb0(%in: f32, %m: f32, %out: f32):
    %0 = arith.subf %in, %m : f32
    %1 = math.exp %0 : f32
    linalg.yield %1 : f32
  } -> tensor<2x3x64x256xf32>
  %f2 = linalg.fill ins(%zero : f32) outs(%e1 : tensor<2x3x64x1xf32>) -> tensor<2x3x64x1xf32>
  %sum = linalg.generic {indexing_maps = [#all, #keep],
                         iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%exp : tensor<2x3x64x256xf32>) outs(%f2 : tensor<2x3x64x1xf32>) {
  ^bb0(%in: f32, %out: f32):
    %0 = arith.addf %in, %out : f32
    linalg.yield %0 : f32
  } -> tensor<2x3x64x1xf32>
  %p = linalg.generic {indexing_maps = [#all, #keep, #all],
                       iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%exp, %sum : tensor<2x3x64x256xf32>, tensor<2x3x64x1xf32>) outs(%e2 : tensor<2x3x64x256xf32>) {
  ^bb0(%in: f32, %d: f32, %out: f32):
    %0 = arith.divf %in, %d : f32
    linalg.yield %0 : f32
  } -> tensor<2x3x64x256xf32>
  %p0 = tensor.collapse_shape %p [[0, 1], [2], [3]] : tensor<2x3x64x256xf32> into tensor<6x64x256xf32>
  %e3 = tensor.empty() : tensor<6x64x16xf32>
  %f3 = linalg.fill ins(%zero : f32) outs(%e3 : tensor<6x64x16xf32>) -> tensor<6x64x16xf32>
  %o0 = linalg.batch_matmul ins(%p0, %v0 : tensor<6x64x256xf32>, tensor<6x256x16xf32>) outs(%f3 : tensor<6x64x16xf32>)
      -> tensor<6x64x16xf32>
  %o = tensor.expand_shape %o0 [[0, 1], [2], [3]] output_shape [2, 3, 64, 16]
      : tensor<6x64x16xf32> into tensor<2x3x64x16xf32>
  %e4 = tensor.empty() : tensor<2x64x3x16xf32>
  %r = linalg.generic {indexing_maps = [#moved, #all],
                       iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%o : tensor<2x3x64x16xf32>) outs(%e4 : tensor<2x64x3x16xf32>) {
  ^bb0(%in: f32, %out: f32):
    linalg.yield %in : f32
  } -> tensor<2x64x3x16xf32>
  return %r : tensor<2x64x3x16xf32>
}

// -----

// Long rows: blocks of 4, the last of which is shorter.
// CHECK-LABEL: func @long_rows(
// CHECK:         scf.forall (%[[I:.*]]) = (0) to (9) step (4)
// CHECK:           affine.min
// CHECK:           tensor.empty(%{{.*}}) : tensor<1x?x32768xf32>
func.func @long_rows(%q: tensor<1x9x16xf32>, %k: tensor<1x16x32768xf32>, %v: tensor<1x32768x16xf32>)
    -> tensor<1x9x16xf32> {
  %zero = arith.constant 0.0 : f32
  %e0 = tensor.empty() : tensor<1x9x32768xf32>
  %f0 = linalg.fill ins(%zero : f32) outs(%e0 : tensor<1x9x32768xf32>) -> tensor<1x9x32768xf32>
  %s = linalg.batch_matmul ins(%q, %k : tensor<1x9x16xf32>, tensor<1x16x32768xf32>)
      outs(%f0 : tensor<1x9x32768xf32>) -> tensor<1x9x32768xf32>
  %e1 = tensor.empty() : tensor<1x9x16xf32>
  %f1 = linalg.fill ins(%zero : f32) outs(%e1 : tensor<1x9x16xf32>) -> tensor<1x9x16xf32>
  %o = linalg.batch_matmul ins(%s, %v : tensor<1x9x32768xf32>, tensor<1x32768x16xf32>)
      outs(%f1 : tensor<1x9x16xf32>) -> tensor<1x9x16xf32>
  return %o : tensor<1x9x16xf32>
}

// -----

// Lengths that are not known.
// CHECK-LABEL: func @dynamic(
// CHECK:         scf.forall (%[[B:.*]], %[[I:.*]]) = (0, 0) to (%{{.*}}, %{{.*}}) step (1, 32)
// CHECK:           tensor.empty(%{{.*}}, %{{.*}}) : tensor<1x?x?xf32>
func.func @dynamic(%q: tensor<?x?x16xf32>, %k: tensor<?x16x?xf32>, %v: tensor<?x?x16xf32>) -> tensor<?x?x16xf32> {
  %zero = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %b = tensor.dim %q, %c0 : tensor<?x?x16xf32>
  %n = tensor.dim %q, %c1 : tensor<?x?x16xf32>
  %m = tensor.dim %v, %c1 : tensor<?x?x16xf32>
  %e0 = tensor.empty(%b, %n, %m) : tensor<?x?x?xf32>
  %f0 = linalg.fill ins(%zero : f32) outs(%e0 : tensor<?x?x?xf32>) -> tensor<?x?x?xf32>
  %s = linalg.batch_matmul ins(%q, %k : tensor<?x?x16xf32>, tensor<?x16x?xf32>) outs(%f0 : tensor<?x?x?xf32>)
      -> tensor<?x?x?xf32>
  %e1 = tensor.empty(%b, %n) : tensor<?x?x16xf32>
  %f1 = linalg.fill ins(%zero : f32) outs(%e1 : tensor<?x?x16xf32>) -> tensor<?x?x16xf32>
  %o = linalg.batch_matmul ins(%s, %v : tensor<?x?x?xf32>, tensor<?x?x16xf32>) outs(%f1 : tensor<?x?x16xf32>)
      -> tensor<?x?x16xf32>
  return %o : tensor<?x?x16xf32>
}

// -----

// Somebody else reads the scores: they are made as a whole.
// CHECK-LABEL: func @negative_scores_are_read(
// CHECK-NOT:     scf.forall
// CHECK:         return
func.func @negative_scores_are_read(%q: tensor<2x64x16xf32>, %k: tensor<2x16x256xf32>, %v: tensor<2x256x16xf32>)
    -> (tensor<2x64x16xf32>, tensor<2x64x256xf32>) {
  %zero = arith.constant 0.0 : f32
  %e0 = tensor.empty() : tensor<2x64x256xf32>
  %f0 = linalg.fill ins(%zero : f32) outs(%e0 : tensor<2x64x256xf32>) -> tensor<2x64x256xf32>
  %s = linalg.batch_matmul ins(%q, %k : tensor<2x64x16xf32>, tensor<2x16x256xf32>) outs(%f0 : tensor<2x64x256xf32>)
      -> tensor<2x64x256xf32>
  %e1 = tensor.empty() : tensor<2x64x16xf32>
  %f1 = linalg.fill ins(%zero : f32) outs(%e1 : tensor<2x64x16xf32>) -> tensor<2x64x16xf32>
  %o = linalg.batch_matmul ins(%s, %v : tensor<2x64x256xf32>, tensor<2x256x16xf32>) outs(%f1 : tensor<2x64x16xf32>)
      -> tensor<2x64x16xf32>
  return %o, %s : tensor<2x64x16xf32>, tensor<2x64x256xf32>
}

// -----

// Scores with a row for each key: blocks are columns of them.
// CHECK-LABEL: func @columns(
// CHECK:         scf.forall (%{{.*}}, %{{.*}}) = (0, 0) to (2, 256) step (1, 32)
// CHECK:           linalg.generic {{.*}} outs(%{{.*}} : tensor<1x256x32xf32>)
// CHECK:           linalg.generic {{.*}} outs(%{{.*}} : tensor<1x16x32xf32>)
// CHECK:           tensor.parallel_insert_slice
func.func @columns(%k: tensor<2x256x16xf32>, %q: tensor<2x16x256xf32>, %v: tensor<2x16x256xf32>)
    -> tensor<2x16x256xf32> {
  %zero = arith.constant 0.0 : f32
  %e0 = tensor.empty() : tensor<2x256x256xf32>
  %f0 = linalg.fill ins(%zero : f32) outs(%e0 : tensor<2x256x256xf32>) -> tensor<2x256x256xf32>
  %s = linalg.batch_matmul ins(%k, %q : tensor<2x256x16xf32>, tensor<2x16x256xf32>)
      outs(%f0 : tensor<2x256x256xf32>) -> tensor<2x256x256xf32>
  %e1 = tensor.empty() : tensor<2x16x256xf32>
  %f1 = linalg.fill ins(%zero : f32) outs(%e1 : tensor<2x16x256xf32>) -> tensor<2x16x256xf32>
  %o = linalg.batch_matmul ins(%v, %s : tensor<2x16x256xf32>, tensor<2x256x256xf32>)
      outs(%f1 : tensor<2x16x256xf32>) -> tensor<2x16x256xf32>
  return %o : tensor<2x16x256xf32>
}

// -----

// 2 heads of 16 by 16 scores, 2 KiB.
// CHECK-LABEL: func @negative_small(
// CHECK-NOT:     scf.forall
// CHECK:         return
func.func @negative_small(%q: tensor<2x16x16xf32>, %k: tensor<2x16x16xf32>, %v: tensor<2x16x16xf32>)
    -> tensor<2x16x16xf32> {
  %zero = arith.constant 0.0 : f32
  %e0 = tensor.empty() : tensor<2x16x16xf32>
  %f0 = linalg.fill ins(%zero : f32) outs(%e0 : tensor<2x16x16xf32>) -> tensor<2x16x16xf32>
  %s = linalg.batch_matmul ins(%q, %k : tensor<2x16x16xf32>, tensor<2x16x16xf32>) outs(%f0 : tensor<2x16x16xf32>)
      -> tensor<2x16x16xf32>
  %o = linalg.batch_matmul ins(%s, %v : tensor<2x16x16xf32>, tensor<2x16x16xf32>) outs(%f0 : tensor<2x16x16xf32>)
      -> tensor<2x16x16xf32>
  return %o : tensor<2x16x16xf32>
}

// -----

// Each score is divided by the sum of its column: no row of them is finished before all are.
#all = affine_map<(b, i, j) -> (b, i, j)>
#column = affine_map<(b, i, j) -> (b, j)>
// CHECK-LABEL: func @negative_columns_of_scores(
// CHECK-NOT:     scf.forall
// CHECK:         return
func.func @negative_columns_of_scores(%q: tensor<2x64x16xf32>, %k: tensor<2x16x256xf32>, %v: tensor<2x256x16xf32>)
    -> tensor<2x64x16xf32> {
  %zero = arith.constant 0.0 : f32
  %e0 = tensor.empty() : tensor<2x64x256xf32>
  %f0 = linalg.fill ins(%zero : f32) outs(%e0 : tensor<2x64x256xf32>) -> tensor<2x64x256xf32>
  %s = linalg.batch_matmul ins(%q, %k : tensor<2x64x16xf32>, tensor<2x16x256xf32>) outs(%f0 : tensor<2x64x256xf32>)
      -> tensor<2x64x256xf32>
  %e1 = tensor.empty() : tensor<2x256xf32>
  %f1 = linalg.fill ins(%zero : f32) outs(%e1 : tensor<2x256xf32>) -> tensor<2x256xf32>
  %sum = linalg.generic {indexing_maps = [#all, #column], iterator_types = ["parallel", "reduction", "parallel"]}
      ins(%s : tensor<2x64x256xf32>) outs(%f1 : tensor<2x256xf32>) {
  ^bb0(%in: f32, %out: f32):
    %0 = arith.addf %in, %out : f32
    linalg.yield %0 : f32
  } -> tensor<2x256xf32>
  %p = linalg.generic {indexing_maps = [#all, #column, #all], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%s, %sum : tensor<2x64x256xf32>, tensor<2x256xf32>) outs(%e0 : tensor<2x64x256xf32>) {
  ^bb0(%in: f32, %d: f32, %out: f32):
    %0 = arith.divf %in, %d : f32
    linalg.yield %0 : f32
  } -> tensor<2x64x256xf32>
  %e2 = tensor.empty() : tensor<2x64x16xf32>
  %f2 = linalg.fill ins(%zero : f32) outs(%e2 : tensor<2x64x16xf32>) -> tensor<2x64x16xf32>
  %o = linalg.batch_matmul ins(%p, %v : tensor<2x64x256xf32>, tensor<2x256x16xf32>) outs(%f2 : tensor<2x64x16xf32>)
      -> tensor<2x64x16xf32>
  return %o : tensor<2x64x16xf32>
}

// -----

// A reduction that keeps a dimension of a tensor of unknown sizes: its reader does without it.
#whole = affine_map<(b, i, j) -> (b, i, j)>
#kept = affine_map<(b, i, j) -> (b, i, 0)>
// CHECK-LABEL: func @dynamic_kept_dimension(
// CHECK:         scf.forall
// CHECK:           linalg.generic {{.*}} outs(%{{.*}} : tensor<1x?xf32>)
// CHECK-NOT:       tensor<1x?x1xf32>
// CHECK:           tensor.parallel_insert_slice
func.func @dynamic_kept_dimension(%q: tensor<?x?x16xf32>, %k: tensor<?x16x?xf32>, %v: tensor<?x?x16xf32>,
                                  %b: index, %n: index, %m: index) -> tensor<?x?x16xf32> {
  %zero = arith.constant 0.0 : f32
  %e0 = tensor.empty(%b, %n, %m) : tensor<?x?x?xf32>
  %f0 = linalg.fill ins(%zero : f32) outs(%e0 : tensor<?x?x?xf32>) -> tensor<?x?x?xf32>
  %s = linalg.batch_matmul ins(%q, %k : tensor<?x?x16xf32>, tensor<?x16x?xf32>) outs(%f0 : tensor<?x?x?xf32>)
      -> tensor<?x?x?xf32>
  %e1 = tensor.empty(%b, %n) : tensor<?x?x1xf32>
  %f1 = linalg.fill ins(%zero : f32) outs(%e1 : tensor<?x?x1xf32>) -> tensor<?x?x1xf32>
  %sum = linalg.generic {indexing_maps = [#whole, #kept], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%s : tensor<?x?x?xf32>) outs(%f1 : tensor<?x?x1xf32>) {
  ^bb0(%in: f32, %out: f32):
    %0 = arith.addf %in, %out : f32
    linalg.yield %0 : f32
  } -> tensor<?x?x1xf32>
  %p = linalg.generic {indexing_maps = [#whole, #kept, #whole], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%s, %sum : tensor<?x?x?xf32>, tensor<?x?x1xf32>) outs(%e0 : tensor<?x?x?xf32>) {
  ^bb0(%in: f32, %d: f32, %out: f32):
    %0 = arith.divf %in, %d : f32
    linalg.yield %0 : f32
  } -> tensor<?x?x?xf32>
  %e2 = tensor.empty(%b, %n) : tensor<?x?x16xf32>
  %f2 = linalg.fill ins(%zero : f32) outs(%e2 : tensor<?x?x16xf32>) -> tensor<?x?x16xf32>
  %o = linalg.batch_matmul ins(%p, %v : tensor<?x?x?xf32>, tensor<?x?x16xf32>) outs(%f2 : tensor<?x?x16xf32>)
      -> tensor<?x?x16xf32>
  return %o : tensor<?x?x16xf32>
}
