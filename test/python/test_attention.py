"""Attention a block of rows at a time gives the bytes of attention over all scores: shapes, types, processors."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import ecf8
import pytest
import torch
from conftest import load_for_each_cpu, same_bytes
from ecf8._tools import find_compiler
from torch import Tensor, nn
from torch.export import Dim

# batches, heads, queries, keys, width of a head
SHAPES = {
    "one block": (1, 2, 32, 288, 16),
    "last block is shorter": (1, 2, 77, 300, 16),
    "a prime number of rows": (2, 3, 197, 197, 8),
    "few rows": (1, 8, 5, 512, 24),
    "blocks of four rows": (1, 1, 7, 9000, 8),
}


class Attention(nn.Module):
    """`scaled_dot_product_attention`, heads beside one another afterwards."""

    def __init__(self, causal: bool = False) -> None:
        super().__init__()
        self.causal = causal

    def forward(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
        attended = nn.functional.scaled_dot_product_attention(query, key, value, mask, is_causal=self.causal)
        return attended.transpose(1, 2).flatten(2)


class GroupedAttention(nn.Module):
    """Written out: several heads of queries for one of keys, rotated queries, a softmax with a temperature."""

    def forward(self, query: Tensor, key: Tensor, value: Tensor, turn: Tensor) -> Tensor:
        groups = query.shape[1] // key.shape[1]
        key, value = (x.repeat_interleave(groups, 1) for x in (key, value))
        left, right = query.chunk(2, -1)
        query = query * turn.cos() + torch.cat((-right, left), -1) * turn.sin()
        scores = (query @ key.transpose(-1, -2)).float() / 3
        return (scores.softmax(-1).to(value.dtype) @ value).transpose(1, 2)


def inputs(shape: tuple[int, ...], dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    batches, heads, queries, keys, width = shape
    generator = torch.Generator().manual_seed(queries)
    lengths = (queries, keys, keys)
    query, key, value = (torch.randn(batches, heads, n, width, generator=generator).to(dtype) for n in lengths)
    return query, key, value


def compile_both(module: nn.Module, arguments: tuple[Tensor, ...], folder: Path, **how: Any) -> tuple[Path, Path]:
    """Bundles of `module` with attention in blocks, and with all scores at once."""
    program, weights = ecf8.export_mlir(module, arguments, folder, show_progress=False, **how)
    paths = []
    for flag in ("true", "false"):
        output = folder / f"tiled-{flag}.ecf8"
        ecf8.compile_mlir(
            program,
            weights,
            target_cpu="native,generic",
            output=output,
            options=[f"--tile-attention={flag}"],
            show_progress=False,
        )
        paths.append(output)
    return paths[0], paths[1]


def compare(bundles: tuple[Path, Path], arguments: tuple[Tensor, ...], reference: Tensor, tolerance: float) -> None:
    tiled, whole = (dict(load_for_each_cpu(bundle)) for bundle in bundles)
    assert len(tiled) > 0
    for cpu, model in tiled.items():
        expected = whole[cpu](*arguments)
        torch.testing.assert_close(expected.float(), reference.float(), rtol=tolerance, atol=tolerance, equal_nan=True)
        for threads in (1, 3):
            ecf8.set_threads(threads)
            assert same_bytes(model(*arguments), expected), f"{cpu}, {threads} threads"


def blocks(folder: Path) -> int:
    """How many loops over blocks the compiler made of the program in `folder`."""
    command = [find_compiler(), folder / "model.mlir", "--weights", folder / "weights.safetensors"]
    text = subprocess.run(
        [*command, "--emit=bufferized", "--target-cpu=generic", "-o", "-"], check=True, capture_output=True, text=True
    ).stdout
    return text.count("scf.forall")


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
def test_shapes_and_types(shape: tuple[int, ...], dtype: torch.dtype, tmp_path: Path) -> None:
    arguments = inputs(shape, dtype)
    bundles = compile_both(Attention(), arguments, tmp_path)
    compare(bundles, arguments, Attention()(*arguments), 1e-5 if dtype == torch.float32 else 2e-2)


def test_masks(tmp_path: Path) -> None:
    """Rows without any key are zero in PyTorch, and so is what is infinitely far from the others."""
    query, key, value = inputs((1, 2, 64, 256, 16), torch.float32)
    mask = torch.rand(1, 1, 64, 256) > 0.5
    mask[0, 0, 3], mask[0, 0, 40] = False, True
    query[0, 0, 40, 0], value[0, 1, 7, 3] = torch.inf, torch.nan
    arguments = (query, key, value, mask)
    bundles = compile_both(Attention(), arguments, tmp_path)
    assert blocks(tmp_path) == 1
    compare(bundles, arguments, Attention()(*arguments), 1e-5)


def test_causal(tmp_path: Path) -> None:
    arguments = inputs((1, 2, 160, 160, 16), torch.float32)
    bundles = compile_both(Attention(causal=True), arguments, tmp_path)
    assert blocks(tmp_path) == 1
    compare(bundles, arguments, Attention(causal=True)(*arguments), 1e-5)


def test_grouped_heads(tmp_path: Path) -> None:
    query, _, _ = inputs((2, 6, 70, 300, 16), torch.bfloat16)
    _, key, value = inputs((2, 2, 70, 300, 16), torch.bfloat16)
    arguments = (query, key, value, torch.randn(70, 16).to(torch.bfloat16))
    bundles = compile_both(GroupedAttention(), arguments, tmp_path)
    assert blocks(tmp_path) == 1
    compare(bundles, arguments, GroupedAttention()(*arguments), 3e-2)


def test_unknown_lengths(tmp_path: Path) -> None:
    queries, keys = Dim("queries", max=4096), Dim("keys", max=4096)
    arguments = inputs((1, 3, 64, 96, 16), torch.float32)
    shapes = {"query": {2: queries}, "key": {2: keys}, "value": {2: keys}}
    bundles = compile_both(Attention(), arguments, tmp_path, dynamic_shapes=shapes)
    assert blocks(tmp_path) == 1
    for shape in ((1, 3, 2, 2, 16), (1, 3, 33, 5, 16), (1, 3, 200, 1031, 16)):
        arguments = inputs(shape, torch.float32)
        compare(bundles, arguments, Attention()(*arguments), 1e-5)
