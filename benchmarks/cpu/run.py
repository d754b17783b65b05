"""Weights per second and memory of linear layers with compressed weights, next to dense FP8, PyTorch and IREE.

    make bench                                            everything, as JSON
    .venv/bin/python benchmarks/cpu/run.py --record       the default set, some 25 minutes on two quiet cores
    .venv/bin/python benchmarks/cpu/run.py --quick        one layer, up to 32 rows
    .venv/bin/python benchmarks/cpu/run.py --shape FLUX --rows 1 8 --scale none --contender planes "torch bf16"
    .venv/bin/python benchmarks/cpu/report.py benchmarks/results/cpu.json      the table and the plot anew

Prints JSON, and the table on standard error. IREE: python -m pip install -r benchmarks/requirements.txt.

Each contender has several distinct weights of one layer, called in rotation so that none stays in the cache. All
contenders run in turn in each round; a figure is the median over the rounds of weights per second (1e9), a ratio the
median of the rounds' ratios. Results are checked before they are timed. Times of our own code contain calls from
Python (some 50 microseconds), each of up to four weights; those of others contain one for each weight. Before and after
each group the bandwidth of reading memory is measured: where the two differ by much, something else was running.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import workload
from contenders import CONTENDERS, OWN
from iree_contender import COMPILE_FLAGS, find_compiler, runtime_flags, versions
from measure import measure_case
from memory import measure_memory
from program import ACTIVATIONS, SCALES
from report import draw, table, to_json
from workload import Case, Workload

RESULTS = Path(__file__).parent.parent / "results"


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, default=Path("build"))
    parser.add_argument("--quick", action="store_true", help="one layer, up to 32 rows, 3 rounds")
    parser.add_argument("--shape", nargs="+", help="layers whose names contain one of these")
    parser.add_argument("--rows", nargs="+", type=int, help=f"default: {workload.ROWS}")
    parser.add_argument("--scale", nargs="+", choices=SCALES, help="default: the one of the model's checkpoints")
    parser.add_argument("--activations", nargs="+", choices=ACTIVATIONS, help="default: bf16")
    parser.add_argument("--contender", nargs="+", choices=list(CONTENDERS), default=list(CONTENDERS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=workload.default_threads())
    parser.add_argument("--cache-mib", type=int, help="size of the last cache (default: as the system says)")
    parser.add_argument("--note", default="", help="what a reader of the record should know")
    parser.add_argument("--record", action="store_true", help=f"write cpu.json, cpu.md and cpu.png to {RESULTS.name}/")
    return parser.parse_args()


def grid_of(title: str, home: str, arguments: argparse.Namespace) -> dict[Case, list[int]]:
    """Rows by case. The reference layer has all cases, unless cases were asked for."""
    rows = arguments.rows or [m for m in workload.ROWS if not arguments.quick or m <= 32]
    grid = {(a, s): rows for a in arguments.activations or ("bf16",) for s in arguments.scale or (home,)}
    if title == workload.REFERENCE and not (arguments.activations or arguments.scale or arguments.quick):
        some = arguments.rows or list(workload.REFERENCE_ROWS)
        grid |= {(a, s): some for a in ACTIVATIONS for s in SCALES if (a, s) not in grid}
    return grid


def run_layer(title: str, work: Workload, arguments: argparse.Namespace, report: dict[str, Any]) -> None:
    def done(what: str) -> None:
        print(f"{time.monotonic() - arguments.begin:7.1f} s  {title}: {what}", file=sys.stderr)

    work.write_weights()
    loaded = {}
    for name in arguments.contender:
        CONTENDERS[name].prepare(work)
        loaded[name] = CONTENDERS[name].load(work)
    # Maps every page before anything is timed.
    for name, contender in loaded.items():
        case, rows = next((case, min(rows)) for case, rows in work.grid.items())
        for call in contender.bind(work.activations(case[0], rows), case):
            call()
        done(f"{name} is ready")
    for case in work.grid:
        group = {"layer": title, **measure_case(work, loaded, case, arguments.rounds)}
        report["groups"].append(group)
        done(" ".join(case))
    del loaded, contender
    if arguments.shape or title in workload.MEMORY_LAYERS:
        add_memory(title, work, arguments.contender, report)
        done("memory")


def add_memory(title: str, work: Workload, names: list[str], report: dict[str, Any]) -> None:
    case = next(iter(work.grid))
    elements = work.layer.rows * work.layer.columns
    # Others' need does not depend on the layer in a way that matters: one layer says it.
    for name in [n for n in names if n in OWN or title == workload.REFERENCE]:
        for entry in measure_memory(work, name, case):
            bits = round(8 * entry["weight_bytes"] / elements, 3)
            report["memory"].append({"layer": title, **entry, "bits_per_weight": bits})


def machine(threads: int) -> dict[str, Any]:
    model = next(x for x in Path("/proc/cpuinfo").read_text().splitlines() if x.startswith("model name"))
    return {
        "cpu": model.split(":")[1].strip(),
        "system": platform.platform(),
        "processors": os.cpu_count(),
        "threads": threads,
        "cache_mib": workload.third_level_cache() >> 20,
    }


def main() -> None:
    arguments = parse()
    arguments.begin = time.monotonic()
    os.environ["ECF8_HOME"] = str(arguments.build.resolve())
    os.environ["ECF8_NUM_THREADS"] = str(arguments.threads)
    with_iree = any(name.startswith("iree") for name in arguments.contender)
    if with_iree:
        find_compiler()  # says what to do where there is none, before anything is measured
    wanted = arguments.shape or ([workload.REFERENCE] if arguments.quick else [""])
    shapes = {t: s for t, s in workload.SHAPES.items() if any(part.lower() in t.lower() for part in wanted)}
    if not shapes:
        sys.exit(f"expected a part of one of: {', '.join(workload.SHAPES)}; got {' '.join(wanted)}")
    if arguments.quick:
        arguments.rounds = 3
    cache = (arguments.cache_mib << 20) if arguments.cache_mib else workload.third_level_cache()
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
    report: dict[str, Any] = {
        "benchmark": "cpu",
        "machine": machine(arguments.threads),
        "commit": commit,
        "note": arguments.note,
        "rounds": arguments.rounds,
        "versions": {"torch": importlib.metadata.version("torch"), **(versions() if with_iree else {})},
        "iree_flags": {"compile": COMPILE_FLAGS, "runtime": runtime_flags(arguments.threads)} if with_iree else None,
        "tolerance": {name: CONTENDERS[name].tolerance for name in arguments.contender},
        "groups": [],
        "memory": [],
    }
    for title, (rows, columns, home) in shapes.items():
        layer = workload.make_layer(rows, columns)
        with tempfile.TemporaryDirectory(prefix="ecf8-bench-") as folder:
            count = workload.weights_in_rotation(layer, cache)
            grid = grid_of(title, home, arguments)
            work = Workload(arguments.build.resolve(), Path(folder), layer, count, grid, arguments.threads)
            run_layer(title, work, arguments, report)
    report["seconds"] = round(time.monotonic() - arguments.begin)
    print(table(report), file=sys.stderr)
    print(to_json(report))
    if arguments.record:
        (RESULTS / "cpu.json").write_text(to_json(report) + "\n")
        (RESULTS / "cpu.md").write_text(table(report))
        draw(report, RESULTS / "cpu.png")


if __name__ == "__main__":
    main()
