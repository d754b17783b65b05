"""Forms of contractions against NumPy and the unfused program, byte for byte: contraction-forms.py PROGRAM FOLDER."""

import subprocess
import sys
from pathlib import Path

import ecf8
import ml_dtypes
import numpy as np
import safetensors.numpy
from levels import available_levels

ROWS, COLUMNS, BLOCK = 160, 300, 128
BF16 = ml_dtypes.bfloat16


def sums(weight: np.ndarray, x: np.ndarray, accumulator: np.ndarray) -> np.ndarray:
    """The accumulator plus x times the transposed weight, both [..., K], one product after the other."""
    result, wide = accumulator.copy(), x.astype(np.float32)
    for k in range(COLUMNS):
        result += wide[..., k : k + 1] * weight[:, k]
    return result


def main() -> None:
    program, folder = Path(sys.argv[1]), Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(5)
    weight = (generator.standard_normal((ROWS, COLUMNS)) * 50).clip(-448, 448).astype(ml_dtypes.float8_e4m3fn)
    scale = np.exp2(generator.uniform(-9, -3, (2, 3))).astype(np.float32)
    rows = np.exp2(generator.uniform(-9, -3, (2, ROWS))).astype(BF16)
    weights = folder / "weights.safetensors"
    tensors = {"w": weight, "s": scale, "rows": rows, "row": rows[1], "head": weight[:1], "parts": scale[0]}
    tensors["one"] = np.array(0.0137, np.float32)
    safetensors.numpy.save_file({name: np.asarray(tensor, order="C") for name, tensor in tensors.items()}, weights)

    wide = weight.astype(np.float32)
    blocks = wide * np.repeat(np.repeat(scale, BLOCK, 0)[:ROWS], BLOCK, 1)[:, :COLUMNS]
    scaled = (wide * tensors["one"].astype(BF16).astype(np.float32)).astype(BF16).astype(np.float32)
    channels = (wide * rows[1].astype(np.float32)[:, None]).astype(BF16).astype(np.float32)
    cases = []  # name, activations, first sums, result
    for m in (1, 5):
        x = generator.standard_normal((m, COLUMNS)).astype(np.float32)
        accumulator = generator.standard_normal((m, ROWS)).astype(np.float32)
        cases += [(name, x, accumulator, sums(blocks, x, accumulator)) for name in ("repeated", "padded")]
        unrounded = wide * rows[1].astype(np.float32)[:, None]
        cases.append(("products", x, accumulator, sums(unrounded, x, accumulator)))
        cases.append(("one_for_all", x[0], accumulator, sums(wide, np.repeat(x[:1], m, 0), accumulator)))
        cases.append(("one_row", x, accumulator[:, :1], sums(blocks[:1], x, accumulator[:, :1])))
        x = x.astype(BF16)
        cases += [(name, x, accumulator, sums(channels, x, accumulator)) for name in ("stacked", "extended")]
        cases.append(("rounded_scale", x, accumulator, sums(scaled, x, accumulator)))

        x = generator.standard_normal((m, 3, COLUMNS)).astype(np.float32)
        accumulator = generator.standard_normal((m, 3, ROWS)).astype(np.float32)
        result = sums(wide, x, accumulator)
        cases.append(("batches", x, accumulator, result))
        cases.append(("columns", *(np.ascontiguousarray(part.swapaxes(1, 2)) for part in (x, accumulator, result))))

    levels = available_levels()
    compared = 0
    for options in (["--codec=huffman"], ["--codec=planes"], ["--codec=huffman", "--fuse-decode=false"]):
        bundle = folder / "forms.ecf8"
        options = ["-q", "--min-elements=1", *options]
        subprocess.run(["ecf8-compile", program, "--weights", weights, *options, "-o", bundle], check=True)
        for level in levels:
            model = ecf8.load(bundle, cpu=level)
            for name, x, accumulator, expected in cases:
                found = np.asarray(model[name](x, accumulator))
                if found.shape != expected.shape or found.tobytes() != expected.tobytes():
                    sys.exit(f"{level} {options}: {name} of {x.shape} differs")
                compared += 1
            del model
    print(f"{compared} contractions equal on {', '.join(levels)}")


if __name__ == "__main__":
    main()
