"""Weights per second of linear layers with compressed weights, next to raw FP8 and PyTorch. Prints JSON.

    .venv/bin/python benchmarks/contraction/run.py --build build [--quick]

Each contender has several distinct weights of one shape, called in rotation so that none stays in the cache. All
contenders run in turn in each round; a figure is the median over the rounds of weights per second (1e9), a ratio the
median of the rounds' ratios. Times of our own code contain the call from Python (some 20 microseconds). Before and
after each group the bandwidth of reading memory is measured: where the two differ by much, something else was running.

"none": bf16 or f32 activations times the FP8 weight. "rows": one f32 scale for each row, multiplied as written,
rounded to bf16 where the activations are. torch_upcast is what a user does without a compiler:
`F.linear(x, (w.to(f32) * s).to(t))`.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import ecf8
import ml_dtypes
import numpy as np
import safetensors.numpy
import torch

SHAPES = {"Qwen3-8B attention": (4096, 4096), "Qwen3-8B up": (12288, 4096)}  # N, K
ROWS = (1, 4, 8, 32, 128)
WORKING_SET = 160 << 20  # bytes of FP8 weights; five times the third-level cache
CODECS = {
    "planes": ["--codec=planes"],
    "huffman L=7": ["--codec=huffman", "--max-code-length=7"],
    "huffman L=8": ["--codec=huffman"],
    "raw": ["--codec=raw"],
}
DTYPES = {"f32": torch.float32, "bf16": torch.bfloat16}


def layer(name: str, rows: int, columns: int, activations: str, scale: str) -> str:
    """A linear layer in MLIR, as torch-mlir writes it."""
    pointwise = "affine_map<(n, k) -> (n, k)>"
    maps, operand, inner, argument = [pointwise, pointwise], "", "", ""
    body = f"%r = arith.extf %i : f8E4M3FN to {activations}"
    if scale == "rows":
        maps.insert(1, "affine_map<(n, k) -> (n, 0)>")
        operand, inner = f", tensor<{rows}x1xf32>", ", %f: f32"
        argument = f', %s: tensor<{rows}x1xf32> {{ecf8.weight = "{name}.scale"}}'
        product = "%r" if activations == "f32" else "%p"
        body = f"%e = arith.extf %i : f8E4M3FN to f32\n      {product} = arith.mulf %e, %f : f32"
        if activations != "f32":
            body += f"\n      %r = arith.truncf %p : f32 to {activations}"
    wide = f"tensor<{rows}x{columns}x{activations}>"
    contraction = ", ".join(f"affine_map<(m, n, k) -> ({dims})>" for dims in ("m, k", "n, k", "m, n"))
    return f"""
  func.func @{name}(%x: tensor<?x{columns}x{activations}>, %acc: tensor<?x{rows}xf32>,
      %w: tensor<{rows}x{columns}xf8E4M3FN> {{ecf8.weight = "{name}"}}{argument}) -> tensor<?x{rows}xf32> {{
    %empty = tensor.empty() : {wide}
    %wide = linalg.generic {{indexing_maps = [{", ".join(maps)}], iterator_types = ["parallel", "parallel"]}}
        ins(%w{", %s" if operand else ""} : tensor<{rows}x{columns}xf8E4M3FN>{operand}) outs(%empty : {wide}) {{
    ^bb0(%i: f8E4M3FN{inner}, %o: {activations}):
      {body}
      linalg.yield %r : {activations}
    }} -> {wide}
    %y = linalg.matmul indexing_maps = [{contraction}]
        ins(%x, %wide : tensor<?x{columns}x{activations}>, {wide})
        outs(%acc : tensor<?x{rows}xf32>) -> tensor<?x{rows}xf32>
    return %y : tensor<?x{rows}xf32>
  }}"""


def make_weights(rows: int, columns: int, count: int) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(0)
    tensors = {}
    for index in range(count):
        values = generator.standard_normal((rows, columns), dtype=np.float32)
        scale = np.abs(values).max(1, keepdims=True) / 448
        tensors[f"w{index}"] = (values / scale).astype(ml_dtypes.float8_e4m3fn)
        tensors[f"w{index}.scale"] = scale
    return tensors


def read_bandwidth() -> float:
    """GB/s of one thread that reads 256 MiB of memory."""
    block = np.ones(32 << 20, np.int64)
    begin = time.perf_counter()
    block.max()
    return block.nbytes / (time.perf_counter() - begin) / 1e9


Contender = Callable[[torch.Tensor, torch.Tensor], object]


def contenders(build: Path, folder: Path, tensors: dict, shape: tuple[int, int], activations: str, scale: str) -> dict:
    rows, columns = shape
    names = [name for name in tensors if not name.endswith(".scale")]
    safetensors.numpy.save_file(tensors, folder / "weights.safetensors")
    program = folder / "program.mlir"
    program.write_text("".join(layer(name, rows, columns, activations, scale) for name in names))
    found: dict[str, list[Contender]] = {}
    sizes = {}
    for codec, options in CODECS.items():
        bundle = folder / f"{codec}.ecf8"
        command = [build / "bin/ecf8-compile", program, "--weights", folder / "weights.safetensors", "-q"]
        subprocess.run([*command, "--target-cpu=native", *options, "-o", bundle], check=True)
        model = ecf8.load(bundle, verify=False)
        found[codec] = [model[name] for name in names]
        sizes[codec] = round(8 * (bundle / "weights.safetensors").stat().st_size / (rows * columns * len(names)), 3)
    dtype = DTYPES[activations]
    plain = [torch.from_numpy(tensors[n].view(np.uint8)).view(torch.float8_e4m3fn) for n in names]
    scales = [torch.from_numpy(tensors[n + ".scale"]) for n in names]
    for kind, own in (("torch bf16", torch.bfloat16), ("torch f32", torch.float32)):
        dense = [w.to(torch.float32).mul(s).to(own) for w, s in zip(plain, scales, strict=True)]
        found[kind] = [lambda x, _, w=w: torch.nn.functional.linear(x.to(w.dtype), w) for w in dense]
    if scale == "rows":
        upcast = lambda x, w, s: torch.nn.functional.linear(x, (w.to(torch.float32) * s).to(dtype))
    else:
        upcast = lambda x, w, s: torch.nn.functional.linear(x, w.to(dtype))
    found["torch upcast"] = [lambda x, _, w=w, s=s: upcast(x, w, s) for w, s in zip(plain[:2], scales[:2], strict=True)]
    return {"functions": found, "bits_per_weight": sizes}


def measure(functions: dict[str, list[Contender]], shape: tuple[int, int], rows: int, dtype: torch.dtype, rounds: int):
    x = torch.randn(rows, shape[1]).to(dtype)
    accumulator = torch.zeros(rows, shape[0])
    speeds: dict[str, list[float]] = {name: [] for name in functions}
    order = list(functions)
    for _ in range(rounds + 1):
        for name in order:
            begin = time.perf_counter()
            for function in functions[name]:
                function(x, accumulator)
            seconds = time.perf_counter() - begin
            speeds[name].append(len(functions[name]) * shape[0] * shape[1] / seconds / 1e9)
        order.append(order.pop(0))
    speeds = {name: values[1:] for name, values in speeds.items()}  # the first round warms up

    def ratios(base: str) -> dict[str, float]:
        pairs = {name: zip(speeds[name], speeds[base], strict=True) for name in CODECS}
        return {name: round(statistics.median(a / b for a, b in pair), 2) for name, pair in pairs.items()}

    return {
        "rows": rows,
        "weights_per_second_1e9": {name: round(statistics.median(values), 2) for name, values in speeds.items()},
        "ratio_to_torch_bf16": ratios("torch bf16"),
        "ratio_to_torch_upcast": ratios("torch upcast"),
        "ratio_to_raw": ratios("raw"),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, default=Path("build"))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--quick", action="store_true", help="one shape, up to 8 rows, 3 rounds")
    arguments = parser.parse_args()
    build = arguments.build.resolve()
    os.environ["ECF8_HOME"] = str(build)
    shapes = dict(list(SHAPES.items())[:1]) if arguments.quick else SHAPES
    groups = []
    for title, shape in shapes.items():
        tensors = make_weights(*shape, max(2, WORKING_SET // (shape[0] * shape[1])))
        for activations, scale in (("f32", "none"), ("bf16", "none"), ("f32", "rows"), ("bf16", "rows")):
            with tempfile.TemporaryDirectory() as folder:
                made = contenders(build, Path(folder), tensors, shape, activations, scale)
                before = read_bandwidth()
                results = []
                for rows in (r for r in ROWS if r <= 8 or not arguments.quick):
                    rounds = 3 if arguments.quick or rows > 32 else arguments.rounds
                    results.append(measure(made["functions"], shape, rows, DTYPES[activations], rounds))
                groups.append(
                    {
                        "layer": title,
                        "shape": shape,
                        "activations": activations,
                        "scale": scale,
                        "bits_per_weight": made["bits_per_weight"],
                        "read_gb_per_second": [round(before, 1), round(read_bandwidth(), 1)],
                        "results": results,
                    }
                )
                print(f"{title} {activations} {scale}: done", file=sys.stderr)
                del made
    model = next(x for x in Path("/proc/cpuinfo").read_text().splitlines() if x.startswith("model name"))
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
    report = {
        "benchmark": "contraction",
        "machine": {"cpu": model.split(":")[1].strip(), "system": platform.platform(), "threads": os.cpu_count()},
        "commit": commit,
        "torch": torch.__version__,
        "groups": groups,
    }
    json.dump(report, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
