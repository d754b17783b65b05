#!/usr/bin/env python3
"""Builds the fuzz targets of test/fuzz (preset fuzz) and runs each for a while, on all cores.

Starts from generated seeds, the golden files, the inputs in test/fuzz/corpus and what earlier runs found. Prints
`ok: ...` and `failed: ...` lines, for a finding with the command that repeats it; exit status 0 means no finding.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FUZZ = ROOT / "test" / "fuzz"
GOLDEN = ROOT / "test" / "Inputs" / "golden"
SANITIZERS = {
    "ASAN_OPTIONS": "detect_leaks=1:allocator_may_return_null=1",
    "UBSAN_OPTIONS": "print_stacktrace=1",
}

MOST_MERGED = 32  # inputs that one --merge adds to the corpus of a target


@dataclass(frozen=True)
class Target:
    name: str
    max_bytes: int  # of an input
    dictionary: str | None = None
    golden: tuple[Path, ...] = ()  # further folders of inputs
    covers: tuple[str, ...] = ()  # sources whose lines --coverage reports
    inputs_of: str | None = None  # the target whose inputs and test serve here, too
    is_small: bool = False  # --spare-small gives it a third of the time

    @property
    def inputs_name(self) -> str:
        return self.inputs_of or self.name


PAYLOADS = (GOLDEN / "valid", GOLDEN / "invalid")
TARGETS = (
    Target("payload", 8192, golden=PAYLOADS, covers=("lib/Codec",)),
    Target("payload-plain", 8192, golden=PAYLOADS, covers=("lib/Codec",), inputs_of="payload"),
    Target("convert", 8192, covers=("lib/Codec",)),
    Target("round-trip", 1024, covers=("lib/Codec",)),
    Target("safetensors", 4096, "json.dict", covers=("lib/Support/Safetensors.cpp",)),
    Target(
        "checkpoint", 8192, "json.dict", covers=("lib/Checkpoint/CheckpointFile.cpp", "lib/Checkpoint/Transcode.cpp")
    ),
    Target("json", 2048, "json.dict", covers=("lib/Support/Json.cpp",), is_small=True),
    Target("manifest", 4096, "json.dict", covers=("lib/Runtime/Manifest.cpp",), is_small=True),
    Target("npy", 1024, "npy.dict", covers=("tools/ecf8-run/Npy.cpp",), is_small=True),
    Target("tensor-text", 256, "tensor-text.dict", covers=("tools/ecf8-run/Tensor.cpp",), is_small=True),
)


@dataclass
class Outcome:
    """What the processes of one target did together."""

    target: Target
    runs: int = 0
    seconds: float = 0
    edges: int = 0  # reached, of all_edges
    all_edges: int = 0
    inputs: int = 0  # in the corpus afterwards
    findings: list[str] = field(default_factory=list)


def cores() -> int:
    return len(os.sched_getaffinity(0))


def configure_and_build(build: Path, target: str, *options: str) -> None:
    if not (build / "build.ninja").exists():
        flags = [*options, *os.environ.get("ECF8_CMAKE_FLAGS", "").split()]
        command = ["cmake", "--preset", "fuzz", "-B", str(build), *flags]
        subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["ninja", "--quiet", "-C", str(build), target], cwd=ROOT, check=True)


def make_seeds(build: Path) -> Path:
    seeds = build / "seeds"
    shutil.rmtree(seeds, ignore_errors=True)
    subprocess.run([str(build / "bin" / "ecf8-fuzz-seeds"), str(seeds)], check=True)
    return seeds


def input_folders(target: Target, build: Path) -> list[Path]:
    """Where inputs of a target lie; the first is the one that grows."""
    grown = build / "corpus" / target.name
    grown.mkdir(parents=True, exist_ok=True)
    folders = [FUZZ / "corpus" / target.inputs_name, build / "seeds" / target.inputs_name, *target.golden]
    return [grown, *(folder for folder in folders if folder.is_dir())]


def environment() -> dict[str, str]:
    result = {**os.environ, **SANITIZERS}
    if "TMPDIR" not in result and Path("/dev/shm").is_dir():
        result["TMPDIR"] = "/dev/shm"  # target safetensors writes files and waits until they are on the disk
    if symbolizer := shutil.which("llvm-symbolizer-22"):
        result.setdefault("ASAN_SYMBOLIZER_PATH", symbolizer)
    return result


def fuzzer_command(target: Target, build: Path) -> list[str]:
    command = [str(build / "bin" / f"ecf8-fuzz-{target.name}"), f"-max_len={target.max_bytes}"]
    if target.dictionary:
        command.append(f"-dict={FUZZ / 'dictionaries' / target.dictionary}")
    return command


def run_process(target: Target, build: Path, seconds: int, number: int) -> tuple[Path, float]:
    """Runs one fuzzer process; returns its log and how long it took."""
    findings = build / "findings" / target.name
    findings.mkdir(parents=True, exist_ok=True)
    log = build / "logs" / f"{target.name}-{number}.log"
    log.parent.mkdir(exist_ok=True)
    options = [
        f"-max_total_time={seconds}", "-timeout=20", "-report_slow_units=20", "-rss_limit_mb=2048",
        "-print_final_stats=1", "-reload=1",
        f"-artifact_prefix={findings}/",
    ]  # fmt: skip
    start = time.monotonic()
    with log.open("wb") as stream:
        folders = [str(folder) for folder in input_folders(target, build)]
        subprocess.run(
            [*fuzzer_command(target, build), *options, *folders], cwd=ROOT, env=environment(),
            stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, check=False,
        )  # fmt: skip
    return log, time.monotonic() - start


def last_number(pattern: str, text: str) -> int:
    numbers = re.findall(pattern, text)
    return int(numbers[-1]) if numbers else 0


def read_log(outcome: Outcome, log: Path, seconds: float, build: Path) -> None:
    text = log.read_text(errors="replace")
    outcome.runs += last_number(r"stat::number_of_executed_units: (\d+)", text)
    outcome.seconds = max(outcome.seconds, seconds)
    outcome.edges = max(outcome.edges, last_number(r"cov: (\d+)", text))
    outcome.all_edges = last_number(r"Loaded \d+ modules\s+\((\d+) inline", text)
    artifacts = re.findall(r"Test unit written to (\S+)", text)
    if not artifacts and re.search(r"^Done \d+ runs in", text, re.MULTILINE):
        return
    reason = re.search(
        r"a property does not hold: .*|runtime error: .*|SUMMARY: .*|ERROR: .*|libFuzzer: run interrupted", text
    )
    what = reason.group(0) if reason else "ended early"
    for artifact in artifacts or [None]:
        repeat = f"{fuzzer_command(outcome.target, build)[0]} {artifact}" if artifact else f"see {log}"
        outcome.findings.append(f"{what}\n  {repeat}\n  log: {log}")


def fuzz(targets: list[Target], build: Path, seconds: int, spares_small: bool) -> list[Outcome]:
    outcomes = {target.name: Outcome(target) for target in targets}
    processes = max(1, cores() // len(targets))
    jobs = [(target, number) for target in targets for number in range(processes)]

    def run(job: tuple[Target, int]) -> None:
        target, number = job
        share = 3 if spares_small and target.is_small else 1
        log, took = run_process(target, build, max(1, seconds // share), number)
        read_log(outcomes[target.name], log, took, build)

    with ThreadPoolExecutor(cores()) as pool:
        list(pool.map(run, jobs))
    for outcome in outcomes.values():
        outcome.inputs = sum(1 for _ in (build / "corpus" / outcome.target.name).iterdir())
    return list(outcomes.values())


def report(outcomes: list[Outcome]) -> bool:
    print(f"\n{'target':<15}{'runs':>10}{'runs/s':>9}{'edges':>14}{'inputs':>8}")
    for outcome in outcomes:
        rate = outcome.runs / outcome.seconds if outcome.seconds else 0
        edges = f"{outcome.edges}/{outcome.all_edges}"
        print(f"{outcome.target.name:<15}{outcome.runs:>10}{rate:>9.0f}{edges:>14}{outcome.inputs:>8}")
    for outcome in outcomes:
        for finding in outcome.findings:
            print(f"\n{outcome.target.name}: {finding}")
    print()
    for outcome in outcomes:
        name = outcome.target.name
        print(f"failed: fuzz {name}" if outcome.findings else f"ok: fuzz {name}, {outcome.runs} runs")
    return not any(outcome.findings for outcome in outcomes)


def merge(targets: list[Target], build: Path) -> bool:
    """Adds to test/fuzz/corpus inputs that reach code which seeds and kept inputs do not reach."""
    for target in targets:
        grown, *others = input_folders(target, build)
        reached = build / "merge" / target.name
        shutil.rmtree(reached, ignore_errors=True)
        reached.mkdir(parents=True)
        known = [path for folder in others for path in folder.iterdir() if path.is_file()]
        for number, path in enumerate(known):
            shutil.copyfile(path, reached / f"known-{number}")
        # Edges alone: how often each is passed would keep ten times as many inputs.
        options = ["-set_cover_merge=1", "-use_counters=0", "-use_cmp=0", str(reached), str(grown)]
        result = subprocess.run(
            [*fuzzer_command(target, build), *options], env=environment(),
            capture_output=True, text=True, errors="replace",
        )  # fmt: skip
        if result.returncode != 0:
            print(result.stderr[-2000:])
            print(f"failed: merge {target.name}")
            return False
        kept = FUZZ / "corpus" / target.inputs_name
        kept.mkdir(parents=True, exist_ok=True)
        new = [path for path in reached.iterdir() if not path.name.startswith("known-")]
        # They were written in the order in which they add most; the last ones add an edge each, mostly of libraries.
        new = sorted(new, key=lambda path: path.stat().st_mtime_ns)[:MOST_MERGED]
        for path in new:
            shutil.copyfile(path, kept / path.name)
        print(f"ok: merge {target.name}, {len(new)} inputs added, {len(list(kept.iterdir()))} now")
    return True


def coverage(targets: list[Target], build: Path) -> bool:
    """Prints how many lines of the files under test all inputs reach together, and writes pages of them."""
    covered = build.parent / f"{build.name}-coverage"
    flags = "-fprofile-instr-generate -fcoverage-mapping"
    configure_and_build(
        covered, "ecf8-fuzz-inputs", "-DECF8_BUILD_FUZZERS=OFF", "-DECF8_BUILD_TESTS=ON", "-DECF8_ENABLE_ASAN=OFF",
        f"-DCMAKE_CXX_FLAGS={flags}",
    )  # fmt: skip
    profiles: list[str] = []
    objects: list[str] = []
    for target in targets:
        program, profile = covered / "bin" / f"ecf8-inputs-{target.inputs_name}", covered / f"{target.name}.profraw"
        folders = [str(folder) for folder in input_folders(target, build) if any(folder.iterdir())]
        result = subprocess.run(
            [str(program), *folders], env={**environment(), "LLVM_PROFILE_FILE": str(profile)},
            capture_output=True, text=True, errors="replace",
        )  # fmt: skip
        if result.returncode != 0:
            print(result.stderr[-2000:])
            print(f"failed: coverage {target.name}")
            return False
        profiles.append(str(profile))
        if str(program) not in objects:
            objects.append(str(program))
    merged = str(covered / "all.profdata")
    subprocess.run(["llvm-profdata-22", "merge", "-o", merged, *profiles], check=True)
    sources = sorted({str(ROOT / path) for target in targets for path in target.covers})
    command = [f"-instr-profile={merged}", objects[0], *(f"-object={name}" for name in objects[1:]), *sources]
    pages = covered / "pages"
    for mode in (["report", "-show-branch-summary=false"], ["show", "-format=html", f"-output-dir={pages}"]):
        # Its warnings are about functions of one name in several programs, such as main.
        subprocess.run(["llvm-cov-22", *mode, *command], stderr=subprocess.DEVNULL, check=True)
    print(f"line by line: {pages}/index.html")
    return True


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--build", type=Path, default=ROOT / "build-fuzz", help="build folder (default: build-fuzz)")
    parser.add_argument("--seconds", type=int, default=60, help="how long to run each target (default: 60)")
    parser.add_argument("--spare-small", action="store_true", help="a third of that for targets with small inputs")
    parser.add_argument("--merge", action="store_true", help="add what was found to test/fuzz/corpus instead")
    parser.add_argument("--coverage", action="store_true", help="report the lines that all inputs reach instead")
    parser.add_argument("targets", nargs="*", help="these targets only")
    arguments = parser.parse_args()
    known = {target.name: target for target in TARGETS}
    if unknown := set(arguments.targets) - set(known):
        parser.error(f"expected targets out of {list(known)}, got {sorted(unknown)}")
    if arguments.seconds < 1:
        parser.error(f"expected at least 1 second, got {arguments.seconds}")
    targets = [known[name] for name in arguments.targets] or list(TARGETS)

    build = arguments.build.resolve()
    configure_and_build(build, "ecf8-fuzzers")
    make_seeds(build)
    actions: list[tuple[bool, Callable[[list[Target], Path], bool]]] = [
        (arguments.merge, merge),
        (arguments.coverage, coverage),
    ]
    chosen = [action for is_wanted, action in actions if is_wanted]
    if chosen:
        return 0 if all([action(targets, build) for action in chosen]) else 1
    return 0 if report(fuzz(targets, build, arguments.seconds, arguments.spare_small)) else 1


if __name__ == "__main__":
    sys.exit(main())
