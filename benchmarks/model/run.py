"""Whole models with FP8 weights next to PyTorch's dense ones, and where the time goes. Prints JSON.

    .venv/bin/python benchmarks/model/run.py --record     everything, some 10 minutes on a quiet core
    .venv/bin/python benchmarks/model/run.py --build build [--model bert --type f32 --tokens 1,64,512]

`--record` writes the report to benchmarks/results/model.json, too.

Each call is timed next to one of PyTorch eager on the same model before it was quantized, in turn, on one thread; a
ratio is ours over PyTorch's, the median of the rounds. With `perf` on the machine, each entry has the percentage of
samples inside contractions of FP8 weights, other loops of compiled code, and the kernel (memory), and the heaviest of
the other symbols.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

LARGEST = 4096
RECORD = Path(__file__).parent.parent / "results" / "model.json"


def numbers(text: str) -> list[int]:
    try:
        values = [int(part) for part in text.split(",")]
    except ValueError:
        values = []
    if not values or min(values) < 1 or max(values) > LARGEST:
        raise argparse.ArgumentTypeError(f"expected numbers from 1 to {LARGEST} separated by commas, got '{text}'")
    return values


def seconds_of(call: Callable[[], object]) -> float:
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def measure(name: str, dtype: str, tokens: list[int], rounds: int, profile_seconds: float) -> list[dict[str, Any]]:
    import ecf8
    import models
    import samples
    import torch

    torch.set_num_threads(1)
    ecf8.set_threads(1)
    dense = models.make(name, dtype)
    points = {f"t{n}": ecf8.EntryPoint((torch.zeros(1, n, dtype=torch.int64),)) for n in tokens}
    compiled = ecf8.compile(ecf8.quantize.quantize_linears(dense), entry_points=points, target_cpu="native")
    report = []
    for count in tokens:
        inputs = torch.randint(0, models.VOCABULARY, (1, count))
        function = compiled[f"t{count}"]

        def ours(function: Any = function, inputs: torch.Tensor = inputs) -> torch.Tensor:
            return function(inputs)

        def theirs(inputs: torch.Tensor = inputs) -> torch.Tensor:
            with torch.inference_mode():
                return dense(inputs)

        a, b = ours().float(), theirs().float()
        pairs = [(seconds_of(ours), seconds_of(theirs)) for _ in range(rounds)]
        entry: dict[str, Any] = {
            "model": name,
            "type": dtype,
            "tokens": count,
            "milliseconds": round(statistics.median(pair[0] for pair in pairs) * 1e3, 2),
            "torch_milliseconds": round(statistics.median(pair[1] for pair in pairs) * 1e3, 2),
            "ratio": round(statistics.median(x / y for x, y in pairs), 2),
            "difference": round(((a - b).norm() / b.norm()).item(), 4),
        }
        if profile_seconds > 0 and samples.available():
            entry["percent"], heaviest = samples.profile(ours, profile_seconds)
            entry["heaviest"] = [f"{percent} {dso} {symbol}" for percent, dso, symbol in heaviest]
        print(json.dumps(entry), file=sys.stderr)
        report.append(entry)
    return report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, default=Path("build"))
    parser.add_argument("--model", action="append", choices=["bert", "llama", "qwen3"], help="may be repeated")
    parser.add_argument("--type", action="append", choices=["f32", "bf16"], help="of activations; may be repeated")
    parser.add_argument("--tokens", type=numbers, default=[1, 64, 512], help="lengths of the input, as in 1,64,512")
    parser.add_argument("--rounds", type=int, default=5, help="pairs of calls for each length")
    parser.add_argument("--profile-seconds", type=float, default=3, help="for perf; 0: no profile")
    parser.add_argument("--record", action="store_true", help=f"write {RECORD.name}, too")
    arguments = parser.parse_args()
    build = arguments.build.resolve()
    if not (build / "bin" / "ecf8-compile").is_file():
        sys.exit(f"expected bin/ecf8-compile in the build folder '{build}'; --build names another one")
    if arguments.rounds < 1:
        sys.exit(f"expected at least one round, got {arguments.rounds}")
    os.environ["ECF8_HOME"] = str(build)
    cpu = next(x for x in Path("/proc/cpuinfo").read_text().splitlines() if x.startswith("model name"))
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
    results = []
    for name in arguments.model or ["bert", "llama", "qwen3"]:
        for dtype in arguments.type or ["f32", "bf16"]:
            results += measure(name, dtype, arguments.tokens, arguments.rounds, arguments.profile_seconds)
    report = {
        "benchmark": "model",
        "machine": {"cpu": cpu.split(":")[1].strip(), "system": platform.platform()},
        "commit": commit,
        "threads": 1,
        "results": results,
    }
    text = json.dumps(report, indent=1) + "\n"
    sys.stdout.write(text)
    if arguments.record:
        RECORD.write_text(text)


if __name__ == "__main__":
    main()
