// RUN: ecf8-opt %s -ecf8-compress-weights=min-elements=4 -split-input-file -verify-diagnostics

// expected-error@+1 {{expected the resource 'elided' to hold 1024 bytes, got none}}
ecf8.global private @g value(dense_resource<elided> : tensor<1024xf8E4M3FN>) : tensor<1024xf8E4M3FN>

// -----

func.func @short_resource() -> tensor<4xf8E4M3FN> {
  // expected-error@+1 {{expected the resource 'short' to hold 4 bytes, got 3}}
  %0 = arith.constant dense_resource<short> : tensor<4xf8E4M3FN>
  return %0 : tensor<4xf8E4M3FN>
}

{-#
  dialect_resources: {
    builtin: {
      short: "0x01000000010203"
    }
  }
#-}
