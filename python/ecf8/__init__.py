"""ECF8: FP8 models with losslessly compressed weights, compiled through MLIR.

`import ecf8` loads neither torch nor torch-mlir nor the runtime; each name below brings in what it needs when it is
first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .errors import CheckpointError, CompileError, Error, ExecutionError, ModelImportError, ToolNotFoundError

if TYPE_CHECKING:
    from . import checkpoint, quantize
    from ._capture import EntryPoint
    from ._compile import compile, compile_bundle, compile_mlir, export_mlir
    from .model import CompiledModel, load, set_threads

__version__ = "0.1.0"

__all__ = [
    "CheckpointError",
    "CompileError",
    "CompiledModel",
    "EntryPoint",
    "Error",
    "ExecutionError",
    "ModelImportError",
    "ToolNotFoundError",
    "checkpoint",
    "compile",
    "compile_bundle",
    "compile_mlir",
    "export_mlir",
    "load",
    "quantize",
    "set_threads",
]

_LAZY = {
    "CompiledModel": "model",
    "EntryPoint": "_capture",
    "compile": "_compile",
    "compile_bundle": "_compile",
    "compile_mlir": "_compile",
    "export_mlir": "_compile",
    "load": "model",
    "set_threads": "model",
}


def __getattr__(name: str) -> Any:
    import importlib

    if name in ("checkpoint", "quantize"):
        return importlib.import_module(f".{name}", __name__)
    if name in _LAZY:
        return getattr(importlib.import_module(f".{_LAZY[name]}", __name__), name)
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(__all__)
