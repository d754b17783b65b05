"""Instructions per weight of the generated GPU kernels, without a GPU: assembled by ptxas, disassembled by nvdisasm.

    make gpu-static            compare with the recorded table, benchmarks/results/gpu-static.json
    make gpu-static RECORD=1   record it
    static.py --check          as a test: no kernel may have more instructions, registers or spills than recorded

Counted is the smallest loop with the loads of two groups of 128 columns of a tile: 128 weights for each thread.
Predicated instructions, and in whole decoders the loop over bytes of a ragged edge, count in full. Counts say how busy
each pipe would be at full memory bandwidth, not how fast a kernel is: latency, the beginning and the end of a kernel
are not in them (docs/GPUKernels.md).
"""

from __future__ import annotations

import argparse
import collections
import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from kernels import CODECS, PROGRAMS, architecture_of, write_ptx

ROOT = Path(__file__).resolve().parents[2]
RECORD = ROOT / "benchmarks/results/gpu-static.json"
WEIGHTS_PER_LOOP = 128  # of a thread: two groups of 16 rows x 128 columns for 32 lanes

# Instructions by pipe (CUDA Binary Utilities, "Instruction Set Reference"); what is in neither is counted as other.
ALU = frozenset(
    [
        "LOP3",
        "LOP",
        "SHF",
        "PRMT",
        "IADD3",
        "IADD",
        "VIADD",
        "SEL",
        "ISETP",
        "F2FP",
        "MOV",
        "PLOP3",
        "LEA",
        "VIMNMX",
        "IMNMX",
        "P2R",
        "R2P",
        "I2FP",
        "FSEL",
        "FSETP",
    ]
)
FMA = frozenset(["IMAD", "FADD", "FFMA", "FMUL", "HFMA2", "HADD2", "HMUL2"])
LSU = frozenset(["LDS", "LDG", "STS", "STG", "LDGSTS", "LDSM", "LDC", "ATOMG", "LD", "ST"])

# Memory bandwidth in bytes/s, SMs and boost clock in Hz, from NVIDIA's data sheets, and a pipe's lanes in each SM and
# clock (CUDA C++ Programming Guide, "Arithmetic Instructions").
GPUS = {
    "A100": {"bandwidth": 2.039e12, "processors": 108, "clock": 1.41e9, "arch": "sm_80"},
    "L40S": {"bandwidth": 0.864e12, "processors": 142, "clock": 2.52e9, "arch": "sm_89"},
    "RTX 4090": {"bandwidth": 1.008e12, "processors": 128, "clock": 2.52e9, "arch": "sm_89"},
    "H100": {"bandwidth": 3.35e12, "processors": 132, "clock": 1.98e9, "arch": "sm_90"},
    "H200": {"bandwidth": 4.8e12, "processors": 132, "clock": 1.98e9, "arch": "sm_90"},
}
LANES = {"alu": 64, "fma": 64, "issue": 128}
# The shared memory that a block can have and the warps that a multiprocessor can hold (CUDA C++ Programming Guide,
# "Technical Specifications per Compute Capability").
PROCESSORS = {"sm_80": (163 << 10, 64), "sm_89": (99 << 10, 48), "sm_90": (227 << 10, 64)}
# Gaussian weights with a scale for each 128 x 128 (benchmarks/gpu/bench.cpp): all bits, and the longest stream of a
# tile of 1024 columns in bytes (slot_bytes of a bundle).
BITS_PER_WEIGHT = {"raw": 8.0, "quads": 6.785, "pairs": 6.634}
SLOT_BYTES = {"raw": 0, "quads": 1696, "pairs": 5456}
TABLE_BYTES = {"raw": 0, "quads": 4 << 11, "pairs": 4 << 12}
TILE_COLUMNS = 1024


def find_tool(name: str) -> str:
    """A program of the CUDA toolkit: of the pinned package (python/requirements.txt), else of PATH."""
    for folder in map(Path, sys.path):
        for path in folder.glob(f"nvidia/**/bin/{name}"):
            return str(path)
    if found := shutil.which(name):
        return found
    sys.exit(f"error: expected {name} of the package nvidia-cuda-{name.replace('ptxas', 'nvcc')} or in PATH, got none")


def run(command: list[str], **options) -> str:
    done = subprocess.run(command, capture_output=True, text=True, **options)
    if done.returncode:
        sys.exit(f"error: {' '.join(command)}\n{done.stderr}")
    return done.stdout + done.stderr


