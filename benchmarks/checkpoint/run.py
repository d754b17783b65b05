"""Whole checkpoint files compressed and restored by `ecf8-pack`, zipnn and zstd: sizes and speeds, as JSON.

    .venv/bin/python benchmarks/checkpoint/run.py --build build             some two minutes
    .venv/bin/python benchmarks/checkpoint/run.py --record                  writes checkpoint.json, .md and .png, too

One safetensors file of FP8 weights (blocks of 128 x 128 scaled to 448, as DeepSeek-V3 and Qwen3 have them) with their
scales goes from file to file. Each round runs every tool once, each in a process of its own, on one thread and on
all; a figure is the median over the rounds. Speeds are GB of the original file per second of wall-clock time, with
reading and writing; the start of Python is left out. While it restores, `ecf8-pack` checks the hashes of contents and
original; zstd checks its own checksum, zipnn nothing. Restored files are compared with the original.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent.parent / "results"
LAYERS = {"q_proj": (8192, 8192), "kv_a": (576, 7168), "up_proj": (28672, 8192), "down_proj": (8192, 12288)}

# Programs that work file to file (mode, input, output, threads) and print the seconds that this took: not the start of
# Python, which is long.
ZSTD = """
import sys, time, zstandard
mode, source, target, threads = sys.argv[1:]
begin = time.monotonic()
with open(source, "rb") as read, open(target, "wb") as write:
    if mode == "compress":
        zstandard.ZstdCompressor(level=3, threads=int(threads), write_checksum=True).copy_stream(read, write)
    else:
        zstandard.ZstdDecompressor().copy_stream(read, write)
