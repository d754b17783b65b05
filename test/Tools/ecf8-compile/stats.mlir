// What --stats says of each weight: as a table, as JSON, and into a file.
// RUN: %python %inputs/make_safetensors.py %t.safetensors 'w=F8_E4M3[64,128]' 'v=F8_E5M2[64,128]' 's=F8_E4M3[8,8]' 'b=F32[32]'
// RUN: ecf8-compile %s --weights %t.safetensors --emit=compressed -o /dev/null --stats | FileCheck %s --check-prefix=TABLE
// RUN: ecf8-compile %s --weights %t.safetensors --emit=compressed -o /dev/null --stats=json --stats-file=%t.json | count 0
// RUN: FileCheck %s --check-prefix=JSON < %t.json
// RUN: %python -c "import json, sys; json.load(open(sys.argv[1]))" %t.json
// RUN: ecf8-compile %s --weights %t.safetensors --emit=compressed -o /dev/null --stats --codec=raw | FileCheck %s --check-prefix=RAW
// RUN: ecf8-compile %s --weights %t.safetensors --emit=compressed -o /dev/null --stats --codec=huffman | FileCheck %s --check-prefix=HUFFMAN
// RUN: ecf8-compile %s --weights %t.safetensors --emit=compressed -o /dev/null --stats --min-elements=10000 | FileCheck %s --check-prefix=MIN
// RUN: ecf8-compile %s --weights %t.safetensors --target-cpu=generic -o %t.ecf8 --stats -v 2>&1 | FileCheck %s --check-prefix=VERBOSE

// TABLE: weight {{ *}}shape {{ *}}dtype {{ *}}bytes {{ *}}stored {{ *}}saved {{ *}}bits/weight {{ *}}bound {{ *}}codec {{ *}}not smaller because
// TABLE: w {{ *}}64x128 {{ *}}f8E4M3FN {{ *}}8192 {{ *}}6{{[0-9]+}} {{.*}} % {{ *}}6.{{[0-9]+}} {{ *}}6.{{[0-9]+}} {{ *}}planes
// TABLE: v {{ *}}64x128 {{ *}}f8E5M2 {{ *}}8192 {{.*}} planes
// TABLE: s {{ *}}8x8 {{ *}}f8E4M3FN {{ *}}64 {{ *}}64 {{.*}}none {{ *}}fewer than 1024 elements
// TABLE: b {{ *}}32 {{ *}}f32 {{ *}}128 {{ *}}128 {{.*}} none {{ *}}not FP8
// TABLE: FP8 weights {{ *}}3 tensors {{ *}}16448
// TABLE: all weights {{ *}}4 tensors {{ *}}16576

// JSON: "name": "w",
// JSON-NEXT: "dtype": "f8E4M3FN",
// JSON-NEXT: "shape": [
// JSON-NEXT: 64,
// JSON-NEXT: 128
// JSON-NEXT: ],
// JSON-NEXT: "bytes": 8192,
// JSON-NEXT: "stored_bytes": 6{{[0-9]+}},
// JSON-NEXT: "bits_per_weight": 6.
// JSON-NEXT: "entropy_bits_per_weight": 6.
// JSON-NEXT: "codec": "planes",
// JSON-NEXT: "encoding": "#ecf8.planes",
// JSON-NEXT: "reason": null
// JSON: "fp8": {
// JSON-NEXT: "tensors": 3,
// JSON: "total": {
// JSON-NEXT: "tensors": 4,
// JSON: "bundle_bytes": null,

// RAW: w {{.*}} raw
// HUFFMAN: w {{.*}} huffman
// MIN: w {{.*}} 8.000 {{.*}} none {{ *}}fewer than 10000 elements

// VERBOSE: s  encode weights
// VERBOSE: bundle: {{[0-9]+}} bytes

func.func @main(%w: tensor<64x128xf8E4M3FN> {ecf8.weight = "w"}, %v: tensor<64x128xf8E5M2> {ecf8.weight = "v"},
                %s: tensor<8x8xf8E4M3FN> {ecf8.weight = "s"}, %b: tensor<32xf32> {ecf8.weight = "b"})
    -> (tensor<64x128xf8E4M3FN>, tensor<64x128xf8E5M2>, tensor<8x8xf8E4M3FN>, tensor<32xf32>) {
  return %w, %v, %s, %b : tensor<64x128xf8E4M3FN>, tensor<64x128xf8E5M2>, tensor<8x8xf8E4M3FN>, tensor<32xf32>
}
