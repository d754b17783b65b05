// Shrinks a program to the op that a script asks for.
// RUN: ecf8-reduce %s -reduction-tree='traversal-mode=0 test=%S/Inputs/has-decode.sh' | FileCheck %s

// CHECK-NOT: func @unrelated
// CHECK:     ecf8.decode
func.func @unrelated(%x: f32) -> f32 {
  %r = arith.addf %x, %x : f32
  return %r : f32
}

func.func @interesting(%c: !ecf8.compressed<4x8xf8E4M3FN, #ecf8.huffman>) -> tensor<4x8xf8E4M3FN> {
  %d = ecf8.decode %c : !ecf8.compressed<4x8xf8E4M3FN, #ecf8.huffman>
  return %d : tensor<4x8xf8E4M3FN>
}