print(time.monotonic() - begin)
"""
ZIPNN = """
import sys, time, zipnn
mode, source, target, threads = sys.argv[1:]
begin = time.monotonic()
codec = zipnn.ZipNN(input_format="byte", bytearray_dtype="float8_e4m3fn", threads=int(threads))
content = open(source, "rb").read()
open(target, "wb").write(codec.compress(content) if mode == "compress" else codec.decompress(content))
print(time.monotonic() - begin)
"""


def write_source(path: Path) -> None:
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(0)
    tensors = {}
    for name, (rows, columns) in LAYERS.items():
        weight = torch.randn(rows, columns)
        blocks = torch.zeros(-(-rows // 128) * 128, columns)
        blocks[:rows] = weight
        view = blocks.view(-1, 128, columns // 128, 128)
        scale = view.abs().amax((1, 3)) / 448
        tensors[f"{name}.weight"] = (view / scale[:, None, :, None]).view_as(blocks)[:rows].to(torch.float8_e4m3fn)
        tensors[f"{name}.weight_scale_inv"] = scale
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path, metadata={"format": "pt"})


def commands(pack: Path) -> dict[str, Any]:
    """By name: a function of mode, input, output and threads that gives a command."""

    def ours(preset: str) -> Any:
        def command(mode: str, source: Path, target: Path, threads: int) -> list[str]:
            chosen = [f"--for={preset}"] if mode == "compress" else []
            return [str(pack), mode, str(source), str(target), "--force", "--quiet", f"--jobs={threads}", *chosen]

        return command

    def other(program: str) -> Any:
        return lambda mode, source, target, threads: [
            sys.executable, "-c", program, mode, str(source), str(target), str(threads),
        ]  # fmt: skip

    return {
        "ecf8 storage": ours("storage"), "ecf8 cpu": ours("cpu"), "zipnn": other(ZIPNN), "zstd -3": other(ZSTD),
    }  # fmt: skip


def seconds(command: list[str]) -> float:
    begin = time.monotonic()
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return float(output) if output else time.monotonic() - begin


def measure(pack: Path, folder: Path, rounds: int, counts: list[int]) -> tuple[int, list[dict[str, Any]]]:
    source = folder / "model.safetensors"
    write_source(source)
    size, digest = source.stat().st_size, hashlib.sha256(source.read_bytes()).digest()
    samples: dict[tuple[str, int], list[tuple[float, float]]] = {}
    stored: dict[str, int] = {}
    for _ in range(rounds):
        for threads in counts:
            for name, command in commands(pack).items():
                packed, restored = folder / "packed.safetensors", folder / "restored.safetensors"
                for path in (packed, restored):
                    path.unlink(missing_ok=True)
                compress = seconds(command("compress", source, packed, threads))
                restore = seconds(command("decompress", packed, restored, threads))
                if hashlib.sha256(restored.read_bytes()).digest() != digest:
                    sys.exit(f"{name}: the restored file differs")
                samples.setdefault((name, threads), []).append((compress, restore))
                stored[name] = packed.stat().st_size
    rows = []
    for (name, threads), pairs in samples.items():
        compress, restore = (statistics.median(pair[i] for pair in pairs) for i in range(2))
        rows.append(
            {
                "tool": name,
                "threads": threads,
                "stored_bytes": stored[name],
                "saved": round(1 - stored[name] / size, 4),
                "compress_gb_per_second": round(size / compress / 1e9, 3),
                "restore_gb_per_second": round(size / restore / 1e9, 3),
            }
        )
    return size, rows


def table(report: dict[str, Any]) -> str:
    what = f"{report['bytes'] / 1e6:.0f} MB of FP8 weights and their scales, file to file"
    how = f"{report['machine']['cpu']}, {report['rounds']} rounds, load {report['load_average_before']} before"
    lines = [
        "# Whole checkpoint files",
        "",
        f"`benchmarks/checkpoint/run.py` at {report['commit']}, {how}: {what}.",
        "",
        "| tool | threads | saved | compress, GB/s | restore, GB/s |",
        "|---|---|---|---|---|",
    ]
    for row in report["rows"]:
        lines.append(
            f"| {row['tool']} | {row['threads']} | {row['saved']:.1%} | {row['compress_gb_per_second']:.2f} | "
            f"{row['restore_gb_per_second']:.2f} |"
        )
    return "\n".join(lines) + "\n"


def draw(report: dict[str, Any], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
    counts = sorted({row["threads"] for row in report["rows"]})
    names = list(dict.fromkeys(row["tool"] for row in report["rows"]))
    for axis, (key, title) in zip(axes, (("compress", "compress"), ("restore", "restore")), strict=True):
        for offset, threads in enumerate(counts):
            values = [
                r[f"{key}_gb_per_second"]
                for n in names
                for r in report["rows"]
                if (r["tool"], r["threads"]) == (n, threads)
            ]
            places = [i + offset * 0.4 for i in range(len(names))]
            axis.bar(places, values, 0.38, label=f"{threads} thread{'s' if threads > 1 else ''}")
        axis.set_xticks([i + 0.2 * (len(counts) - 1) for i in range(len(names))], names)
        axis.set_title(f"{title}, GB/s file to file")
    axes[0].legend()
    figure.savefig(path, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, default=Path("build"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--record", action="store_true", help=f"write checkpoint.json, .md and .png to {RESULTS.name}/")
    arguments = parser.parse_args()
    pack = arguments.build.resolve() / "bin" / "ecf8-pack"
    model = next(x for x in Path("/proc/cpuinfo").read_text().splitlines() if x.startswith("model name"))
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
    load = round(os.getloadavg()[0], 1)
    counts = sorted({1, os.cpu_count() or 1})
    with tempfile.TemporaryDirectory(prefix="ecf8-bench-") as folder:
        size, rows = measure(pack, Path(folder), arguments.rounds, counts)
    report = {
        "benchmark": "checkpoint",
        "machine": {"cpu": model.split(":")[1].strip(), "system": platform.platform(), "processors": os.cpu_count()},
        "commit": commit,
        "load_average_before": load,
        "rounds": arguments.rounds,
        "bytes": size,
        "rows": rows,
    }
    if arguments.record:
        (RESULTS / "checkpoint.json").write_text(json.dumps(report, indent=1) + "\n")
        (RESULTS / "checkpoint.md").write_text(table(report))
        draw(report, RESULTS / "checkpoint.png")
    print(table(report), file=sys.stderr)
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
