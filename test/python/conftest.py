"""What the Python tests share: small modules, and compiled pairs of plain and compressed weights."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import ecf8
import pytest
import torch
from ecf8._tools import find_compiler
from torch import Tensor, nn

# One instruction set and no lower limit: small weights are compressed, and a test compiles in a second.
QUICK: dict[str, Any] = {"target_cpu": "native", "options": ["--min-elements=1"]}
# The instruction sets that a bundle has code for unless it is told otherwise.
CPUS = ("generic", "x86-64-v3", "x86-64-v4", "x86-64-v4-bf16")


class Block(nn.Module):
    """A transformer block without convolutions: attention, layer norms, GELU."""

    def __init__(self, width: int = 64, heads: int = 4) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.up = nn.Linear(width, 2 * width)
        self.down = nn.Linear(2 * width, width)
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        batch, length, width = x.shape
        q, k, v = self.qkv(self.norm1(x)).view(batch, length, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        attended = nn.functional.scaled_dot_product_attention(q, k, v)
        x = x + self.out(attended.transpose(1, 2).reshape(batch, length, width))
        return x + self.down(nn.functional.gelu(self.up(self.norm2(x))))


def mlp(*widths: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for inputs, outputs in itertools.pairwise(widths):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers[:-1]).eval()


def same_bytes(left: Tensor, right: Tensor) -> bool:
    return (
        left.shape == right.shape
        and left.dtype == right.dtype
        and torch.equal(left.flatten().view(torch.uint8), right.flatten().view(torch.uint8))
    )


def compile_for_gpus(folder: Path, *widths: int, targets: Sequence[str], codec: str = "auto", rows: int = 2) -> Path:
    """`<target>.ecf8` in `folder`, which is returned: an MLP for `rows` of bf16, with kernels for Hopper."""
    torch.manual_seed(3)
    module = ecf8.quantize.quantize_linears(mlp(*widths).to(torch.bfloat16)).eval()
    program, weights = ecf8.export_mlir(module, (torch.zeros(rows, widths[0]).bfloat16(),), folder)
    command = [find_compiler(), program, f"--weights={weights}", "--min-elements=1", "--gpu-arch=sm_90a"]
    for target in targets:
        output = folder / f"{target}.ecf8"
        run = subprocess.run(
            [*command, f"--target={target}", f"--codec={codec}", "-o", output], capture_output=True, text=True
        )
        assert run.returncode == 0, run.stderr
    return folder


def load_for_each_cpu(bundle: Path) -> Iterator[tuple[str, ecf8.CompiledModel]]:
    """The bundle for each instruction set of this machine, which are `generic` and perhaps others of CPUS."""
    for cpu in CPUS:
        try:
            model = ecf8.load(bundle, cpu=cpu)
        except ecf8.Error:
            if cpu == "generic":
                raise
            continue  # not a CPU of this kind
        yield cpu, model


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small saved model with a dynamic batch: input [batch, 48] f32, output [batch, 32] f32."""
    torch.manual_seed(1)
    path = tmp_path_factory.mktemp("bundle") / "mlp.ecf8"
    model = ecf8.quantize.quantize_linears(mlp(48, 64, 32))
    batch = torch.export.Dim("batch", min=1, max=100)
    ecf8.compile(model, (torch.randn(3, 48),), dynamic_shapes=({0: batch},), output=path, **QUICK)
    return path


@pytest.fixture(scope="session")
def run_python() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs Python code in a process of its own, with this process's package and settings."""

    def run(code: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        package = str(Path(ecf8.__file__).parents[1])
        paths = os.pathsep.join([package, *filter(None, [os.environ.get("PYTHONPATH")])])
        return subprocess.run(
            [sys.executable, "-c", code, *arguments],
            env={**os.environ, "PYTHONPATH": paths, **environment},
            capture_output=True,
            text=True,
            check=False,
        )

    return run
