"""The scripts in utils/: they must fail when they should."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


def load_script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name.replace("-", "_"), ROOT / "utils" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def layers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """check-layers on an empty tree."""
    module = load_script("check-layers")
    monkeypatch.setattr(module, "ROOT", tmp_path)
    for folder in ("include/ecf8/Codec", "lib/Codec", "lib/Runtime", "lib/Pipelines", "tools/ecf8-run"):
        (tmp_path / folder).mkdir(parents=True)
    return module


@pytest.mark.parametrize(
    ("path", "header"),
    [
        ("lib/Codec/A.cpp", "ecf8/Pipelines/Bundle.h"),
        ("lib/Codec/A.cpp", "llvm/ADT/StringRef.h"),
        ("lib/Runtime/A.cpp", "ecf8/Codec/Decoder.h"),
        ("tools/ecf8-run/A.cpp", "ecf8/Codec/Decoder.h"),
        ("include/ecf8/Codec/A.h", "ecf8/Dialect/ECF8/IR/ECF8.h"),
    ],
)
def test_layers_refuse_an_upward_include(layers: ModuleType, tmp_path: Path, path: str, header: str) -> None:
    (tmp_path / path).write_text(f'// purpose\n#include "{header}"\n')
    problems = layers.check_includes()
    assert len(problems) == 1 and problems[0].startswith(f"{path}:2: ") and header in problems[0]


def test_layers_accept_downward_includes(layers: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "lib/Codec/A.cpp").write_text('#include "ecf8/Support/Status.h"\n#include "ecf8/Codec/Format.h"\n')
    (tmp_path / "lib/Runtime/A.cpp").write_text('#include "ecf8-c/Runtime.h"\n#include "ecf8-c/DLPack.h"\n')
    (tmp_path / "lib/Pipelines/A.cpp").write_text(
        '#include "ecf8/Runtime/ModuleABI.h"\n#include "mlir/IR/Builders.h"\n'
    )
    assert layers.check_includes() == []


@pytest.mark.parametrize("library", ["ECF8Pipelines", "MLIR", "LLVMSupport"])
def test_layers_refuse_an_upward_link(layers: ModuleType, tmp_path: Path, library: str) -> None:
    (tmp_path / "lib/Pipelines/CMakeLists.txt").write_text("add_ecf8_compiler_library(ECF8Pipelines A.cpp)\n")
    (tmp_path / "lib/Codec/CMakeLists.txt").write_text(f"add_ecf8_library(ECF8Codec A.cpp\n  LINK_LIBS {library})\n")
    assert layers.check_links() == [f"lib/Codec/CMakeLists.txt: Codec must not link {library}"]


def test_layers_look_at_the_built_runtime(layers: ModuleType, tmp_path: Path) -> None:
    assert len(layers.check_binaries(tmp_path)) == 4  # nothing was built


LIT_OUTPUT = """
Total Discovered Tests: 6
  Unsupported      : 1 (16.67%)
  Passed           : 3 (50.00%)
  Expectedly Failed: 1 (16.67%)
  Failed           : 1 (16.67%)
