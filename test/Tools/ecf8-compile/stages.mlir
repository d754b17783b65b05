// Each stage of --emit, on a matmul with an FP8 weight from a file.
// RUN: %python %inputs/make_safetensors.py %t.safetensors 'layer.weight=F8_E4M3[64,128]' 'bias=F32[64]'
// RUN: ecf8-compile %s --emit=parsed | FileCheck %s --check-prefix=PARSED
// RUN: ecf8-compile %s --weights %t.safetensors --emit=compressed | FileCheck %s --check-prefix=COMPRESSED
// RUN: ecf8-compile %s --weights %t.safetensors --emit=compressed --codec=raw | FileCheck %s --check-prefix=RAW
// RUN: ecf8-compile %s --weights %t.safetensors --emit=bufferized | FileCheck %s --check-prefix=BUFFERIZED
// RUN: ecf8-compile %s --weights %t.safetensors --emit=bufferized --fuse-decode=false | FileCheck %s --check-prefix=UNFUSED
// RUN: ecf8-compile %s --weights %t.safetensors --emit=lowered | FileCheck %s --check-prefix=LOWERED
// RUN: ecf8-compile %s --weights %t.safetensors --emit=llvm-dialect | FileCheck %s --check-prefix=DIALECT
// RUN: ecf8-compile %s --weights %t.safetensors --emit=llvm-ir --target-cpu=x86-64-v4 | FileCheck %s --check-prefix=IR
// RUN: ecf8-compile %s --weights %t.safetensors --emit=asm --target-cpu=x86-64-v3 | FileCheck %s --check-prefix=ASM
// RUN: ecf8-compile %s --weights %t.safetensors --emit=asm --target-cpu=generic | FileCheck %s --check-prefix=SSE
// RUN: ecf8-compile %s --weights %t.safetensors --emit=obj -o %t.o
// RUN: llvm-readelf --symbols %t.o | FileCheck %s --check-prefix=OBJECT

// The program may also come from standard input, and the output go to a file.
// RUN: ecf8-compile - --emit=parsed -o %t.parsed < %s
// RUN: FileCheck %s --check-prefix=PARSED < %t.parsed

// PARSED: func.func @main(%{{.*}}: tensor<4x128xf32>, %{{.*}}: tensor<64x128xf8E4M3FN> {ecf8.weight = "layer.weight"}

// COMPRESSED: ecf8.global {{.*}}key("layer.weight") : !ecf8.compressed<64x128xf8E4M3FN, #ecf8.planes>
// COMPRESSED: ecf8.global {{.*}}key("bias") : tensor<64xf32>
// COMPRESSED: func.func @main(%{{.*}}: tensor<4x128xf32>) -> tensor<4x64xf32>
// COMPRESSED: ecf8.decode

// RAW: !ecf8.compressed<64x128xf8E4M3FN, #ecf8.raw<order = rows32, tile_columns = 1024>>

// BUFFERIZED: func.func @main(%{{.*}}: memref<4x128xf32>
// BUFFERIZED: ecf8.contract

// UNFUSED: ecf8.decode %{{.*}} into
// UNFUSED-NOT: ecf8.contract

// LOWERED-NOT: ecf8.{{decode|contract}}
// LOWERED: call @ecf8_rt_weight
// LOWERED-NOT: ecf8.{{decode|contract}}

// DIALECT: llvm.func @ecf8_entry_0

// IR: define {{.*}}@ecf8_entry_0
// IR: "prefer-vector-width"="512"
// IR-SAME: "target-cpu"="x86-64-v4"
// IR-SAME: +avx512vbmi2

// ASM: ecf8_entry_0:
// ASM: ymm
// SSE-NOT: {{[yz]mm}}

// Only what the runtime looks up can be seen from outside.
// OBJECT-NOT: FUNC GLOBAL DEFAULT {{ *[0-9]+}} {{main|_mlir}}
// OBJECT: FUNC GLOBAL DEFAULT {{.*}} ecf8_entry_0

func.func @main(%x: tensor<4x128xf32>, %w: tensor<64x128xf8E4M3FN> {ecf8.weight = "layer.weight"},
                %bias: tensor<64xf32> {ecf8.weight = "bias"}) -> tensor<4x64xf32> {
  %e = tensor.empty() : tensor<64x128xf32>
  %wide = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>],
                          iterator_types = ["parallel", "parallel"]}
      ins(%w : tensor<64x128xf8E4M3FN>) outs(%e : tensor<64x128xf32>) {
  ^bb0(%in: f8E4M3FN, %out: f32):
    %v = arith.extf %in : f8E4M3FN to f32
    linalg.yield %v : f32
  } -> tensor<64x128xf32>
  %te = tensor.empty() : tensor<128x64xf32>
  %t = linalg.transpose ins(%wide : tensor<64x128xf32>) outs(%te : tensor<128x64xf32>) permutation = [1, 0]
  %be = tensor.empty() : tensor<4x64xf32>
  %b = linalg.broadcast ins(%bias : tensor<64xf32>) outs(%be : tensor<4x64xf32>) dimensions = [0]
  %y = linalg.matmul ins(%x, %t : tensor<4x128xf32>, tensor<128x64xf32>) outs(%b : tensor<4x64xf32>) -> tensor<4x64xf32>
  return %y : tensor<4x64xf32>
}
