"""Compiles programs that return their FP8 weights, runs the code of every instruction set that this machine has, and
compares the bytes: decode-everywhere.py FOLDER."""

import subprocess
import sys
from pathlib import Path

import ml_dtypes
import numpy as np
import safetensors.numpy
from levels import available_levels

TYPES = {"f8E4M3FN": ml_dtypes.float8_e4m3fn, "f8E5M2": ml_dtypes.float8_e5m2}
SHAPES = [
    (1, 1),
    (32, 64),
    (7, 3),
    (33, 1000),
    (160, 1100),
    (129, 65),
    (576, 130),
    (2, 40, 48),
    (0, 5),
    (5, 0),
]
OPTIONS = [
    ["--codec=huffman"],
    ["--codec=huffman", "--max-code-length=7", "--tile-columns=48"],
    ["--codec=planes"],
    ["--codec=planes", "--tile-columns=48"],
    ["--codec=planes", "--tile-columns=16"],
    ["--codec=raw"],
]


def contents(shape: tuple[int, ...], generator: np.random.Generator) -> dict[str, np.ndarray]:
    """What weights look like, all 256 values, one value, and counts that force the longest codes."""
    size = int(np.prod(shape))
    gaussian = (generator.standard_normal(size).astype(np.float32) * 100).clip(-448, 448)
    weights = np.array([1.618**-i for i in range(16)])
    steep = generator.choice(16, size, p=weights / weights.sum()) << 3
    return {
        "gaussian": gaussian.astype(ml_dtypes.float8_e4m3fn).view(np.uint8).reshape(shape),
        "uniform": generator.integers(0, 256, size, dtype=np.uint8).reshape(shape),
        "nan": np.full(shape, 0x7F, np.uint8),
        "steep": (steep | generator.integers(0, 8, size)).astype(np.uint8).reshape(shape),
    }


def compile_program(folder: Path, options: list[str]) -> Path:
    bundle = folder / "all.ecf8"
    command = ["ecf8-compile", folder / "program.mlir", "--weights", folder / "weights.safetensors", "-q"]
    subprocess.run([*command, "--min-elements=0", *options, "-o", bundle], check=True)
    return bundle


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(3)
    weights, functions = {}, []
    names: dict[str, list[str]] = {}  # by function: one process runs one function, so it returns them all
    for element, numpy_type in TYPES.items():
        arguments, types = [], []
        for shape in SHAPES:
            for kind, content in contents(shape, generator).items():
                name = f"{element}_{'x'.join(map(str, shape))}_{kind}"
                weights[name] = content.view(numpy_type)
                types.append(f"tensor<{''.join(f'{d}x' for d in shape)}{element}>")
                arguments.append(f'%w{len(arguments)}: {types[-1]} {{ecf8.weight = "{name}"}}')
                names.setdefault(element, []).append(name)
        values, results = ", ".join(f"%w{i}" for i in range(len(types))), ", ".join(types)
        functions.append(f"func.func @{element}({', '.join(arguments)}) -> ({results}) {{")
        functions.append(f"  return {values} : {results}\n}}")
    safetensors.numpy.save_file(weights, folder / "weights.safetensors")
    (folder / "program.mlir").write_text("\n".join(functions) + "\n")

    levels = available_levels()
    compared = 0
    for options in OPTIONS:
        bundle = compile_program(folder, options)
        for level in levels:
            for function, tensors in names.items():
                outputs = [folder / f"{index}.npy" for index in range(len(tensors))]
                command = ["ecf8-run", bundle, f"--cpu={level}", f"--function={function}"]
                subprocess.run([*command, *(f"--output=@{out}" for out in outputs)], check=True)
                for name, out in zip(tensors, outputs, strict=True):
                    found, expected = np.load(out), weights[name]
                    if found.shape != expected.shape or found.tobytes() != expected.tobytes():
                        sys.exit(f"{level} {options}: {name} differs")
                    compared += 1
    print(f"{compared} tensors equal on {', '.join(levels)}")


if __name__ == "__main__":
    main()
