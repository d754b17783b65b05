# lit: which files are tests, and what their RUN lines may call. The build completes it (lit.site.cfg.py).
# ruff: noqa: F821
import platform
from pathlib import Path

import lit.formats

config.name = "ECF8"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir", ".test"]
config.excludes = ["Inputs", "unit", "cmake", "python", "fuzz"]
config.test_source_root = str(Path(__file__).parent)
config.test_exec_root = config.ecf8_test_dir

path = [config.ecf8_tools_dir, config.llvm_tools_dir, config.environment["PATH"]]
config.environment["PATH"] = ":".join(path)
# LLVM's allocators poison memory in our code, which is instrumented, and not in its libraries, which are not.
if config.asan:
    config.environment["ASAN_OPTIONS"] = "allow_user_poisoning=0"
for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "ECF8_CPU", "ECF8_NUM_THREADS"):
    if name in lit_config.params:
        config.environment[name] = lit_config.params[name]

config.substitutions += [
    ("%inputs", str(Path(config.test_source_root) / "Inputs")),
    ("%ecf8_lib", config.ecf8_lib_dir),
    ("%ecf8_bin", config.ecf8_tools_dir),
    ("%python", f'"{config.python}"'),
]

# What this machine can execute: `REQUIRES: avx512vbmi2` makes a test unsupported elsewhere, never passed.
if platform.machine() == "x86_64":
    flags = set()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("flags"):
            flags = set(line.split(":", 1)[1].split())
            break
    config.available_features |= {"x86-64"} | flags & {"avx2", "bmi2", "avx512bw"}
    if {"avx512bw", "avx512vl", "avx512vbmi", "avx512_vbmi2", "gfni"} <= flags:
        config.available_features.add("avx512vbmi2")
if config.asan:
    config.available_features.add("asan")
