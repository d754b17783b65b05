"""Contractions at the ends of bf16's range, against NumPy, byte for byte: contraction-range.py FOLDER.

Pairs of bf16 are multiplied by an instruction that flushes subnormals. Where that could change a sum, another kernel
has to run, so each kind of activations, first sums and scales below is one for which it would.
"""

import subprocess
import sys
from pathlib import Path

import ecf8
import ml_dtypes
import numpy as np
import safetensors.numpy
from contractions import Case, same_bytes, sums
from levels import available_levels

BF16 = np.dtype(ml_dtypes.bfloat16)
SHAPE, ROWS = (70, 272), (1, 3, 13)
# Exponents of the scales; None: no scale.
SCALES = {"plain": None, "usual": (-13, -9), "small": (-126, -110), "subnormal": (-140, -127), "great": (100, 120)}
# The same of what weights are divided by; in "nothing" some are zero.
DIVISORS = {"usual": (9, 13), "nothing": (9, 13), "small": (-126, -110), "great": (100, 127)}


def activations(kind: str, generator: np.random.Generator) -> np.ndarray:
    x = generator.standard_normal((max(ROWS), SHAPE[1])).astype(np.float32)
    if kind == "nothing":
        return np.copysign(np.zeros_like(x), x).astype(BF16)
    if kind == "zeros":
        return np.where(np.abs(x) < 1, np.copysign(np.float32(0), x), x).astype(BF16)
    if kind == "special":
        x[:, 5::97] = np.inf
        x[:, 7::101] = -np.inf
        x[:, 9::103] = np.nan
        return x.astype(BF16)
    if kind == "cancelling":  # a sum of two great products and a tiny one, which is left
        x = x * np.float32(2.0**-112)
        x[:, 1::2] = -x[:, 0::2]
        return x.astype(BF16)
    exponent = {"usual": 0, "small": -100, "subnormal": -128, "great": 110, "greatest": 125}[kind]
    return (x.astype(np.float64) * 2.0**exponent).astype(BF16)


def accumulators(generator: np.random.Generator) -> dict[str, np.ndarray]:
    usual = generator.standard_normal((max(ROWS), SHAPE[0]))
    return {
        "zero": np.zeros(usual.shape, np.float32),
        "negative zero": np.full(usual.shape, -0.0, np.float32),
        "usual": usual.astype(np.float32),
        "subnormal": (usual * 2.0**-130).astype(np.float32),
        "great": (usual.clip(-3, 3) * 2.0**126).astype(np.float32),
    }


def make_cases(generator: np.random.Generator) -> list[Case]:
    cases = []
    kinds = [(*scale, False) for scale in SCALES.items()] + [(*scale, True) for scale in DIVISORS.items()]
    for kind, exponents, divides in kinds:
        for block in [None] if exponents is None else [(1, 0), (0, 0)]:
            weight = (generator.standard_normal(SHAPE) * 100).clip(-448, 448).astype(ml_dtypes.float8_e4m3fn)
            weight[:, 1::2] = weight[:, 0::2]  # for "cancelling"
            shape = None if block is None else (SHAPE[0] if block[0] else 1, 1)
            scale = None if shape is None else np.exp2(generator.uniform(*exponents, shape)).astype(np.float32)
            block = block and (block[0] or SHAPE[0], block[1] or SHAPE[1])
            if kind == "nothing":
                scale[-1] = 0
            name = kind if block is None else f"{kind}_{block[0]}{'_divides' if divides else ''}"
            cases.append(Case(name, weight, "bf16", scale, block and (1, block[1]), ("bf16",), divides))
    return cases


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(7)
    cases = make_cases(generator)
    tensors = {case.name: case.weight for case in cases}
    tensors.update({case.name + ".scale": case.scale for case in cases if case.scale is not None})
    safetensors.numpy.save_file(tensors, folder / "weights.safetensors")
    program, bundle = folder / "program.mlir", folder / "all.ecf8"
    program.write_text("".join(case.text() for case in cases))
    options = ["-q", "--min-elements=0", "--codec=planes", "-o", bundle]
    subprocess.run(["ecf8-compile", program, "--weights", folder / "weights.safetensors", *options], check=True)
    levels = available_levels()
    models = {level: ecf8.load(bundle, cpu=level) for level in levels}
    compared = 0
    kinds = ["usual", "nothing", "zeros", "special", "cancelling", "small", "subnormal", "great", "greatest"]
    for case in cases:
        for kind in kinds:
            x = activations(kind, generator)
            for name, accumulator in accumulators(generator).items():
                with np.errstate(over="ignore"):
                    expected = sums(case, x, accumulator)
                for level, model in models.items():
                    for rows in ROWS:
                        found = np.asarray(model[case.name](x[:rows], accumulator[:rows]))
                        if not same_bytes(found, expected[:rows]):
                            sys.exit(f"{level}: scale {case.name}, activations {kind}, sums {name}, {rows} rows differ")
                        compared += 1
    print(f"{compared} contractions equal on {', '.join(levels)}")


if __name__ == "__main__":
    main()
