"""Where the compiler and the libraries are: ECF8_HOME, the Python prefix, the checkout's build folder, PATH."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from .errors import ToolNotFoundError

COMPILER = "ecf8-compile"
RUNTIME_LIBRARY = "libECF8Runtime.so"
CHECKPOINT_LIBRARY = "libECF8Checkpoint.so"
LIBRARY_FOLDERS = ("lib", "lib64", "lib/x86_64-linux-gnu")


def find_compiler() -> Path:
    """The path of `ecf8-compile`; raises `ToolNotFoundError`."""
    return _find(COMPILER, ("bin",))


def find_runtime_library() -> Path:
    """The path of `libECF8Runtime.so`; raises `ToolNotFoundError`."""
    return _find(RUNTIME_LIBRARY, LIBRARY_FOLDERS)


def find_checkpoint_library() -> Path:
    """The path of `libECF8Checkpoint.so`; raises `ToolNotFoundError`."""
    return _find(CHECKPOINT_LIBRARY, LIBRARY_FOLDERS)


def _find(name: str, folders: tuple[str, ...]) -> Path:
    home = os.environ.get("ECF8_HOME")
    # A prefix that was asked for is the only one searched: falling back would hide a wrong setting.
    prefixes = [Path(home)] if home else [Path(sys.prefix), *_checkout_builds(), *_path_prefixes()]
    candidates = [prefix / folder / name for prefix in prefixes for folder in folders]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    searched = ", ".join(str(candidate) for candidate in candidates)
    hint = "set ECF8_HOME to a prefix with bin/ and lib/" if not home else f"ECF8_HOME is '{home}'"
    raise ToolNotFoundError(f"expected '{name}' in one of: {searched} ({hint})")


def _checkout_builds() -> list[Path]:
    repository = Path(__file__).resolve().parents[2]
    return [repository / "build"] if (repository / "CMakePresets.json").is_file() else []


def _path_prefixes() -> list[Path]:
    compiler = shutil.which(COMPILER)
    return [Path(compiler).resolve().parents[1]] if compiler else []
