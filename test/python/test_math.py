"""Functions that the compiler writes out: close to the exact results, and the same bytes on each instruction set."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import ecf8
import numpy as np
import pytest
import torch
from conftest import load_for_each_cpu

LARGEST_ERROR = 1.5  # in units in the last place of f32
EXACT = {
    "exp": (torch.exp, np.exp),
    "exp2": (torch.exp2, np.exp2),
    "expm1": (torch.expm1, np.expm1),
    "log": (torch.log, np.log),
    "log1p": (torch.log1p, np.log1p),
    "tanh": (torch.tanh, np.tanh),
    "erf": (torch.erf, np.vectorize(math.erf)),
}


def inputs() -> np.ndarray:
    """Each exponent and sign with many mantissas, and more where results change most; zeros, infinities, NaN."""
    spread = np.arange(0, 2**32, 65521, dtype=np.uint64).astype(np.uint32).view(np.float32)
    middle = np.linspace(-6, 6, 20001, dtype=np.float32)
    large = np.linspace(-152, 130, 20001, dtype=np.float32)
    special = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1e-45, -1e-45, 1.0, 88.72284, 128.0], np.float32)
    return np.concatenate([spread, middle, large, special])


def errors(values: np.ndarray, exact: np.ndarray) -> np.ndarray:
    """Distances in units in the last place, subnormals' included."""
    exponents = np.maximum(np.floor(np.log2(np.maximum(np.abs(exact), 2.0**-149))), -126)
    return np.abs(values - exact) / 2.0 ** (exponents - 23)


def run_on_all(folder: Path, x: torch.Tensor, function: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
    class Function(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return function(x)

    ecf8.compile(Function(), (x,), output=folder, show_progress=False)
    results = {cpu: model(x).clone() for cpu, model in load_for_each_cpu(folder)}
    for cpu, result in results.items():
        assert result.view(torch.uint8).equal(results["generic"].view(torch.uint8)), cpu
    return results["generic"]


@pytest.mark.parametrize("name", EXACT)
def test_f32(tmp_path: Path, name: str) -> None:
    function, reference = EXACT[name]
    x = inputs()
    result = run_on_all(tmp_path / "model", torch.from_numpy(x), function).numpy()
    with np.errstate(all="ignore"):
        exact = reference(x.astype(np.float64))
        rounded = exact.astype(np.float32)
    finite = np.isfinite(rounded)
    assert np.array_equal(np.isnan(result), np.isnan(rounded))
    assert np.array_equal(result[np.isinf(rounded)], rounded[np.isinf(rounded)])
    assert np.array_equal(np.signbit(result[finite]), np.signbit(rounded[finite]))
    assert errors(result[finite].astype(np.float64), exact[finite]).max() <= LARGEST_ERROR


@pytest.mark.parametrize("name", ["expm1", "log1p"])
def test_f64_keeps_small_results(tmp_path: Path, name: str) -> None:
    function, reference = EXACT[name]
    x = torch.cat(
        [inputs_of_f64(), torch.tensor([0.0, -0.0, torch.inf, -torch.inf, torch.nan, -1.0, 709.0, 710.0, -40.0])]
    )
    result = run_on_all(tmp_path / "model", x, function).numpy()
    with np.errstate(all="ignore"):
        exact = reference(x.numpy())
    np.testing.assert_array_max_ulp(result[np.isfinite(exact)], exact[np.isfinite(exact)], maxulp=4)
    assert np.array_equal(result[~np.isfinite(exact)], exact[~np.isfinite(exact)], equal_nan=True)
    assert np.array_equal(np.signbit(result[exact == 0]), np.signbit(exact[exact == 0]))


def inputs_of_f64() -> torch.Tensor:
    """Of all sizes: multiples of powers of 10 up to 300, and of 1."""
    sizes = 10.0 ** torch.arange(-300, 3, 1, dtype=torch.float64)
    return torch.cat([sizes, -sizes * 0.7, torch.linspace(-0.99, 3, 4001, dtype=torch.float64)])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_narrow_types_round_once(tmp_path: Path, dtype: torch.dtype) -> None:
    x = torch.linspace(-8, 8, 4001).to(dtype)
    wide = run_on_all(tmp_path / "wide", x.float(), torch.exp)
    assert torch.equal(run_on_all(tmp_path / "narrow", x, torch.exp), wide.to(dtype))
