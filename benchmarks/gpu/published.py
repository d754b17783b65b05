"""Instructions per weight of the published ECF8 decode kernel, counted as `make gpu-static` counts ours.

    git clone https://github.com/zeyuyang8/ecf8
    .venv/bin/python benchmarks/gpu/published.py ecf8/dfloat/run/decode.cu            prints them
    .venv/bin/python benchmarks/gpu/published.py ecf8/dfloat/run/decode.cu --record   into results/gpu-static.json

The kernel ("To Compress or Not?", ICLR 2026) decodes each weight twice, first to count and then to write, and copies
the result from shared memory. For a weight that is one pass of each of three loops: the longer one of the first phase,
the one of the second that the compiler unrolled, and the copy. What a thread does once, the scan among it, is left out.
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
from pathlib import Path

from static import RECORD, count_opcodes, count_pipes, find_tool, loops_of, run


def per_weight(loops: list[list[str]]) -> dict[str, float]:
    """Counts of the three loops, each divided by the weights of one pass."""
    has = lambda loop, opcode: count_opcodes(loop)[opcode]
    counting = [loop for loop in loops if has(loop, "LDG") and not has(loop, "STS") and not has(loop, "STG")]
    writing = [loop for loop in loops if has(loop, "LDG") and has(loop, "STS")]
    copying = [loop for loop in loops if has(loop, "LDS") and has(loop, "STG")]
    total: dict[str, float] = {"issue": 0.0}
    for loop, weights_by in ((max(counting, key=len), None), (max(writing, key=len), "STS"), (copying[0], "STG")):
        weights = has(loop, weights_by) if weights_by else 1
        total["issue"] += len(loop) / weights
        for pipe, count in count_pipes(count_opcodes(loop)).items():
            total[pipe] = total.get(pipe, 0) + count / weights
    return {f"{pipe}_per_weight": round(count, 2) for pipe, count in total.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path, help="decode.cu")
    parser.add_argument("--arch", default="sm_90")
    parser.add_argument("--record", action="store_true", help=f"write {RECORD.name}")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        cubin = Path(folder) / "decode.cubin"
        run([find_tool("nvcc"), f"-arch={options.arch}", "-O3", "-cubin", str(options.source), "-o", str(cubin)])
        text = run([find_tool("nvdisasm"), "-c", str(cubin)])
    section = next(part for part in re.split(r"\n\s*\.section\s+\.text\.", text)[1:])
    row = {
        "kernel": "published ECF8 decode",
        "source": "github.com/zeyuyang8/ecf8, dfloat/run/decode.cu",
        "architecture": options.arch,
        **per_weight(loops_of(section)),
    }
    print(json.dumps(row, indent=1))
    if options.record:
        RECORD.write_text(json.dumps(json.loads(RECORD.read_text()) | {"published": row}, indent=1) + "\n")


if __name__ == "__main__":
    main()
