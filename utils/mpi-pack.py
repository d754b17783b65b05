#!/usr/bin/env python3
"""Runs ecf8-pack on all ranks of mpirun, each on its share of the files, and writes one report.

The output folder must be one that all ranks see. The files are the same as those of a single run.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
# By launcher: Open MPI, then those that follow PMI.
RANK_NAMES = (("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"), ("PMI_RANK", "PMI_SIZE"))
SUMS = ("original_bytes", "stored_bytes", "fp8_elements", "payload_bytes")


def find_pack() -> str:
    built = Path(os.environ.get("ECF8_BUILD", ROOT / "build")) / "bin" / "ecf8-pack"
    found = str(built) if built.is_file() else shutil.which("ecf8-pack")
    if not found:
        sys.exit(f"mpi-pack: expected ecf8-pack at {built} or on the PATH, found none")
    return found


def run_as_rank(folder: Path, arguments: list[str]) -> int:
    """One share of the work; the report goes to `folder`."""
    for rank_name, size_name in RANK_NAMES:
        if rank_name in os.environ:
            rank, size = int(os.environ[rank_name]), int(os.environ[size_name])
            break
    else:
        print("mpi-pack: expected to be started by mpirun, found no rank in the environment", file=sys.stderr)
        return 3
    command = [find_pack(), *arguments, f"--part={rank + 1}/{size}", "--json"]
    result = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    (folder / f"part-{rank + 1}.json").write_text(result.stdout)
    return result.returncode


def merge(reports: list[dict[str, Any]]) -> dict[str, Any]:
    """The report of a single run, from those of its parts."""
    merged = dict(reports[0]) | {name: sum(report[name] for report in reports) for name in SUMS}
    merged["seconds"] = max(report["seconds"] for report in reports)
    merged["files"] = sorted((file for report in reports for file in report["files"]), key=lambda file: file["name"])
    merged["part_seconds"] = [report["seconds"] for report in reports]
    del merged["part"]
    return merged


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--ranks", type=int, default=2, help="number of parts (default: 2)")
    parser.add_argument("--mpirun", default="mpirun", help="the launcher and its flags, such as hosts")
    parser.add_argument("--report", type=Path, help="where to write the report (default: standard output)")
    parser.add_argument("--as-rank", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="a command of ecf8-pack with its flags")
    options = parser.parse_args()
    if not options.arguments:
        parser.error("expected a command of ecf8-pack, such as: compress IN OUT")
    if options.as_rank:
        return run_as_rank(options.as_rank, options.arguments)
    if options.ranks < 1:
        parser.error(f"expected 1 or more ranks, got {options.ranks}")

    # Beside the report, for it must be a place that all ranks see.
    beside = options.report.resolve().parent if options.report else Path.cwd()
    with tempfile.TemporaryDirectory(prefix=".mpi-pack-", dir=beside) as folder:
        rank = [sys.executable, str(Path(__file__).resolve()), f"--as-rank={folder}", *options.arguments]
        command = [*shlex.split(options.mpirun), "-n", str(options.ranks), *rank]
        status = subprocess.run(command).returncode
        parts = [Path(folder) / f"part-{part}.json" for part in range(1, options.ranks + 1)]
        if status != 0:
            print(f"mpi-pack: a rank failed with status {status}; start again to go on", file=sys.stderr)
            return 3
        if missing := [part.name for part in parts if not part.is_file()]:
            print(f"mpi-pack: expected a report of each rank, got none in {', '.join(missing)}", file=sys.stderr)
            return 3
        report = merge([json.loads(part.read_text()) for part in parts])
    text = json.dumps(report, indent=2) + "\n"
    if options.report:
        options.report.write_text(text)
    else:
        sys.stdout.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
