#!/usr/bin/env python3
"""Sends a large synthetic checkpoint through `ecf8-pack compress`: peak memory and speed, as JSON.

`--fill=zeros` makes sparse files, which take no space on the disk and compress to files that take none either: that
shows the flat memory for any size. `--fill=gaussian` writes FP8 of normal weights: that shows the speed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
# A dense MLP projection of DeepSeek-V3 with its scales.
ROWS, COLUMNS = 18432, 7168
SCALES = (144, 56)

# A process begins with the peak of the one that started it, so the starter has to be small.
STARTER = """
import os, sys
pid = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ)
_, status, usage = os.wait4(pid, 0)
print(usage.ru_maxrss * 1024, usage.ru_utime, usage.ru_stime, file=sys.stderr)
sys.exit(os.waitstatus_to_exitcode(status))
"""


def gaussian_block() -> bytes:
    import torch

    torch.manual_seed(0)
    weight = torch.randn(ROWS // 8, COLUMNS) * 0.02
    return (weight / (weight.abs().max() / 448)).to(torch.float8_e4m3fn).view(torch.uint8).numpy().tobytes() * 8


def write_checkpoint(folder: Path, size_bytes: int, shards: int, fill: str) -> int:
    """Returns the bytes of all files."""
    folder.mkdir()
    per_shard = max(size_bytes // shards // (ROWS * COLUMNS), 1)
    block = gaussian_block() if fill == "gaussian" else b""
    weight_map, total = {}, 0
    for shard in range(1, shards + 1):
        name = f"model-{shard:05}-of-{shards:05}.safetensors"
        header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
        end = 0
        for i in range(per_shard):
            for suffix, dtype, shape, size in (
                ("", "F8_E4M3", [ROWS, COLUMNS], ROWS * COLUMNS),
                ("_scale_inv", "F32", list(SCALES), 4 * SCALES[0] * SCALES[1]),
            ):
                tensor = f"model.layers.{shard}.mlp.{i}.weight{suffix}"
                header[tensor] = {"dtype": dtype, "shape": shape, "data_offsets": [end, end + size]}
                weight_map[tensor] = name
                end += size
        text = json.dumps(header).encode()
        with (folder / name).open("wb") as file:
            file.write(struct.pack("<Q", len(text)) + text)
            for entry in header.values():
                if entry.get("dtype") == "F8_E4M3" and block:
                    file.seek(8 + len(text) + entry["data_offsets"][0])
                    file.write(block)
            file.truncate(8 + len(text) + end)
        total += 8 + len(text) + end
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    return total


def run(*command: object) -> tuple[dict[str, Any], dict[str, float]]:
    """Runs ecf8-pack; returns its report and what the run took."""
    start = time.monotonic()
    starter = [sys.executable, "-S", "-c", STARTER]
    result = subprocess.run([*starter, *map(str, command), "--json"], capture_output=True, text=True)
    if result.returncode != 0:
        sys.exit(result.stderr)
    peak, user, system = result.stderr.split()
    seconds = time.monotonic() - start
    return json.loads(result.stdout), {
        "seconds": seconds,
        "peak_bytes": int(peak),
        "cpu_seconds": float(user) + float(system),
    }


def cpu_name() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--build", type=Path, default=ROOT / "build", help="build folder (default: build)")
    parser.add_argument("--gigabytes", type=float, nargs="+", default=[4, 16, 64], help="sizes to run, 10^9 bytes")
    parser.add_argument("--fill", choices=["zeros", "gaussian"], default="zeros")
    parser.add_argument("--shards", type=int, default=8)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--folder", type=Path, help="where to put the checkpoints (default: a temporary folder)")
    arguments = parser.parse_args()
    pack = arguments.build.resolve() / "bin" / "ecf8-pack"
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout
    lines = []
    for gigabytes in arguments.gigabytes:
        with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
            source, packed = Path(folder) / "source", Path(folder) / "packed"
            size = write_checkpoint(source, int(gigabytes * 1e9), arguments.shards, arguments.fill)
            line: dict[str, Any] = {"bytes": size}
            for name, command in (
                ("compress", ["compress", source, packed]),
                ("verify", ["verify", packed]),
            ):
                report, figures = run(pack, *command, f"--jobs={arguments.jobs}")
                line["stored_bytes"] = report["stored_bytes"]
                line[name] = figures | {
                    "gb_per_second": size / figures["seconds"] / 1e9,
                    "gb_per_cpu_second": size / figures["cpu_seconds"] / 1e9,
                }
            line["disk_bytes"] = sum(path.stat().st_blocks * 512 for path in packed.iterdir())
            shutil.rmtree(source)
            lines.append(line)
            print(f"{size / 1e9:.1f} GB: {line['compress']}", file=sys.stderr)
    report = {
        "benchmark": "checkpoint/synthetic",
        "commit": commit.strip(),
        "machine": {"cpu": cpu_name(), "cpus": os.cpu_count()},
        "fill": arguments.fill,
        "shards": arguments.shards,
        "jobs": arguments.jobs,
        "runs": lines,
    }
    print(json.dumps(report, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
