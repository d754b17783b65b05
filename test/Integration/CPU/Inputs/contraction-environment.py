"""Contractions whatever surrounds the call: contraction-environment.py FOLDER.

The number of threads, the caller's flushing of denormals and the layout of activations in memory change no byte. The
weights are tiny, the activations and the scales as well, so that products and sums are denormal.
"""

import subprocess
import sys
from pathlib import Path

import ecf8
import ml_dtypes
import numpy as np
import safetensors.numpy
import torch
from levels import available_levels

ROWS, COLUMNS = 165, 192
CHUNK = 256  # rows of activations that share one decoding
PROGRAM = f"""
#x = affine_map<(m, n, k) -> (m, k)>
#w = affine_map<(m, n, k) -> (n, k)>
#y = affine_map<(m, n, k) -> (m, n)>
#id = affine_map<(n, k) -> (n, k)>
!weight = tensor<{ROWS}x{COLUMNS}xf8E4M3FN>
!wide = tensor<{ROWS}x{COLUMNS}xf32>
!sums = tensor<?x{ROWS}xf32>
func.func @plain(%x: tensor<?x{COLUMNS}xf32>, %acc: !sums, %w: !weight {{ecf8.weight = "w"}}) -> !sums {{
  %e = arith.extf %w : !weight to !wide
  %y = linalg.matmul indexing_maps = [#x, #w, #y] ins(%x, %e : tensor<?x{COLUMNS}xf32>, !wide)
      outs(%acc : !sums) -> !sums
  return %y : !sums
}}
func.func @scaled(%x: tensor<?x{COLUMNS}xf32>, %acc: !sums, %w: !weight {{ecf8.weight = "w"}},
                  %s: tensor<{ROWS}x1xf32> {{ecf8.weight = "s"}}) -> !sums {{
  %e = tensor.empty() : !wide
  %r = linalg.generic {{indexing_maps = [#id, affine_map<(n, k) -> (n, 0)>, #id],
                        iterator_types = ["parallel", "parallel"]}}
      ins(%w, %s : !weight, tensor<{ROWS}x1xf32>) outs(%e : !wide) {{
  ^bb0(%in: f8E4M3FN, %t: f32, %o: f32):
    %a = arith.extf %in : f8E4M3FN to f32
    %b = arith.mulf %a, %t : f32
    linalg.yield %b : f32
  }} -> !wide
  %y = linalg.matmul indexing_maps = [#x, #w, #y] ins(%x, %r : tensor<?x{COLUMNS}xf32>, !wide)
      outs(%acc : !sums) -> !sums
  return %y : !sums
}}
"""


def sums(x: np.ndarray, accumulator: np.ndarray, weight: np.ndarray) -> np.ndarray:
    result = accumulator.copy()
    for k in range(COLUMNS):
        result += x[:, k : k + 1] * weight[:, k]
    return result


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(7)
    # All values below 2^-4, more than a third of them denormal in FP8.
    magnitudes, signs = generator.integers(0, 20, (ROWS, COLUMNS)), generator.integers(0, 2, (ROWS, COLUMNS))
    weight = (magnitudes | signs << 7).astype(np.uint8).view(ml_dtypes.float8_e4m3fn)
    scale = np.exp2(generator.uniform(-126, -121, (ROWS, 1))).astype(np.float32)
    safetensors.numpy.save_file({"w": weight, "s": scale}, folder / "weights.safetensors")
    (folder / "program.mlir").write_text(PROGRAM)
    bundle = folder / "all.ecf8"
    program, weights = folder / "program.mlir", folder / "weights.safetensors"
    subprocess.run(["ecf8-compile", program, "--weights", weights, "--codec=huffman", "-q", "-o", bundle], check=True)

    wide = {"plain": weight.astype(np.float32), "scaled": weight.astype(np.float32) * scale}
    cases = []
    for rows in (1, 5, CHUNK + 1):
        accumulator = (generator.standard_normal((rows, ROWS)) * 1e-40).astype(np.float32)
        for name, size in (("plain", 1e-37), ("scaled", 1.0)):
            x = (generator.standard_normal((rows, COLUMNS)) * size).astype(np.float32)
            expected = sums(x, accumulator, wide[name])
            if not np.any((expected != 0) & (np.abs(expected) < 2.0**-126)):
                sys.exit(f"expected denormal sums for {name}")
            cases.append((name, x, accumulator, expected))

    levels = available_levels()
    for level in levels:
        model = ecf8.load(bundle, cpu=level)

        def check(what: str, layout=lambda x: x, model=model, level=level) -> None:
            for name, x, accumulator, expected in cases:
                found = np.asarray(model[name](layout(x), accumulator))
                if found.tobytes() != expected.tobytes():
                    sys.exit(f"{level}, {what}: {name} with {len(x)} rows differs")

        for threads in (1, 2, 5):
            ecf8.set_threads(threads)
            check(f"{threads} threads")
            if not torch.set_flush_denormal(True):
                sys.exit("expected a CPU that flushes denormals")
            try:
                check(f"{threads} threads, denormals flushed by the caller")
            finally:
                torch.set_flush_denormal(False)
        check("columns first", np.asfortranarray)
        check("every other column", lambda x: np.repeat(x, 2, axis=1)[:, ::2])
        check("rows backwards", lambda x: np.ascontiguousarray(x[::-1])[::-1])
        check("a transposed torch.Tensor", lambda x: torch.from_numpy(np.ascontiguousarray(x.T)).T)
    print(f"the same bytes on {', '.join(levels)}")


if __name__ == "__main__":
    main()
