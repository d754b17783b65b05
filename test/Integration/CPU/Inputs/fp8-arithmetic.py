"""Converts all FP8 codes to wider types and many wider values to FP8 in compiled code, and compares with ml_dtypes:
fp8-arithmetic.py FOLDER. NaNs are compared as NaNs, everything else bit by bit."""

import subprocess
import sys
from pathlib import Path

import ml_dtypes
import numpy as np
from levels import available_levels

FP8 = {"f8E4M3FN": ml_dtypes.float8_e4m3fn, "f8E5M2": ml_dtypes.float8_e5m2}
WIDE = {
    "f16": np.float16,
    "bf16": ml_dtypes.bfloat16,
    "f32": np.float32,
    "f64": np.float64,
}


def values(wide: str) -> np.ndarray:
    """All values of the 16-bit types; for the others those, their neighbours and midpoints between FP8 values."""
    if wide in ("f16", "bf16"):
        return np.arange(65536, dtype=np.uint16).view(WIDE[wide])
    with np.errstate(all="ignore"):
        every = np.arange(65536, dtype=np.uint16).view(np.float16).astype(WIDE[wide])
        steps = [
            every,
            np.nextafter(every, WIDE[wide](np.inf)),
            np.nextafter(every, WIDE[wide](-np.inf)),
        ]
        random = np.random.default_rng(1).integers(0, 2**32, 1 << 18, dtype=np.uint32).view(np.float32)
        return np.concatenate([*steps, random.astype(WIDE[wide])])


def op(name: str, source: str, target: str, size: int) -> str:
    return f"""
func.func @{name}_{source}_{target}(%a: tensor<{size}x{source}>) -> tensor<{size}x{target}> {{
  %e = tensor.empty() : tensor<{size}x{target}>
  %0 = linalg.generic
      {{indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]}}
      ins(%a : tensor<{size}x{source}>) outs(%e : tensor<{size}x{target}>) {{
  ^bb0(%x: {source}, %o: {target}):
    %y = arith.{name} %x : {source} to {target}
    linalg.yield %y : {target}
  }} -> tensor<{size}x{target}>
  return %0 : tensor<{size}x{target}>
}}
"""


def bits(array: np.ndarray) -> np.ndarray:
    return array.view(f"u{array.dtype.itemsize}")


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    cases = []
    for fp8, fp8_type in FP8.items():
        codes = np.arange(256, dtype=np.uint8).view(fp8_type)
        for wide, wide_type in WIDE.items():
            cases.append(("extf", fp8, wide, codes, codes.astype(wide_type)))
            with np.errstate(all="ignore"):
                # Two roundings would not be one: f64 goes straight to FP8 where f32 holds it.
                source = values(wide)
                if wide == "f64":
                    source = source.astype(np.float32).astype(np.float64)
                cases.append(
                    (
                        "truncf",
                        wide,
                        fp8,
                        source,
                        source.astype(np.float32).astype(fp8_type),
                    )
                )
    (folder / "p.mlir").write_text("".join(op(n, s, t, len(x)) for n, s, t, x, _ in cases))
    subprocess.run(["ecf8-compile", folder / "p.mlir", "-q", "-o", folder / "p.ecf8"], check=True)
    levels = available_levels()
    for level in levels:
        for name, source, target, given, expected in cases:
            np.save(
                folder / "x.npy",
                bits(given) if given.dtype.kind == "V" or source not in ("f16", "f32", "f64") else given,
            )
            subprocess.run(
                [
                    "ecf8-run",
                    folder / "p.ecf8",
                    f"--cpu={level}",
                    f"--function={name}_{source}_{target}",
                    f"--input=@{folder / 'x.npy'}",
                    f"--output=@{folder / 'y.npy'}",
                ],
                check=True,
            )
            found = np.load(folder / "y.npy").view(expected.dtype)
            with np.errstate(all="ignore"):
                wrong = (bits(found) != bits(expected)) & ~(np.isnan(found) & np.isnan(expected))
            if wrong.any():
                i = int(np.flatnonzero(wrong)[0])
                sys.exit(
                    f"{level}: {name} {source} to {target}: {wrong.sum()} of {wrong.size} wrong; first: "
                    f"{bits(given)[i]:#x} gave {bits(found)[i]:#x}, expected {bits(expected)[i]:#x}"
                )
    print(f"{len(cases)} conversions right on {', '.join(levels)}")


if __name__ == "__main__":
    main()
