"""Weights of random bytes: no encoding makes them smaller, and contractions multiply them from raw tiles."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import ecf8
import numpy as np
import pytest
import torch
from conftest import CPUS, QUICK, load_for_each_cpu, same_bytes
from ecf8._tools import find_compiler
from torch import Tensor, nn


class Linear(nn.Module):
    """x @ weight.T, with a scale for each row or none."""

    def __init__(self, weight: Tensor, scale: Tensor | None) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight, requires_grad=False)
        self.scale = None if scale is None else nn.Parameter(scale, requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        weight = self.weight.float()
        return nn.functional.linear(x, weight if self.scale is None else weight * self.scale)


def random_bytes(rows: int, columns: int, dtype: torch.dtype) -> Tensor:
    """Uniform bytes, each of the 256 among them."""
    codes = torch.randint(0, 256, (rows * columns,), dtype=torch.uint8)
    codes[:256] = torch.arange(256, dtype=torch.uint8)
    return codes[torch.randperm(rows * columns)].view(rows, columns).view(dtype)


def in_order(x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """x @ weight.T in f32, one rounded product after the other."""
    total = np.zeros((x.shape[0], weight.shape[0]), np.float32)
    with np.errstate(invalid="ignore", over="ignore"):
        for k in range(x.shape[1]):
            total += x[:, k, None] * weight[None, :, k]
    return np.where(np.isnan(total), np.float32(np.nan), total)


def equal(found: np.ndarray, expected: np.ndarray) -> bool:
    return found.shape == expected.shape and found.tobytes() == expected.tobytes()


@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.float8_e5m2], ids=str)
@pytest.mark.parametrize("finite", [False, True], ids=["every-code", "finite"])
def test_bytes_are_those_of_the_program(dtype: torch.dtype, finite: bool, tmp_path: Path) -> None:
    weight = random_bytes(97, 112, dtype)  # a ragged last tile
    if finite:
        weight = torch.where(weight.float().isfinite(), weight.float(), 1).to(dtype)
    scale = torch.rand(97, 1) / 50 if finite else None
    module, x = Linear(weight, scale), torch.randn(9, 112)
    dynamic = {"dynamic_shapes": ({0: torch.export.Dim("rows", min=1, max=100)},)}
    ecf8.compile(module, (x,), output=tmp_path / "fused", **{**QUICK, "target_cpu": ",".join(CPUS)}, **dynamic)
    unfused = {**QUICK, "options": [*QUICK["options"], "--fuse-decode=false"]}
    plain = ecf8.compile(module, (x,), **unfused, **dynamic)
    assert {entry.name: entry for entry in plain.weights}["weight"].encoding is None
    values = weight.float().numpy() * (1 if scale is None else scale.numpy())
    expected = in_order(x.numpy(), values.astype(np.float32))
    assert np.isnan(expected).any() != finite
    assert equal(plain(x).numpy(), expected)
    for cpu, model in load_for_each_cpu(tmp_path / "fused"):
        stored = {entry.name: entry for entry in model.weights}["weight"]
        assert stored.encoding == "#ecf8.raw<order = rows32, tile_columns = 1024>", cpu
        for rows in (1, 9):  # kernels for one row and for several
            assert equal(model(x[:rows]).numpy(), expected[:rows]), (cpu, rows)


def test_it_is_fused_and_said_so(tmp_path: Path) -> None:
    module = Linear(random_bytes(64, 64, torch.float8_e4m3fn), torch.rand(64, 1))
    program, weights = ecf8.export_mlir(module, (torch.randn(2, 64),), tmp_path)
    command = [find_compiler(), program, f"--weights={weights}", "--emit=bufferized", "-o", "-"]
    stats = ["--stats=json", f"--stats-file={tmp_path / 'stats.json'}"]
    text = subprocess.run([*command, *stats], check=True, capture_output=True, text=True).stdout
    assert "ecf8.contract" in text and "ecf8.decode" not in text
    entry = next(x for x in json.loads((tmp_path / "stats.json").read_text())["weights"] if x["name"] == "weight")
    assert entry["codec"] == "raw"
    assert entry["reason"] == "size: no smaller when encoded, in tiles for contractions"


class Both(Linear):
    """The weight is an output, too, so no contraction decodes it for itself."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        return super().forward(x), self.weight.float()


def test_negative_other_readers_get_plain_bytes() -> None:
    weight = random_bytes(64, 64, torch.float8_e4m3fn)
    weight = torch.where(weight.float().isfinite(), weight.float(), 1).to(torch.float8_e4m3fn)
    model = ecf8.compile(Both(weight, None), (torch.randn(2, 64),), **QUICK)
    assert {entry.name: entry for entry in model.weights}["weight"].encoding is None
    assert same_bytes(model(torch.randn(2, 64))[1], weight.float())
