"""The instruction sets that code is generated for, and the flags in /proc/cpuinfo of a machine that has them."""

LEVELS = {
    "generic": set(),
    "x86-64-v3": {"avx2"},
    "x86-64-v4": {"avx512_vbmi2"},
    "x86-64-v4-bf16": {"avx512_vbmi2", "avx512_bf16"},
}
