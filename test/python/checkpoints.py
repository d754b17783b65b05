"""What the tests of ecf8-pack share: running it, checksums of folders, and writing small checkpoints."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

ROOT = Path(__file__).resolve().parents[2]
PACK = Path(os.environ.get("ECF8_BUILD", ROOT / "build")) / "bin" / "ecf8-pack"

Tensors = dict[str, Tensor]


def run_pack(*arguments: object, status: int = 0, **options: Any) -> subprocess.CompletedProcess[str]:
    """Runs ecf8-pack and checks its exit status."""
    command = [str(PACK), *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=300, **options)
    assert result.returncode == status, f"{command}: {result.returncode}\n{result.stdout}{result.stderr}"
    return result


def report_of(*arguments: object) -> dict[str, Any]:
    report = json.loads(run_pack(*arguments, "--json").stdout)
    assert isinstance(report, dict)
    return report


def checksums(folder: Path) -> dict[str, str]:
    """SHA-256 of each file below `folder`, by its relative name."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def gaussian(*shape: int, dtype: torch.dtype = torch.float8_e4m3fn, scale: float = 0.02) -> Tensor:
    """A plain cast of normal weights."""
    return (torch.randn(shape) * scale).to(dtype)


def scaled(rows: int, columns: int, block: tuple[int, int] | None = None) -> tuple[Tensor, Tensor]:
    """FP8 weights and their scales: per block of `block`, ragged at the edges, or else per row."""
    weight = torch.randn(rows, columns) * 0.02
    block_rows, block_columns = block or (1, columns)
    count = (-(-rows // block_rows), -(-columns // block_columns))
    scales = torch.empty(count)
    quantized = torch.empty(rows, columns, dtype=torch.float8_e4m3fn)
    for i in range(count[0]):
        for j in range(count[1]):
            part = (
                slice(i * block_rows, (i + 1) * block_rows),
                slice(j * block_columns, (j + 1) * block_columns),
            )
            scales[i, j] = weight[part].abs().max() / 448
            quantized[part] = (weight[part] / scales[i, j]).to(torch.float8_e4m3fn)
    return quantized, scales


def write_shards(folder: Path, shards: list[Tensors], config: dict[str, Any]) -> None:
    """Shards with an index and a config, as the Hub has them."""
    folder.mkdir(parents=True)
    weight_map = {}
    for number, tensors in enumerate(shards, 1):
        name = f"model-{number:05}-of-{len(shards):05}.safetensors"
        save_file(tensors, folder / name, metadata={"format": "pt"})
        weight_map |= dict.fromkeys(tensors, name)
    size = sum(tensor.nbytes for tensors in shards for tensor in tensors.values())
    index = {"metadata": {"total_size": size}, "weight_map": weight_map}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=2) + "\n")
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
