#!/usr/bin/env python3
"""Checks the form of the files: clang-format, ruff, leftovers, versions, the examples that passes name, sizes.

Prints `ok: ...` and `failed: ...` lines. With --fix, C++ and Python files are rewritten instead.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CPP_SUFFIXES = {".h", ".cpp", ".c"}
TEXT_SUFFIXES = CPP_SUFFIXES | {
    ".td", ".mlir", ".py", ".sh", ".md", ".txt", ".cmake", ".in", ".toml", ".json", ".cfg", ".yml",
}  # fmt: skip

# Leftovers, written so that this file does not match itself.
LEFTOVERS = [
    (re.compile(r"\b(?:TO[D]O|FIX[M]E|X[X]X)\b"), "an open end"),
    (re.compile(r"/wor[k]/|/tm[p]/s/|/roo[t]/|/opt/(?:whee[l]s|pyp[i])|\.pyen[v]"), "a path of one machine"),
]
# Line counts from which a file is mentioned, by suffix.
LARGE = {".cpp": 500, ".h": 400, ".td": 300, ".py": 500}


def project_files() -> list[Path]:
    """Every file that git tracks or would track."""
    output = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, capture_output=True, check=True, text=True
    ).stdout
    return sorted({ROOT / name for name in output.split("\0") if name and (ROOT / name).is_file()})


def run(command: list[str]) -> list[str]:
    """Runs a check; an empty list means that it passed."""
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    return [] if result.returncode == 0 else (result.stdout + result.stderr).strip().splitlines()


def check_clang_format(files: list[Path], fix: bool) -> list[str]:
    sources = [str(f) for f in files if f.suffix in CPP_SUFFIXES and "Inputs" not in f.parts]
    if not sources:
        return []
    output = run(["clang-format-22", *(["-i"] if fix else ["--dry-run", "-Werror"]), *sources])
    places = [re.match(r"(.*?):(\d+):\d+: error: ", line) for line in output]
    return (
        sorted({f"{Path(m.group(1)).relative_to(ROOT)}: run make format" for m in places if m}) if not fix else output
    )


def check_ruff(fix: bool) -> list[str]:
    ruff = [sys.executable, "-m", "ruff"]
    if fix:
        return run([*ruff, "check", "--quiet", "--fix", "."]) + run([*ruff, "format", "--quiet", "."])
    output = run([*ruff, "check", "--quiet", "--output-format=concise", "."])
    return output + run([*ruff, "format", "--check", "--output-format=concise", "."])


def check_leftovers(files: list[Path]) -> list[str]:
    problems = []
    for path in files:
        if path.suffix not in TEXT_SUFFIXES and path.name not in ("Makefile", "run"):
            continue
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
            problems += [
                f"{path.relative_to(ROOT)}:{number}: {what}: {match.group(0)}"
                for pattern, what in LEFTOVERS
                if (match := pattern.search(line))
            ]
    return problems


def check_pass_examples(files: list[Path]) -> list[str]:
    """Each pass names the test that is its example, and that file exists."""
    problems = []
    for path in files:
        if not path.name.endswith("Passes.td"):
            continue
        for definition in re.split(r"^def ", path.read_text(), flags=re.MULTILINE)[1:]:
            name = re.match(r"\w+", definition).group(0)  # type: ignore[union-attr]
            examples = re.findall(r"`(test/[^`]+)`", definition)
            where = f"{path.relative_to(ROOT)}: {name}"
            if not examples:
                problems.append(f"{where}: expected an example, a path in test/, in the description; got none")
            problems += [f"{where}: the example {e} does not exist" for e in examples if not (ROOT / e).is_file()]
    return problems


def check_links(files: list[Path]) -> list[str]:
    """Relative links of the pages, and the paths of the tree that they name in code font, lead somewhere."""
    problems = []
    for path in files:
        if path.suffix != ".md" or path.name == "Passes.md":  # check_pass_examples looks at its source
            continue
        named = re.findall(
            r"`((?:lib|include|tools|python|test|utils|cmake|docs|benchmarks)/[\w./-]+)`", path.read_text()
        )
        problems += [f"{path.relative_to(ROOT)}: {name} does not exist" for name in named if not (ROOT / name).exists()]
        targets = re.findall(
            r"\]\(([^)#\s:]+)(?:#[^)]*)?\)", re.sub(r"```.*?```", "", path.read_text(), flags=re.DOTALL)
        )
        problems += [
            f"{path.relative_to(ROOT)}: {target} does not exist"
            for target in targets
            if not (path.parent / target).exists()
        ]
    return problems


def check_versions() -> list[str]:
    """The version is set in CMakeLists.txt; the Python package and the changelog repeat it."""
    places = {
        "CMakeLists.txt": r"project\(ECF8 VERSION ([\d.]+)",
        "python/pyproject.toml": r'^version = "([\d.]+)"',
        "python/ecf8/__init__.py": r'^__version__ = "([\d.]+)"',
        "CHANGELOG.md": r"^## ([\d.]+)",
    }
    versions = {}
    for name, pattern in places.items():
        match = re.search(pattern, (ROOT / name).read_text(), re.MULTILINE)
        versions[name] = match.group(1) if match else "none"
    expected = versions["CMakeLists.txt"]
    return [f"{name}: expected version {expected}, got {v}" for name, v in versions.items() if v != expected]


def warn_about_sizes(files: list[Path]) -> None:
    for path in files:
        limit = LARGE.get(path.suffix)
        if limit and (lines := path.read_text(errors="replace").count("\n")) > limit:
            print(f"note: {path.relative_to(ROOT)} has {lines} lines: is there a seam?")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--fix", action="store_true", help="rewrite C++ and Python files in the project's style")
    fix = parser.parse_args().fix
    files = project_files()
    checks = {"clang-format": check_clang_format(files, fix), "ruff": check_ruff(fix)}
    if not fix:
        checks["no leftovers"] = check_leftovers(files)
        checks["links of the pages lead somewhere"] = check_links(files)
        checks["versions agree"] = check_versions()
        checks["examples of passes exist"] = check_pass_examples(files)
        warn_about_sizes(files)
    for title, problems in checks.items():
        for problem in problems:
            print(problem)
        print(f"failed: {title}" if problems else f"ok: {title}")
    return 1 if any(checks.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
