// --remarks prints what the passes did, at its place in the program; the statistics have it in any case, in the same
// order whatever the threads.
// RUN: %python %inputs/make_safetensors.py %t.safetensors 'u=F8_E4M3[64,128]' 'v=F8_E4M3[128,64]' 'w=F8_E4M3[64,128]'
// RUN: ecf8-compile %s --weights %t.safetensors --emit=bufferized -o /dev/null --remarks 2>&1 | FileCheck %s
// RUN: ecf8-compile %s --weights %t.safetensors --emit=bufferized -o /dev/null --remarks=missed 2>&1 | FileCheck %s --check-prefix=MISSED
// RUN: ecf8-compile %s --weights %t.safetensors --emit=bufferized -o /dev/null 2>&1 | count 0
// RUN: ecf8-compile %s --weights %t.safetensors --emit=bufferized -o /dev/null --remarks -q 2>&1 | count 0
// RUN: ecf8-compile %s --weights %t.safetensors --emit=bufferized -o /dev/null --stats | FileCheck %s --check-prefix=TABLE
// RUN: ecf8-compile %s --weights %t.safetensors --emit=bufferized -o /dev/null --stats=json --threads=1 > %t.json
// RUN: FileCheck %s --check-prefix=JSON < %t.json
// RUN: ecf8-compile %s --weights %t.safetensors --emit=bufferized -o /dev/null --stats=json --threads=2 > %t.2.json
// RUN: %python -c "import json, sys; a, b = (json.load(open(path))['remarks'] for path in sys.argv[1:]); sys.exit(a != b)" %t.json %t.2.json

// CHECK-DAG: remarks.mlir:[[#@LINE+29]]:{{.*}}: remark: [Passed] Transposed | Category:ecf8-transpose-weights | Function=v
// CHECK-DAG: remark: [Passed] Compressed | Category:ecf8-compress-weights | Function=u
// CHECK-DAG: remarks.mlir:[[#@LINE+31]]:{{.*}}: remark: [Passed] Fused | Category:ecf8-fuse-decode | Function=main | Name=u, Scale=none
// CHECK-DAG: remark: [Passed] Fused | Category:ecf8-fuse-decode | Function=main | Name=v
// CHECK-DAG: remarks.mlir:[[#@LINE+34]]:{{.*}}: remark: [Missed] NotFused | Category:ecf8-fuse-decode | Function=other | Name=w, Reason="reader: 'func.return'"

// MISSED-NOT: Passed
// MISSED: remark: [Missed] NotFused | Category:ecf8-fuse-decode | Function=other | Name=w, Reason="reader: 'func.return'"
// MISSED-NOT: Passed

// TABLE: contractions that decode their weight: 2; weights that are decoded as a whole: 1 (--remarks=missed says why)

// JSON:      "remarks": [
// JSON:      "pass": "ecf8-fuse-decode",
// JSON:      "function": "main",
// JSON:      "outcome": "Missed",
// JSON-NEXT: "name": "NotFused",
// JSON-NEXT: "function": "other",
// JSON-NEXT: "location": "loc(\"{{.*}}remarks.mlir\":{{[0-9]+}}:{{[0-9]+}})",
// JSON-NEXT: "arguments": {
// JSON-NEXT:   "Reason": "reader: 'func.return'",
// JSON-NEXT:   "Name": "w"
// JSON-NEXT: }

#x = affine_map<(m, n, k) -> (m, k)>
#t = affine_map<(m, n, k) -> (n, k)>
#y = affine_map<(m, n, k) -> (m, n)>

func.func @main(%x: tensor<4x128xf32>, %u: tensor<64x128xf8E4M3FN> {ecf8.weight = "u"},
                %v: tensor<128x64xf8E4M3FN> {ecf8.weight = "v"}) -> tensor<4x64xf32> {
  %zero = arith.constant dense<0.0> : tensor<4x64xf32>
  %a = arith.extf %u : tensor<64x128xf8E4M3FN> to tensor<64x128xf32>
  %b = arith.extf %v : tensor<128x64xf8E4M3FN> to tensor<128x64xf32>
  %p = linalg.matmul indexing_maps = [#x, #t, #y] ins(%x, %a : tensor<4x128xf32>, tensor<64x128xf32>) outs(%zero : tensor<4x64xf32>) -> tensor<4x64xf32>
  %q = linalg.matmul ins(%x, %b : tensor<4x128xf32>, tensor<128x64xf32>) outs(%p : tensor<4x64xf32>) -> tensor<4x64xf32>
  return %q : tensor<4x64xf32>
}

func.func @other(%w: tensor<64x128xf8E4M3FN> {ecf8.weight = "w"}) -> tensor<64x128xf32> {
  %a = arith.extf %w : tensor<64x128xf8E4M3FN> to tensor<64x128xf32>
  return %a : tensor<64x128xf32>
}
