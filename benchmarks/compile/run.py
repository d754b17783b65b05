"""Wall time and peak memory of import, compression and code generation of a whole model. Prints JSON.

    .venv/bin/python benchmarks/compile/run.py --build build

The model is the quickstart's, its linear layers in FP8. Each sample is a process of its own; memory is the largest sum
of the resident sets of that process and the compiler that it starts, looked at every 5 ms, less that of a process that
only imports torch and torch-mlir. (ru_maxrss will not do: a child inherits its parent's.) It contains transformers and
the model itself, in f32 and quantized, so what was there before `ecf8.compile` is shown, too, all weights read once:
transformers maps them, and a mapped weight is in memory only after somebody has read it. Figures are medians over the
rounds.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

LIMIT_SECONDS = 20
LIMIT_MODEL_SIZES = 3
VARIANTS = ("imports", "static", "dynamic")


def sample(variant: str) -> dict:
    """One measurement, of this process."""
    import torch
    import torch_mlir.fx  # noqa: F401  # loaded for its time and memory

    seconds = 0.0
    float32_bytes = before = 0
    if variant != "imports":
        import ecf8
        from ecf8.quickstart import _embedding

        model = _embedding.load_model()
        float32_bytes = sum(tensor.numel() * 4 for tensor in model.parameters())
        model = ecf8.quantize.quantize_linears(model)
        inputs = _embedding.tokenize([_embedding.QUERY, *_embedding.SENTENCES])
        shapes = _embedding.dynamic_shapes() if variant == "dynamic" else None
        for tensor in model.state_dict().values():
            tensor.view(-1).view(torch.uint8).amax()
        before = resident_bytes(os.getpid())
        begin = time.perf_counter()
        ecf8.compile(model, inputs, dynamic_shapes=shapes)
        seconds = time.perf_counter() - begin
    return {"seconds": seconds, "float32_bytes": float32_bytes, "before_bytes": before}


def resident_bytes(pid: int) -> int:
    """The resident set of one process; 0 if it is gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        return 0


def children(pid: int) -> list[int]:
    found = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += [int(child) for child in path.read_text().split()]
        except OSError:  # the thread ended
            continue
    return found


def watched(command: list[str], environment: dict[str, str]) -> dict:
    """The sample that `command` prints, and the peaks of its memory."""
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE)
    peak = compiler = 0
    while process.poll() is None:
        started = sum(map(resident_bytes, children(process.pid)))
        compiler = max(compiler, started)
        peak = max(peak, started + resident_bytes(process.pid))
        time.sleep(0.005)
    assert process.stdout is not None
    output = process.stdout.read()
    if process.returncode != 0:
        sys.exit(f"{' '.join(command)}: exit status {process.returncode}")
    return {**json.loads(output), "peak_bytes": peak, "compiler_bytes": compiler}


def measure(build: Path, rounds: int) -> dict:
    environment = {**os.environ, "ECF8_HOME": str(build)}
    samples: dict[str, list[dict]] = {variant: [] for variant in VARIANTS}
    for _ in range(rounds):
        for variant in VARIANTS:
            command = [sys.executable, __file__, "--sample", variant]
            samples[variant].append(watched(command, environment))

    def median(variant: str, key: str) -> float:
        return statistics.median(item[key] for item in samples[variant])

    base = median("imports", "peak_bytes")
    report: dict = {"imports_only_bytes": int(base)}
    for variant in VARIANTS[1:]:
        size = samples[variant][0]["float32_bytes"]
        peak, before = median(variant, "peak_bytes") - base, median(variant, "before_bytes") - base
        seconds = median(variant, "seconds")
        report[variant] = {
            "model_float32_bytes": size,
            "seconds": round(seconds, 2),
            "peak_bytes_over_imports": int(peak),
            "before_compile_bytes_over_imports": int(before),
            "compiler_process_bytes": int(median(variant, "compiler_bytes")),
            "peak_in_model_sizes": round(peak / size, 2),
            "peak_since_model_loaded_in_model_sizes": round((peak - before) / size, 2),
            "within_seconds": seconds <= LIMIT_SECONDS,
            "within_memory_over_imports": peak <= LIMIT_MODEL_SIZES * size,
            "within_memory_since_model_loaded": peak - before <= LIMIT_MODEL_SIZES * size,
        }
    return report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, default=Path("build"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sample", choices=VARIANTS, help="one measurement, in this process")
    arguments = parser.parse_args()
    if arguments.sample:
        json.dump(sample(arguments.sample), sys.stdout)
        return
    model = next(x for x in Path("/proc/cpuinfo").read_text().splitlines() if x.startswith("model name"))
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
    report = {
        "benchmark": "compile",
        "machine": {"cpu": model.split(":")[1].strip(), "system": platform.platform()},
        "commit": commit,
        "data": "all-MiniLM-L6-v2, linear layers quantized to E4M3FN",
        "limits": {"seconds": LIMIT_SECONDS, "model_sizes": LIMIT_MODEL_SIZES},
        "rounds": arguments.rounds,
        **measure(arguments.build.resolve(), arguments.rounds),
    }
    json.dump(report, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
