"""Prints a module with FP8 constants of 64x64 elements: `skewed` has few exponents, `uniform` all.

With `contracted` as argument, the elements of `uniform` are multiplied by activations instead of returned: as they are,
and as a matrix of 16 rows.
"""

import random
import struct
import sys

random.seed(1)
SIGN_AND_MANTISSA = [random.randrange(8) | random.randrange(2) << 7 for _ in range(4096)]


def resource(data: bytes) -> str:
    return f'"0x{(struct.pack("<I", 16) + data).hex().upper()}"'


skewed = bytes(rest | random.choice((7, 7, 7, 7, 8, 8, 9, 6)) << 3 for rest in SIGN_AND_MANTISSA)
uniform = bytes(rest | random.randrange(15) << 3 for rest in SIGN_AND_MANTISSA)
contracted = f"""
#x = affine_map<(m, n, k) -> (m, k)>
#w = affine_map<(m, n, k) -> (n, k)>
#y = affine_map<(m, n, k) -> (m, n)>
func.func @contracted(%x: tensor<2x64xf32>, %y: tensor<2x64xf32>) -> tensor<2x64xf32> {{
  %w = arith.constant dense_resource<uniform> : tensor<64x64xf8E4M3FN>
  %e = arith.extf %w : tensor<64x64xf8E4M3FN> to tensor<64x64xf32>
  %r = linalg.matmul indexing_maps = [#x, #w, #y] ins(%x, %e : tensor<2x64xf32>, tensor<64x64xf32>)
                     outs(%y : tensor<2x64xf32>) -> tensor<2x64xf32>
  return %r : tensor<2x64xf32>
}}
func.func @few_rows(%x: tensor<2x256xf32>, %y: tensor<2x16xf32>) -> tensor<2x16xf32> {{
  %w = arith.constant dense_resource<wide> : tensor<16x256xf8E4M3FN>
  %e = arith.extf %w : tensor<16x256xf8E4M3FN> to tensor<16x256xf32>
  %r = linalg.matmul indexing_maps = [#x, #w, #y] ins(%x, %e : tensor<2x256xf32>, tensor<16x256xf32>)
                     outs(%y : tensor<2x16xf32>) -> tensor<2x16xf32>
  return %r : tensor<2x16xf32>
}}
{{-#
  dialect_resources: {{ builtin: {{ uniform: {resource(uniform)}, wide: {resource(uniform)} }} }}
#-}}"""
if sys.argv[1:] == ["contracted"]:
    print(contracted)
    sys.exit()
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
