"""The memory of ecf8-pack, which does not grow with tensors or files: measured on sparse checkpoints."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from checkpoints import PACK


def sparse_file(path: Path, shapes: list[list[int]], dtype: str = "F8_E4M3") -> int:
    """A file of zeros that takes no space. Returns the size of its tensors."""
    header, end = {}, 0
    for number, shape in enumerate(shapes):
        size = 1
        for dimension in shape:
            size *= dimension
        header[f"w{number}"] = {"dtype": dtype, "shape": shape, "data_offsets": [end, end + size]}
        end += size
    encoded = json.dumps(header).encode()
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(encoded)) + encoded)
        file.truncate(8 + len(encoded) + end)
    return end


# A process begins with the peak of the one that started it, so the starter has to be small.
STARTER = """
import os, sys
pid = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ)
_, status, usage = os.wait4(pid, 0)
print(usage.ru_maxrss)
sys.exit(os.waitstatus_to_exitcode(status))
"""


def peak_bytes(*arguments: object) -> int:
    """Runs ecf8-pack; returns its peak resident memory."""
    command = [sys.executable, "-S", "-c", STARTER, str(PACK), *map(str, arguments), "--quiet"]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, f"{arguments}: {result.stderr}"
    return int(result.stdout) * 1024


MIB = 1 << 20


def test_memory_does_not_grow_with_a_tensor(tmp_path: Path) -> None:
    peaks = []
    for rows in (24 * 1024, 48 * 1024):
        source, packed = tmp_path / f"{rows}.safetensors", tmp_path / f"{rows}.packed.safetensors"
        sparse_file(source, [[rows, 32768]])
        peaks.append(peak_bytes("compress", source, packed, "--jobs=2"))
        assert packed.stat().st_blocks * 512 < packed.stat().st_size / 100  # zeros are holes
    # What waits for its place is limited, to 256 MiB here; the second tensor has 768 MiB of it.
    assert max(peaks) < 400 * MIB
    assert peaks[1] - peaks[0] < 32 * MIB
    assert peak_bytes("verify", packed, "--jobs=2") < 100 * MIB


@pytest.mark.parametrize(
    "shape",
    [[64, 1 << 22], [2, (1 << 22) + 1], [1 << 28], [1 << 24, 16], [1, 1 << 28]],
    ids=["widest strips", "too wide", "vector", "narrow", "one row"],
)
def test_memory_for_any_shape_and_jobs(shape: list[int], tmp_path: Path) -> None:
    source, packed = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    size = sparse_file(source, [shape], "F8_E5M2")
    assert peak_bytes("compress", source, packed, "--jobs=32") < 1024 * MIB
    restored = tmp_path / "c.safetensors"
    assert peak_bytes("decompress", packed, restored, "--jobs=32") < 1024 * MIB
    assert restored.stat().st_size == source.stat().st_size > size
