"""docs/guides/checkpoints.md, followed literally: its files, its commands in order, and the output that it shows."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from checkpoints import PACK, ROOT
from conventions import CONVENTIONS

GUIDE = ROOT / "docs" / "guides" / "checkpoints.md"
BLOCK = re.compile(r"^```(\w+)(?: file=(\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_the_guide_does_what_it_says(tmp_path: Path) -> None:
    path = f"{PACK.parent}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    commands, output = [], ""
    for language, name, text in BLOCK.findall(GUIDE.read_text()):
        if name:
            (tmp_path / name).write_text(text)
        elif language == "sh":
            result = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", text],
                cwd=tmp_path, env={**os.environ, "PATH": path}, capture_output=True, text=True,
            )  # fmt: skip
            output = result.stdout + result.stderr
            assert result.returncode == 0, f"{text}\n{output}"
            commands += [line.split()[1] for line in text.splitlines() if line.startswith("ecf8-pack")]
        elif language == "text":
            for line in text.splitlines():
                assert " ".join(line.split()) in " ".join(output.split()), f"expected: {line}\ngot: {output}"
    assert {"stats", "compress", "verify", "decompress", "diff", "inspect", "convert"} == set(commands)


def test_the_guide_names_all_conventions() -> None:
    table = re.search(r"^## Conventions\n.*?^## ", GUIDE.read_text(), re.MULTILINE | re.DOTALL)
    assert table
    rows = [line for line in table.group(0).splitlines() if line.startswith("| ")]
    assert len(rows) == 1 + len(CONVENTIONS)
