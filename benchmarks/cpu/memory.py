"""Memory of a call, measured in a process of its own; what it takes at most beyond its weights, activations and result.

`peak`: the highest resident memory during the first call, less what was resident before it, less the pages of files
that it touched (the mapped weights), less the result. `retained`: how much more anonymous memory there is after six
calls, whose results are gone, than before the first. `weight_bytes`: what one weight takes as long as the model is
loaded; for contenders that do not say it, the growth of anonymous memory while one weight was loaded. (IREE packs a
copy for each layout that a function of its module asks for: two where the module has cases with f32 and with bf16.) The
kernel counts resident pages in batches: a figure is right to some 0.3 MiB.
"""

from __future__ import annotations

import dataclasses
import gc
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

from workload import Case, Workload

ROWS = (1, 32, 512)
CALLS = 6


def status() -> dict[str, int]:
    """Bytes: VmHWM, VmRSS, RssAnon, RssFile."""
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return {key: int(lines[key].split()[0]) << 10 for key in ("VmHWM", "VmRSS", "RssAnon", "RssFile")}


def _measure(work: Workload, name: str, case: Case, rows: int) -> dict[str, int]:
    from contenders import CONTENDERS

    contender = CONTENDERS[name]
    if name.startswith("torch"):
        import torch  # noqa: F401  (its own memory is no part of a weight)
    if name.startswith("iree"):
        import iree.runtime  # noqa: F401
    gc.collect()
    empty = status()
    # Only the first weight, but for bundles, which map all and touch those that are called.
    loaded = contender.load(dataclasses.replace(work, count=1))
    call = loaded.bind(work.activations(case[0], rows), case)[0]
    gc.collect()
    before = status()
    Path("/proc/self/clear_refs").write_text("5")  # VmHWM starts anew
    result_bytes = loaded.result(call()).nbytes
    after = status()
    for _ in range(CALLS - 1):
        call()
    gc.collect()
    grown, weight_bytes = after["VmHWM"] - before["VmRSS"], loaded.weight_bytes
    return {
        "rows": rows,
        "peak": max(0, grown - (after["RssFile"] - before["RssFile"]) - result_bytes),
        "retained": max(0, status()["RssAnon"] - before["RssAnon"]),
        "weight_bytes": before["RssAnon"] - empty["RssAnon"] if weight_bytes is None else weight_bytes,
    }


def measure_memory(work: Workload, name: str, case: Case) -> list[dict[str, Any]]:
    """One process for each number of rows; IREE has code only for those that are measured."""
    found = []
    for count in (m for m in ROWS if not name.startswith("iree") or m in work.grid[case]):
        task = pickle.dumps((work, name, case, count))
        environment = {**os.environ, "OMP_NUM_THREADS": str(work.threads)}
        child = subprocess.run(
            [sys.executable, __file__], input=task, env=environment, stdout=subprocess.PIPE, check=True
        )
        found.append({"contender": name, "threads": work.threads, **json.loads(child.stdout)})
    return found


if __name__ == "__main__":
    print(json.dumps(_measure(*pickle.load(sys.stdin.buffer))))
