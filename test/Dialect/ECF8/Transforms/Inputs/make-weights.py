"""Prints a module with FP8 constants of 64x64 elements: `skewed` has few exponents, `uniform` all."""

import random
import struct

random.seed(1)
SIGN_AND_MANTISSA = [random.randrange(8) | random.randrange(2) << 7 for _ in range(4096)]


def resource(data: bytes) -> str:
    return f'"0x{(struct.pack("<I", 16) + data).hex().upper()}"'


skewed = bytes(rest | random.choice((7, 7, 7, 7, 8, 8, 9, 6)) << 3 for rest in SIGN_AND_MANTISSA)
uniform = bytes(rest | random.randrange(15) << 3 for rest in SIGN_AND_MANTISSA)
print(f"""
func.func @constants() -> (tensor<64x64xf8E4M3FN>, tensor<64x64xf8E4M3FN>) {{
  %skewed = arith.constant dense_resource<skewed> : tensor<64x64xf8E4M3FN>
  %uniform = arith.constant dense_resource<uniform> : tensor<64x64xf8E4M3FN>
  return %skewed, %uniform : tensor<64x64xf8E4M3FN>, tensor<64x64xf8E4M3FN>
}}
{{-#
  dialect_resources: {{
    builtin: {{
      skewed: {resource(skewed)},
      uniform: {resource(uniform)}
    }}
  }}
#-}}""")
