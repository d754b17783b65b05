"""Matmuls whose weight is not compressed: sums in the order of the columns, on each instruction set."""

from __future__ import annotations

from pathlib import Path

import ecf8
import numpy as np
import pytest
import torch
from conftest import load_for_each_cpu


def in_order(x: torch.Tensor, weight: torch.Tensor) -> np.ndarray:
    """x @ weight.T in f32, one rounded product after the other."""
    a, b = x.float().numpy(), weight.float().numpy()
    total = np.zeros((a.shape[0], b.shape[0]), np.float32)
    for k in range(a.shape[1]):
        total += a[:, k, None] * b[None, :, k]
    return total


# 70 outputs and 53 columns: whole squares of each width, and a rest on both sides; 9 rows are a block and one more.
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("rows", [1, 9])
def test_linear_adds_in_order(tmp_path: Path, dtype: torch.dtype, rows: int) -> None:
    torch.manual_seed(rows)
    linear = torch.nn.Linear(53, 70, bias=False, dtype=dtype)
    x = torch.randn(rows, 53).to(dtype)
    folder = tmp_path / "model"
    ecf8.compile(linear, (x,), output=folder, show_progress=False)
    expected = torch.from_numpy(in_order(x, linear.weight.detach())).to(dtype)
    for cpu, model in load_for_each_cpu(folder):
        assert torch.equal(model(x), expected), cpu


@pytest.mark.parametrize(("exponent", "power"), [(2, lambda x: x * x), (3, lambda x: x * x * x), (-1, lambda x: 1 / x)])
def test_powers_are_products(exponent: int, power) -> None:  # type: ignore[no-untyped-def]
    class Power(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.pow(exponent)

    x = torch.linspace(-3, 3, 100)
    assert torch.equal(ecf8.compile(Power(), (x,), target_cpu="native", show_progress=False)(x), power(x))
