#!/usr/bin/env python3
"""Checks that includes and CMake links point downward only (docs/Architecture.md, "Layers").

Prints `ok: ...` and `failed: ...` lines; with --build it also looks at what the built runtime links.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# What each layer may include and link, besides itself.
ALLOWED: dict[str, set[str]] = {
    "Support": set(),
    "Codec": {"Support"},
    "Runtime": {"Support"},
    "Checkpoint": {"Codec", "Support"},
    "Dialect": {"Codec", "Support"},
    "Conversion": {"Dialect", "Codec", "Support"},
    "Pipelines": {"Conversion", "Dialect", "Checkpoint", "Codec", "Support"},
    "Simt": {"Support"},
    "tools/ecf8-run": {"Runtime", "Support"},
    "tools/ecf8-pack": {"Checkpoint", "Codec", "Support"},
    "tools": {"Pipelines", "Conversion", "Dialect", "Checkpoint", "Codec", "Support"},
}
# Layers that use LLVM and not MLIR.
WITHOUT_MLIR = {"Simt"}
BELOW_COMPILER = {"Support", "Codec", "Runtime", "Checkpoint", "tools/ecf8-run", "tools/ecf8-pack"}
# Plain declarations of no layer: the agreement between compiled code and the runtime, the tensor exchange standard, and
# the status codes of the C APIs.
SHARED_HEADERS = {"ecf8/Runtime/ModuleABI.h", "ecf8-c/DLPack.h", "ecf8-c/GPU.h", "ecf8-c/Status.h"}
SOURCES = {".h", ".cpp", ".td", ".inc"}

INCLUDE = re.compile(r'^\s*#\s*include\s+["<]([^">]+)[">]|^\s*include\s+"([^"]+)"', re.MULTILINE)
LIBRARY = re.compile(r"\b(?:add_ecf8_library|add_ecf8_compiler_library|add_library|add_ecf8_plugin)\(\s*(\w+)")
CALL = re.compile(r"\b(\w+)\s*\(([^()]*(?:\([^()]*\)[^()]*)*)\)")


def layer_of(path: Path) -> str | None:
    parts = path.relative_to(ROOT).parts
    if "/".join(parts[1:]) in SHARED_HEADERS:
        return None
    if parts[0] == "tools":
        name = f"tools/{parts[1]}"
        return name if name in ALLOWED else "tools"
    if parts[0] == "lib" and len(parts) > 2:
        return parts[1]
    if parts[:2] == ("include", "ecf8") and len(parts) > 3:
        return parts[2]
    if parts[:2] == ("include", "ecf8-c"):
        return path.stem  # each C header is named after the layer that it opens
    return None


def layer_of_header(header: str) -> str | None:
    parts = header.split("/")
    if parts[0] == "ecf8" and len(parts) > 2:
        return parts[1]
    if parts[0] == "ecf8-c":
        return Path(header).stem
    return None


def check_includes() -> list[str]:
    problems = []
    for folder in ("include", "lib", "tools"):
        for path in sorted((ROOT / folder).rglob("*")):
            layer = layer_of(path) if path.suffix in SOURCES else None
            if layer is None:
                continue
            if layer not in ALLOWED:
                problems.append(f"{path.relative_to(ROOT)}: expected a layer out of {sorted(ALLOWED)}, got {layer}")
                continue
            text = path.read_text()
            for match in INCLUDE.finditer(text):
                header = match.group(1) or match.group(2)
                line = text.count("\n", 0, match.start(0) + len(match.group(0)) - len(match.group(0).lstrip())) + 1
                target = layer_of_header(header)
                upward = target not in (None, layer) and target not in ALLOWED[layer] and header not in SHARED_HEADERS
                foreign = layer in BELOW_COMPILER and header.startswith(("mlir/", "llvm/", "mlir-c/", "llvm-c/"))
                foreign |= layer in WITHOUT_MLIR and header.startswith(("mlir/", "mlir-c/"))
                if upward or foreign:
                    problems.append(f"{path.relative_to(ROOT)}:{line}: {layer} must not include {header}")
    return problems


def check_links() -> list[str]:
    """Reads the libraries named in each CMakeLists.txt; a library's layer is the folder that defines it."""
    files = [p for folder in ("lib", "tools") for p in sorted((ROOT / folder).rglob("CMakeLists.txt"))]
    texts = {path: re.sub(r"#.*", "", path.read_text()) for path in files}
    layers = {name: layer_of(path) for path, text in texts.items() for name in LIBRARY.findall(text)}
    problems = []
    for path, text in texts.items():
        layer = layer_of(path)
        if layer is None:
            continue
        for function, body in CALL.findall(text):
            if not (function.startswith("add_") or function == "target_link_libraries"):
                continue
            for word in body.split():
                target = layers.get(word)
                upward = target not in (None, layer) and target not in ALLOWED[layer]
                foreign = layer in BELOW_COMPILER and re.fullmatch(r"(MLIR|LLVM)\w*", word) is not None
                foreign |= layer in WITHOUT_MLIR and re.fullmatch(r"MLIR\w*", word) is not None
                if upward or foreign:
                    problems.append(f"{path.relative_to(ROOT)}: {layer} must not link {word}")
    return problems


def check_binaries(build: Path) -> list[str]:
    """The deployed part, as built, must not need LLVM."""
    problems = []
    for name in ("lib/libECF8Runtime.so", "lib/libECF8Checkpoint.so", "bin/ecf8-run", "bin/ecf8-pack"):
        path = build / name
        if not path.exists():
            problems.append(f"{path}: expected a built file, found none")
            continue
        output = subprocess.run(["ldd", str(path)], capture_output=True, text=True, check=True).stdout
        problems += [f"{path}: links {lib}" for lib in re.findall(r"\b(lib(?:LLVM|MLIR)\S*)", output)]
    return problems


def report(title: str, problems: list[str]) -> bool:
    for problem in problems:
        print(problem)
    print(f"failed: {title}" if problems else f"ok: {title}")
    return not problems


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--build", type=Path, help="build folder whose runtime is looked at, too")
    arguments = parser.parse_args()
    good = report("includes point downward", check_includes())
    good = report("CMake links point downward", check_links()) and good
    if arguments.build:
        good = report("the runtime links no LLVM", check_binaries(arguments.build)) and good
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
