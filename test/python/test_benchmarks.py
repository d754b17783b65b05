"""The programs of benchmarks/cpu: that what is measured is what the tables say it is."""

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