"""


@pytest.mark.parametrize(
    ("counter", "output", "expected"),
    [
        ("count_lit", LIT_OUTPUT, (4, 1, 1)),
        ("count_ctest", "2/2 Test #2: b ...***Failed\n50% tests passed, 1 tests failed out of 2\n", (1, 1, 0)),
        ("count_ctest", "1/1 Test #1: b ...***Skipped\n100% tests passed, 0 tests failed out of 1\n", (0, 0, 1)),
        ("count_pytest", "x\n=== 1 failed, 12 passed, 2 skipped, 1 error in 3.10s ===\n", (12, 2, 2)),
        ("count_pytest", "x\n5 passed in 0.10s\n", (5, 0, 0)),
        ("count_checks", "ok: a\nlib: bad\nfailed: b\n", (1, 1, 0)),
    ],
)
def test_results_are_counted(counter: str, output: str, expected: tuple[int, int, int]) -> None:
    counts = getattr(load_script("run-tests"), counter)(output)
    assert (counts.passed, counts.failed, counts.skipped) == expected


@pytest.mark.parametrize(
    ("program", "passed", "failed"),
    [("print('ok: a')", 1, 0), ("pass", 0, 1), ("print('ok: a'); raise SystemExit(3)", 1, 1)],
)
def test_a_group_that_runs_nothing_or_ends_early_fails(program: str, passed: int, failed: int) -> None:
    module = load_script("run-tests")
    group = module.Group("g", [[sys.executable, "-c", program]], module.count_checks)
    succeeded, counts, _ = module.run_group(group, dict(os.environ))
    assert (succeeded, counts.passed, counts.failed) == (failed == 0, passed, failed)


FUZZ_STATS = "INFO: Loaded 1 modules   (100 inline 8-bit counters)\n#9 DONE cov: 40 ft: 50\n"
FUZZ_RUNS = "stat::number_of_executed_units: 9\n"


@pytest.mark.parametrize(
    ("log", "finding"),
    [
        (FUZZ_STATS + "Done 9 runs in 3 second(s)\n" + FUZZ_RUNS, None),
        (FUZZ_STATS + "==1== libFuzzer: run interrupted; exiting\n" + FUZZ_RUNS, "libFuzzer: run interrupted\n  see "),
        ("A.cpp:3: a property does not hold: a == b\nTest unit written to /f/crash-1\n" + FUZZ_RUNS,
         "a property does not hold: a == b\n  /b/bin/ecf8-fuzz-json /f/crash-1\n"),
        ("==1==ERROR: libFuzzer: timeout after 21 seconds\nTest unit written to /f/timeout-2\n" + FUZZ_RUNS,
         "ERROR: libFuzzer: timeout after 21 seconds\n  /b/bin/ecf8-fuzz-json /f/timeout-2\n"),
        ("cannot open shared object file\n", "ended early\n  see "),
    ],
)  # fmt: skip
def test_a_fuzzer_that_finds_something_or_ends_early_fails(
    log: str, finding: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    module = load_script("fuzz")
    target = next(target for target in module.TARGETS if target.name == "json")
    outcome = module.Outcome(target)
    path = tmp_path / "json-0.log"
    path.write_text(log)
    module.read_log(outcome, path, 3.0, Path("/b"))
    assert [f.startswith(finding) for f in outcome.findings] == ([True] if finding else [])
    assert module.report([outcome]) == (finding is None)
    output = capsys.readouterr().out
    assert ("ok: fuzz json, 9 runs" if finding is None else "failed: fuzz json") in output
    assert finding is not None or re.search(r"^json +9 +3 +40/100 +0$", output, re.MULTILINE)


def test_leftovers_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = load_script("check-style")
    monkeypatch.setattr(module, "ROOT", tmp_path)
    page = tmp_path / "page.md"
    page.write_text("fine\n" + "TO" + "DO: later\nsee /wor" + "k/main\n")
    assert [problem.split(": ")[0] for problem in module.check_leftovers([page])] == ["page.md:2", "page.md:3"]


def test_a_pass_needs_an_example_that_exists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = load_script("check-style")
    monkeypatch.setattr(module, "ROOT", tmp_path)
    passes = tmp_path / "Passes.td"
    passes.write_text('def APass : Pass<"a"> { Example: `test/a.mlir`. }\ndef BPass : Pass<"b"> { }\n')
    first, second = module.check_pass_examples([passes])
    assert "APass: the example test/a.mlir does not exist" in first and "BPass: expected an example" in second


def run_setup(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(ROOT / "utils/setup.sh"), *arguments],
        env={**os.environ, **environment}, stdin=subprocess.DEVNULL, capture_output=True, text=True,
    )  # fmt: skip


def test_setup_refuses_an_unknown_flag() -> None:
    result = run_setup("--chek")
    assert result.returncode == 2 and "expected --check, --python-only or --help, got '--chek'" in result.stderr


def test_setup_has_nothing_to_do_the_second_time() -> None:
    result = run_setup()
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_setup_does_not_follow_a_link(tmp_path: Path) -> None:
    for name in ("utils/setup.sh", "python/requirements.txt", "python/constraints.txt"):
        (tmp_path / "tree" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "tree" / name).write_bytes((ROOT / name).read_bytes())
    (tmp_path / "shared" / "bin").mkdir(parents=True)
    (tmp_path / "tree" / ".venv").symlink_to(tmp_path / "shared")
    result = subprocess.run(
        ["bash", str(tmp_path / "tree/utils/setup.sh"), "--python-only"], capture_output=True, text=True
    )
    assert result.returncode == 1
    assert f"expected .venv to be a folder or nothing, got a link to {tmp_path / 'shared'}" in result.stderr
    assert (tmp_path / "shared" / "bin").exists()


def test_setup_explains_itself_on_another_system(tmp_path: Path) -> None:
    # A copy of the checkout's scripts, so that no .venv is there.
    for name in ("utils/setup.sh", "python/requirements.txt", "python/constraints.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    (tmp_path / "os-release").write_text('ID=fedora\nPRETTY_NAME="Fedora Linux 44"\n')
    result = subprocess.run(
        ["bash", str(tmp_path / "utils/setup.sh")],
        env={**os.environ, "ECF8_OS_RELEASE": str(tmp_path / "os-release")}, capture_output=True, text=True,
    )  # fmt: skip
    assert result.returncode == 1
    assert "this is Fedora Linux 44" in result.stderr and "LLVM and MLIR 22" in result.stderr
    assert not (tmp_path / ".venv").exists()
