"""Scales of type f8E8M0FNU in compiled code against ml_dtypes, byte for byte: e8m0-scales.py FOLDER."""

import subprocess
import sys
from pathlib import Path

import ecf8
import ml_dtypes
import numpy as np
import torch
from levels import available_levels
from safetensors.torch import save_file

WIDE = {"f16": np.float16, "bf16": ml_dtypes.bfloat16, "f32": np.float32, "f64": np.float64}
EXTEND = """
func.func @to_{0}(%s: tensor<256xf8E8M0FNU> {{ecf8.weight = "codes"}}) -> tensor<256x{0}> {{
  %y = arith.extf %s : tensor<256xf8E8M0FNU> to tensor<256x{0}>
  return %y : tensor<256x{0}>
}}
"""
LINEAR = """
#id = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>
func.func @linear(%x: tensor<?x384xf32>, %acc: tensor<?x256xf32>, %w: tensor<256x384xf8E4M3FN> {ecf8.weight = "w"},
                  %s: tensor<2x3xf8E8M0FNU> {ecf8.weight = "s"}) -> tensor<?x256xf32> {
  %v = tensor.expand_shape %w [[0, 1], [2, 3]] output_shape [2, 128, 3, 128]
      : tensor<256x384xf8E4M3FN> into tensor<2x128x3x128xf8E4M3FN>
  %e = tensor.empty() : tensor<2x128x3x128xf32>
  %g = linalg.generic {indexing_maps = [#id, affine_map<(d0, d1, d2, d3) -> (d0, d2)>, #id],
                       iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%v, %s : tensor<2x128x3x128xf8E4M3FN>, tensor<2x3xf8E8M0FNU>) outs(%e : tensor<2x128x3x128xf32>) {
  ^bb0(%in: f8E4M3FN, %t: f8E8M0FNU, %o: f32):
    %a = arith.extf %in : f8E4M3FN to f32
    %b = arith.extf %t : f8E8M0FNU to f32
    %p = arith.mulf %a, %b : f32
    linalg.yield %p : f32
  } -> tensor<2x128x3x128xf32>
  %d = tensor.collapse_shape %g [[0, 1], [2, 3]] : tensor<2x128x3x128xf32> into tensor<256x384xf32>
  %y = linalg.matmul indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>,
                                      affine_map<(m, n, k) -> (m, n)>]
      ins(%x, %d : tensor<?x384xf32>, tensor<256x384xf32>) outs(%acc : tensor<?x256xf32>) -> tensor<?x256xf32>
  return %y : tensor<?x256xf32>
}
"""


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(3)
    codes = np.arange(256, dtype=np.uint8)
    weight = torch.from_numpy(generator.standard_normal((256, 384)).astype(np.float32) * 50).to(torch.float8_e4m3fn)
    scale = generator.integers(115, 125, (2, 3), dtype=np.uint8)
    as_e8m0 = {
        name: torch.from_numpy(value).view(torch.float8_e8m0fnu) for name, value in (("codes", codes), ("s", scale))
    }
    save_file({**as_e8m0, "w": weight}, folder / "weights.safetensors")
    program, bundle = folder / "p.mlir", folder / "p.ecf8"
    program.write_text("".join(EXTEND.format(wide) for wide in WIDE) + LINEAR)
    stats = folder / "stats.json"
    command = ["ecf8-compile", program, "--weights", folder / "weights.safetensors", "-q", "-o", bundle, "--stats=json"]
    subprocess.run([*command, "--stats-file", stats], check=True)
    if '"NotFused"' in stats.read_text() or '"Scale": "128 x 128"' not in stats.read_text():
        sys.exit("expected a fused contraction with scales for 128 x 128 weights")

    wide_weight = weight.float().numpy() * np.repeat(
        np.repeat(scale.view(ml_dtypes.float8_e8m0fnu).astype(np.float32), 128, 0), 128, 1
    )
    x = generator.standard_normal((9, 384)).astype(np.float32)
    sums = np.zeros((9, 256), np.float32)
    for k in range(384):
        sums += x[:, k : k + 1] * wide_weight[:, k]
    levels = available_levels()
    for level in levels:
        model = ecf8.load(bundle, cpu=level)
        for wide, kind in WIDE.items():
            with np.errstate(over="ignore"):
                expected = codes.view(ml_dtypes.float8_e8m0fnu).astype(kind)
            found = np.asarray(model[f"to_{wide}"]())
            if found.tobytes() != expected.tobytes():
                place = int(np.flatnonzero(found.view("u1") != expected.view("u1"))[0]) // expected.itemsize
                sys.exit(f"{level}: code {place} as {wide}: expected {expected[place]}, got {found[place]}")
        for rows in (1, 9):
            if (
                np.asarray(model["linear"](x[:rows], np.zeros((rows, 256), np.float32))).tobytes()
                != sums[:rows].tobytes()
            ):
                sys.exit(f"{level}: contraction of {rows} rows differs")
    print(f"256 codes right in {len(WIDE)} types, 128 x 128 scaled, on {', '.join(levels)}")


if __name__ == "__main__":
    main()
