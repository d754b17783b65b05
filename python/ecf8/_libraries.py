"""What the ctypes modules of the C APIs share."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def load(path: Path, signatures: Mapping[str, tuple[Any, list[Any]]]) -> ctypes.CDLL:
    """The library at `path`, with its symbols kept to itself, and the types of its functions by name.

    Raises OSError where it cannot be loaded and AttributeError where a function is missing.
    """
    loaded = ctypes.CDLL(str(path), mode=ctypes.RTLD_LOCAL)
    for name, (result, arguments) in signatures.items():
        function = getattr(loaded, name)
        function.restype, function.argtypes = result, arguments
    return loaded


def text(value: bytes | None) -> str:
    """A C string of a library; file names in messages need not be UTF-8."""
    return (value or b"").decode("utf-8", errors="replace")
