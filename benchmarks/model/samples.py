"""Where the time of calls goes, by `perf`: contractions of FP8 weights, other compiled loops, everything else."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

# Symbols of a bundle's code: contractions are functions of their own, other loops are numbered bodies.
CONTRACTION = "ecf8_contract_"


def available() -> bool:
    return shutil.which("perf") is not None


def share(samples: list[tuple[float, str, str]]) -> dict[str, float]:
    """Percent by class, from (percent, object, symbol)."""
    total = {"contractions": 0.0, "other loops": 0.0, "kernel": 0.0, "rest": 0.0}
    for percent, dso, symbol in samples:
        if symbol.startswith(CONTRACTION):
            kind = "contractions"
        elif dso.startswith("x86-64-") or dso.startswith("generic"):
            kind = "other loops"
        else:
            kind = "kernel" if dso.startswith("[") else "rest"
        total[kind] += percent
    return {kind: round(percent, 1) for kind, percent in total.items()}


def parse(report: str) -> list[tuple[float, str, str]]:
    """The lines of `perf report -t ';' -F overhead,dso,symbol`."""
    found = []
    for line in report.splitlines():
        fields = [field.strip() for field in line.split(";")]
        if line.startswith("#") or len(fields) < 3:
            continue
        found.append((float(fields[0].rstrip("%")), fields[1], fields[2].split("] ", 1)[-1].strip()))
    return found


def profile(call: Callable[[], object], seconds: float) -> tuple[dict[str, float], list[tuple[float, str, str]]]:
    """Percent by class, and the ten heaviest symbols that are no contractions."""
    with tempfile.TemporaryDirectory(prefix="ecf8-perf-") as folder:
        data = Path(folder) / "perf.data"
        command = ["perf", "record", "-q", "-e", "cpu-clock", "-F", "2000", "-o", str(data), "-p", str(os.getpid())]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as recorder:
            time.sleep(0.5)  # until it is attached
            end = time.perf_counter() + seconds
            call()
            while time.perf_counter() < end:
                call()
            recorder.send_signal(signal.SIGINT)
            _, errors = recorder.communicate()
        if not data.is_file():
            raise RuntimeError(f"expected perf to record samples, got: {errors.strip()}")
        fields = ["--no-children", "--sort", "dso,symbol", "-F", "overhead,dso,symbol", "-t", ";"]
        result = subprocess.run(["perf", "report", "-i", str(data), *fields], capture_output=True, text=True)
    samples = sorted(parse(result.stdout), reverse=True)
    if not samples:
        raise RuntimeError(f"expected samples from perf report, got: {result.stderr.strip()}")
    return share(samples), [sample for sample in samples if not sample[2].startswith(CONTRACTION)][:10]
