"""Sums that are no contractions: in the order of the elements, with the same bytes on each instruction set."""

from __future__ import annotations

from pathlib import Path

import ecf8
import numpy as np
import pytest
import torch
from conftest import load_for_each_cpu


class SquareSum(torch.nn.Module):
    """The sum of a norm: its squares are computed inside it, and its result keeps a dimension of size 1."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x * x).sum(-1, keepdim=True)


class Attention(torch.nn.Module):
    """A softmax with rows that are masked as a whole, between two products of activations, and a layer norm."""

    def forward(self, q: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        y = torch.nn.functional.scaled_dot_product_attention(q, q, q, attn_mask=mask)
        return torch.nn.functional.layer_norm(y, y.shape[-1:])


def results(folder: Path, *inputs: torch.Tensor) -> list[torch.Tensor]:
    """One for each instruction set of this machine."""
    return [model(*inputs) for _, model in load_for_each_cpu(folder)]


# 37 rows and 53 columns: whole vectors and squares of each width, and a rest on both sides.
@pytest.mark.parametrize("shape", [(1, 37, 53), (1, 1, 53), (2, 3, 37, 4)])
def test_squares_add_in_order(tmp_path: Path, shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    x = torch.randn(shape)
    ecf8.compile(SquareSum(), (x,), output=tmp_path / "model", show_progress=False)
    total = np.zeros(shape[:-1], np.float32)
    for column in range(shape[-1]):
        total += x.numpy()[..., column] ** 2
    for y in results(tmp_path / "model", x):
        assert y.shape == (*shape[:-1], 1)
        assert np.array_equal(y[..., 0].numpy(), total)


def test_attention_with_masked_rows(tmp_path: Path) -> None:
    torch.manual_seed(0)
    q = torch.randn(1, 2, 37, 8)
    mask = torch.ones(1, 1, 37, 37, dtype=torch.bool).tril()
    mask[..., 5, :] = mask[..., 20, :] = False
    ecf8.compile(Attention(), (q, mask), output=tmp_path / "model", show_progress=False)
    first, *others = results(tmp_path / "model", q, mask)
    assert torch.allclose(first, Attention()(q, mask), atol=1e-4)
    assert all(torch.equal(first, other) for other in others)
    assert not first[..., 5, :].any() and not first[..., 20, :].any()
