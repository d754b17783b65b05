"""Contractions of weights divided by a scale against NumPy, byte for byte: contraction-factors.py FOLDER.

With --arithmetic=epilogue sums are divided, but for weights of few rows, which stay as they are written whatever the
codec: as plain ones are in no tiles, they are not fused.
"""

import subprocess
import sys
from pathlib import Path

import ecf8
import numpy as np
import safetensors.numpy
from contractions import FLOATS, WEIGHTS, Case, same_bytes, sums
from levels import available_levels

SHAPES = [(20, 96), (33, 100), (128, 256)]
ROWS = [1, 3, 8, 40]
FORMS = [("f32", "f32", (1, 0)), ("bf16", "f32", (1, 0)), ("bf16", "bf16", (0, 0)), ("f16", "f16", (1, 0))]
BLOCKS = [("f32", "f32", (32, 64)), ("bf16", "f32", (128, 128))]
# Options, and the forms that are compiled with them: code for all takes its time.
AS_WRITTEN = [
    (["--codec=planes"], FORMS + BLOCKS),
    (["--codec=huffman"], [FORMS[1]]),
    (["--codec=raw"], [FORMS[0], BLOCKS[1]]),
    (["--fuse-decode=false"], FORMS + BLOCKS),
]
EPILOGUE = [([codec, "--arithmetic=epilogue"], [FORMS[1], BLOCKS[0]]) for codec in ("--codec=planes", "--codec=raw")]


def make_cases(generator: np.random.Generator) -> list[Case]:
    cases = []
    for rows, columns in SHAPES:
        for number, form in enumerate(FORMS + BLOCKS):
            activations, scale_type, block = form
            if form in BLOCKS and (rows % block[0] or columns % block[1]):
                continue
            size = (block[0] or rows, block[1] or columns)
            scale = np.exp2(generator.uniform(3, 9, (-(-rows // size[0]), -(-columns // size[1])))).astype(np.float32)
            element = list(WEIGHTS)[number % 2]
            weight = (generator.standard_normal((rows, columns)) * 100).clip(-448, 448).astype(WEIGHTS[element])
            for divides in (True, False) if rows < 32 else (True,):
                name = f"w{rows}_{activations}_{scale_type}_{size[0]}_{divides}"
                cases.append(Case(name, weight, activations, scale.astype(FLOATS[scale_type]), block, form, divides))
    return cases


def sums_of_blocks(case: Case, x: np.ndarray, accumulator: np.ndarray) -> np.ndarray:
    """Each block of scales summed from zero, and its sum divided."""
    result, wide = accumulator.copy(), x.astype(np.float32)
    weight, scale = case.weight.astype(np.float32), case.scale.astype(np.float32)
    by_row, step = np.repeat(scale, weight.shape[0] // scale.shape[0], 0), weight.shape[1] // scale.shape[1]
    for block in range(scale.shape[1]):
        partial = np.zeros_like(result)
        for k in range(block * step, (block + 1) * step):
            partial += wide[:, k : k + 1] * weight[:, k]
        result += partial / by_row[:, block]
    return result


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(8)
    cases = make_cases(generator)
    tensors = {case.name: case.weight for case in cases} | {case.name + ".scale": case.scale for case in cases}
    safetensors.numpy.save_file(tensors, folder / "weights.safetensors")
    program, bundle = folder / "program.mlir", folder / "all.ecf8"
    inputs = []
    for case in cases:
        x = generator.standard_normal((max(ROWS), case.weight.shape[1])).astype(FLOATS[case.activations])
        accumulator = generator.standard_normal((max(ROWS), case.weight.shape[0])).astype(np.float32)
        written = sums(case, x, accumulator)
        inputs.append((case, x, accumulator, written, sums_of_blocks(case, x, accumulator)))
    levels = available_levels()
    compared = 0
    for options, forms in AS_WRITTEN + EPILOGUE:
        program.write_text("".join(case.text() for case in cases if case.form in forms))
        command = ["ecf8-compile", program, "--weights", folder / "weights.safetensors", "-q", "--min-elements=0"]
        subprocess.run([*command, *options, "-o", bundle], check=True)
        for level in levels:
            model = ecf8.load(bundle, cpu=level)
            for case, x, accumulator, written, of_blocks in inputs:
                if case.form not in forms:
                    continue
                is_epilogue = "--arithmetic=epilogue" in options and case.weight.shape[0] >= 32
                expected = of_blocks if is_epilogue else written
                for rows in ROWS:
                    found = np.asarray(model[case.name](x[:rows], accumulator[:rows]))
                    if not same_bytes(found, expected[:rows]):
                        sys.exit(f"{level} {options}: {case.name} with {rows} rows differs")
                    compared += 1
            del model
    print(f"{compared} contractions equal on {', '.join(levels)}")


if __name__ == "__main__":
    main()
