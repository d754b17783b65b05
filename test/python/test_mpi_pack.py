"""utils/mpi-pack.py: parts over ranks, by Open MPI where it is installed and by a stand-in for its launcher."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from checkpoints import ROOT, checksums, gaussian, run_pack, write_shards

# Starts as many processes as `-n` says, with Open MPI's names for their ranks.
LAUNCHER = """
import os, subprocess, sys
count = sys.argv[2]
names = ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE")
started = [
    subprocess.Popen(sys.argv[3:], env={**os.environ, names[0]: str(i), names[1]: count}) for i in range(int(count))
]
sys.exit(max(process.wait() for process in started))
"""


def mpi_pack(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "utils" / "mpi-pack.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.mark.parametrize("launcher", ["stand-in", "mpirun"])
def test_parts_make_one_checkpoint_and_one_report(launcher: str, tmp_path: Path) -> None:
    if launcher == "mpirun":
        if not shutil.which("mpirun"):
            pytest.skip("Open MPI is not installed (Debian: openmpi-bin)")
        mpirun = "mpirun --allow-run-as-root --oversubscribe"
    else:
        (tmp_path / "launcher.py").write_text(LAUNCHER)
        mpirun = f"{sys.executable} {tmp_path / 'launcher.py'}"
    source = tmp_path / "source"
    write_shards(source, [{f"{shard}": gaussian(200 + 50 * shard, 700)} for shard in range(5)], {})
    run_pack("compress", source, tmp_path / "whole")
    report = tmp_path / "report.json"
    result = mpi_pack(f"--mpirun={mpirun}", "--ranks=3", f"--report={report}", "compress", source, tmp_path / "out")
    assert result.returncode == 0, result.stderr
    assert checksums(tmp_path / "out") == checksums(tmp_path / "whole")
    merged = json.loads(report.read_text())
    assert merged["parts"] == len(merged["part_seconds"]) == 3
    names = [file["name"] for file in merged["files"]]
    assert names == sorted(path.name for path in source.iterdir())
    assert merged["stored_bytes"] == sum(path.stat().st_size for path in (tmp_path / "out").iterdir())
    assert not list(tmp_path.glob(".mpi-pack-*"))


def test_a_rank_that_fails(tmp_path: Path) -> None:
    (tmp_path / "launcher.py").write_text(LAUNCHER)
    mpirun = f"--mpirun={sys.executable} {tmp_path / 'launcher.py'}"
    result = mpi_pack(mpirun, f"--report={tmp_path / 'r'}", "compress", tmp_path / "none", tmp_path / "out")
    assert result.returncode == 3
    assert "No such file" in result.stderr and "a rank failed with status 3" in result.stderr
    assert not (tmp_path / "r").exists()
    assert "expected a command of ecf8-pack" in mpi_pack().stderr
