// What weights files that do not fit the program get. One message each, at the place in the program.
// RUN: rm -rf %t && mkdir -p %t/empty %t/twice %t/index
// RUN: %python %inputs/make_safetensors.py %t/good.safetensors 'w=F8_E4M3[32,64]' 'b=F32[32]'
// RUN: %python %inputs/make_safetensors.py %t/shape.safetensors 'w=F8_E4M3[64,32]' 'b=F32[32]'
// RUN: %python %inputs/make_safetensors.py %t/dtype.safetensors 'w=F8_E5M2[32,64]' 'b=F64[32]'
// RUN: %python %inputs/make_safetensors.py %t/missing.safetensors 'b=F32[32]'
// RUN: %python %inputs/make_safetensors.py %t/extra.safetensors 'w=F8_E4M3[32,64]' 'b=F32[32]' 'c=F32[1]' 'd=F32[1]'

// RUN: not ecf8-compile %s --emit=compressed 2>&1 | FileCheck %s --check-prefix=NONE
// NONE: invalid-weights.mlir:[[#]]:{{.*}} error: weight 'w': expected a weights file that holds it, got none (pass it with --weights)

// RUN: not ecf8-compile %s --emit=compressed --weights %t/shape.safetensors 2>&1 | FileCheck %s --check-prefix=SHAPE
// SHAPE: invalid-weights.mlir:[[#]]:{{.*}} error: weight 'w': expected F8_E4M3 [32, 64], got F8_E4M3 [64, 32] in {{.*}}shape.safetensors
// SHAPE-NOT: error:

// Both are told.
// RUN: not ecf8-compile %s --emit=compressed --weights %t/dtype.safetensors 2>&1 | FileCheck %s --check-prefix=DTYPE
// DTYPE: error: weight 'w': expected F8_E4M3 [32, 64], got F8_E5M2 [32, 64] in {{.*}}dtype.safetensors
// DTYPE: error: weight 'b': expected F32 [32], got F64 [32] in {{.*}}dtype.safetensors

// RUN: not ecf8-compile %s --emit=compressed --weights %t/missing.safetensors 2>&1 | FileCheck %s --check-prefix=MISSING
// MISSING: error: weight 'w': expected a tensor of this name in {{.*}}missing.safetensors, got none

// An unused tensor is a remark, an error on demand, and nothing with -q.
// RUN: ecf8-compile %s --emit=compressed --weights %t/extra.safetensors -o /dev/null 2>&1 | FileCheck %s --check-prefix=EXTRA
// EXTRA: remark: 2 tensors of {{.*}}extra.safetensors not used by the program: 'c', 'd'
// RUN: not ecf8-compile %s --emit=compressed --weights %t/extra.safetensors --strict-weights 2>&1 | FileCheck %s --check-prefix=STRICT
// STRICT: error: expected the program to use every tensor of {{.*}}extra.safetensors, got 2 tensors unused: 'c', 'd'
// RUN: ecf8-compile %s --emit=compressed --weights %t/extra.safetensors -o /dev/null -q 2>&1 | count 0

// Folders of shards.
// RUN: cp %t/good.safetensors %t/twice/one.safetensors
// RUN: cp %t/missing.safetensors %t/twice/two.safetensors
// RUN: not ecf8-compile %s --emit=compressed --weights %t/twice 2>&1 | FileCheck %s --check-prefix=TWICE
// TWICE: error: {{.*}}two.safetensors: expected each tensor in one file, got 'b' in {{.*}}one.safetensors too
// RUN: not ecf8-compile %s --emit=compressed --weights %t/empty 2>&1 | FileCheck %s --check-prefix=EMPTY
// EMPTY: error: {{.*}}empty: expected *.safetensors files in the folder, got none
// RUN: cp %t/good.safetensors %t/index/one.safetensors
// RUN: cp %t/missing.safetensors %t/index/unlisted.safetensors
// RUN: echo '{"weight_map": {"w": "one.safetensors", "b": "one.safetensors"}}' > %t/index/model.safetensors.index.json
// RUN: ecf8-compile %s --emit=compressed --weights %t/index -o /dev/null 2>&1 | count 0
// RUN: echo '{"weight_map": {"w": 1}}' > %t/index/model.safetensors.index.json
// RUN: not ecf8-compile %s --emit=compressed --weights %t/index 2>&1 | FileCheck %s --check-prefix=INDEX
// INDEX: error: {{.*}}model.safetensors.index.json: weight_map: expected a file name for 'w', got number
// RUN: echo '[]' > %t/index/model.safetensors.index.json
// RUN: not ecf8-compile %s --emit=compressed --weights %t/index 2>&1 | FileCheck %s --check-prefix=MAP
// MAP: error: {{.*}}model.safetensors.index.json: expected an object 'weight_map', got none

// Damaged files.
// RUN: not ecf8-compile %s --emit=compressed --weights %t/nowhere.safetensors 2>&1 | FileCheck %s --check-prefix=NOWHERE
// NOWHERE: {{^}}ecf8-compile: error: {{.*}}nowhere.safetensors: cannot open: No such file or directory
// RUN: head -c 300 %t/good.safetensors > %t/short.safetensors
// RUN: not ecf8-compile %s --emit=compressed --weights %t/short.safetensors 2>&1 | FileCheck %s --check-prefix=SHORT
// SHORT: {{^}}ecf8-compile: error: {{.*}}short.safetensors: tensor 'w': expected 2048 bytes at byte {{[0-9]+}}, got the end of the file at byte 300 (truncated?)

func.func @main(%x: tensor<1xf32>, %w: tensor<32x64xf8E4M3FN> {ecf8.weight = "w"},
                %b: tensor<32xf32> {ecf8.weight = "b"}) -> (tensor<32x64xf8E4M3FN>, tensor<32xf32>) {
  return %w, %b : tensor<32x64xf8E4M3FN>, tensor<32xf32>
}
