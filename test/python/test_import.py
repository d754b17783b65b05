"""Importing ecf8 loads nothing heavy and disturbs neither torch nor torch-mlir, whatever the order."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

HEAVY = ("torch", "torch_mlir", "numpy", "transformers", "tqdm", "safetensors")
STEPS = {
    "torch": "import torch; torch.ones(2) + 1",
    "torch_mlir": "import torch_mlir.fx; from torch_mlir import ir; ir.Context()",
    "ecf8": "import ecf8, numpy; model = ecf8.load(sys.argv[1]); model(numpy.ones((2, 48), numpy.float32))",
}


def test_import_is_light(run_python):
    result = run_python(f"import sys, ecf8; ecf8.Error; print([m for m in {HEAVY} if m in sys.modules])")
    assert result.stdout.strip() == "[]", result.stderr


def test_running_a_bundle_needs_no_torch(run_python, bundle: Path):
    result = run_python(f"import sys; {STEPS['ecf8']}; print('torch' in sys.modules)", str(bundle))
    assert result.stdout.strip() == "False", result.stderr


@pytest.mark.parametrize("order", list(itertools.permutations(STEPS)), ids="-".join)
def test_any_order_of_imports(run_python, bundle: Path, order: tuple[str, ...]):
    code = "\n".join(["import sys", *(STEPS[name] for name in order), "print('alive')"])
    result = run_python(code, str(bundle))
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == "alive"


def test_unknown_attribute():
    import ecf8

    with pytest.raises(AttributeError, match="module 'ecf8' has no attribute 'nothing'"):
        ecf8.nothing  # noqa: B018
    assert set(ecf8.__all__) <= set(dir(ecf8))
    assert all(getattr(ecf8, name) is not None for name in ecf8.__all__)
