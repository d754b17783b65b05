"""Layers that read every other element: activations, scales, bias and residual whose rows are not contiguous."""

from __future__ import annotations

from collections.abc import Callable

import ecf8
import pytest
import torch
from conftest import QUICK, same_bytes
from torch import Tensor, nn
from torch.nn import functional

ROWS, COLUMNS, TOKENS = 64, 96, 5


class Strided(nn.Module):
    """An FP8 weight [64, 96] and what belongs to it, used by `function`."""

    def __init__(self, function: Callable[[Strided, Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function
        self.register_buffer("weight", torch.randn(ROWS, COLUMNS).to(torch.float8_e4m3fn))
        self.register_buffer("scales", torch.rand(2 * ROWS))
        self.register_buffer("biases", torch.randn(ROWS, 3))

    def dense(self) -> Tensor:
        return self.weight.to(torch.float32)

    def forward(self, x: Tensor, residual: Tensor) -> Tensor:
        return self.function(self, x, residual)


CASES = {
    "last of activations": lambda s, x, r: functional.linear(x[..., 0], s.dense()),
    "every other activation": lambda s, x, r: functional.linear(x.flatten(1)[:, ::2], s.dense()),
    "every other scale": lambda s, x, r: functional.linear(x[..., 1], s.dense() * s.scales[::2].unsqueeze(1)),
    "bias in a column": lambda s, x, r: functional.linear(x[..., 0].contiguous(), s.dense()) + s.biases[:, 1],
    "residual in a column": lambda s, x, r: functional.linear(x[..., 0], s.dense()) + r[..., 1],
    "every other residual": lambda s, x, r: functional.linear(x[..., 0], s.dense()) + r.flatten(1)[:, ::2],
}


@pytest.mark.parametrize("function", CASES.values(), ids=CASES.keys())
@pytest.mark.parametrize("codec", ["raw", "planes"])
def test_strided_operands(function: Callable[[Strided, Tensor, Tensor], Tensor], codec: str) -> None:
    module = Strided(function).eval()
    arguments = (torch.randn(TOKENS, COLUMNS, 2), torch.randn(TOKENS, ROWS, 2))
    results = [
        ecf8.compile(module, arguments, codec, **{**QUICK, "options": [*QUICK["options"], *options]})(*arguments)
        for options in ([], ["--fuse-decode=false"])
    ]
    assert same_bytes(*results)
    torch.testing.assert_close(results[0], module(*arguments), rtol=1e-4, atol=1e-4)
