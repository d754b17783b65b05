"""Makes the PTX of the kernels in kernels.mlir (whole decode, W8A16), w8a8.mlir and scaled.mlir, for each codec."""

from __future__ import annotations

import json
import random
import subprocess
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
CODECS = ("raw", "quads", "pairs")
MEASURED = ("kernels", "w8a8")
# The file and the arithmetic of each program whose kernels are counted.
PROGRAMS = {
    "kernels": ("kernels.mlir", "epilogue"),
    "w8a8": ("w8a8.mlir", "epilogue"),
    "scaled-sums": ("scaled.mlir", "epilogue"),
    "as-written": ("scaled.mlir", "as-written"),
}


def architecture_of(program: str, architecture: str) -> str | None:
    """What a program's kernels are compiled for: with wgmma where GPUs have it; None where they do not multiply FP8."""
    if program != "w8a8":
        return architecture
    return {"sm_80": None, "sm_90": "sm_90a"}.get(architecture, architecture)


def write_weights(path: Path) -> None:
    """A safetensors file with the weights of kernels.mlir; what is in them does not matter to the kernels."""
    size = 64 * 1024
    entries = {
        name: {"dtype": "F8_E4M3", "shape": [64, 1024], "data_offsets": [index * size, (index + 1) * size]}
        for index, name in enumerate(("v", "w"))
    }
    header = json.dumps(entries).encode()
    header += b" " * (-len(header) % 8)
    content = bytes(value & 0x8F | 0x30 for value in random.Random(1).randbytes(2 * size))
    path.write_bytes(len(header).to_bytes(8, "little") + header + content)


def write_ptx(build: Path, program: str, codec: str, architecture: str, tile_columns: int, path: Path) -> None:
    with tempfile.TemporaryDirectory() as name:
        weights = Path(name) / "weights.safetensors"
        write_weights(weights)
        source, arithmetic = PROGRAMS[program]
        command = [build / "bin/ecf8-compile", HERE / source, "--weights", weights, "--target=cuda"]
        subprocess.run(
            [
                *command,
                f"--gpu-arch={architecture}",
                f"--codec={codec}",
                f"--tile-columns={tile_columns}",
                f"--arithmetic={arithmetic}",
                "--emit=ptx",
                "-q",
                "-o",
                path,
            ],
            check=True,
        )
