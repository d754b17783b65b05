// RUN: ecf8-opt %s -ecf8-fuse-epilogue --remarks-filter=ecf8-fuse-epilogue --remark-format=emitRemark \
// RUN:   -verify-diagnostics | FileCheck %s

// What stays behind its contraction, and why; and that what is fused says so.

#id = affine_map<(m, n) -> (m, n)>
#t = affine_map<(m, n) -> (n, m)>

!weight = !ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>
!x = tensor<4x128xf32>
!y = tensor<4x64xf32>
!s = tensor<64x64xf32>

ecf8.global private @w key("layers.0.weight") : !weight

// CHECK-LABEL: func @fused(
// CHECK-NOT:     linalg.generic
func.func @fused(%x: !x) -> !y {
  %c = ecf8.global.load @w : !weight
  %f = arith.constant dense<0.0> : !y
  %y = ecf8.contract ins(%x, %c : !x, !weight) outs(%f : !y) -> !y
  // expected-remark@+1 {{[Passed] Fused | Category:ecf8-fuse-epilogue | Function=fused | Name=layers.0.weight, Operands=0, Result=f32}}
  %z = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%y : !y) outs(%f : !y) {
  ^bb0(%in: f32, %o: f32):
    %0 = arith.negf %in : f32
    linalg.yield %0 : f32
  } -> !y
  return %z : !y
}

// Readers that are no elementwise ops need no reason.
// CHECK-LABEL: func @negative_no_reader(
// CHECK:         ecf8.contract
// CHECK-NOT:     epilogue
func.func @negative_no_reader(%c: !weight, %x: !x) -> !y {
  %f = arith.constant dense<0.0> : !y
  %y = ecf8.contract ins(%x, %c : !x, !weight) outs(%f : !y) -> !y
  return %y : !y
}

// The sums themselves are wanted, too.
// CHECK-LABEL: func @negative_readers(
// CHECK:         linalg.generic
func.func @negative_readers(%c: !weight, %x: !x) -> (!y, !y) {
  %f = arith.constant dense<0.0> : !y
  // expected-remark@+1 {{[Missed] NotFused | Category:ecf8-fuse-epilogue | Function=negative_readers | Reason="readers: 2 ops read the result"}}
  %y = ecf8.contract ins(%x, %c : !x, !weight) outs(%f : !y) -> !y
  %z = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%y : !y) outs(%f : !y) {
  ^bb0(%in: f32, %o: f32):
    %0 = arith.negf %in : f32
    linalg.yield %0 : f32
  } -> !y
  return %y, %z : !y, !y
}

// What is added first is not known to be zero.
// CHECK-LABEL: func @negative_accumulator(
// CHECK:         linalg.generic
func.func @negative_accumulator(%c: !weight, %x: !x, %acc: !y) -> !y {
  %f = tensor.cast %acc : !y to !y
  // expected-remark@+1 {{[Missed] NotFused | Category:ecf8-fuse-epilogue | Function=negative_accumulator | Reason="accumulator: sums that do not start at zero"}}
  %y = ecf8.contract ins(%x, %c : !x, !weight) outs(%f : !y) -> !y
  %z = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%y : !y) outs(%f : !y) {
  ^bb0(%in: f32, %o: f32):
    %0 = arith.negf %in : f32
    linalg.yield %0 : f32
  } -> !y
  return %z : !y
}

// Scales are applied to sums in memory, behind which the epilogue would have to come.
// CHECK-LABEL: func @negative_scaled_sums(
// CHECK:         linalg.generic
func.func @negative_scaled_sums(%c: !weight, %x: !x, %s: tensor<64x1xf32>) -> !y {
  %f = arith.constant dense<0.0> : !y
  // expected-remark@+1 {{[Missed] NotFused | Category:ecf8-fuse-epilogue | Function=negative_scaled_sums | Reason="arithmetic: sums that are scaled"}}
  %y = ecf8.contract ins(%x, %c : !x, !weight) scale(%s : tensor<64x1xf32>) block [1, 128] outs(%f : !y) {scales_sums} -> !y
  %z = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%y : !y) outs(%f : !y) {
  ^bb0(%in: f32, %o: f32):
    %0 = arith.negf %in : f32
    linalg.yield %0 : f32
  } -> !y
  return %z : !y
}

// A sum that starts at -0.0 may end there.
// CHECK-LABEL: func @negative_minus_zero(
// CHECK:         linalg.generic
func.func @negative_minus_zero(%c: !weight, %x: !x) -> !y {
  %f = arith.constant dense<-0.0> : !y
  // expected-remark@+1 {{[Missed] NotFused | Category:ecf8-fuse-epilogue | Function=negative_minus_zero | Reason="accumulator: sums that do not start at zero"}}
  %y = ecf8.contract ins(%x, %c : !x, !weight) outs(%f : !y) -> !y
  %z = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%y : !y) outs(%f : !y) {
  ^bb0(%in: f32, %o: f32):
    %0 = arith.negf %in : f32
    linalg.yield %0 : f32
  } -> !y
  return %z : !y
}

