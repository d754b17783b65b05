"""The programs of benchmarks/cpu and benchmarks/model: that what is measured is what the tables say it is."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy
from ecf8._tools import find_compiler

BENCHMARK = Path(__file__).parent.parent.parent / "benchmarks" / "cpu"


@pytest.fixture
def modules(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The benchmark's folder in the path of imports, and none of its modules left behind."""
    monkeypatch.syspath_prepend(str(BENCHMARK))
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if Path(getattr(sys.modules[name], "__file__", None) or "/").parent == BENCHMARK:
            del sys.modules[name]


def test_every_case_is_fused(modules: None, tmp_path: Path) -> None:
    import program

    layer = program.Layer(192, 256, (64, 128))
    cases = list(itertools.product(program.ACTIVATIONS, program.SCALES))
    text = "".join(program.for_ecf8(layer, f"w0_{a}_{s}", ["w0", "w0"], a, s) for a, s in cases)
    (tmp_path / "program.mlir").write_text(text)
    weights = {
        "w0": np.zeros((192, 256), ml_dtypes.float8_e4m3fn),
        "w0.tensor": np.ones((), np.float32),
        "w0.rows": np.ones((192, 1), np.float32),
        "w0.blocks": np.ones(layer.grid, np.float32),
    }
    safetensors.numpy.save_file(weights, tmp_path / "weights.safetensors")
    command = [find_compiler(), tmp_path / "program.mlir", "--weights", tmp_path / "weights.safetensors", "-q"]
    bufferized = subprocess.run([*command, "--emit=bufferized"], capture_output=True, text=True, check=True).stdout
    assert bufferized.count("ecf8.contract ") == len(cases)
    assert "ecf8.decode " not in bufferized


@pytest.mark.parametrize("scale", ["none", "tensor", "blocks", "rows"])
def test_reference_scales_as_the_program_says(modules: None, tmp_path: Path, scale: str) -> None:
    import workload

    layer = workload.make_layer(192, 256)
    assert layer.block == (64, 128)
    work = workload.Workload(tmp_path, tmp_path, layer, 2, {}, 1)
    work.write_weights()
    tensors = work.read_weights()
    factors = None if scale == "none" else tensors[f"w1.{scale}"]
    wide = work.widened(tensors["w1"], factors, "bf16")
    row, column = 100, 200
    place = {"none": (), "tensor": (), "rows": (row, 0), "blocks": (row // 64, column // 128)}
    expected = np.float32(tensors["w1"][row, column]) * (1 if factors is None else factors[place[scale]])
    assert wide[row, column] == np.float32(expected.astype(ml_dtypes.bfloat16))


def test_recorded_run_can_be_drawn(modules: None, tmp_path: Path) -> None:
    import report

    recorded = json.loads((BENCHMARK.parent / "results" / "cpu.json").read_text())
    assert json.loads(report.to_json(recorded)) == recorded
    assert (BENCHMARK.parent / "results" / "cpu.md").read_text() == report.table(recorded)
    report.draw(recorded, tmp_path / "cpu.png")
    assert (tmp_path / "cpu.png").stat().st_size > 10000


MODEL = BENCHMARK.parent / "model"
GPU = BENCHMARK.parent / "gpu"


def test_model_benchmark_measures_and_prints(tmp_path: Path) -> None:
    build = Path(find_compiler()).parent.parent
    command = [sys.executable, MODEL / "run.py", "--build", build, "--model", "bert", "--type", "f32", "--tokens", "2"]
    command += ["--rounds", "1", "--profile-seconds", "0"]
    result = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    report = json.loads(result.stdout)
    (entry,) = report["results"]
    assert (entry["model"], entry["type"], entry["tokens"]) == ("bert", "f32", 2)
    assert entry["milliseconds"] > 0 and entry["torch_milliseconds"] > 0
    assert 0 < entry["difference"] < 0.05  # FP8 next to f32, and the same model


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--build", "/nowhere"], "expected bin/ecf8-compile in the build folder '/nowhere'"),
        (["--tokens", "1,x"], "expected numbers from 1 to 4096 separated by commas, got '1,x'"),
        (["--model", "gpt"], "invalid choice: 'gpt'"),
    ],
)
def test_model_benchmark_refuses(options: list[str], message: str) -> None:
    result = subprocess.run([sys.executable, MODEL / "run.py", *options], capture_output=True, text=True)
    assert result.returncode != 0 and message in result.stderr


def test_samples_by_class(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(MODEL))
    import samples

    report = """# Overhead;Shared Object;Symbol
 60.50%;x86-64-v4-bf16-1.so;[.] ecf8_contract_planes_parallel_2
 20.00%;x86-64-v4-bf16-1.so;[.] main_parallel_3
 10.25%;[kernel.kallsyms];[k] clear_page_erms
  5.00%;libc.so.6;[.] __memmove_avx512_unaligned_erms
"""
    found = samples.parse(report)
    assert found[1] == (20.0, "x86-64-v4-bf16-1.so", "main_parallel_3")
    assert samples.share(found) == {"contractions": 60.5, "other loops": 20.0, "kernel": 10.2, "rest": 5.0}
    del sys.modules["samples"]


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--gpu-arch=sm_70", "expected --gpu-arch=sm_80, sm_89, sm_90, sm_90a or sm_100, got 'sm_70'"),
        ("--tile-columns=100", "at most 1024, for order mma, got 100"),
        ("--build=/nowhere", "expected bin/ecf8-compile in the build folder '/nowhere'"),
    ],
)
def test_gpu_benchmark_refuses(option: str, message: str, tmp_path: Path) -> None:
    build = Path(find_compiler()).parent.parent
    command = [sys.executable, GPU / "run.py", f"--build={build}", option, "--pack", tmp_path / "pack"]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 1 and message in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "pack").exists()


@pytest.mark.parametrize("failing", ["check", "28672", "nothing"])
def test_gpu_benchmark_prints_a_whole_report_or_nothing(
    failing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(GPU))
    import run

    (tmp_path / "run.sh").write_text(run.SCRIPT.replace("TILE_COLUMNS", "512"))
    stand_in = tmp_path / "ecf8-bench-gpu"
    stand_in.write_text(f"""#!/bin/bash\n[ "$3" != {failing} ] && echo "[$2]"\n""")
    stand_in.chmod(0o755)
    result = subprocess.run(["bash", tmp_path / "run.sh"], capture_output=True, text=True)
    assert result.returncode == (0 if failing == "nothing" else 1)
    assert json.loads(result.stdout or "null") == ([[512]] * 4 if failing == "nothing" else None)
    del sys.modules["run"], sys.modules["kernels"]
