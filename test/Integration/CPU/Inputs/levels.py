"""The instruction sets that code is generated for, and which of them this machine has."""

from pathlib import Path

# The flags in /proc/cpuinfo that a level needs.
LEVELS = {
    "generic": set(),
    "x86-64-v3": {"avx2"},
    "x86-64-v4": {"avx512_vbmi2"},
    "x86-64-v4-bf16": {"avx512_vbmi2", "avx512_bf16"},
}


def available_levels() -> list[str]:
    features = set(Path("/proc/cpuinfo").read_text().split("flags", 1)[1].split("\n", 1)[0].split())
    return [level for level, needed in LEVELS.items() if needed <= features]