// Not a float that kernels write.
// CHECK-LABEL: func @negative_type(
// CHECK:         linalg.generic
func.func @negative_type(%c: !weight, %x: !x) -> tensor<4x64xi1> {
  %f = arith.constant dense<0.0> : !y
  // expected-remark@+1 {{[Missed] NotFused | Category:ecf8-fuse-epilogue | Function=negative_type | Reason="type: a result of i1"}}
  %y = ecf8.contract ins(%x, %c : !x, !weight) outs(%f : !y) -> !y
  %e = tensor.empty() : tensor<4x64xi1>
  %z = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%y : !y) outs(%e : tensor<4x64xi1>) {
  ^bb0(%in: f32, %o: i1):
    %0 = arith.cmpf oeq, %in, %in : f32
    linalg.yield %0 : i1
  } -> tensor<4x64xi1>
  return %z : tensor<4x64xi1>
}

// A square result makes a transposition possible.
// CHECK-LABEL: func @negative_transposed_sums(
// CHECK:         linalg.generic
func.func @negative_transposed_sums(%c: !weight, %x: tensor<64x128xf32>) -> !s {
  %f = arith.constant dense<0.0> : !s
  // expected-remark@+1 {{[Missed] NotFused | Category:ecf8-fuse-epilogue | Function=negative_transposed_sums | Reason="layout: sums that are transposed or repeated"}}
  %y = ecf8.contract ins(%x, %c : tensor<64x128xf32>, !weight) outs(%f : !s) -> !s
  %z = linalg.generic {indexing_maps = [#t, #id], iterator_types = ["parallel", "parallel"]} ins(%y : !s) outs(%f : !s) {
  ^bb0(%in: f32, %o: f32):
    %0 = arith.negf %in : f32
    linalg.yield %0 : f32
  } -> !s
  return %z : !s
}

// The sums in order, the result transposed.
// CHECK-LABEL: func @negative_transposed_result(
// CHECK:         linalg.generic
func.func @negative_transposed_result(%c: !weight, %x: tensor<64x128xf32>) -> !s {
  %f = arith.constant dense<0.0> : !s
  // expected-remark@+1 {{[Missed] NotFused | Category:ecf8-fuse-epilogue | Function=negative_transposed_result | Reason="layout: a result that is transposed"}}
  %y = ecf8.contract ins(%x, %c : tensor<64x128xf32>, !weight) outs(%f : !s) -> !s
  %z = linalg.generic {indexing_maps = [#id, #t], iterator_types = ["parallel", "parallel"]} ins(%y : !s) outs(%f : !s) {
  ^bb0(%in: f32, %o: f32):
    %0 = arith.negf %in : f32
    linalg.yield %0 : f32
  } -> !s
  return %z : !s
}

// An operand that is neither a matrix like the sums nor repeated.
// CHECK-LABEL: func @negative_transposed_operand(
// CHECK:         linalg.generic
func.func @negative_transposed_operand(%c: !weight, %x: !x, %d: tensor<64x4xf32>) -> !y {
  %f = arith.constant dense<0.0> : !y
  // expected-remark@+1 {{[Missed] NotFused | Category:ecf8-fuse-epilogue | Function=negative_transposed_operand | Reason="operand: tensor<64x4xf32> by (d0, d1) -> (d1, d0)"}}
  %y = ecf8.contract ins(%x, %c : !x, !weight) outs(%f : !y) -> !y
  %z = linalg.generic {indexing_maps = [#id, #t, #id], iterator_types = ["parallel", "parallel"]} ins(%y, %d : !y, tensor<64x4xf32>) outs(%f : !y) {
  ^bb0(%in: f32, %b: f32, %o: f32):
    %0 = arith.addf %in, %b : f32
    linalg.yield %0 : f32
  } -> !y
  return %z : !y
}

// A mask of i1.
// CHECK-LABEL: func @negative_operand_type(
// CHECK:         linalg.generic
func.func @negative_operand_type(%c: !weight, %x: !x, %d: tensor<4x64xi1>) -> !y {
  %f = arith.constant dense<0.0> : !y
  // expected-remark@+1 {{[Missed] NotFused | Category:ecf8-fuse-epilogue | Function=negative_operand_type | Reason="operand: elements of i1"}}
  %y = ecf8.contract ins(%x, %c : !x, !weight) outs(%f : !y) -> !y
  %z = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]} ins(%y, %d : !y, tensor<4x64xi1>) outs(%f : !y) {
  ^bb0(%in: f32, %b: i1, %o: f32):
    %n = arith.negf %in : f32
    %0 = arith.select %b, %in, %n : f32
    linalg.yield %0 : f32
  } -> !y
  return %z : !y
}

// The place of an element is no operand.
// CHECK-LABEL: func @negative_index(
// CHECK:         linalg.generic
func.func @negative_index(%c: !weight, %x: !x) -> !y {
  %f = arith.constant dense<0.0> : !y
  // expected-remark@+1 {{[Missed] NotFused | Category:ecf8-fuse-epilogue | Function=negative_index | Reason="body: 'linalg.index'"}}
  %y = ecf8.contract ins(%x, %c : !x, !weight) outs(%f : !y) -> !y
  %z = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%y : !y) outs(%f : !y) {
  ^bb0(%in: f32, %o: f32):
    %i = linalg.index 1 : index
    %j = arith.index_cast %i : index to i32
    %k = arith.sitofp %j : i32 to f32
    %0 = arith.addf %in, %k : f32
    linalg.yield %0 : f32
  } -> !y
  return %z : !y
}

