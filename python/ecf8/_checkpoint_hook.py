"""Lets programs that read safetensors files read compressed ones."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import Any

_originals: list[Any] = []  # safetensors' own safe_open while the hook is in place


def _safe_open(filename: str | os.PathLike[str], framework: str = "pt", device: Any = "cpu", **options: Any) -> Any:
    """`safetensors.safe_open`, which gives a `Checkpoint` for a compressed file."""
    from .checkpoint import Checkpoint, is_compressed

    if not is_compressed(filename):
        return _originals[0](filename, framework=framework, device=device, **options)
    names = {"pt": "pt", "torch": "pt", "pytorch": "pt", "np": "np", "numpy": "np"}
    return Checkpoint(filename, names.get(framework, framework), device=device)  # type: ignore[arg-type]


def enable() -> None:
    """From here on `safetensors.safe_open` and `safetensors.torch.load_file` read compressed files, too.

    Everything that is built on them then does: `from_pretrained` of transformers and diffusers, for example. Tensors
    are decoded when they are read: this saves disk and network, not memory. Modules that were imported before are
    covered.
    """
    if _originals:
        return
    import safetensors

    _originals.append(safetensors.safe_open)
    _replace(safetensors.safe_open, _safe_open)


def disable() -> None:
    """Takes `enable` back."""
    if _originals:
        _replace(_safe_open, _originals.pop())


def _replace(old: Any, new: Any) -> None:
    """In each module that has `old` under the name safe_open."""
    import safetensors
    import safetensors.numpy

    with contextlib.suppress(ImportError):  # without torch there is nothing to cover
        import safetensors.torch
    for module in [safetensors, *list(sys.modules.values())]:
        # Not getattr: modules that import lazily would do so.
        if getattr(module, "__dict__", {}).get("safe_open") is old:
            module.__dict__["safe_open"] = new
