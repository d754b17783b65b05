// A stock mlir-opt of the same version knows the dialect, the passes and the pipelines through the plugin. It cannot
// load one that was built with AddressSanitizer, whose runtime has to come first in a process.
// UNSUPPORTED: asan

// RUN: mlir-opt %s --load-dialect-plugin=%ecf8_lib/ECF8Plugin.so -verify-roundtrip | FileCheck %s --check-prefix=DIALECT
// DIALECT: ecf8.global private @weight key("w") : tensor<64x128xf8E4M3FN>

// RUN: mlir-opt %s --load-dialect-plugin=%ecf8_lib/ECF8Plugin.so --load-pass-plugin=%ecf8_lib/ECF8Plugin.so \
// RUN:   --pass-pipeline='builtin.module(ecf8-compress-weights,one-shot-bufferize{bufferize-function-boundaries=1},ecf8-lower-storage)' \
// RUN:   | FileCheck %s --check-prefix=PASSES
// PASSES-LABEL: func @main(
// PASSES:         call @ecf8_rt_weight
// PASSES:         call @ecf8_decode_planes_S256_f8E4M3FN

// RUN: mlir-opt %s --load-dialect-plugin=%ecf8_lib/ECF8Plugin.so --load-pass-plugin=%ecf8_lib/ECF8Plugin.so \
// RUN:   --pass-pipeline='builtin.module(ecf8-compress-weights,ecf8-cpu-pipeline)' | FileCheck %s --check-prefix=PIPELINE
// PIPELINE: llvm.func @ecf8_module_init

// Nothing but the two entry points is visible to the tool.
// RUN: llvm-nm -D --defined-only %ecf8_lib/ECF8Plugin.so | count 2

ecf8.global private @weight key("w") : tensor<64x128xf8E4M3FN>
func.func @main(%x: tensor<64x128xf32>) -> tensor<64x128xf32> {
  %w = ecf8.global.load @weight : tensor<64x128xf8E4M3FN>
  %e = tensor.empty() : tensor<64x128xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>],
                       iterator_types = ["parallel", "parallel"]}
      ins(%w : tensor<64x128xf8E4M3FN>) outs(%e : tensor<64x128xf32>) {
  ^body(%a: f8E4M3FN, %o: f32):
    %f = arith.extf %a : f8E4M3FN to f32
    linalg.yield %f : f32
  } -> tensor<64x128xf32>
  return %r : tensor<64x128xf32>
}