// A number from outside that is no float.
// CHECK-LABEL: func @negative_outside(
// CHECK:         linalg.generic
func.func @negative_outside(%c: !weight, %x: !x, %k: i32) -> !y {
  %f = arith.constant dense<0.0> : !y
  // expected-remark@+1 {{[Missed] NotFused | Category:ecf8-fuse-epilogue | Function=negative_outside | Reason="body: a value of i32 from outside"}}
  %y = ecf8.contract ins(%x, %c : !x, !weight) outs(%f : !y) -> !y
  %z = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%y : !y) outs(%f : !y) {
  ^bb0(%in: f32, %o: f32):
    %n = arith.sitofp %k : i32 to f32
    %0 = arith.addf %in, %n : f32
    linalg.yield %0 : f32
  } -> !y
  return %z : !y
}

// Sums that nothing comes of.
// CHECK-LABEL: func @negative_constant(
// CHECK:         linalg.generic
func.func @negative_constant(%c: !weight, %x: !x, %k: f32) -> !y {
  %f = arith.constant dense<0.0> : !y
  // expected-remark@+1 {{[Missed] NotFused | Category:ecf8-fuse-epilogue | Function=negative_constant | Reason="body: the result does not depend on the sums"}}
  %y = ecf8.contract ins(%x, %c : !x, !weight) outs(%f : !y) -> !y
  %z = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%y : !y) outs(%f : !y) {
  ^bb0(%in: f32, %o: f32):
    linalg.yield %k : f32
  } -> !y
  return %z : !y
}

// An op with two results.
// CHECK-LABEL: func @negative_reader(
// CHECK:         linalg.generic
func.func @negative_reader(%c: !weight, %x: !x) -> (!y, !y) {
  %f = arith.constant dense<0.0> : !y
  // expected-remark@+1 {{[Missed] NotFused | Category:ecf8-fuse-epilogue | Function=negative_reader | Reason="reader: 'linalg.generic' with 2 results"}}
  %y = ecf8.contract ins(%x, %c : !x, !weight) outs(%f : !y) -> !y
  %z:2 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]} ins(%y : !y) outs(%f, %f : !y, !y) {
  ^bb0(%in: f32, %o: f32, %p: f32):
    %0 = arith.negf %in : f32
    linalg.yield %0, %in : f32, f32
  } -> (!y, !y)
  return %z#0, %z#1 : !y, !y
}

// The reader runs for each iteration, the contraction once.
// CHECK-LABEL: func @negative_block(
// CHECK:         linalg.generic
func.func @negative_block(%c: !weight, %x: !x, %n: index) -> !y {
  %f = arith.constant dense<0.0> : !y
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  // expected-remark@+1 {{[Missed] NotFused | Category:ecf8-fuse-epilogue | Function=negative_block | Reason="block: the reader is in another block"}}
  %y = ecf8.contract ins(%x, %c : !x, !weight) outs(%f : !y) -> !y
  %r = scf.for %i = %c0 to %n step %c1 iter_args(%a = %f) -> !y {
    %z = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%y : !y) outs(%a : !y) {
    ^bb0(%in: f32, %o: f32):
      %0 = arith.addf %in, %o : f32
      linalg.yield %0 : f32
    } -> !y
    scf.yield %z : !y
  }
  return %r : !y
}

// Of the rows' two dimensions an operand has one.
// CHECK-LABEL: func @negative_some_rows(
// CHECK:         linalg.generic
func.func @negative_some_rows(%c: !weight, %x: tensor<6x128xf32>, %d: tensor<3x64xf32>) -> tensor<2x3x64xf32> {
  %f = arith.constant dense<0.0> : tensor<6x64xf32>
  // expected-remark@+1 {{Reason="operand: tensor<3x64xf32> by (d0, d1, d2) -> (d1, d2)"}}
  %y = ecf8.contract ins(%x, %c : tensor<6x128xf32>, !weight) outs(%f : tensor<6x64xf32>) -> tensor<6x64xf32>
  %r = tensor.expand_shape %y [[0, 1], [2]] output_shape [2, 3, 64] : tensor<6x64xf32> into tensor<2x3x64xf32>
  %e = tensor.empty() : tensor<2x3x64xf32>
  %z = linalg.generic {indexing_maps = [affine_map<(b, m, n) -> (b, m, n)>, affine_map<(b, m, n) -> (m, n)>, affine_map<(b, m, n) -> (b, m, n)>], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%r, %d : tensor<2x3x64xf32>, tensor<3x64xf32>) outs(%e : tensor<2x3x64xf32>) {
  ^bb0(%in: f32, %b: f32, %o: f32):
    %0 = arith.addf %in, %b : f32
    linalg.yield %0 : f32
  } -> tensor<2x3x64xf32>
  return %z : tensor<2x3x64xf32>
}
