// f64 to f16 rounds once on every instruction set: double rounding through f32 would be wrong on these inputs. Without
// F16C the conversion is expanded before LLVM; with it, LLVM calls a function that we define.
// REQUIRES: avx2
// RUN: rm -rf %t && mkdir %t
// RUN: %python %S/Inputs/half_rounding.py make %t/input.npy
// RUN: ecf8-compile %s --target-cpu=generic,x86-64-v3 -o %t/model.ecf8
// RUN: env ECF8_CPU=generic ecf8-run %t/model.ecf8 --input=@%t/input.npy --output=@%t/generic.npy
// RUN: env ECF8_CPU=x86-64-v3 ecf8-run %t/model.ecf8 --input=@%t/input.npy --output=@%t/v3.npy
// RUN: %python %S/Inputs/half_rounding.py check %t/generic.npy
// RUN: %python %S/Inputs/half_rounding.py check %t/v3.npy

#map = affine_map<(d0) -> (d0)>
func.func @main(%x: tensor<4096xf64>) -> tensor<4096xf16> {
  %empty = tensor.empty() : tensor<4096xf16>
  %y = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel"]}
      ins(%x : tensor<4096xf64>) outs(%empty : tensor<4096xf16>) {
  ^bb0(%in: f64, %out: f16):
    %narrow = arith.truncf %in : f64 to f16
    linalg.yield %narrow : f16
  } -> tensor<4096xf16>
  return %y : tensor<4096xf16>
}