def loops_of(section: str) -> list[list[str]]:
    """The instructions of each loop of one function's disassembly, inner ones also as part of outer ones."""
    labels: dict[str, int] = {}
    instructions: list[str] = []
    for line in section.splitlines():
        if label := re.match(r"\s*(\.L_x_\d+):", line):
            labels[label.group(1)] = len(instructions)
        elif found := re.match(r"\s*/\*[0-9a-f]+\*/\s+(.*?);", line):
            instructions.append(found.group(1))
    loops = []
    for index, text in enumerate(instructions):
        target = re.search(r"BRA.*?(\.L_x_\d+)", text)
        if target and labels.get(target.group(1), index + 1) <= index:
            loops.append(instructions[labels[target.group(1)] : index + 1])
    return loops


def count_opcodes(instructions: list[str]) -> collections.Counter[str]:
    opcode = re.compile(r"(?:@!?U?P(?:T|\d+)\s+)?([A-Z0-9]+)")
    return collections.Counter(opcode.match(text).group(1) for text in instructions)


def count_pipes(counts: collections.Counter[str]) -> dict[str, int]:
    return {
        "alu": sum(counts[opcode] for opcode in ALU),
        "fma": sum(counts[opcode] for opcode in FMA),
        "lsu": sum(counts[opcode] for opcode in LSU),
    }


def main_loop(section: str, mark: str) -> collections.Counter[str] | None:
    """The opcodes of the main loop of one function's disassembly, which has an instruction `mark`."""
    # What it loads of the stored plane: two groups of two slots at least.
    main = [
        loop
        for loop in loops_of(section)
        if sum("LDG" in text and ".128" in text for text in loop) >= 4 and any(mark in text for text in loop)
    ]
    return count_opcodes(min(main, key=len)) if main else None


