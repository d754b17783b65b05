"""What users write around FP8 weights is fused: forms of scales and of batches, as torch-mlir lowers them."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import ecf8
import torch
from conftest import QUICK, same_bytes
from ecf8._tools import find_compiler
from torch import Tensor, nn
from torch.nn import functional

ROWS, COLUMNS, BLOCK = 160, 300, 128  # ragged blocks


class Layers(nn.Module):
    """One weight in several forms, each a function of the input, the weight, and its scales for blocks and rows."""

    def __init__(self, *forms: Callable[..., Tensor]) -> None:
        super().__init__()
        weight = (torch.randn(ROWS, COLUMNS) * 20).to(torch.float8_e4m3fn)
        self.weight = nn.Parameter(weight, requires_grad=False)
        self.blocks = nn.Parameter(torch.rand(2, 3), requires_grad=False)
        self.rows = nn.Parameter(torch.rand(ROWS, 1), requires_grad=False)
        self.forms = forms

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        # Other activations for each: contractions of the same operands would become one.
        weight = self.weight.float()
        return tuple(form(x + number, weight, self.blocks, self.rows) for number, form in enumerate(self.forms))


def interleaved(weight: Tensor, scale: Tensor) -> Tensor:
    return weight * scale.repeat_interleave(BLOCK, 0)[:ROWS].repeat_interleave(BLOCK, 1)[:, :COLUMNS]


def expanded(weight: Tensor, scale: Tensor) -> Tensor:
    m, n = scale.shape
    whole = scale[:, None, :, None].expand(m, BLOCK, n, BLOCK).clone().view(m * BLOCK, n * BLOCK)
    return weight * whole[:ROWS, :COLUMNS]


def padded(weight: Tensor, scale: Tensor) -> Tensor:
    m, n = scale.shape
    blocks = functional.pad(weight, (0, n * BLOCK - COLUMNS, 0, m * BLOCK - ROWS)).view(m, BLOCK, n, BLOCK)
    return (blocks * scale[:, None, :, None]).view(m * BLOCK, n * BLOCK)[:ROWS, :COLUMNS]


def in_rows(weight: Tensor, scale: Tensor) -> Tensor:
    return weight * scale.expand(ROWS, COLUMNS).contiguous()


def check_fused(module: Layers, x: Tensor, folder: Path, tolerance: float = 1e-4) -> None:
    program, weights = ecf8.export_mlir(module, (x,), folder)
    command = [find_compiler(), program, f"--weights={weights}", "--emit=bufferized", *QUICK["options"], "-o", "-"]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert text.count("ecf8.contract") == len(module.forms) and "ecf8.decode" not in text
    fused = ecf8.compile(module, (x,), **QUICK)(x)
    plain = ecf8.compile(module, (x,), **{**QUICK, "options": [*QUICK["options"], "--fuse-decode=false"]})(x)
    with torch.no_grad():
        expected = module(x)
    for left, right, wanted in zip(fused, plain, expected, strict=True):
        assert same_bytes(left, right)
        assert torch.allclose(left, wanted, rtol=tolerance, atol=tolerance * wanted.abs().max().item())


def test_scales(tmp_path):
    module = Layers(
        lambda x, weight, blocks, rows: functional.linear(x, interleaved(weight, blocks)),
        lambda x, weight, blocks, rows: functional.linear(x, expanded(weight, blocks)),
        lambda x, weight, blocks, rows: functional.linear(x, padded(weight, blocks)),
        lambda x, weight, blocks, rows: functional.linear(x, in_rows(weight, rows)),
        lambda x, weight, blocks, rows: functional.linear(x, weight / (1 + rows)),
        lambda x, weight, blocks, rows: functional.linear(x, weight / 24.0),
    )
    check_fused(module, torch.randn(3, COLUMNS), tmp_path)


def test_batches(tmp_path):
    module = Layers(
        lambda x, weight, blocks, rows: x @ (weight * rows).t(),
        lambda x, weight, blocks, rows: x.transpose(0, 1) @ (weight * rows).t(),
        lambda x, weight, blocks, rows: torch.bmm(x, (weight * rows).t().expand(2, -1, -1)),
        lambda x, weight, blocks, rows: (weight * rows) @ x.transpose(1, 2),
        lambda x, weight, blocks, rows: torch.einsum("bmk,nk->mbn", x, weight * rows),
    )
    check_fused(module, torch.randn(2, 3, COLUMNS), tmp_path)


def test_vectors(tmp_path: Path) -> None:
    module = Layers(
        lambda x, weight, blocks, rows: torch.mv(weight, x),
        lambda x, weight, blocks, rows: torch.mv(weight * rows, x),
        lambda x, weight, blocks, rows: interleaved(weight, blocks) @ x,
        lambda x, weight, blocks, rows: x @ (weight * rows).t(),
        lambda x, weight, blocks, rows: torch.addmv(rows[:, 0], weight * rows, x),
        lambda x, weight, blocks, rows: functional.linear(x, weight * rows),
    )
    check_fused(module, torch.randn(COLUMNS), tmp_path)


def test_bf16_with_bias(tmp_path):
    bias = torch.randn(ROWS).bfloat16()
    module = Layers(
        lambda x, weight, blocks, rows: functional.linear(x.bfloat16(), (weight * rows).bfloat16(), bias),
        lambda x, weight, blocks, rows: functional.linear(x.bfloat16(), interleaved(weight, blocks).bfloat16()),
        lambda x, weight, blocks, rows: functional.linear(x.bfloat16(), (weight / (1 + rows)).bfloat16()),
        lambda x, weight, blocks, rows: functional.linear(x.bfloat16(), weight.bfloat16() * blocks[0, 0]),
    )
    check_fused(module, torch.randn(3, COLUMNS), tmp_path, tolerance=1e-2)


def test_numbers_of_the_program_as_scales(tmp_path: Path) -> None:
    module = Layers(
        lambda x, weight, _, __: functional.linear(x, weight * 0.5),
        lambda x, weight, _, __: functional.linear(x, weight * 0.03),  # no number of f32
    ).eval()
    check_fused(module, torch.randn(5, COLUMNS), tmp_path)
