// RUN: ecf8-opt %s -ecf8-cpu-pipeline=stop-after=bufferize -ecf8-gpu-kernel-pipeline -verify-diagnostics

// Messages about the body of a named op, which has no place of its own, point to the op, also where ops are fused.
func.func @named(%x: tensor<4xf64>) -> tensor<4xf64> {
  %empty = tensor.empty() : tensor<4xf64>
  // expected-error @below {{'math.erf' op expected a function that GPUs have code for, got one on 'f64'}}
  %a = linalg.erf ins(%x : tensor<4xf64>) outs(%empty : tensor<4xf64>) -> tensor<4xf64>
  // expected-error @below {{'math.erf' op expected a function that GPUs have code for, got one on 'f64'}}
  %b = linalg.erf ins(%a : tensor<4xf64>) outs(%empty : tensor<4xf64>) -> tensor<4xf64>
  return %b : tensor<4xf64>
}
