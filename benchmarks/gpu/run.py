"""The kernels on a GPU: makes PTX, checks results, measures, and prints JSON.

    .venv/bin/python benchmarks/gpu/run.py --build build --pack FOLDER   a folder to carry to a machine with a GPU
    FOLDER/run.sh > gpu.json                                             there: neither LLVM nor this repository

Needs a CUDA driver for CUDA 12.4 or newer; without --pack it runs here.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from kernels import CODECS, MEASURED, architecture_of, write_ptx

HERE = Path(__file__).resolve().parent
SHAPES = (
    "4096 4096",
    "14336 4096",
    "28672 8192",
)  # rows and columns of layers of Qwen3-8B, Llama-3.1-8B and Llama-3.3-70B

SCRIPT = f"""#!/bin/bash
# Checks the kernels of this folder and measures them; JSON on standard output.
cd "$(dirname "$0")" || exit 1
columns=TILE_COLUMNS
report=$(./ecf8-bench-gpu . $columns check) || exit 1
for shape in {" ".join(f"'{shape}'" for shape in SHAPES)}; do
  report+=,$(./ecf8-bench-gpu . $columns $shape) || exit 1
done
echo "[$report]"
"""


def pack(build: Path, architecture: str, tile_columns: int, folder: Path) -> None:
    folder.mkdir()
    for codec in CODECS:
        for program in MEASURED:
            if compiled_for := architecture_of(program, architecture):
                path = folder / f"{codec}-{program}.ptx"
                write_ptx(build, program, codec, compiled_for, tile_columns, path)
    shutil.copy2(build / "bin/ecf8-bench-gpu", folder)
    script = folder / "run.sh"
    script.write_text(SCRIPT.replace("TILE_COLUMNS", str(tile_columns)))
    script.chmod(0o755)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=Path, default=HERE.parents[1] / "build")
    parser.add_argument(
        "--gpu-arch", default="sm_90", help="architecture of the PTX, W8A8 for sm_90 as sm_90a (default: %(default)s)"
    )
    parser.add_argument("--tile-columns", type=int, default=1024, help="columns of a tile (default: %(default)s)")
    parser.add_argument("--pack", type=Path, metavar="FOLDER", help="only make the folder")
    options = parser.parse_args()
    for tool in ("ecf8-compile", "ecf8-bench-gpu"):
        if not (options.build / "bin" / tool).is_file():
            sys.exit(f"error: expected bin/{tool} in the build folder '{options.build}'")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "pack"
        try:
            pack(options.build, options.gpu_arch, options.tile_columns, folder)
            if options.pack:  # whole or not at all
                shutil.copytree(folder, options.pack, dirs_exist_ok=True)
                return
        except subprocess.CalledProcessError:  # ecf8-compile has said why
            sys.exit("error: expected kernels for these options, got none")
        except OSError as error:
            sys.exit(f"error: cannot make the folder '{options.pack or folder}': {error.strerror or error}")
        sys.exit(subprocess.run([folder / "run.sh"]).returncode)


if __name__ == "__main__":
    main()
