"""Weights stored as their transposes against NumPy and the unfused program, byte for byte: transposed-weights.py DIR.

The bundle lists them in the program's shapes and says how they lie; the payload of one decodes to the transpose.
"""

import json
import subprocess
import sys
from pathlib import Path

import ecf8
import ml_dtypes
import numpy as np
import safetensors.numpy
import safetensors.torch
import torch
from levels import available_levels

# Activations [..., K], the weight as the program has it, the shape in which it is stored.
WEIGHTS = {"w": (300, 160), "e": (3, 200, 96), "noise": (70, 130)}
PROGRAM = """
func.func @w(%x: tensor<?x300xf32>, %acc: tensor<?x160xf32>, %w: tensor<300x160xf8E4M3FN> {ecf8.weight = "w"},
             %s: tensor<160xf32> {ecf8.weight = "s"}) -> tensor<?x160xf32> {
  %e = tensor.empty() : tensor<300x160xf32>
  %g = linalg.generic {indexing_maps = [affine_map<(k, n) -> (k, n)>, affine_map<(k, n) -> (n)>,
                                        affine_map<(k, n) -> (k, n)>], iterator_types = ["parallel", "parallel"]}
      ins(%w, %s : tensor<300x160xf8E4M3FN>, tensor<160xf32>) outs(%e : tensor<300x160xf32>) {
  ^bb0(%in: f8E4M3FN, %t: f32, %o: f32):
    %a = arith.extf %in : f8E4M3FN to f32
    %v = arith.mulf %a, %t : f32
    linalg.yield %v : f32
  } -> tensor<300x160xf32>
  %y = linalg.matmul ins(%x, %g : tensor<?x300xf32>, tensor<300x160xf32>)
      outs(%acc : tensor<?x160xf32>) -> tensor<?x160xf32>
  return %y : tensor<?x160xf32>
}
func.func @e(%x: tensor<3x?x200xf32>, %acc: tensor<3x?x96xf32>,
             %w: tensor<3x200x96xf8E4M3FN> {ecf8.weight = "e"}) -> tensor<3x?x96xf32> {
  %a = arith.extf %w : tensor<3x200x96xf8E4M3FN> to tensor<3x200x96xf32>
  %y = linalg.batch_matmul ins(%x, %a : tensor<3x?x200xf32>, tensor<3x200x96xf32>)
      outs(%acc : tensor<3x?x96xf32>) -> tensor<3x?x96xf32>
  return %y : tensor<3x?x96xf32>
}
func.func @noise(%x: tensor<?x70xf32>, %acc: tensor<?x130xf32>,
                 %w: tensor<70x130xf8E4M3FN> {ecf8.weight = "noise"}) -> tensor<?x130xf32> {
  %a = arith.extf %w : tensor<70x130xf8E4M3FN> to tensor<70x130xf32>
  %y = linalg.matmul ins(%x, %a : tensor<?x70xf32>, tensor<70x130xf32>)
      outs(%acc : tensor<?x130xf32>) -> tensor<?x130xf32>
  return %y : tensor<?x130xf32>
}
"""


def sums(weight: np.ndarray, x: np.ndarray, accumulator: np.ndarray) -> np.ndarray:
    """The accumulator plus x [..., M, K] times the weight [..., K, N], one product after the other."""
    result = accumulator.copy()
    for k in range(weight.shape[-2]):
        result += x[..., k : k + 1] * weight[..., k : k + 1, :]
    return result


def check_bundle(bundle: Path, model: ecf8.CompiledModel, tensors: dict[str, np.ndarray], fused: bool) -> None:
    listed = {weight.name: weight for weight in model.weights}
    manifest = json.loads((bundle / "manifest.json").read_text())
    if manifest["required_features"] != (["transposed_weights"] if fused else []):
        sys.exit(f"unexpected features {manifest['required_features']}")
    stored = safetensors.torch.load_file(bundle / "weights.safetensors")
    for name, shape in WEIGHTS.items():
        weight = listed[name]
        if weight.shape != shape or weight.transposed != fused:
            sys.exit(f"{name}: listed as {weight}")
        if weight.encoding is None:  # no smaller when encoded
            expected = np.ascontiguousarray(tensors[name].swapaxes(-1, -2)) if fused else tensors[name]
            if not np.array_equal(stored[name].view(torch.uint8).numpy(), expected.view(np.uint8)):
                sys.exit(f"{name}: other elements than those of the file")


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(9)
    tensors = {
        name: (generator.standard_normal(shape) * 50).clip(-448, 448).astype(ml_dtypes.float8_e4m3fn)
        for name, shape in WEIGHTS.items()
    }
    # All codes but NaN: nothing to compress.
    codes = generator.integers(0, 256, WEIGHTS["noise"], dtype=np.uint8)
    tensors["noise"] = np.where(codes & 0x7F == 0x7F, 0, codes).astype(np.uint8).view(ml_dtypes.float8_e4m3fn)
    tensors["s"] = np.exp2(generator.uniform(-9, -3, 160)).astype(np.float32)
    weights, bundle, program = folder / "weights.safetensors", folder / "model.ecf8", folder / "program.mlir"
    safetensors.numpy.save_file(tensors, weights)
    program.write_text(PROGRAM)
    cases = []
    for m in (1, 5):
        for name, shape in WEIGHTS.items():
            wide = tensors[name].astype(np.float32) * (tensors["s"] if name == "w" else np.float32(1))
            x = generator.standard_normal((*shape[:-2], m, shape[-2])).astype(np.float32)
            accumulator = generator.standard_normal((*shape[:-2], m, shape[-1])).astype(np.float32)
            cases.append((name, x, accumulator, sums(wide, x, accumulator)))

    levels = available_levels()
    compared = 0
    for codec, fuse in (("auto", True), ("planes", True), ("raw", True), ("auto", False)):
        options = ["-q", f"--codec={codec}", f"--fuse-decode={str(fuse).lower()}"]
        subprocess.run(["ecf8-compile", program, "--weights", weights, *options, "-o", bundle], check=True)
        for level in levels:
            model = ecf8.load(bundle, cpu=level)
            check_bundle(bundle, model, tensors, fuse)
            for name, x, accumulator, expected in cases:
                found = np.asarray(model[name](x, accumulator))
                if found.shape != expected.shape or found.tobytes() != expected.tobytes():
                    sys.exit(f"{level} {options}: {name} of {x.shape} differs")
                compared += 1
            del model
    print(f"{compared} contractions equal on {', '.join(levels)}")


if __name__ == "__main__":
    main()
