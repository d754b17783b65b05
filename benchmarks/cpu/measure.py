"""Checks the results of all contenders for one layer and one case, then measures them in paired rounds."""

from __future__ import annotations

import statistics
import time
from typing import Any

import numpy as np
from contenders import CONTENDERS, OWN, Call, Loaded
from workload import Case, Workload

BASES = ("raw", "dense bf16", "torch bf16", "torch upcast", "iree")  # "iree": the faster of the two
BLOCK_SECONDS = 0.06  # of one contender in one round; one call at least


def read_bandwidth() -> float:
    """GB/s of one thread that reads 256 MiB of memory."""
    block = np.ones(32 << 20, np.int64)
    begin = time.perf_counter()
    block.max()
    return block.nbytes / (time.perf_counter() - begin) / 1e9


def references(work: Workload, case: Case, x: np.ndarray) -> dict[bool, np.ndarray]:
    """The product with the first weight, with its scale and without, in f32."""
    import torch

    tensors = work.read_weights()
    found = {}
    for scaled in {CONTENDERS[name].scaled for name in CONTENDERS}:
        factors = tensors[f"w0.{case[1]}"] if scaled and case[1] != "none" else None
        wide = torch.from_numpy(work.widened(tensors["w0"], factors, case[0]))
        found[scaled] = torch.nn.functional.linear(torch.from_numpy(x.astype(np.float32)), wide).numpy()
    return found


def check(name: str, loaded: Loaded, call: Call, expected: np.ndarray) -> float:
    """The largest difference as part of the largest magnitude; ends the program where it is above the tolerance."""
    given = loaded.result(call())
    error = float(np.abs(given - expected).max() / np.abs(expected).max())
    if not error <= CONTENDERS[name].tolerance:
        raise SystemExit(f"{name}: expected a result within {CONTENDERS[name].tolerance}, got a difference of {error}")
    return error


def call_seconds(calls: list[Call]) -> float:
    """The mean of up to three calls; fewer where they are slow."""
    begin, count = time.perf_counter(), 0
    for call in calls[:3]:
        call()
        count += 1
        if time.perf_counter() - begin > BLOCK_SECONDS:
            break
    return (time.perf_counter() - begin) / count


def measure(loaded: dict[str, Loaded], x: np.ndarray, case: Case, expected: dict[bool, np.ndarray], rounds: int) -> Any:
    """One cell: all contenders on the rows of `x`."""
    calls: dict[str, list[Call]] = {}
    errors, per_block, position = {}, {}, {}
    for name, contender in loaded.items():
        calls[name] = contender.bind(x, case)
        errors[name] = check(name, contender, calls[name][0], expected[CONTENDERS[name].scaled][: len(x)])
        seconds = call_seconds(calls[name])
        per_block[name] = max(1, min(round(BLOCK_SECONDS / seconds), 4 * len(calls[name])))
        position[name] = 0

    speeds: dict[str, list[float]] = {name: [] for name in loaded}
    order = list(loaded)
    for _ in range(rounds):
        for name in order:
            # Rotation goes on where the last round ended, so that no weight is still in the cache.
            own = calls[name]
            chosen = [own[(position[name] + i) % len(own)] for i in range(per_block[name])]
            position[name] += per_block[name]
            begin = time.perf_counter()
            for call in chosen:
                call()
            seconds = time.perf_counter() - begin
            speeds[name].append(sum(getattr(call, "weights", 1) for call in chosen) / seconds)
        order.append(order.pop(0))
    return errors, speeds


def summary(rows: int, weights: int, errors: dict[str, float], speeds: dict[str, list[float]]) -> dict[str, Any]:
    """Medians over the rounds: weights per second, and ratios within a round."""
    medians = {name: statistics.median(values) for name, values in speeds.items()}
    bases = {base: base for base in BASES if base in speeds}
    if ours := [name for name in speeds if name.startswith("iree")]:
        bases["iree"] = max(ours, key=lambda name: medians[name])
    result: dict[str, Any] = {
        "rows": rows,
        "weights_per_second_1e9": {name: round(value * weights / 1e9, 3) for name, value in medians.items()},
        "spread": {name: round((max(v) - min(v)) / medians[name], 2) for name, v in speeds.items()},
        "error": {name: float(f"{value:.1e}") for name, value in errors.items()},
    }
    for base, against in bases.items():
        result[f"ratio_to_{base.replace(' ', '_')}"] = {
            name: round(statistics.median(a / b for a, b in zip(speeds[name], speeds[against], strict=True)), 2)
            for name in OWN
            if name in speeds
        }
    return result


def measure_case(work: Workload, loaded: dict[str, Loaded], case: Case, rounds: int) -> dict[str, Any]:
    """One group of the report."""
    x = work.activations(case[0], max(work.grid[case]))
    expected = references(work, case, x)
    before = read_bandwidth()
    results = []
    for rows in sorted(work.grid[case]):
        errors, speeds = measure(loaded, x[:rows], case, expected, rounds)
        results.append(summary(rows, work.layer.rows * work.layer.columns, errors, speeds))
    return {
        "shape": [work.layer.rows, work.layer.columns],
        "activations": case[0],
        "scale": case[1],
        "scale_block": list(work.layer.block) if case[1] == "blocks" else None,
        "weights_in_rotation": work.count,
        "read_gb_per_second": [round(before, 1), round(read_bandwidth(), 1)],
        "results": results,
    }
