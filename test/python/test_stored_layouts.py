"""Weights in other layouts than [N, K]: experts in one tensor, and layers that multiply by [K, N]."""

from __future__ import annotations

import subprocess
from pathlib import Path

import ecf8
import pytest
import torch
from conftest import QUICK, same_bytes
from ecf8._tools import find_compiler
from torch import Tensor, nn
from torch.nn import functional

EXPERTS, WIDTH, HIDDEN = 4, 96, 64


def fp8(*shape: int) -> nn.Parameter:
    return nn.Parameter((torch.randn(*shape) * 20).to(torch.float8_e4m3fn), requires_grad=False)


class Experts(nn.Module):
    """A mixture of experts as batched matmuls: `up` is [E, N, K], `down` is [E, K, N], each with a scale per output."""

    def __init__(self) -> None:
        super().__init__()
        self.router = nn.Linear(WIDTH, EXPERTS)
        self.up, self.down = fp8(EXPERTS, HIDDEN, WIDTH), fp8(EXPERTS, HIDDEN, WIDTH)
        self.up_scale = nn.Parameter(torch.rand(EXPERTS, HIDDEN, 1) / 50, requires_grad=False)
        self.down_scale = nn.Parameter(torch.rand(EXPERTS, 1, WIDTH) / 50, requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        gates = self.router(x).softmax(-1)  # [M, E]
        up, down = self.up.float() * self.up_scale, self.down.float() * self.down_scale
        hidden = functional.silu(torch.bmm(x.expand(EXPERTS, -1, -1), up.transpose(1, 2)))
        return (torch.bmm(hidden, down) * gates.t().unsqueeze(-1)).sum(0)


class LoopedExperts(Experts):
    """The same, expert by expert."""

    def forward(self, x: Tensor) -> Tensor:
        gates = self.router(x).softmax(-1)
        result = torch.zeros_like(x)
        for expert in range(EXPERTS):
            up = self.up[expert].float() * self.up_scale[expert]
            down = self.down[expert].float() * self.down_scale[expert]
            hidden = functional.silu(functional.linear(x, up))
            result = result + (hidden @ down) * gates[:, expert : expert + 1]
        return result


class Conv1D(nn.Module):
    """GPT-2's linear layer: the weight is [K, N], and one scale belongs to each column."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = fp8(inputs, outputs)
        self.scale = nn.Parameter(torch.rand(outputs) / 50, requires_grad=False)
        self.bias = nn.Parameter(torch.randn(outputs), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        shape = (*x.shape[:-1], self.weight.shape[1])
        weight = self.weight.float() * self.scale
        return torch.addmm(self.bias, x.reshape(-1, x.shape[-1]), weight).view(shape)


class BlockScaledConv1D(nn.Module):
    """[K, N] with one scale for each block of 64 x 64, as [K / 64, N / 64]."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = fp8(inputs, outputs)
        self.scale = nn.Parameter(torch.rand(-(-inputs // 64), -(-outputs // 64)) / 50, requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        inputs, outputs = self.weight.shape
        scale = self.scale.repeat_interleave(64, 0)[:inputs].repeat_interleave(64, 1)[:, :outputs]
        return x @ (self.weight.float() * scale)


class BlockScaledExperts(nn.Module):
    """[E, K, N] with one scale for each block of 64 x 64, as [E, K / 64, N / 64]."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = fp8(EXPERTS, 2 * HIDDEN, 3 * HIDDEN)
        self.scale = nn.Parameter(torch.rand(EXPERTS, 2, 3) / 50, requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        scale = self.scale.repeat_interleave(64, 1).repeat_interleave(64, 2)
        return torch.bmm(x.expand(EXPERTS, -1, -1), self.weight.float() * scale)


def bufferized(module: nn.Module, x: Tensor, folder: Path) -> str:
    program, weights = ecf8.export_mlir(module, (x,), folder)
    command = [find_compiler(), program, f"--weights={weights}", "--emit=bufferized", *QUICK["options"], "-o", "-"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def check_fused(module: nn.Module, x: Tensor, contractions: int, folder: Path) -> ecf8.CompiledModel:
    text = bufferized(module, x, folder)
    assert text.count("ecf8.contract") == contractions
    assert "ecf8.decode" not in text
    model = ecf8.compile(module, (x,), **QUICK)
    plain = ecf8.compile(module, (x,), **{**QUICK, "options": [*QUICK["options"], "--fuse-decode=false"]})
    with torch.no_grad():
        expected = module(x)
    assert same_bytes(model(x), plain(x))
    assert torch.allclose(model(x), expected, rtol=1e-4, atol=1e-4 * expected.abs().max().item())
    return model


@pytest.mark.parametrize(("kind", "contractions"), [(Experts, 2), (LoopedExperts, 2 * EXPERTS)])
def test_experts(kind: type[Experts], contractions: int, tmp_path: Path):
    model = check_fused(kind().eval(), torch.randn(5, WIDTH), contractions, tmp_path)
    weights = {weight.name: weight for weight in model.weights}
    assert weights["up"].shape == (EXPERTS, HIDDEN, WIDTH)
    assert not weights["up"].transposed
    assert weights["down"].shape == (EXPERTS, HIDDEN, WIDTH)
    assert weights["down"].transposed


@pytest.mark.parametrize("codec", ["huffman", "raw"])
def test_conv1d(codec: str, tmp_path: Path):
    module = nn.Sequential(Conv1D(WIDTH, 3 * WIDTH), nn.GELU(), Conv1D(3 * WIDTH, WIDTH))
    x = torch.randn(2, 3, WIDTH)
    model = check_fused(module, x, 2, tmp_path)
    weights = {weight.name: weight for weight in model.weights}
    assert weights["0.weight"].shape == (WIDTH, 3 * WIDTH)
    assert weights["0.weight"].transposed
    other = ecf8.compile(module, (x,), **{**QUICK, "options": [*QUICK["options"], f"--codec={codec}"]})
    assert same_bytes(model(x), other(x))


@pytest.mark.parametrize(
    ("module", "width", "contractions"),
    [
        (BlockScaledConv1D(192, 320), 192, 1),
        (BlockScaledConv1D(160, 224), 160, 1),
        (BlockScaledExperts(), 2 * HIDDEN, 1),
    ],
    ids=["whole", "ragged", "experts"],
)
def test_block_scales(module: nn.Module, width: int, contractions: int, tmp_path: Path):
    model = check_fused(module, torch.randn(5, width), contractions, tmp_path)
    assert all(weight.transposed for weight in model.weights if weight.name == "weight")
