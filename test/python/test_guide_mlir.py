"""docs/guides/mlir.md, followed literally: its files, its commands in order, and the output that it shows."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy
import pytest

ROOT = Path(__file__).resolve().parents[2]
GUIDE = ROOT / "docs" / "guides" / "mlir.md"
BLOCK = re.compile(r"^```(\w+)(?: file=(\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("guide")


def test_the_guide_does_what_it_says(folder: Path) -> None:
    build = Path(os.environ.get("ECF8_BUILD", ROOT / "build"))
    path = f"{build / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    commands, output = [], ""
    for language, name, text in BLOCK.findall(GUIDE.read_text()):
        if name:
            (folder / name).write_text(text)
        elif language == "sh":
            result = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", text],
                cwd=folder, env={**os.environ, "PATH": path}, capture_output=True, text=True,
            )  # fmt: skip
            output = result.stdout + result.stderr
            assert result.returncode == 0, f"{text}\n{output}"
            commands.append(text.split()[0])
        elif language == "text":
            for line in text.splitlines():
                assert line.strip() in output, f"expected the output to contain: {line}\ngot: {output}"
    assert commands == ["python", "ecf8-opt", "ecf8-compile", "ecf8-run"]
    assert numpy.load(folder / "y.npy").tobytes() == numpy.load(folder / "expected.npy").tobytes()
