"""Contractions that scale sums (--arithmetic=epilogue) against NumPy, byte for byte: contraction-sums.py FOLDER.

The oracle adds the products of one block of scales after the other, each from zero, scales the sum and adds it to the
first sums. All encodings have to give its bytes.
"""

import subprocess
import sys
from pathlib import Path

import ecf8
import ml_dtypes
import numpy as np
import safetensors.numpy
from contractions import FLOATS, Case, same_bytes
from levels import available_levels

SHAPES = [(32, 64), (70, 272), (160, 1100), (256, 384), (128, 2048)]
ROWS = [0, 1, 3, 8, 13, 257]
FORMS = [("f32", "f32", (1, 0)), ("bf16", "f32", (1, 0)), ("bf16", "bf16", (0, 0)), ("f16", "f32", (0, 0))]
BLOCKS = [("f32", "f32", (32, 64)), ("bf16", "f32", (128, 128)), ("bf16", "f32", (32, 64))]
CODECS = [["--codec=planes"], ["--codec=raw"], ["--codec=huffman", "--max-code-length=7", "--tile-columns=128"]]


def make_cases(generator: np.random.Generator) -> list[Case]:
    cases = []
    for rows, columns in SHAPES:
        for form in FORMS + BLOCKS:
            activations, scale_type, block = form
            if form in BLOCKS and (rows % block[0] or columns % block[1]):
                continue
            size = (block[0] or rows, block[1] or columns)
            scale = np.exp2(generator.uniform(-9, -3, (-(-rows // size[0]), -(-columns // size[1]))))
            weight = (generator.standard_normal((rows, columns)) * 100).clip(-448, 448)
            name = f"w{rows}x{columns}_{activations}_{scale_type}_{size[0]}x{size[1]}"
            scale = scale.astype(np.float32).astype(FLOATS[scale_type])
            cases.append(Case(name, weight.astype(ml_dtypes.float8_e4m3fn), activations, scale, block, form))
    return cases


def sums(case: Case, x: np.ndarray, accumulator: np.ndarray) -> np.ndarray:
    result, wide = accumulator.copy(), x.astype(np.float32)
    weight, scale = case.weight.astype(np.float32), case.scale.astype(np.float32)
    rows, columns = weight.shape
    by_row = np.repeat(scale, rows // scale.shape[0], 0)
    step = columns // scale.shape[1]
    for block in range(scale.shape[1]):
        partial = np.zeros_like(result)
        for k in range(block * step, (block + 1) * step):
            partial += wide[:, k : k + 1] * weight[:, k]
        result += partial * by_row[:, block]
    return result


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(5)
    cases = make_cases(generator)
    tensors = {case.name: case.weight for case in cases} | {case.name + ".scale": case.scale for case in cases}
    safetensors.numpy.save_file(tensors, folder / "weights.safetensors")
    program, bundle = folder / "program.mlir", folder / "all.ecf8"
    program.write_text("".join(case.text() for case in cases))
    inputs = []
    for case in cases:
        x = generator.standard_normal((max(ROWS), case.weight.shape[1])).astype(FLOATS[case.activations])
        accumulator = generator.standard_normal((max(ROWS), case.weight.shape[0])).astype(np.float32)
        inputs.append((case, x, accumulator, sums(case, x, accumulator)))
    levels = available_levels()
    compared = 0
    for codec in CODECS:
        options = ["-q", "--min-elements=0", "--arithmetic=epilogue", *codec, "-o", bundle]
        subprocess.run(["ecf8-compile", program, "--weights", folder / "weights.safetensors", *options], check=True)
        for level in levels:
            model = ecf8.load(bundle, cpu=level)
            for case, x, accumulator, expected in inputs:
                for rows in ROWS:
                    found = np.asarray(model[case.name](x[:rows], accumulator[:rows]))
                    if not same_bytes(found, expected[:rows]):
                        sys.exit(f"{level} {codec}: {case.name} with {rows} rows differs")
                    compared += 1
            del model
    print(f"{compared} contractions equal on {', '.join(levels)}")


if __name__ == "__main__":
    main()
