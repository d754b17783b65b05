"""Speed of the generated decoders on one core, next to zstd and zipnn on the same bytes. Prints JSON.

    .venv/bin/python benchmarks/decode/run.py --build build

The decoders come from `ecf8-opt -ecf8-emit-decoders` and LLVM, one object per lane back end. All contenders run in turn
in each round; a figure is the median over the rounds of FP8 bytes produced per second (GB/s, 1e9). "cache": a matrix of
128 x 1024 decoded again and again; "memory": one of 4096 x 4096.
"""

import argparse
import ctypes
import json
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import ml_dtypes
import numpy as np
import zipnn
import zstandard

LOWER = (
    "builtin.module(func.func(scf-parallel-for-to-nested-fors),canonicalize,cse,convert-vector-to-llvm,"
    "expand-strided-metadata,lower-affine,convert-scf-to-cf,finalize-memref-to-llvm,convert-arith-to-llvm,"
    "convert-cf-to-llvm,convert-func-to-llvm,convert-index-to-llvm,reconcile-unrealized-casts)"
)
# Lane back end: the compiler's flags and the CPU's features that it needs.
LANES = {
    "permute": (["-march=x86-64-v4", "-mavx512vbmi", "-mavx512vbmi2", "-mgfni"], {"avx512vbmi", "avx512_vbmi2"}),
    "nibble": (["-march=x86-64-v3"], {"avx2"}),
    "gather": (["-march=x86-64-v3"], {"avx2"}),
    "scalar": (["-march=x86-64"], set()),
}
# Name in the report: the attribute, what ecf8-bench-encode calls it, and the back ends that differ for it.
ENCODINGS = {
    "L=8": ("#ecf8.huffman<max_code_length = 8>", "8", list(LANES)),
    "L=7": ("#ecf8.huffman<max_code_length = 7>", "7", list(LANES)),
    "planes": ("#ecf8.planes", "planes", ["permute", "nibble", "scalar"]),
}