def launch(kernel: str, codec: str, architecture: str) -> dict:
    """Shared memory and warps of the one block that a multiprocessor gets (docs/guides/gpu.md), as the host computes
    them, and the part of the warps it could hold. No warps: the activations do not fit, and the host takes a kernel for
    fewer rows."""
    limit, most_warps = PROCESSORS[architecture.removesuffix("a")]
    fixed, per_warp, multiple = TABLE_BYTES[codec], 2 * SLOT_BYTES[codec], 1
    if "_decode_" in kernel:
        per_warp += 16 * (128 + 16)
    elif "f8E4M3FN_f8E4M3FN" in kernel:
        fixed = (fixed + 1023) // 1024 * 1024 + rows_of(kernel) * (TILE_COLUMNS + 16)
        multiple = 4
    else:
        fixed += rows_of(kernel) * (2 * TILE_COLUMNS + 32)
    warps = min(16, (limit - fixed) // per_warp if per_warp else 16) // multiple * multiple if fixed <= limit else 0
    return {"shared_bytes": fixed + warps * per_warp, "warps": warps, "occupancy": round(warps / most_warps, 3)}


def rows_of(kernel: str) -> int:
    return int(kernel.rsplit("_n", 1)[1])


def measure(ptx: Path, codec: str, architecture: str, disassembler: str, folder: Path) -> list[dict]:
    cubin = folder / "kernels.cubin"
    report = run([find_tool("ptxas"), f"-arch={architecture}", "-v", str(ptx), "-o", str(cubin)])
    used = {}
    for name, text in re.findall(r"Compiling entry function '(\w+)'.*?\n((?:.*\n)*?ptxas info    : Used.*)", report):
        used[name] = {
            "registers": int(re.search(r"Used (\d+) registers", text).group(1)),
            "spilled_bytes": int(re.search(r"(\d+) bytes spill stores", text).group(1)),
        }
    rows = []
    for section in re.split(r"\n\s*\.section\s+\.text\.", run([disassembler, "-c", str(cubin)]))[1:]:
        name = re.match(r'"?(\w+)', section).group(1)
        if not name.startswith(("ecf8_contract_", "ecf8_decode_")):
            continue  # of an elementwise op
        counts = main_loop(section, "STG" if "_decode_" in name else "MMA")
        if counts is None:
            sys.exit(f"error: {name} for {architecture}: expected a loop that loads from global memory, got none")
        total = counts.total()
        pipes = count_pipes(counts)
        row = {
            "codec": codec,
            "kernel": name,
            "architecture": architecture,
            **used[name],
            **launch(name, codec, architecture),
            "issue_per_weight": total / WEIGHTS_PER_LOOP,
        }
        row |= {f"{pipe}_per_weight": count / WEIGHTS_PER_LOOP for pipe, count in pipes.items()}
        row["other_per_weight"] = (total - sum(pipes.values())) / WEIGHTS_PER_LOOP
        row["pipe_load_at_full_bandwidth"] = {
            gpu: load(row, figures)
            for gpu, figures in GPUS.items()
            if figures["arch"] == architecture.removesuffix("a")
        }
        rows.append({key: round(value, 3) if isinstance(value, float) else value for key, value in row.items()})
    return sorted(rows, key=lambda row: row["kernel"])


def load(row: dict, gpu: dict) -> dict[str, float]:
    """The share of each pipe's time that the loop takes if memory delivers weights at its full bandwidth."""
    weights = gpu["bandwidth"] * 8 / BITS_PER_WEIGHT[row["codec"]]  # per second
    lanes = gpu["processors"] * gpu["clock"]
    return {pipe: round(row[f"{pipe}_per_weight"] * weights / (lanes * count), 2) for pipe, count in LANES.items()}


def short(kernel: str) -> str:
    """The name without the layout."""
    return re.sub(r"_(raw|huffman)_mma\w*?_S\d+_f8E4M3FN", "", kernel)


def print_table(rows: list[dict], recorded: dict) -> int:
    changes = 0
    columns = ["regs", "spill", "shared", "warps", "occup.", "ALU/w", "FMA/w", "LSU/w", "issue/w"]
    print(f"{'codec':6} {'kernel':26} {'arch':7}", *(f"{column:>7}" for column in columns), " load of ALU, issue")
    for row in rows:
        before = recorded.get((row["kernel"], row["architecture"]))
        loads = [
            f"{gpu} {pipes['alu']:.0%} {pipes['issue']:.0%}"
            for gpu, pipes in row["pipe_load_at_full_bandwidth"].items()
        ]
        if before and before != row:
            changes += 1
            loads.append(f"(recorded: issue {before['issue_per_weight']}, registers {before['registers']})")
        counts = [row[f"{pipe}_per_weight"] for pipe in ("alu", "fma", "lsu", "issue")]
        sizes = [f"{row[key]:7}" for key in ("registers", "spilled_bytes", "shared_bytes", "warps")]
        figures = [*sizes, f"{row['occupancy']:7.0%}", *(f"{count:7.2f}" for count in counts)]
        print(f"{row['codec']:6} {short(row['kernel']):26} {row['architecture']:7}", *figures, "", ", ".join(loads))
    return changes


def check(rows: list[dict], recorded: dict) -> bool:
    """Prints a line for each architecture; whether no kernel has become worse than recorded."""
    worse = collections.defaultdict(list)
    for row in rows:
        before = recorded.get((row["kernel"], row["architecture"]))
        if not before:
            worse[row["architecture"]].append(f"{row['kernel']} is not in the record")
            continue
        limits = {
            "alu_per_weight": 1.01,
            "issue_per_weight": 1.01,
            "registers": 1,
            "spilled_bytes": 1,
            "shared_bytes": 1,
        }
        for key, tolerance in limits.items():
            if row[key] > before[key] * tolerance:
                worse[row["architecture"]].append(f"{row['kernel']}: {key} {row[key]}, recorded {before[key]}")
    there = {(row["kernel"], row["architecture"]) for row in rows}
    for kernel, architecture in recorded.keys() - there:
        worse[architecture].append(f"{kernel} is in the record, but there is none")
    for architecture in sorted({row["architecture"] for row in rows}):
        count = sum(row["architecture"] == architecture for row in rows)
        print(*worse[architecture], sep="\n", end="\n" if worse[architecture] else "")
        print(f"{'failed' if worse[architecture] else 'ok'}: instructions of {count} kernels for {architecture}")
    return not any(worse.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=Path, default=ROOT / "build")
    parser.add_argument("--record", action="store_true", help=f"write {RECORD.relative_to(ROOT)}")
    parser.add_argument("--check", action="store_true", help="fail where a kernel is worse than recorded")
    options = parser.parse_args()
    disassembler = find_tool("nvdisasm")
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for architecture in ("sm_80", "sm_89", "sm_90"):
            for codec in CODECS:
                for program in PROGRAMS:
                    if not (compiled_for := architecture_of(program, architecture)):
                        continue
                    ptx = folder / "kernels.ptx"
                    write_ptx(options.build, program, codec, compiled_for, 1024, ptx)
                    rows += measure(ptx, codec, compiled_for, disassembler, folder)
    recorded = json.loads(RECORD.read_text()) if RECORD.exists() else {"kernels": []}
    by_name = {(row["kernel"], row["architecture"]): row for row in recorded["kernels"]}
    if options.check:
        sys.exit(0 if check(rows, by_name) else 1)
    changes = print_table(rows, by_name)
    if published := recorded.get("published"):
        counts = ", ".join(f"{pipe} {published[f'{pipe}_per_weight']}" for pipe in ("alu", "fma", "lsu", "issue"))
        print(f"{published['kernel']} ({published['source']}), per weight: {counts}")
    if options.record:
        version = re.search(r"release ([\d.]+), V([\d.]+)", run([find_tool("ptxas"), "--version"])).group(2)
        record = {"ptxas": version, "published": recorded.get("published"), "kernels": rows}
        RECORD.write_text(json.dumps(record, indent=1) + "\n")
    elif changes:
        print(f"{changes} kernels differ from the record; after a change on purpose: make gpu-static RECORD=1")


if __name__ == "__main__":
    main()
