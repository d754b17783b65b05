// RUN: ecf8-opt %s -ecf8-parallel-to-runtime -split-input-file -verify-diagnostics

func.func @capture(%c: !ecf8.compressed<64x128xf8E4M3FN, #ecf8.raw>, %n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  // expected-error @below {{'scf.parallel' op expected captured values with a type of LLVM, got one of type '!ecf8.compressed<64x128xf8E4M3FN, #ecf8.raw>'}}
  scf.parallel (%i) = (%c0) to (%n) step (%c1) {
    %w = ecf8.decode %c : !ecf8.compressed<64x128xf8E4M3FN, #ecf8.raw>
  }
  return
}
