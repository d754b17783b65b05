"""The exceptions of the package. All derive from `Error`, so that one `except ecf8.Error` is enough."""

from __future__ import annotations

from pathlib import Path


class Error(Exception):
    """Base of everything that this package raises on purpose."""


class ToolNotFoundError(Error):
    """`ecf8-compile` or a library of ours was not found; the message lists the places searched."""


class ModelImportError(Error):
    """A module could not be turned into MLIR.

    `module` is the qualified name of the submodule ("" for the module itself), `op` the operator, where known, and
    `reproducer` a file that shows the failure without the model's weights.
    """

    def __init__(
        self, message: str, *, module: str = "", op: str | None = None, reproducer: Path | None = None
    ) -> None:
        super().__init__(message)
        self.module = module
        self.op = op
        self.reproducer = reproducer


class CompileError(Error):
    """`ecf8-compile` failed. `diagnostics` is what it wrote to standard error, `reproducer` its input program, None
    where its options are wrong."""

    def __init__(self, message: str, *, diagnostics: str = "", reproducer: Path | None = None) -> None:
        super().__init__(message)
        self.diagnostics = diagnostics
        self.reproducer = reproducer


class ExecutionError(Error):
    """Loading a bundle or calling a compiled function failed. `code` names the runtime's error code."""

    def __init__(self, message: str, *, code: str = "") -> None:
        super().__init__(message)
        self.code = code


class CheckpointError(Error):
    """Reading or writing a checkpoint failed. `code` names the library's error code, where it comes from there."""

    def __init__(self, message: str, *, code: str = "") -> None:
        super().__init__(message)
        self.code = code
