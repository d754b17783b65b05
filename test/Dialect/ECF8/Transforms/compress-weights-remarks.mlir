// RUN: ecf8-opt %s -ecf8-compress-weights --remarks-filter=ecf8-compress-weights --remark-format=emitRemark \
// RUN:   -verify-diagnostics | FileCheck %s

// What is left alone, and the remark that says why.

// CHECK: ecf8.global private @small key("a") : tensor<32x31xf8E4M3FN>
// expected-remark@+1 {{[Missed] LeftAlone | Category:ecf8-compress-weights | Function=small | Reason="expected 1024 elements at least, got 992"}}
ecf8.global private @small key("a") : tensor<32x31xf8E4M3FN>

// CHECK: ecf8.global private @fnuz key("b") : tensor<64x64xf8E4M3FNUZ>
// expected-remark@+1 {{Function=fnuz | Reason="expected element type 'f8E4M3FN' or 'f8E5M2', got f8E4M3FNUZ"}}
ecf8.global private @fnuz key("b") : tensor<64x64xf8E4M3FNUZ>

// CHECK: ecf8.global private @rank key("c") : tensor<2x2x2x2x2x2x2x2x64xf8E4M3FN>
// expected-remark@+1 {{Function=rank | Reason="expected 8 dimensions at most, got 9"}}
ecf8.global private @rank key("c") : tensor<2x2x2x2x2x2x2x2x64xf8E4M3FN>

// CHECK: ecf8.global private @bufferized key("d") : tensor<64x64xf8E4M3FN>
// expected-remark@+1 {{Function=bufferized | Reason="expected loads as a tensor alone, got another use"}}
ecf8.global private @bufferized key("d") : tensor<64x64xf8E4M3FN>

// CHECK: ecf8.global private @float key("e") : tensor<64x64xf32>
// expected-remark@+1 {{[Analysis] NotFP8 | Category:ecf8-compress-weights | Function=float | Type=tensor<64x64xf32>}}
ecf8.global private @float key("e") : tensor<64x64xf32>

// CHECK: ecf8.global private @compressed key("f") : !ecf8.compressed<64x64xf8E4M3FN, #ecf8.planes>
// expected-remark@+1 {{[Passed] Compressed | Category:ecf8-compress-weights | Function=compressed | PlainBytes=4096, Type="!ecf8.compressed<64x64xf8E4M3FN, #ecf8.planes>"}}
ecf8.global private @compressed key("f") : tensor<64x64xf8E4M3FN>

// CHECK: ecf8.global private @already key("g") : !ecf8.compressed<64x64xf8E4M3FN, #ecf8.raw>
ecf8.global private @already key("g") : !ecf8.compressed<64x64xf8E4M3FN, #ecf8.raw>

func.func @constants() -> (memref<64x64xf8E4M3FN>, tensor<64x64xf8E4M3FN>) {
  %m = ecf8.global.load @bufferized : memref<64x64xf8E4M3FN>
  // CHECK: arith.constant dense<1.000000e+00>
  // expected-remark@+1 {{Function=constants | Reason="a splat, which a fill writes"}}
  %s = arith.constant dense<1.0> : tensor<64x64xf8E4M3FN>
  // expected-remark@+1 {{Function=constants | Reason="no use"}}
  %u = arith.constant dense<2.0> : tensor<64x64xf8E4M3FN>
  return %m, %s : memref<64x64xf8E4M3FN>, tensor<64x64xf8E4M3FN>
}
