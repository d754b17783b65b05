"""What PyTorch models have behind their linear layers becomes part of the contraction, as torch-mlir lowers it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import ecf8
import pytest
import torch
from conftest import QUICK, Block, same_bytes
from ecf8._tools import find_compiler
from ecf8.quantize import quantize_linears
from torch import Tensor, nn
from torch.nn import functional


class Gated(nn.Module):
    """The feed-forward part of a Llama block, with its residual."""

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.gate, self.up = (nn.Linear(width, 96, bias=False) for _ in range(2))
        self.down = nn.Linear(96, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.down(functional.silu(self.gate(x)) * self.up(x))


def bufferized(module: nn.Module, x: Tensor, folder: Path, *options: str) -> str:
    program, weights = ecf8.export_mlir(module, (x,), folder)
    command = [find_compiler(), program, f"--weights={weights}", "--emit=bufferized", *QUICK["options"], *options]
    return subprocess.run([*command, "-o", "-"], check=True, capture_output=True, text=True).stdout


def check_bytes(module: nn.Module, x: Tensor) -> None:
    results = [
        ecf8.compile(module, (x,), **{**QUICK, "options": [*QUICK["options"], *options]})(x)
        for options in ([], ["--fuse-epilogue=false"], ["--fuse-decode=false"])
    ]
    assert same_bytes(results[0], results[1]) and same_bytes(results[0], results[2])
    with torch.no_grad():
        assert torch.allclose(results[0], module(x), rtol=1e-2, atol=1e-2)


def test_linear_with_gelu_is_one_op(tmp_path):
    module = quantize_linears(nn.Sequential(nn.Linear(64, 96), nn.GELU()).eval())
    x = torch.randn(5, 64)
    text = bufferized(module, x, tmp_path)
    assert text.count("ecf8.contract") == 1 and "math.erf" in text
    assert "linalg." not in text
    assert bufferized(module, x, tmp_path, "--fuse-epilogue=false").count("linalg.generic") == 1
    check_bytes(module, x)


# Three dimensions are two with a reshape between the contraction and its reader.
@pytest.mark.parametrize("shape", [(5, 64), (1, 5, 64), (2, 5, 64)])
def test_gated_layer_with_residual(tmp_path, shape):
    module = quantize_linears(Gated().eval())
    x = torch.randn(shape)
    text = bufferized(module, x, tmp_path)
    assert text.count("ecf8.contract") == 3 and text.count("epilogue(") == 2
    assert "linalg.generic" not in text
    check_bytes(module, x)


def test_bf16_rounds_in_between(tmp_path):
    module = quantize_linears(nn.Sequential(nn.Linear(64, 96), nn.GELU()).eval().bfloat16())
    x = torch.randn(3, 64).bfloat16()
    text = bufferized(module, x, tmp_path)
    # What is left extends the bias, once for all rows.
    assert text.count("epilogue(") == 1 and '["parallel", "parallel"]' not in text
    check_bytes(module, x)


def test_transformer_block(tmp_path):
    """Bias of three layers, GELU, and both residuals; the bias of q, k and v is read through a view."""
    module = quantize_linears(Block().eval())
    x = torch.randn(2, 7, 64)
    assert bufferized(module, x, tmp_path).count("epilogue(") == 4
    check_bytes(module, x)