def gaussian_blocks(rows: int, columns: int) -> np.ndarray:
    """Gaussian weights in blocks of 16 Ki, each scaled so that its largest magnitude is 448, as E4M3FN bytes."""
    values = np.random.default_rng(0).standard_normal((rows * columns) // 16384 * 16384).astype(np.float32)
    blocks = values.reshape(-1, 16384)
    blocks *= 448 / np.abs(blocks).max(axis=1, keepdims=True)
    return blocks.astype(ml_dtypes.float8_e4m3fn).view(np.uint8).reshape(rows, columns)


def entropy(counts: np.ndarray) -> float:
    p = counts[counts > 0] / counts.sum()
    return float(-(p * np.log2(p)).sum())


def compile_decoders(build: Path, folder: Path, lanes: str, encoding: str) -> ctypes.CDLL:
    source = (Path(__file__).parent / "decoders.mlir").read_text().replace("ENCODING", ENCODINGS[encoding][0])
    base = folder / f"{lanes}-{encoding}"
    emitted = subprocess.run(
        [build / "bin/ecf8-opt", f"--ecf8-emit-decoders=lanes={lanes}"],
        input=source,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    lowered = subprocess.run(
        [build / "bin/ecf8-opt", f"--pass-pipeline={LOWER}"], input=emitted, capture_output=True, text=True, check=True
    ).stdout
    subprocess.run(
        ["/usr/lib/llvm-22/bin/mlir-translate", "--mlir-to-llvmir", "-o", f"{base}.ll"],
        input=lowered,
        text=True,
        check=True,
    )
    flags, _ = LANES[lanes]
    subprocess.run(
        [
            "clang-22",
            "-O3",
            *flags,
            "-mprefer-vector-width=512",
            "-fPIC",
            "-shared",
            "-Wno-override-module",
            f"{base}.ll",
            "-o",
            f"{base}.so",
        ],
        check=True,
    )
    return ctypes.CDLL(f"{base}.so")


def aligned(content: bytes | int) -> np.ndarray:
    size = content if isinstance(content, int) else len(content)
    buffer = np.zeros(size + 64, np.uint8)
    start = -buffer.ctypes.data % 64
    view = buffer[start : start + size]
    if not isinstance(content, int):
        view[:] = np.frombuffer(content, np.uint8)
    return view


def descriptor(array: np.ndarray, *shape: int) -> ctypes.Array:
    """A memref descriptor of a contiguous buffer."""
    strides = [int(np.prod(shape[i + 1 :])) for i in range(len(shape))]
    fields = [array.ctypes.data, array.ctypes.data, 0, *shape, *strides]
    return (ctypes.c_int64 * len(fields))(*fields)


def seconds(run: Callable[[], object]) -> float:
    begin = time.perf_counter()
    run()
    return time.perf_counter() - begin


def measure(build: Path, folder: Path, rows: int, columns: int, repeats: int, rounds: int) -> dict:
    weights = gaussian_blocks(rows, columns)
    plain = weights.tobytes()
    (folder / "plain.bin").write_bytes(plain)
    features = set(next(x for x in Path("/proc/cpuinfo").read_text().splitlines() if x.startswith("flags")).split())
    contenders: dict[str, Callable[[], object]] = {}
    bits = {}
    alive = []  # what the descriptors point into
    for encoding, (_, encode, backends) in ENCODINGS.items():
        payload_path = folder / "payload.ecf8"
        subprocess.run(
            [
                build / "bin/ecf8-bench-encode",
                folder / "plain.bin",
                payload_path,
                str(rows),
                str(columns),
                encode,
            ],
            check=True,
        )
        payload = aligned(payload_path.read_bytes())
        bits[encoding if encoding == "planes" else f"huffman {encoding}"] = payload.size * 8 / weights.size
        for lanes in backends:
            if not LANES[lanes][1] <= features:
                continue
            library = compile_decoders(build, folder, lanes, encoding)
            out = aligned(weights.size)
            source, tiles, matrix = (
                descriptor(payload, payload.size),
                descriptor(out, out.size),
                descriptor(out, rows, columns),
            )
            times = ctypes.c_int64(repeats)
            library._mlir_ciface_rows(source, matrix, ctypes.c_int64(1))
            if out.tobytes() != plain:
                sys.exit(f"{lanes}: the decoded bytes differ")
            name = f"{lanes} {encoding}"
            contenders[f"{name} tile order"] = lambda f=library._mlir_ciface_tiles, a=(source, tiles, times): f(*a)
            contenders[f"{name} row-major"] = lambda f=library._mlir_ciface_rows, a=(source, matrix, times): f(*a)
            alive.append((payload, out))

    packed = zstandard.ZstdCompressor(level=3).compress(plain)
    decompressor = zstandard.ZstdDecompressor()
    bits["zstd -3"] = len(packed) * 8 / weights.size
    contenders["zstd -3"] = lambda: [decompressor.decompress(packed) for _ in range(repeats)]
    zip_codec = zipnn.ZipNN(input_format="byte", bytearray_dtype="float8_e4m3fn", threads=1)
    zipped = zip_codec.compress(plain)
    bits["zipnn"] = len(zipped) * 8 / weights.size
    contenders["zipnn, 1 thread"] = lambda: [zip_codec.decompress(zipped) for _ in range(repeats)]

    samples: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, run in contenders.items():
            samples[name].append(weights.size * repeats / seconds(run) / 1e9)
    speed = {name: round(statistics.median(values), 3) for name, values in samples.items()}
    best = max(speed["zstd -3"], speed["zipnn, 1 thread"])
    return {
        "rows": rows,
        "columns": columns,
        "rounds": rounds,
        "entropy_bits_per_weight": round(4 + entropy(np.bincount((weights.ravel() >> 3) & 15)), 4),
        "bits_per_weight": {k: round(v, 4) for k, v in bits.items()},
        "gigabytes_per_second": speed,
        "ratio_to_best_of_zstd_and_zipnn": {k: round(v / best, 2) for k, v in speed.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, default=Path("build"))
    parser.add_argument("--rounds", type=int, default=15)
    arguments = parser.parse_args()
    build = arguments.build.resolve()
    model = next(x for x in Path("/proc/cpuinfo").read_text().splitlines() if x.startswith("model name"))
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
    with tempfile.TemporaryDirectory() as folder:
        report = {
            "benchmark": "decode",
            "machine": {"cpu": model.split(":")[1].strip(), "system": platform.platform()},
            "commit": commit,
            "data": "Gaussian, blocks of 16384 scaled to 448, E4M3FN, seed 0",
            "cache": measure(build, Path(folder), 128, 1024, 200, arguments.rounds),
            "memory": measure(build, Path(folder), 4096, 4096, 1, max(3, arguments.rounds // 3)),
        }
    json.dump(report, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
