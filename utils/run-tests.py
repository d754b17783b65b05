#!/usr/bin/env python3
"""Runs every group of tests, also after one has failed, and closes with a summary line.

Exit status 0 means that every group ran and passed; a group that executes no test counts as failed.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


@dataclass
class Counts:
    passed: int = 0
    failed: int = 0
    skipped: int = 0


def sum_of(pattern: str, text: str) -> int:
    return sum(int(number) for number in re.findall(pattern, text, re.MULTILINE))


def count_lit(output: str) -> Counts:
    return Counts(
        passed=sum_of(r"^ *(?:Passed|Expectedly Failed) *: *(\d+)", output),
        failed=sum_of(r"^ *(?:Failed|Unexpectedly Passed|Unresolved|Timed Out) *: *(\d+)", output),
        skipped=sum_of(r"^ *(?:Unsupported|Skipped|Excluded) *: *(\d+)", output),
    )


def count_ctest(output: str) -> Counts:
    match = re.search(r"(\d+) tests failed out of (\d+)", output)
    if not match:
        return Counts()
    failed, total = map(int, match.groups())
    skipped = len(re.findall(r"\*\*\*(?:Skipped|Not Run)", output))
    return Counts(total - failed - skipped, failed, skipped)


def count_pytest(output: str) -> Counts:
    last = output.rstrip().rsplit("\n", 1)[-1]
    return Counts(
        passed=sum_of(r"(\d+) (?:passed|xfailed)", last),
        failed=sum_of(r"(\d+) (?:failed|error|errors|xpassed)\b", last),
        skipped=sum_of(r"(\d+) skipped", last),
    )


def count_checks(output: str) -> Counts:
    """Our own check scripts print `ok: ...` and `failed: ...` lines."""
    return Counts(
        passed=len(re.findall(r"^ok: ", output, re.MULTILINE)),
        failed=len(re.findall(r"^failed: ", output, re.MULTILINE)),
    )


@dataclass
class Group:
    name: str
    commands: list[list[str]]
    count: Callable[[str], Counts]


def test_groups(build: Path) -> list[Group]:
    python = sys.executable
    script = lambda name, *options: [python, str(ROOT / "utils" / name), *options]
    ctest = ["ctest", "--test-dir", str(build), "-j", str(os.cpu_count())]
    quickstart = ["--output", str(build / "quickstart")]
    return [
        Group("style", [script("check-style.py"), script("check-layers.py", "--build", str(build))], count_checks),
        Group("docs", [script("update-docs.py", "--check", "--build", str(build))], count_checks),
        Group("unit", [[*ctest, "--output-on-failure"]], count_ctest),
        Group("fuzz", [script("fuzz.py", "--seconds", "60", "--spare-small")], count_checks),
        Group("lit", [["ninja", "-C", str(build), "check-ecf8-lit"]], count_lit),
        Group("gpu-static", [[python, "benchmarks/gpu/static.py", "--check", "--build", str(build)]], count_checks),
        Group("python", [[python, "-m", "pytest", "-q", str(ROOT / "test" / "python")]], count_pytest),
        Group(
            "quickstart",
            [[python, "-m", "ecf8.quickstart", *quickstart], script("check-quickstart.py", *quickstart)],
            count_checks,
        ),
    ]


def run_command(command: list[str], environment: dict[str, str]) -> tuple[int, str]:
    """Runs `command` with its output shown as it comes; returns the exit status and the output."""
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
    )  # fmt: skip
    lines = []
    assert process.stdout is not None
    for line in process.stdout:
        print(line, end="", flush=True)
        lines.append(line)
    return process.wait(), "".join(lines)


def run_group(group: Group, environment: dict[str, str]) -> tuple[bool, Counts, float]:
    print(f"\n== {group.name}", flush=True)
    start = time.monotonic()
    succeeded, output = True, ""
    for command in group.commands:
        status, text = run_command(command, environment)
        succeeded, output = succeeded and status == 0, output + text
    counts = group.count(output)
    if not succeeded and counts.failed == 0:
        counts.failed = 1  # it ended before it could count
    if counts.passed == 0 and counts.failed == 0:
        print(f"failed: {group.name} executed no test")
        counts.failed = 1
    return counts.failed == 0, counts, time.monotonic() - start


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--build", type=Path, default=ROOT / "build", help="build folder (default: build)")
    parser.add_argument("groups", nargs="*", help="run these groups only")
    arguments = parser.parse_args()
    build = arguments.build.resolve()

    groups = test_groups(build)
    if unknown := set(arguments.groups) - {group.name for group in groups}:
        parser.error(f"expected groups out of {[group.name for group in groups]}, got {sorted(unknown)}")
    if arguments.groups:
        groups = [group for group in groups if group.name in arguments.groups]

    environment = {**os.environ, "ECF8_BUILD": str(build), "ECF8_HOME": str(build)}
    results = [(group.name, *run_group(group, environment)) for group in groups]

    print(f"\n{'group':<12}{'passed':>8}{'failed':>8}{'skipped':>9}{'seconds':>9}")
    for name, _, counts, seconds in results:
        print(f"{name:<12}{counts.passed:>8}{counts.failed:>8}{counts.skipped:>9}{seconds:>9.1f}")
    passed, failed, skipped = (sum(getattr(r[2], key) for r in results) for key in ("passed", "failed", "skipped"))
    print(f"\n{passed} passed, {failed} failed, {skipped} skipped")
    return 0 if all(result[1] for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
