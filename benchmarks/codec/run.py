"""Speed of encoding and decoding on one thread, by encoding and instruction set, next to zstd and zipnn. Prints JSON.

    .venv/bin/python benchmarks/codec/run.py --build build > benchmarks/results/codec.json

Gaussian weights with one scale per row, as E4M3FN. In each round `ecf8-bench-speed` measures every encoding on every
instruction set (see speed.cpp for what is timed), then zstd and zipnn compress and decompress the same bytes; a figure
is the median over the rounds, in GB of weights per second of processor time.
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

import zipnn
import zstandard

SHAPES = [(4096, 4096), (4096, 7168)]


def speed(weights: bytes, run: Callable[[], object]) -> float:
    begin = time.process_time()
    run()
    return len(weights) / (time.process_time() - begin) / 1e9


def others() -> dict[str, tuple[Callable[[bytes], bytes], Callable[[bytes], bytes]]]:
    """Compress and decompress by name, each on one thread."""
    codec = zipnn.ZipNN(input_format="byte", bytearray_dtype="float8_e4m3fn", threads=1)
    found = {
        f"zstd -{level}": (zstandard.ZstdCompressor(level=level).compress, zstandard.ZstdDecompressor().decompress)
        for level in (1, 3)
    }
    return {**found, "zipnn": (codec.compress, codec.decompress)}


def measure(program: Path, folder: Path, rows: int, columns: int, rounds: int) -> dict:
    path = folder / "weights.bin"
    subprocess.run([program, "--write", path, str(rows), str(columns)], check=True)
    weights = path.read_bytes()
    ours: dict[tuple[str, str], list[dict]] = {}
    theirs: dict[str, list[dict]] = {}
    bound = 0.0
    for _ in range(rounds):
        output = subprocess.run([program, path, str(rows), str(columns), "3"], check=True, stdout=subprocess.PIPE)
        report = json.loads(output.stdout)
        bound = report["bound_bits_per_weight"]
        for row in report["rows"]:
            ours.setdefault((row["encoding"], row["instruction_set"]), []).append(row)
        for name, (compress, decompress) in others().items():
            packed = compress(weights)  # warms up, too
            row = {"bits_per_weight": 8 * len(packed) / len(weights)}
            row["encode_gb_per_cpu_second"] = speed(weights, lambda c=compress: c(weights))
            row["decode_gb_per_cpu_second"] = speed(weights, lambda d=decompress, p=packed: d(p))
            if bytes(decompress(packed)) != weights:
                sys.exit(f"{name}: the decompressed bytes differ")
            theirs.setdefault(name, []).append(row)

    def median(samples: list[dict]) -> dict:
        return {
            key: round(statistics.median(s[key] for s in samples), 4)
            for key in samples[0]
            if key.endswith(("_second", "_weight"))
        }

    result_rows = [{"encoding": e, "instruction_set": i, **median(samples)} for (e, i), samples in ours.items()]
    result_rows += [{"encoding": name, **median(samples)} for name, samples in theirs.items()]
    return {
        "shape": [rows, columns],
        "rounds": rounds,
        "bound_bits_per_weight": round(bound, 4),
        "rows": result_rows,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, default=Path("build"))
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    program = arguments.build.resolve() / "bin" / "ecf8-bench-speed"
    model = next(x for x in Path("/proc/cpuinfo").read_text().splitlines() if x.startswith("model name"))
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
    with tempfile.TemporaryDirectory() as folder:
        report = {
            "benchmark": "codec",
            "machine": {"cpu": model.split(":")[1].strip(), "system": platform.platform()},
            "commit": commit,
            "load_average_before": round(os.getloadavg()[0], 1),
            "threads": 1,
            "data": "Gaussian, rows scaled to 448, E4M3FN",
            "versions": {"zstandard": zstandard.__version__, "zstd": ".".join(map(str, zstandard.ZSTD_VERSION))},
            "shapes": [measure(program, Path(folder), *shape, arguments.rounds) for shape in SHAPES],
        }
    json.dump(report, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
