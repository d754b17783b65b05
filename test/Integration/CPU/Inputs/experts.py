"""Experts in one weight against NumPy and the unfused program, byte for byte: experts.py PROGRAM FOLDER."""

import subprocess
import sys
from pathlib import Path

import ecf8
import ml_dtypes
import numpy as np
import safetensors.numpy
from levels import available_levels

EXPERTS, ROWS, COLUMNS = 5, 96, 192
BF16 = ml_dtypes.bfloat16


def sums(weight: np.ndarray, x: np.ndarray, accumulator: np.ndarray) -> np.ndarray:
    """The accumulator [M, N] plus x [M, K] times the transposed weight, one product after the other."""
    result, wide = accumulator.copy(), x.astype(np.float32)
    for k in range(COLUMNS):
        result += wide[:, k : k + 1] * weight[:, k]
    return result


def make_cases(generator: np.random.Generator, tensors: dict[str, np.ndarray]) -> list[tuple[str, list, np.ndarray]]:
    """Names, inputs and results."""
    wide = tensors["w"].astype(np.float32)
    rows = wide * tensors["rows"][:, :, None]
    blocks = wide * tensors["blocks"].repeat(32, 1).repeat(64, 2)
    blocks = blocks.astype(BF16).astype(np.float32)
    cases = []
    for m in (1, 5, 40):
        x = generator.standard_normal((EXPERTS, m, COLUMNS)).astype(np.float32)
        accumulator = generator.standard_normal((EXPERTS, m, ROWS)).astype(np.float32)

        def each(weight: np.ndarray, x: np.ndarray, accumulator: np.ndarray = accumulator) -> np.ndarray:
            return np.stack([sums(*parts) for parts in zip(weight, x, accumulator, strict=True)])

        cases.append(("batched", [x, accumulator], each(wide, x)))
        cases.append(("blocks", [x.astype(BF16), accumulator], each(blocks, x.astype(BF16))))
        shared = each(rows, np.stack([x[0]] * EXPERTS)).swapaxes(0, 1)
        cases.append(("shared", [x[0], np.ascontiguousarray(accumulator.swapaxes(0, 1))], np.ascontiguousarray(shared)))
        routing, result = [3, 0, 4, 3], accumulator[0]
        for expert in routing:
            result = sums(rows[expert], x[0], result)
        cases.append(("routed", [x[0], accumulator[0], np.array(routing)], result))
    return cases


def check_outside(model: ecf8.CompiledModel) -> None:
    """An expert that does not exist is an error of the call: of the slice of its scales, which comes first."""
    for expert in (EXPERTS, -1):
        try:
            model["routed"](np.zeros((1, COLUMNS), np.float32), np.zeros((1, ROWS), np.float32), np.array([expert]))
        except ecf8.Error as error:
            if "slice outside the tensor at experts.mlir:" in str(error):
                continue
            raise
        sys.exit(f"expected an error for expert {expert}")


def main() -> None:
    program, folder = Path(sys.argv[1]), Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(8)
    weight = (generator.standard_normal((EXPERTS, ROWS, COLUMNS)) * 50).clip(-448, 448).astype(ml_dtypes.float8_e4m3fn)
    scales = {"rows": (EXPERTS, ROWS), "blocks": (EXPERTS, 3, 3)}
    tensors = {name: np.exp2(generator.uniform(-9, -3, shape)).astype(np.float32) for name, shape in scales.items()}
    tensors["w"] = weight
    weights, bundle = folder / "weights.safetensors", folder / "experts.ecf8"
    safetensors.numpy.save_file(tensors, weights)
    cases = make_cases(generator, tensors)

    levels = available_levels()
    compared = 0
    for codec in ("huffman", "planes", "raw"):
        for fuse in (True, False) if codec == "huffman" else (True,):
            options = ["-q", "--min-elements=1", f"--codec={codec}", f"--fuse-decode={str(fuse).lower()}"]
            subprocess.run(["ecf8-compile", program, "--weights", weights, *options, "-o", bundle], check=True)
            for level in levels:
                model = ecf8.load(bundle, cpu=level)
                for name, inputs, expected in cases:
                    found = np.asarray(model[name](*inputs))
                    if found.shape != expected.shape or found.tobytes() != expected.tobytes():
                        sys.exit(f"{level} {options}: {name} of {inputs[0].shape} differs")
                    compared += 1
                if fuse:
                    check_outside(model)
                del model
    print(f"{compared} contractions equal on {', '.join(levels)}")


if __name__ == "__main__":
    main()
