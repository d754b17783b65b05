"""Epilogues against the unfused programs, byte for byte: epilogues.py PROGRAM FOLDER.

The bytes of bias, residual and rounding are NumPy's, too.
"""

import subprocess
import sys
from pathlib import Path

import ecf8
import ml_dtypes
import numpy as np
import safetensors.numpy
from levels import available_levels

BF16, F8 = ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn
COLUMNS = 272
WEIGHT_ROWS, ROWS = (1, 70, 160), (0, 1, 3, 40, 257)
WAYS = ([], ["--fuse-epilogue=false"], ["--fuse-decode=false"])


def sums(x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    result, wide = np.zeros((len(x), len(weight)), np.float32), x.astype(np.float32)
    for k in range(COLUMNS):
        result += wide[:, k : k + 1] * weight[:, k]
    return result


def compile_program(text: str, folder: Path, weights: Path, options: list[str]) -> Path:
    program, bundle = folder / "program.mlir", folder / f"{'-'.join(options).strip('-') or 'fused'}.ecf8"
    program.write_text(text)
    command = ["ecf8-compile", program, "--weights", weights, "-q", "--min-elements=1", *options]
    subprocess.run([*command, "-o", bundle], check=True)
    return bundle


def check_fused(text: str, folder: Path, weights: Path) -> None:
    """Each contraction but that of `up` has an epilogue, and nothing elementwise is left behind one."""
    program = folder / "program.mlir"
    program.write_text(text)
    command = ["ecf8-compile", program, "--weights", weights, "-q", "--min-elements=1", "--codec=huffman"]
    command += ["--emit=bufferized", "-o", "-"]
    code = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found = code.count("ecf8.contract"), code.count("epilogue"), code.count("linalg.generic"), code.count("linalg.fill")
    if found != (6, 5, 0, 1):
        sys.exit(f"expected 6 contractions, 5 epilogues, no generic and the zeros of one, got {found}")


def main() -> None:
    template, folder = Path(sys.argv[1]).read_text(), Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(11)
    levels = available_levels()
    compared = 0
    for count in WEIGHT_ROWS:
        weight, up = ((generator.standard_normal((count, COLUMNS)) * 30).astype(F8) for _ in range(2))
        scale = np.exp2(generator.uniform(-9, -3, (count, 1))).astype(np.float32)
        weights = folder / "weights.safetensors"
        safetensors.numpy.save_file({"w": weight, "u": up, "s": scale}, weights)
        text = template.replace("ROWS", str(count))
        if count == WEIGHT_ROWS[1]:
            check_fused(text, folder, weights)
        cases = []  # name, arguments, what NumPy gives or None
        for rows in ROWS:
            x = (generator.standard_normal((rows, COLUMNS)) / 30).astype(np.float32)
            bias, factor = generator.standard_normal(count).astype(np.float32), generator.random(rows, np.float32)
            residual = generator.standard_normal((rows, count)).astype(BF16)
            plain = sums(x, weight.astype(np.float32))
            scaled = sums(x.astype(BF16), (weight.astype(np.float32) * scale).astype(BF16).astype(np.float32))
            rounded = (scaled.astype(BF16) + bias.astype(BF16)) + residual
            special = x.copy()
            special[::2, 5:] = 0
            special[::2, :5] = [65504, -65504, 1e30, np.inf, np.nan][: special.shape[1]]
            cases += [
                ("bias", (x, bias), plain + bias),
                ("gelu", (x, bias, factor), None),
                ("gated", (x,), None),
                ("residual", (x.astype(BF16), bias.astype(BF16), residual), rounded),
                ("relu", (x,), np.maximum(plain, np.float32(0)).astype(np.float16)),
                ("relu", (special,), None),
            ]
        for codec in (["--codec=huffman"], ["--codec=raw"]) if count == WEIGHT_ROWS[1] else (["--codec=planes"],):
            bundles = [compile_program(text, folder, weights, [*codec, *way]) for way in WAYS]
            for level in levels:
                fused, *others = (ecf8.load(bundle, cpu=level) for bundle in bundles)
                for name, arguments, expected in cases:
                    found = np.asarray(fused[name](*arguments))
                    wanted = [np.asarray(other[name](*arguments)) for other in others]
                    for result in [*wanted, *([] if expected is None else [expected])]:
                        if found.shape != result.shape or found.tobytes() != result.tobytes():
                            sys.exit(f"{level} {codec}: {name} of {arguments[0].shape} by {count} rows differs")
                        compared += 1
                del fused, others
    print(f"{compared} results equal on {', '.join(levels)}")


if __name__ == "__main__":
    main()
